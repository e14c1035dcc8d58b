/** The state of a chat's composer: a new message, or an edit of a sent one. */

import { DraftSync } from "./draft-sync.js";
import { textOf } from "./text.js";

/** From so many remaining characters on, their number is shown. */
const SHOW_LEFT_FROM = 500;

export class ComposerState {
  #client;
  #drafts;
  #sync;
  /** The message that another device replies to, while it is loaded. @type {number | null} */
  #loadedReply = null;
  /** The longest allowed text, in characters. */
  #maxLength;
  #listeners = new Set();
  /** Messages that were requested from the server, because they are not loaded. */
  #requested = new Set();
  chatId;
  /** The message being edited, or null. */
  editing = null;
  /** The message being replied to, or null. */
  replyTo = null;
  text;

  constructor(client, drafts, sync, maxLength, chatId) {
    this.#client = client;
    this.#sync = sync;
    this.#maxLength = maxLength;
    this.#drafts = drafts;
    this.chatId = chatId;
    this.#restore();
    this.replyTo = drafts.getReply(chatId);
  }

  #restore() {
    const edit = this.#drafts.getEdit(this.chatId);
    this.editing = edit?.message ?? null;
    this.text = edit?.text ?? this.#drafts.get(this.chatId);
  }

  /** Reads the stored text again, after another tab changed it. */
  onOtherTab(isEdit) {
    if (!isEdit && this.editing) return;
    this.#restore();
    this.#notify();
  }

  /** The new message as far as it was written, whatever is being edited. */
  get draft() {
    return { content: this.#drafts.get(this.chatId), reply_to: this.replyTo?.id ?? this.#loadedReply };
  }

  /** Shows the draft of another device; null: it was sent or removed there. */
  takeDraft(draft) {
    this.#drafts.adopt(this.chatId, draft?.content ?? "");
    if (!this.editing) this.text = this.#drafts.get(this.chatId);
    const replyTo = draft?.reply_to ?? null;
    if (replyTo !== this.draft.reply_to) this.#takeReply(replyTo);
    this.#notify();
  }

  async #takeReply(id) {
    this.#setReply(null);
    this.#loadedReply = id;
    if (id === null) return;
    const { state, api } = this.#client;
    // A deleted message is not quoted any more.
    const message = state.message(id) ?? (await api.message(id).catch(() => null));
    if (this.#loadedReply !== id) return;
    this.#setReply(message?.is_deleted ? null : message);
    this.#notify();
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
      this.#sync.changed(this.chatId);
      this.#client.typing(this.chatId, text.trim() !== "");
    }
    this.#notify();
  }

  /** Starts to edit a message. The draft returns afterwards. */
  edit(message) {
    const { id, content, forwarded_from } = message;
    // A comment on a forwarded text may be removed.
    this.editing = { id, content, mayBeEmpty: Boolean(forwarded_from) };
    this.text = content;
    this.#notify("edit");
  }

  /** Starts a reply to a message. */
  reply(message) {
    if (this.editing) this.abandonEdit("edit");
    this.#setReply(message);
    this.#sync.changed(this.chatId);
    this.#notify("edit");
  }

  cancelReply(what = "edit") {
    this.#setReply(null);
    this.#sync.changed(this.chatId);
    this.#notify(what);
  }

  #setReply(message) {
    const { id, sender } = message ?? {};
    this.#loadedReply = null;
    this.replyTo = message && { id, sender, content: textOf(message) };
    this.#drafts.setReply(this.chatId, this.replyTo);
  }

  /** Ends an edit, by default because the message was deleted. Its new text is appended to the draft. */
  abandonEdit(what = "gone") {
    const { text } = this;
    const isTyped = text.trim() !== "" && text !== this.editing.content;
    this.cancel(what);
    if (isTyped) this.type([this.text, text].filter((part) => part.trim()).join("\n"));
  }

  /** Returns the typed text and clears it. */
  takeText() {
    const { text } = this;
    if (this.editing) this.cancel();
    this.#sync.sent(this.chatId, this.draft);
    this.#drafts.set(this.chatId, "");
    this.#setReply(null);
    this.text = "";
    this.#notify();
    return text;
  }

  onMessage(message) {
    const { id, is_deleted } = message;
    if (is_deleted && this.editing?.id === id) this.abandonEdit();
    if (this.replyTo?.id !== id) return;
    if (is_deleted) this.cancelReply("replyGone");
    else if (this.replyTo.content !== textOf(message)) {
      this.#setReply(message);
      this.#notify();
    }
  }

  /** Checks that the messages being edited and replied to still exist: they may have been deleted while the page was closed. */
  checkMessages() {
    for (const id of [this.editing?.id, this.replyTo?.id]) if (id) this.#check(id);
  }

  async #check(id) {
    const known = this.#client.state.message(id);
    if (known) return this.onMessage(known);
    if (this.#requested.has(id) || !this.#client.state.isOpen(this.chatId)) return undefined;
    this.#requested.add(id);
    try {
      return this.onMessage(await this.#client.api.message(id));
    } catch (error) {
      if (error.status === 404) return this.onMessage({ id, is_deleted: true });
      return void this.#requested.delete(id);
    }
  }

  /** Starts to edit the user's latest message. Returns whether there is one. */
  editLatest() {
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
    this.#notify(what);
  }

  /** Sends the message or saves the edit. After a failed edit nothing has changed. */
  async submit() {
    if (!this.canSubmit) return;
    const text = this.text.trim();
    if (!this.editing) {
      this.#client.send(this.chatId, text, { replyTo: this.replyTo ?? undefined });
      this.#sync.sent(this.chatId, this.draft);
      this.#drafts.set(this.chatId, "");
      this.#setReply(null);
      this.text = "";
      return this.#notify("sent");
    }
    const { id, content } = this.editing;
    try {
      if (text !== content) await this.#client.edit(id, text);
    } catch (error) {
      if (error.status === 404 && this.editing?.id === id) return this.abandonEdit();
      throw error;
    }
    if (this.editing?.id === id) this.cancel();
  }

  /** Returns how many characters are left, when few are; else null. */
  get charactersLeft() {
    // A character takes at most two UTF-16 units, and those that take two are rare.
    if (this.text.length < this.#maxLength - SHOW_LEFT_FROM) return null;
    const count = this.#maxLength - [...this.text.trim()].length;
    return count <= SHOW_LEFT_FROM ? count : null;
  }

  get canSubmit() {
    return (this.text.trim() !== "" || this.editing?.mayBeEmpty === true) && (this.charactersLeft ?? 0) >= 0;
  }

  #notify(what = "typed") {
    for (const listener of this.#listeners) listener(what);
  }
}

/** The composer states of all chats: a text stays when the user opens another chat. */
export class ComposerStates {
  #all = new Map();
  #client;
  #drafts;
  #maxLength;
  #sync;
  #stops;

  constructor(client, drafts, maxLength, owner, storage) {
    this.#client = client;
    this.#drafts = drafts;
    this.#sync = new DraftSync(client, owner, storage, this);
    this.#maxLength = maxLength;
    this.#stops = [
      drafts.on((chatId, isEdit) => this.#all.get(chatId)?.onOtherTab(isEdit)),
      client.on("message", ({ chatId, message }) => this.#all.get(chatId)?.onMessage(message)),
      client.on("messages", ({ chatId }) => this.#all.get(chatId)?.checkMessages()),
    ];
  }

  close() {
    this.#stops.forEach((stop) => stop());
    this.#drafts.close();
    this.#sync.close();
  }

  of(chatId) {
    if (!this.#all.has(chatId)) {
      this.#all.set(chatId, new ComposerState(this.#client, this.#drafts, this.#sync, this.#maxLength, chatId));
      this.#sync.opened(chatId);
    }
    return this.#all.get(chatId);
  }

  /** Returns a chat's composer if the chat was opened. */
  known(chatId) {
    return this.#all.get(chatId);
  }

  /** Returns the chats that were opened. */
  chats() {
    return [...this.#all.keys()];
  }

  /** Saves a chat's draft: the user leaves the chat. */
  left(chatId) {
    this.#sync.flush(chatId);
  }
}
