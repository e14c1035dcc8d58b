/** What people may do on this server, and what it has. */

export class Settings {
  #answer;

  /** @param {Partial<import("../greenroom.d.ts").Settings>} answer as the server gives it */
  constructor(answer) {
    this.#answer = answer;
  }

  /** @param {"editing" | "deleting" | "reactions" | "renaming_dms" | "renaming_rooms"} deed */
  can(deed) {
    return this.#answer[`allow_${deed}`] ?? true;
  }

  get showsDeleted() {
    return this.#answer.show_deleted ?? true;
  }

  /** Whether somebody may begin chats with others, and add people. */
  mayStart(me) {
    return this.#answer.contacts !== "staff-only-start" || Boolean(me?.is_staff);
  }

  /** In characters. */
  get longestMessage() {
    return this.#answer.max_message_length ?? 5_000;
  }
}

/** Pauses before they are asked for again, in milliseconds. */
const PAUSES = [250, 1_000, 4_000];

/** Where they cannot be had after a while, everything is shown, and the server says what it does not allow. */
export async function loadSettings(client) {
  for (const pause of PAUSES) {
    try {
      return new Settings(await client.api.settings());
    } catch (error) {
      if (error.isFinal) break;
      await new Promise((resolve) => setTimeout(resolve, Math.max(pause, (error.retryAfter ?? 0) * 1000)));
    }
  }
  return new Settings(await client.api.settings().catch(() => ({})));
}
