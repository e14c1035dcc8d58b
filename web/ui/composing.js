/** The state of a chat's composer: a new message, or an edit of a sent one. */

/** From so many remaining characters on, their number is shown. */
const NEARLY = 500;

export class Composing {
  #client;
  #drafts;
  /** The longest allowed text, in characters. */
  #longest;
  #listeners = new Set();
  /** The edited message that was requested from the server, because it is not loaded. */
  #asked = null;
  chatId;
  /** The message being edited, or null. */
  editing = null;
  text;

  constructor(client, drafts, longest, chatId) {
    this.#client = client;
    this.#longest = longest;
    this.#drafts = drafts;
    this.chatId = chatId;
    this.#takeUp();
  }

  #takeUp() {
    const edit = this.#drafts.getEdit(this.chatId);
    this.editing = edit?.message ?? null;
    this.text = edit?.text ?? this.#drafts.get(this.chatId);
  }

  /** Reads the stored text again, after another tab changed it. */
  onOtherTab(isEdit) {
    if (!isEdit && this.editing) return;
    this.#takeUp();
    this.#tell();
  }

  on(listener) {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  type(text) {
    this.text = text;
    if (this.editing) this.#drafts.setEdit(this.chatId, { message: this.editing, text });
    else {
      this.#drafts.set(this.chatId, text);
      this.#client.typing(this.chatId, text.trim() !== "");
    }
    this.#tell();
  }

  /** Starts to edit a message. The draft returns afterwards. */
  edit(message) {
    const { id, content } = message;
    this.editing = { id, content };
    this.text = content;
    this.#tell("edit");
  }

  /** Ends the edit of a deleted message. Its new text is appended to the draft. */
  giveUp() {
    const { text } = this;
    const isTyped = text.trim() !== "" && text !== this.editing.content;
    this.cancel("gone");
    if (isTyped) this.type([this.text, text].filter((part) => part.trim()).join("\n"));
  }

  /** Returns the typed text and clears it. */
  takeAway() {
    const { text } = this;
    if (this.editing) this.cancel();
    this.#drafts.set(this.chatId, "");
    this.text = "";
    this.#tell();
    return text;
  }

  onMessage({ id, is_deleted }) {
    if (is_deleted && this.editing?.id === id) this.giveUp();
  }

  /** Checks that the message being edited still exists: it may have been deleted while the page was closed. */
  async look() {
    const id = this.editing?.id;
    const known = id && this.#client.state.message(id);
    if (known) return this.onMessage(known);
    if (!id || this.#asked === id || !this.#client.state.isOpen(this.chatId)) return undefined;
    this.#asked = id;
    try {
      return this.onMessage(await this.#client.api.message(id));
    } catch (error) {
      if (error.status === 404) return this.onMessage({ id, is_deleted: true });
      return (this.#asked = null);
    }
  }

  /** Starts to edit the user's latest message. Returns whether there is one. */
  editLast() {
    const me = this.#client.state.me?.id;
    const last = this.#client.state
      .messages(this.chatId)
      .findLast(({ id, sender, is_deleted }) => id !== null && sender.id === me && !is_deleted);
    if (last) this.edit(last);
    return last !== undefined;
  }

  cancel(what = "edit") {
    this.editing = null;
    this.#drafts.setEdit(this.chatId, null);
    this.text = this.#drafts.get(this.chatId);
    this.#tell(what);
  }

  /** Sends the message or saves the edit. After a failed edit nothing has changed. */
  async submit() {
    if (!this.isFit) return;
    const text = this.text.trim();
    if (!this.editing) {
      this.#client.send(this.chatId, text);
      this.#drafts.set(this.chatId, "");
      this.text = "";
      return this.#tell("sent");
    }
    const { id, content } = this.editing;
    try {
      if (text !== content) await this.#client.edit(id, text);
    } catch (error) {
      if (error.status === 404 && this.editing?.id === id) return this.giveUp();
      throw error;
    }
    if (this.editing?.id === id) this.cancel();
  }

  /** Returns how many characters are left, when few are; else null. */
  get left() {
    // A character takes at most two UTF-16 units, and those that take two are rare.
    if (this.text.length < this.#longest - NEARLY) return null;
    const count = this.#longest - [...this.text.trim()].length;
    return count <= NEARLY ? count : null;
  }

  get isFit() {
    return this.text.trim() !== "" && (this.left ?? 0) >= 0;
  }

  #tell(what = "typed") {
    for (const listener of this.#listeners) listener(what);
  }
}

/** The composer states of all chats: a text stays when the user opens another chat. */
export class Composings {
  #all = new Map();
  #client;
  #drafts;
  #longest;
  #stops;

  constructor(client, drafts, longest) {
    this.#client = client;
    this.#drafts = drafts;
    this.#longest = longest;
    this.#stops = [
      drafts.on((chatId, isEdit) => this.#all.get(chatId)?.onOtherTab(isEdit)),
      client.on("message", ({ chatId, message }) => this.#all.get(chatId)?.onMessage(message)),
      client.on("messages", ({ chatId }) => this.#all.get(chatId)?.look()),
    ];
  }

  close() {
    this.#stops.forEach((stop) => stop());
    this.#drafts.close();
  }

  of(chatId) {
    if (!this.#all.has(chatId)) this.#all.set(chatId, new Composing(this.#client, this.#drafts, this.#longest, chatId));
    return this.#all.get(chatId);
  }
}
