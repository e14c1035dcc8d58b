import { MAX_LISTED, automaticTitle, byActivity, quoteOf } from "./chat-rules.js";
import { applyEvent } from "./feed-events.js";
import { LoadJournals } from "./load-journals.js";
import { MessageWindows } from "./message-windows.js";
import { SavedDrafts } from "./saved-drafts.js";
import { TypingUsers } from "./typing-users.js";

/**
 * @typedef {import("../greenroom.d.ts").Chat} Chat
 * @typedef {import("../greenroom.d.ts").FeedEvent} FeedEvent
 * @typedef {import("../greenroom.d.ts").Message} Message
 */

/**
 * The client's copy of the user's chats. Applications see the part that `State` in `greenroom.d.ts` lists. Its objects
 * are replaced when they change, never altered.
 *
 * Three sequence numbers keep it consistent. `heads` has the last `seq` applied of each chat, so no event is applied
 * twice. A loaded chat skips events up to its own `seq`. Of two copies of a message, the one with the higher `seq` wins.
 * A load may return an older state than the events that arrived since, so these are replayed on it: see `loading`.
 */
export class Store {
  /** @type {any} */
  me = null;
  /** @type {Map<number, Chat>} */
  chats = new Map();
  /** @type {Map<number, Chat>} Public rooms that are watched and that the user is not in. */
  rooms = new Map();
  presence = new Map();
  /** @type {Map<number, number>} The last `seq` applied of each of the user's chats, loaded or not. */
  heads = new Map();
  /** @type {Set<number>} Chats to load, for the first time or again. */
  stale = new Set();
  /** True while missed events are applied. Unread counts then arrive at the end, not one by one. */
  isCatchingUp = false;

  #unread = new Map();
  /** @type {Map<number, readonly Message[]>} The pinned messages of chats, where they were loaded. */
  #pins = new Map();
  #windows;
  #journals = new LoadJournals();
  /** Cached results of `messages`, by chat. */
  #lists = new Map();
  /** Cached result of `chatList`. */
  #chatList;
  #emitter;
  #outbox;

  constructor(emitter, outbox, maxMessages) {
    this.#emitter = emitter;
    this.#outbox = outbox;
    this.#windows = new MessageWindows(Math.max(maxMessages, MAX_LISTED));
    this.typingUsers = new TypingUsers(emitter);
    this.savedDrafts = new SavedDrafts(emitter);
  }

  // Reading

  get chatList() {
    this.#chatList ??= Object.freeze([...this.chats.values()].sort(byActivity));
    return this.#chatList;
  }

  get hasMoreChats() {
    return this.chats.size < this.heads.size;
  }

  get unreadElsewhere() {
    return [...this.#unread.keys()].filter((id) => !this.chats.has(id));
  }

  get unread() {
    return [...this.#unread.values()].reduce((total, count) => total + count, 0);
  }

  unreadIn(chatId) {
    return this.#unread.get(chatId) ?? 0;
  }

  messages(chatId) {
    if (!this.#lists.has(chatId)) {
      const outgoing = this.hasNewer(chatId) ? [] : this.#outbox.all.filter(({ chat }) => chat === chatId);
      this.#lists.set(chatId, Object.freeze([...this.#windows.messages(chatId), ...outgoing]));
    }
    return this.#lists.get(chatId);
  }

  message(messageId) {
    return this.#windows.find(messageId);
  }

  pins(chatId) {
    return this.#pins.get(chatId) ?? null;
  }

  /** A draft of a chat in which a message is being sent counts as sent: the message removes it. */
  draft(chatId, thread = null) {
    const isSending = this.#outbox.all.some(({ chat, status }) => chat === chatId && status === "sending");
    const draft = this.savedDrafts.find(chatId, thread);
    return draft && isSending ? null : draft;
  }

  newestId(chatId) {
    const last = this.hasNewer(chatId) ? undefined : this.#windows.messages(chatId).at(-1);
    return last?.id ?? this.chats.get(chatId)?.last_message?.id;
  }

  isOpen(chatId) {
    return this.#windows.isOpen(chatId);
  }

  hasOlder(chatId) {
    return this.#windows.hasOlder(chatId);
  }

  hasNewer(chatId) {
    return this.#windows.hasNewer(chatId);
  }

  typing(chatId) {
    return this.typingUsers.in(chatId);
  }

  /** Whether the user is in the chat, or watches it as a room. */
  has(chatId) {
    return this.heads.has(chatId) || this.rooms.has(chatId);
  }

  // Storing what was loaded

  /** Stores the first snapshot. */
  begin(me, { chats, heads, unread = {}, users_online = [], last_seen = {} }) {
    this.me = me;
    this.reached(heads, unread);
    for (const chat of chats) this.takeChat(chat);
    for (const [id, time] of Object.entries(last_seen)) this.setPresence(Number(id), false, time);
    this.takeOnline(users_online);
  }

  /** Merges changed fields of the user. A new picture drops `avatar_source`, which events do not have. */
  takeMe(fields) {
    const { avatar_source: source, ...me } = this.me ?? {};
    const isSame = source !== undefined && fields.avatar_url === me.avatar_url;
    this.me = { ...me, ...(isSame && { avatar_source: source }), ...fields };
    this.#emitter.schedule("me", () => ({ me: this.me }), "me");
  }

  /** Stores which of the users with whom the user shares a dm are online. */
  takeOnline(users) {
    for (const [id, { is_online }] of this.presence) if (is_online && !users.includes(id)) this.setPresence(id, false);
    for (const id of users) this.setPresence(id, true);
  }

  /** Removes everything, for another user. */
  clear() {
    this.me = null;
    for (const id of [...this.heads.keys()]) this.dropChat(id);
    for (const id of [...this.rooms.keys()]) this.dropRoom(id);
    this.presence.clear();
    this.savedDrafts.clear();
    this.#journals.clear();
  }

  /** Loads something about a chat (null: about all chats), stores it, and replays the events that arrived since. */
  loading(chatId, load, store) {
    return this.#journals.load(chatId, load, store, (event) => applyEvent(this, event));
  }

  takeChat(chat) {
    // A public room that the user has opened without joining it.
    if (chat.is_member === false) return;
    if (!this.heads.has(chat.id)) this.heads.set(chat.id, chat.seq);
    this.rooms.delete(chat.id);
    this.chats.set(chat.id, chat);
    this.setUnread(chat.id, chat.unread_count);
    this.chatChanged(chat.id);
  }

  /** Stores a public room as users outside it see it. */
  takeRoom(chat) {
    if (this.heads.has(chat.id) || this.rooms.get(chat.id)?.seq > chat.seq) return;
    this.rooms.set(chat.id, chat);
    this.chatChanged(chat.id);
  }

  dropRoom(id) {
    if (this.rooms.delete(id)) this.chatChanged(id);
  }

  /** Replaces a chat's messages by its newest page, or by a page in the middle where there are newer messages. */
  takeNewest(chatId, page, hasNewer = false) {
    if (!this.heads.has(chatId)) return;
    const messages = this.#windows.replace(chatId, page, hasNewer);
    for (const message of messages) this.#outbox.confirm(message, this.me);
    this.messagesChanged(chatId);
  }

  /** Adds messages older than `before`, unless that is no longer the oldest one. */
  takeOlder(chatId, before, page) {
    if (this.#windows.prepend(chatId, before, page)) this.messagesChanged(chatId);
  }

  /** Adds messages newer than `after`, unless that is no longer the newest one. */
  takeNewer(chatId, after, page) {
    if (!this.#windows.append(chatId, after, page)) return;
    for (const message of page.results) this.#outbox.confirm(message, this.me);
    this.messagesChanged(chatId);
  }

  /** Stores the message of a command's answer. Its event may arrive before or after. */
  takeMessage(message) {
    this.#outbox.confirm(message, this.me);
    this.putMessage(message);
  }

  /** Stores the pinned messages of a chat, the one pinned last first. */
  takePins(chatId, messages) {
    if (!this.has(chatId)) return;
    this.#pins.set(chatId, Object.freeze(messages));
    this.#emitter.schedule("pins", () => ({ chatId }), `pins ${chatId}`);
  }

  /** Adds and removes pinned messages of a chat, if they were loaded. */
  changePins(chatId, added, removed) {
    const gone = new Set([...added.map(({ id }) => id), ...removed]);
    const pins = this.pins(chatId);
    const kept = pins?.filter(({ id }) => !gone.has(id));
    if (kept && (added.length > 0 || kept.length < pins.length)) this.takePins(chatId, [...added, ...kept]);
  }

  closeMessages(chatId) {
    if (this.#windows.close(chatId)) this.messagesChanged(chatId);
  }

  /** Stores the heads and unread counts of all chats, once all events up to them were applied. */
  reached(heads, unread) {
    for (const [key, seq] of Object.entries(heads)) {
      const id = Number(key);
      this.heads.set(id, seq);
      // A thing that changed twice is sent once, with the later number, so the chat may have skipped the earlier one.
      if (this.chats.get(id)?.seq < seq && !this.stale.has(id)) this.updateChat(id, () => ({}), seq);
    }
    for (const id of [...this.#unread.keys()]) if (!(id in unread)) this.setUnread(id, 0);
    for (const [id, count] of Object.entries(unread)) this.setUnread(Number(id), count);
  }

  // Applying events

  /** Applies an event of the feed, unless it was applied before. @param {FeedEvent} event */
  apply(event) {
    const { type, chat_id: id, seq } = event;
    if (id !== undefined) {
      const isObserved = this.rooms.has(id) || this.#journals.includes(id);
      if (!this.heads.has(id) && type !== "chat_created" && !isObserved) return;
      // `pins_changed` may follow another event with the same `seq`.
      const isSecond = type === "pins_changed" && seq === this.heads.get(id);
      if (type !== "resync" && seq <= this.heads.get(id) && !isSecond) return;
      if (seq !== undefined && (this.heads.has(id) || type === "chat_created")) this.heads.set(id, seq);
      this.#journals.record(event);
    }
    applyEvent(this, event);
    this.#notify(event);
  }

  // Changing

  /** Changes a chat; with `seq`, only if the chat does not include that change yet. Returns whether it did. */
  updateChat(id, change, seq = undefined) {
    const chat = this.chats.get(id);
    if (!chat || seq <= chat.seq) return false;
    const fields = change(chat);
    const changed = { ...chat, ...fields, seq: seq ?? chat.seq };
    const hasAutomaticTitle = fields.members && chat.title === automaticTitle(chat, this.me);
    if (hasAutomaticTitle && fields.title === undefined) changed.title = automaticTitle(changed, this.me);
    this.chats.set(id, changed);
    this.chatChanged(id);
    return true;
  }

  /** Replaces older copies of a message, and inserts it if it belongs into the loaded window. @param {Message} message */
  putMessage(message) {
    this.updateMessages(message.chat, (copy) => (copy.seq < message.seq ? message : copy), message.id);
    if (this.#windows.insert(message)) this.messagesChanged(message.chat);
  }

  /** Changes a chat's loaded messages and its `last_message`. @param {(copy: Message) => Message} change */
  updateMessages(chatId, change, messageId = undefined) {
    if (this.#windows.update(chatId, change, messageId)) this.messagesChanged(chatId);
    const pins = this.pins(chatId)?.map((pinned) => (messageId === undefined || pinned.id === messageId ? change(pinned) : pinned));
    if (pins?.some((pinned, place) => pinned !== this.pins(chatId)[place])) this.takePins(chatId, pins);
    const last = this.chats.get(chatId)?.last_message;
    if (!last || (messageId !== undefined && last.id !== messageId)) return;
    const last_message = change(last);
    if (last_message !== last) this.updateChat(chatId, () => ({ last_message }));
  }

  /** Shows an edited or deleted message in the quotes of it. @param {Message} message */
  updateQuotes(message) {
    const quote = quoteOf(message);
    this.#outbox.updateQuotes(quote);
    const isSame = ({ excerpt, is_deleted }) => excerpt === quote.excerpt && is_deleted === quote.is_deleted;
    this.updateMessages(message.chat, (copy) =>
      copy.reply_to?.id === quote.id && !isSame(copy.reply_to) ? { ...copy, reply_to: quote } : copy,
    );
  }

  dropChat(id) {
    this.typingUsers.clear(id);
    this.savedDrafts.dropChat(id);
    this.closeMessages(id);
    if (this.#pins.delete(id)) this.#emitter.schedule("pins", () => ({ chatId: id }), `pins ${id}`);
    this.chats.delete(id);
    this.heads.delete(id);
    this.stale.delete(id);
    this.setUnread(id, 0);
    this.chatChanged(id);
  }

  markStale(id) {
    this.stale.add(id);
    this.#emitter.schedule("stale", () => {}, "stale");
  }

  /** Adds `step` to the unread count of a message's chat, if the message counts as unread. */
  countUnread({ id, chat: chatId, sender }, step) {
    const chat = this.chats.get(chatId);
    if (this.isCatchingUp || !chat || sender.id === this.me?.id) return;
    const isRead = id <= (chat.last_read_message_id ?? 0) && id < (chat.me?.unread_from ?? Infinity);
    if (isRead) return;
    this.setUnread(chatId, Math.max(0, chat.unread_count + step));
  }

  setUnread(id, count) {
    if (this.unreadIn(id) !== count) this.#emitter.schedule("unread", () => ({ total: this.unread }), "unread");
    if (count > 0) this.#unread.set(id, count);
    else this.#unread.delete(id);
    const chat = this.chats.get(id);
    if (chat && chat.unread_count !== count) this.updateChat(id, () => ({ unread_count: count }));
  }

  setPresence(userId, is_online, last_seen = this.presence.get(userId)?.last_seen ?? null) {
    this.presence.set(userId, { is_online, last_seen });
    this.#emitter.schedule("presence", () => ({ userId, ...this.presence.get(userId) }), `presence ${userId}`);
  }

  // Notifying

  chatChanged(chatId) {
    this.#chatList = undefined;
    const current = () => this.chats.get(chatId) ?? this.rooms.get(chatId) ?? null;
    this.#emitter.schedule("chat", () => ({ chatId, chat: current() }), `chat ${chatId}`);
  }

  messagesChanged(chatId) {
    this.#lists.delete(chatId);
    this.#emitter.schedule("messages", () => ({ chatId }), `messages ${chatId}`);
  }

  /** Emits the events that are not coalesced: one for each change of a message or read marker. @param {any} event */
  #notify({ type, chat_id: chatId, user_id: userId, message_id, message = this.message(message_id), ...event }) {
    const kinds = ["new_message", "message_updated", "message_deleted", "reaction_updated"];
    const change = ["new", "updated", "deleted", "updated"][kinds.indexOf(type)];
    if (change && message) this.#emitter.schedule("message", () => ({ chatId, message, change }));
    const messageId = event.last_read_message_id;
    if (type === "read") this.#emitter.schedule("read", () => ({ chatId, userId, messageId }));
  }
}
