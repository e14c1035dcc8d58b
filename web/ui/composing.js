/** What somebody types into a chat: a new message, or another text for one that is there. */

export class Composing {
  #client;
  #drafts;
  #listeners = new Set();
  chatId;
  /** The message that is being edited. */
  editing = null;
  text;

  constructor(client, drafts, chatId) {
    this.#client = client;
    this.#drafts = drafts;
    this.chatId = chatId;
    this.text = drafts.get(chatId);
  }

  on(listener) {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  type(text) {
    this.text = text;
    if (!this.editing) {
      this.#drafts.set(this.chatId, text);
      this.#client.typing(this.chatId, text.trim() !== "");
    }
    this.#tell();
  }

  /** Takes up a message. What was typed before is there again afterwards. */
  edit(message) {
    this.editing = message;
    this.text = message.content;
    this.#tell("edit");
  }

  /** Takes up the latest message of one's own. */
  editLast() {
    const me = this.#client.state.me?.id;
    const last = this.#client.state
      .messages(this.chatId)
      .findLast(({ id, sender, is_deleted }) => id !== null && sender.id === me && !is_deleted);
    if (last) this.edit(last);
    return last !== undefined;
  }

  cancel() {
    this.editing = null;
    this.text = this.#drafts.get(this.chatId);
    this.#tell("edit");
  }

  /** Sends it, or saves it. Fails where an edit does; then everything is as it was. */
  async submit() {
    const text = this.text.trim();
    if (!isFit(text)) return;
    if (!this.editing) {
      this.#client.send(this.chatId, text);
      this.#drafts.set(this.chatId, "");
      this.text = "";
      return this.#tell("sent");
    }
    const { id, content } = this.editing;
    if (text !== content) await this.#client.edit(id, text);
    if (this.editing?.id === id) this.cancel();
  }

  #tell(what = "typed") {
    for (const listener of this.#listeners) listener(what);
  }
}

/** The longest message, in characters. */
const LONGEST = 5_000;
/** From here on it is said how many there are left. */
const NEARLY = 500;

export const isFit = (text) => text !== "" && (left(text) ?? 0) >= 0;

/** How many characters more there may be, once there are many; null before. */
export function left(text) {
  // A character takes at most two places, and those that take two are rare.
  if (text.length < LONGEST - NEARLY) return null;
  const count = LONGEST - [...text.trim()].length;
  return count <= NEARLY ? count : null;
}

/** Each chat's, so that nothing is lost while one looks elsewhere. */
export class Composings {
  #all = new Map();
  #client;
  #drafts;

  constructor(client, drafts) {
    this.#client = client;
    this.#drafts = drafts;
  }

  of(chatId) {
    if (!this.#all.has(chatId)) this.#all.set(chatId, new Composing(this.#client, this.#drafts, chatId));
    return this.#all.get(chatId);
  }
}
