/** The server's settings: what users may do, and its limits. */

export class Settings {
  #answer;

  /** @param {Partial<import("../greenroom.d.ts").Settings>} answer of `GET settings/` */
  constructor(answer) {
    this.#answer = answer;
  }

  /** @param {"editing" | "deleting" | "reactions" | "renaming_dms" | "renaming_rooms"} action */
  can(action) {
    return this.#answer[`allow_${action}`] ?? true;
  }

  get showsDeleted() {
    return this.#answer.show_deleted ?? true;
  }

  /** Whether a user may see the texts of messages before their edits. */
  showsHistory(me) {
    const { message_history: history = "off" } = this.#answer;
    return history === "members" || (history === "staff" && Boolean(me?.is_staff));
  }

  /** Whether a user may start chats with others and add people. */
  mayStartChats(me) {
    return this.#answer.contacts !== "staff-only-start" || Boolean(me?.is_staff);
  }

  /** Whether messages may have files. */
  get takesFiles() {
    return this.#answer.uploads === true;
  }

  /** Most files of a message. */
  get maxFiles() {
    return this.#answer.attachments_max ?? 10;
  }

  /** The largest file, in bytes. */
  get maxFileSize() {
    return this.#answer.file_max_bytes ?? 25 * 1024 * 1024;
  }

  /** The longest message, in characters. */
  get maxMessageLength() {
    return this.#answer.max_message_length ?? 5_000;
  }
}

/** The pauses between attempts to load the settings, in milliseconds. */
const PAUSES = [250, 1_000, 4_000];

/** Loads the settings. If that fails, all actions are shown, and the server refuses what it does not allow. */
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
