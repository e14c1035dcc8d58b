import { MAX_LISTED, automaticTitle, byActivity, isMention, quoteOf, withQuote } from "./chat-rules.js";
import { emitChange } from "./change-events.js";
import { EventOrder } from "./event-order.js";
import { applyEvent } from "./feed-events.js";
import { LoadJournals } from "./load-journals.js";
import { LoadedMessages } from "./loaded-messages.js";
import { isInTimeline, isThreadLane, rootOfLane, threadLane } from "./message-windows.js";
import { PinnedMessages } from "./pinned-messages.js";
import { Presence } from "./presence.js";
import { SavedDrafts } from "./saved-drafts.js";
import { Threads } from "./threads.js";
import { TypingUsers } from "./typing-users.js";
import { UnreadCounts } from "./unread-counts.js";

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
  /** @type {Map<number, number>} The last `seq` applied of each of the user's chats, loaded or not. */
  heads = new Map();
  /** @type {Set<number>} Chats to load, for the first time or again. */
  stale = new Set();
  /** True while missed events are applied. Unread counts then arrive at the end, not one by one. */
  isCatchingUp = false;

  #counts;
  #pins;
  #messages;
  #journals = new LoadJournals();
  #order = new EventOrder();
  /** Cached result of `chatList`. */
  #chatList;
  #emitter;
  #outbox;

  constructor(emitter, outbox, maxMessages) {
    this.#emitter = emitter;
    this.#outbox = outbox;
    const threadChanged = (root, chatId) => this.knownThreads.changed(root, chatId);
    this.#messages = new LoadedMessages({ maxMessages: Math.max(maxMessages, MAX_LISTED), outbox, emitter, threadChanged });
    this.#counts = new UnreadCounts(emitter);
    this.presences = new Presence(emitter);
    this.#pins = new PinnedMessages(emitter);
    this.typingUsers = new TypingUsers(emitter);
    this.savedDrafts = new SavedDrafts(emitter, outbox);
    this.knownThreads = new Threads(emitter, (root) => this.#repliesOf(root));
  }

  // Reading

  get chatList() {
    this.#chatList ??= Object.freeze([...this.chats.values()].sort(byActivity));
    return this.#chatList;
  }

  get presence() {
    return this.presences.users;
  }

  get hasMoreChats() {
    return this.chats.size < this.heads.size;
  }

  get unreadElsewhere() {
    return this.#counts.chats.filter((id) => !this.chats.has(id) && this.unreadIn(id) > 0);
  }

  get unread() {
    return this.#counts.sum("unread");
  }

  get unreadMentions() {
    const inThreads = this.knownThreads.unread.reduce((total, { mentions }) => total + mentions, 0);
    return this.#counts.sum("mentions") + inThreads;
  }

  unreadIn(chatId) {
    return this.#counts.in(chatId).unread;
  }

  messages(chatId) {
    return this.messagesIn(chatId);
  }

  /** Returns the loaded messages of a lane, and the outgoing ones. @param {import("./message-windows.js").Lane} lane */
  messagesIn(lane) {
    return this.#messages.in(lane);
  }

  /** Whether a message of the user's is stored and loaded. */
  isStored(message) {
    return this.#messages.isStored(message);
  }

  thread(root) {
    return this.knownThreads.view(root);
  }

  get threads() {
    return this.knownThreads.list;
  }

  get hasMoreThreads() {
    return this.knownThreads.hasMore;
  }

  get unreadThreads() {
    return this.knownThreads.unread.length;
  }

  #repliesOf(root) {
    const lane = threadLane(root);
    const [isOpen, hasOlder, hasNewer] = [this.isOpen(lane), this.hasOlder(lane), this.hasNewer(lane)];
    return { messages: this.messagesIn(lane), isOpen, hasOlder, hasNewer };
  }

  message(messageId) {
    return this.#messages.find(messageId);
  }

  pins(chatId) {
    return this.#pins.in(chatId);
  }

  draft(chatId, thread = null) {
    return this.savedDrafts.find(chatId, thread);
  }

  drafts(chatId) {
    return this.savedDrafts.in(chatId);
  }

  newestId(chatId) {
    return this.#messages.newest(chatId)?.id ?? this.chats.get(chatId)?.last_message?.id;
  }

  isOpen(lane) {
    return this.#messages.isOpen(lane);
  }

  hasOlder(lane) {
    return this.#messages.hasOlder(lane);
  }

  hasNewer(lane) {
    return this.#messages.hasNewer(lane);
  }

  /** Returns the roots of a chat's open threads. */
  openThreads(chatId) {
    return this.#messages.lanesIn(chatId).filter(isThreadLane).map(rootOfLane);
  }

  typing(chatId, root = null) {
    return this.typingUsers.in(chatId, root);
  }

  /** Whether the user is in the chat, or watches it as a room. */
  has(chatId) {
    return this.heads.has(chatId) || this.rooms.has(chatId);
  }

  // Storing what was loaded

  /** Stores the first snapshot. */
  begin(me, { chats, heads, unread = {}, chat_mentions = {}, threads = {}, users_online = [], last_seen = {} }) {
    this.me = me;
    this.reached({ heads, unread, chat_mentions, threads });
    for (const chat of chats) this.takeChat(chat);
    for (const [id, time] of Object.entries(last_seen)) this.presences.set(Number(id), false, time);
    this.presences.takeOnline(users_online);
  }

  /** Merges changed fields of the user. A new picture drops `avatar_source`, which events do not have. */
  takeMe(fields) {
    const { avatar_source: source, ...me } = this.me ?? {};
    const isSame = source !== undefined && fields.avatar_url === me.avatar_url;
    this.me = { ...me, ...(isSame && { avatar_source: source }), ...fields };
    this.#emitter.schedule("me", () => ({ me: this.me }), "me");
  }

  /** Removes everything, for another user. */
  clear() {
    this.me = null;
    for (const id of [...this.heads.keys()]) this.dropChat(id);
    for (const id of [...this.rooms.keys()]) this.dropRoom(id);
    this.savedDrafts.clear();
    this.knownThreads.clear();
    this.presences.clear();
    this.#journals.clear();
  }

  /** Loads something about a chat (null: about all chats), stores it, and replays the events that arrived since. */
  loading(chatId, load, store) {
    const replay = (events) => this.#order.replay(() => events.forEach((event) => applyEvent(this, event)));
    return this.#journals.load(chatId, load, store, replay);
  }

  takeChat(chat) {
    // A public room that the user has opened without joining it.
    if (chat.is_member === false) return;
    if (!this.heads.has(chat.id)) this.heads.set(chat.id, chat.seq);
    this.rooms.delete(chat.id);
    this.#order.forget(chat.id);
    this.chats.set(chat.id, chat);
    this.setUnread(chat.id, chat.unread_count, chat.unread_mentions);
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

  /** Replaces the messages of a lane by its newest page, or by a page in the middle where there are newer messages. */
  takeNewest(lane, chatId, page, hasNewer = false) {
    if (!this.heads.has(chatId)) return;
    const messages = this.#messages.replace(lane, chatId, page, hasNewer);
    for (const message of messages) this.#outbox.confirm(message, this.me);
  }

  /** Adds messages older than `before`, unless that is no longer the oldest one. */
  takeOlder(lane, chatId, before, page) {
    this.#messages.prepend(lane, chatId, before, page);
  }

  /** Adds messages newer than `after`, unless that is no longer the newest one. */
  takeNewer(lane, chatId, after, page) {
    if (!this.#messages.append(lane, chatId, after, page)) return;
    for (const message of page.results) this.#outbox.confirm(message, this.me);
  }

  /** Stores the message of a command's answer. Its event may arrive before or after. */
  takeMessage(message) {
    this.#outbox.confirm(message, this.me);
    this.putMessage(message);
  }

  /** Stores the pinned messages of a chat, the one pinned last first. */
  takePins(chatId, messages) {
    if (this.has(chatId)) this.#pins.take(chatId, messages);
  }

  changePins(chatId, added, removed) {
    this.#pins.change(chatId, added, removed);
  }

  closeMessages(lane, chatId = lane) {
    this.#messages.close(lane, chatId);
  }

  /** Stores the heads and unread counts of all chats and threads, once all events up to them were applied. */
  reached({ heads, unread, chat_mentions = {}, threads = {} }) {
    for (const [key, seq] of Object.entries(heads)) {
      const id = Number(key);
      this.heads.set(id, seq);
      // A thing that changed twice is sent once, with the later number, so the chat may have skipped the earlier one.
      if (this.chats.get(id)?.seq < seq && !this.stale.has(id)) this.updateChat(id, () => ({}), seq);
    }
    for (const id of new Set([...this.#counts.chats, ...Object.keys({ ...unread, ...chat_mentions }).map(Number)])) {
      this.setUnread(id, unread[id] ?? 0, chat_mentions[id] ?? 0);
    }
    this.knownThreads.reached(heads, threads);
  }

  // Applying events

  /** Applies an event of the feed, unless it was applied before. @param {FeedEvent} event */
  apply(event) {
    const { type, chat_id: id, seq } = event;
    if (id !== undefined) {
      const isObserved = this.rooms.has(id) || this.#journals.includes(id);
      if (!this.heads.has(id) && type !== "chat_created" && !isObserved) return;
      if (!this.#order.admits(event, this.heads.get(id)) && type !== "resync") return;
      if (seq !== undefined && (this.heads.has(id) || type === "chat_created")) this.heads.set(id, seq);
      this.#journals.record(event);
    }
    applyEvent(this, event);
    emitChange(this.#emitter, (id) => this.message(id), event);
  }

  // Changing

  /** Changes a chat; with `seq`, only if the chat does not include that change yet. Returns whether it did. */
  updateChat(id, change, seq = undefined) {
    const chat = this.chats.get(id);
    if (!chat || (seq !== undefined && !this.#order.isNews(id, seq, chat.seq))) return false;
    if (seq !== undefined) this.#order.moved(id, seq);
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
    this.#messages.insert(message);
  }

  /** Changes the loaded messages of a chat and its threads, and `last_message`. @param {(copy: Message) => Message} change */
  updateMessages(chatId, change, messageId = undefined) {
    this.#messages.update(chatId, change, messageId);
    this.knownThreads.updateMessages(chatId, change, messageId);
    this.#pins.update(chatId, change, messageId);
    const last = this.chats.get(chatId)?.last_message;
    if (!last || (messageId !== undefined && last.id !== messageId)) return;
    const last_message = change(last);
    if (last_message !== last) this.updateChat(chatId, () => ({ last_message }));
  }

  /** Shows an edited or deleted message in the quotes of it. @param {Message} message */
  updateQuotes(message) {
    const quote = quoteOf(message);
    this.#outbox.updateQuotes(quote);
    this.updateMessages(message.chat, (copy) => withQuote(copy, quote));
  }

  dropChat(id) {
    this.typingUsers.clear(id);
    this.savedDrafts.dropChat(id);
    for (const lane of this.#messages.lanesIn(id)) this.closeMessages(lane, id);
    this.knownThreads.dropChat(id);
    this.#order.forget(id);
    this.#pins.drop(id);
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

  /** Whether a new message may raise a count: during catch-up the counts arrive at its end. */
  mayCount({ sender }) {
    return !this.isCatchingUp && sender.id !== this.me?.id;
  }

  /** Adds `step` to the unread count of a message's chat, if the message counts as unread. */
  countUnread(message, step) {
    const { id, chat: chatId } = message;
    const chat = this.chats.get(chatId);
    if (!chat || !isInTimeline(message) || !this.mayCount(message)) return;
    const isRead = id <= (chat.last_read_message_id ?? 0) && id < (chat.me?.unread_from ?? Infinity);
    if (isRead) return;
    // Where a message no longer mentions the user, `mentions_changed` says so.
    const mentions = this.#counts.in(chatId).mentions + Number(step > 0 && isMention(message, this.me));
    this.setUnread(chatId, Math.max(0, chat.unread_count + step), mentions);
  }

  setUnread(id, unread_count, unread_mentions = this.#counts.in(id).mentions) {
    this.#counts.set(id, unread_count, unread_mentions);
    const chat = this.chats.get(id);
    const isSame = chat?.unread_count === unread_count && (chat.unread_mentions ?? 0) === unread_mentions;
    if (chat && !isSame) this.updateChat(id, () => ({ unread_count, unread_mentions }));
  }

  // Notifying

  chatChanged(chatId) {
    this.#chatList = undefined;
    const current = () => this.chats.get(chatId) ?? this.rooms.get(chatId) ?? null;
    this.#emitter.schedule("chat", () => ({ chatId, chat: current() }), `chat ${chatId}`);
  }

  /** Notes that an outgoing message was added, changed or removed. */
  outgoingChanged(message) {
    this.#messages.outgoingChanged(message);
  }
}
