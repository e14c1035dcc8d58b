/** The state of the composer of a chat or a thread: a new message, or an edit of a sent one. */

import { DraftSync } from "./draft-sync.js";
import { rangesOf, shifted, toMentions, trimmed } from "./mentions.js";
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
  /** The root of the thread that is written in; null: the chat itself. */
  root;
  /** Names the drafts: the id of the chat, or the negative id of the root. */
  key;
  /** Whether a reply in a thread is sent to the chat too. */
  alsoInChat = false;
  /** The message being edited, or null. */
  editing = null;
  /** The message being replied to, or null. */
  replyTo = null;
  text;
  /** The files to be sent, once there were any. @type {import("./file-list.js").FileList | null} */
  files = null;
  /** The latest files that were chosen, pasted or dropped. @type {File[] | null} */
  given = null;
  /** @type {File[] | null} */
  #takenFiles = null;
  /** @type {import("./mentions.js").MentionRange[]} Who is mentioned in the text, and where. */
  #mentioned = [];

  constructor(client, drafts, sync, maxLength, chatId, root = null) {
    this.#client = client;
    this.#sync = sync;
    this.#maxLength = maxLength;
    this.#drafts = drafts;
    this.chatId = chatId;
    this.root = root;
    this.key = root === null ? chatId : -root;
    this.#restore();
    this.replyTo = drafts.getReply(this.key);
  }

  #restore() {
    const edit = this.#drafts.getEdit(this.key);
    this.editing = edit?.message ?? null;
    this.text = edit?.text ?? this.#drafts.get(this.key);
    this.#mentioned = edit ? (edit.mentioned ?? []) : this.#drafts.getMentioned(this.key, this.text);
  }

  /** Reads the stored text again, after another tab changed it. */
  onOtherTab(isEdit) {
    if (!isEdit && this.editing) return;
    this.#restore();
    this.#notify();
  }

  /** The new message as far as it was written, whatever is being edited. */
  get draft() {
    const content = this.#drafts.get(this.key);
    const mentions = toMentions(this.#drafts.getMentioned(this.key, content), content);
    return { content, reply_to: this.replyTo?.id ?? this.#loadedReply, mentions };
  }

  /** Shows the draft of another device; null: it was sent or removed there. */
  takeDraft(draft) {
    this.#drafts.adopt(this.key, draft?.content ?? "");
    this.#drafts.setMentioned(this.key, draft?.content ?? "", draft ? rangesOf(draft) : []);
    if (!this.editing) this.#restore();
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
    this.#mentioned = shifted(this.#mentioned, this.text, text);
    this.text = text;
    if (this.editing) this.#drafts.setEdit(this.key, { message: this.editing, text, mentioned: this.#mentioned });
    else {
      this.#drafts.set(this.key, text);
      this.#drafts.setMentioned(this.key, text, this.#mentioned);
      this.#sync.changed(this.key);
      this.#client.typing(this.chatId, text.trim() !== "", this.root);
    }
    this.#notify();
  }

  /** Mentions someone in place of a part of the text. Returns where the text goes on. */
  mention({ id, name }, start, end) {
    const [before, rest] = [this.text.slice(0, start), this.text.slice(end)];
    const inserted = `@${name}`;
    const space = /^\s/.test(rest) ? "" : " ";
    const kept = shifted(this.#mentioned, this.text, before + inserted + space + rest);
    const next = start + inserted.length;
    this.text = before + inserted + space + rest;
    this.#mentioned = [...kept.filter((range) => range.end <= start || range.start >= next), { id, start, end: next }];
    this.type(this.text);
    return next + 1;
  }

  /** Starts to edit a message. The draft returns afterwards. */
  edit(message) {
    const { id, content, forwarded_from, mentions, attachments = [] } = message;
    // A comment on a forwarded text or on files may be removed.
    this.editing = { id, content, mentions, mayBeEmpty: Boolean(forwarded_from) || attachments.length > 0 };
    this.text = content;
    this.#mentioned = rangesOf(message);
    this.#notify("edit");
  }

  /** Starts a reply to a message. */
  reply(message) {
    if (this.editing) this.abandonEdit("edit");
    this.#setReply(message);
    this.#sync.changed(this.key);
    this.#notify("edit");
  }

  cancelReply(what = "edit") {
    this.#setReply(null);
    this.#sync.changed(this.key);
    this.#notify(what);
  }

  #setReply(message) {
    const { id, sender } = message ?? {};
    this.#loadedReply = null;
    this.replyTo = message && { id, sender, content: textOf(message) };
    this.#drafts.setReply(this.key, this.replyTo);
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
    this.#sync.sent(this.key, this.draft);
    this.files?.clear();
    this.#clear();
    this.#notify();
    return text;
  }

  #clear() {
    this.#drafts.set(this.key, "");
    this.#drafts.setMentioned(this.key, "", []);
    this.#setReply(null);
    this.text = "";
    this.#mentioned = [];
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
    const { state } = this.#client;
    const me = state.me?.id;
    const last = (this.root === null ? state.messages(this.chatId) : (state.thread(this.root)?.messages ?? []))
      .findLast(({ id, sender, is_deleted }) => id !== null && sender.id === me && !is_deleted);
    if (last) this.edit(last);
    return last !== undefined;
  }

  setAlsoInChat(isOn) {
    this.alsoInChat = isOn;
    this.#notify();
  }

  /** Adds files that were chosen, pasted or dropped. */
  give(list) {
    if (this.editing || list.length === 0) return;
    this.given = [...list];
    this.#notify("files");
  }

  /** Returns whether these files were not taken yet. */
  takeGiven(list) {
    const isNew = this.#takenFiles !== list;
    this.#takenFiles = list;
    return isNew;
  }

  filesChanged() {
    this.#notify("files");
  }

  cancel(what = "edit") {
    this.editing = null;
    this.#drafts.setEdit(this.key, null);
    this.#restore();
    this.#notify(what);
  }

  /** Sends the message or saves the edit. After a failed edit nothing has changed. */
  async submit() {
    if (!this.canSubmit) return;
    const text = this.text.trim();
    const mentions = toMentions(trimmed(this.#mentioned, this.text), text);
    if (!this.editing) {
      const thread = { thread: this.root, also_in_chat: this.root !== null && this.alsoInChat };
      this.#client.send(this.chatId, text, { replyTo: this.replyTo ?? undefined, mentions, attachments: this.files?.take(), ...thread });
      this.#sync.sent(this.key, this.draft);
      this.alsoInChat = false;
      this.#clear();
      return this.#notify("sent");
    }
    const { id, content } = this.editing;
    // What a message mentions without a place in its text stays.
    const before = this.editing.mentions;
    const users = [...mentions.users, ...(before?.users ?? []).filter(({ at }) => !at)];
    const placed = rangesOf(this.editing).map(({ id }) => id);
    for (const group of ["everyone", "here"]) mentions[group] ||= Boolean(before?.[group]) && !placed.includes(group);
    try {
      if (text !== content) await this.#client.edit(id, text, { mentions: before && { ...mentions, users } });
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
    const hasFiles = !this.editing && this.files?.items.length > 0;
    if (hasFiles && this.files.isBusy) return false;
    return (this.text.trim() !== "" || hasFiles || this.editing?.mayBeEmpty === true) && (this.charactersLeft ?? 0) >= 0;
  }

  #notify(what = "typed") {
    for (const listener of this.#listeners) listener(what);
  }
}

/** The composer states of all chats and threads: a text stays when the user opens another chat. */
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
      drafts.on((key, isEdit) => this.#all.get(key)?.onOtherTab(isEdit)),
      client.on("message", ({ chatId, message }) => this.#in(chatId).forEach((composer) => composer.onMessage(message))),
      client.on("messages", ({ chatId }) => this.#in(chatId).forEach((composer) => composer.checkMessages())),
    ];
  }

  close() {
    this.#stops.forEach((stop) => stop());
    for (const { files } of this.list()) files?.clear();
    this.#drafts.close();
    this.#sync.close();
  }

  /** Returns the composers of a chat and its threads. */
  #in(chatId) {
    return [...this.#all.values()].filter((composer) => composer.chatId === chatId);
  }

  /** Returns the composer of a chat, or of the thread with a root. */
  of(chatId, root = null) {
    const key = root === null ? chatId : -root;
    if (!this.#all.has(key)) {
      this.#all.set(key, new ComposerState(this.#client, this.#drafts, this.#sync, this.#maxLength, chatId, root));
      this.#sync.opened(key);
    }
    return this.#all.get(key);
  }

  /** Returns the typed texts of a chat and its threads, and clears them. */
  takeTexts(chatId) {
    this.of(chatId);
    return this.#in(chatId).map((composer) => composer.takeText());
  }

  /** Returns a composer by its key, if its chat or thread was opened. */
  known(key) {
    return this.#all.get(key);
  }

  /** Returns all composers, or those of a chat and its threads. */
  list(chatId = null) {
    return chatId === null ? [...this.#all.values()] : this.#in(chatId);
  }

  /** Saves the drafts of a chat and its threads: the user leaves the chat. */
  left(chatId) {
    for (const { key } of this.#in(chatId)) this.#sync.flush(key);
  }
}
