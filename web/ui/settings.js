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

/** Where they cannot be had, everything is shown, and the server says what it does not allow. */
export async function loadSettings(client) {
  return new Settings(await client.api.settings().catch(() => ({})));
}
