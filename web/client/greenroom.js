import { Api } from "./api.js";
import { ChatLoader } from "./chat-loader.js";
import { quoteOf } from "./chat-rules.js";
import { Commands } from "./commands.js";
import { Connection } from "./connection.js";
import { Delivery } from "./delivery.js";
import { DraftLoader } from "./draft-loader.js";
import { Emitter } from "./emitter.js";
import { threadLane } from "./message-windows.js";
import { MessageLoader } from "./message-loader.js";
import { Outbox } from "./outbox.js";
import { RoomWatcher } from "./room-watcher.js";
import { Store } from "./store.js";
import { ThreadWatcher } from "./thread-watcher.js";
import { ThreadLoader } from "./thread-loader.js";
import { TIMING } from "./timing.js";
import { TypingNotifier } from "./typing-notifier.js";
import { upload } from "./upload.js";

/** @typedef {import("../greenroom.d.ts").Options} Options */

/** Returns the browser's `localStorage`; null where there is none. */
function browserStorage() {
  try {
    return globalThis.document ? globalThis.localStorage : null;
  } catch {
    // Browser settings can block it.
    return null;
  }
}

/** The client. It connects its parts; `greenroom.d.ts` documents its methods. */
export class Greenroom {
  #emitter = new Emitter();
  #outbox;
  #connection;
  #commands;
  #loader;
  #drafts;
  #threads;
  #threadWatcher;
  #rooms;
  #delivery;
  #typingNotifier;
  #timing;
  #fetch;

  /** @param {Options} [options] */
  constructor(options = {}) {
    const { WebSocket = globalThis.WebSocket, storage = browserStorage(), maxMessages = 1_000 } = options;
    const timing = { ...TIMING, ...options.timing };
    this.#timing = timing;
    this.#fetch = options.fetch ?? ((...args) => fetch(...args));
    const random = options.random ?? Math.random;
    const emitter = this.#emitter;
    const api = (this.api = new Api(options));
    const isStored = (message) => this.state.isStored(message);
    const outbox = (this.#outbox = new Outbox(storage, (message) => this.#onOutgoing(message), isStored));
    const store = (this.state = new Store(emitter, outbox, maxMessages));
    const hooks = {
      deliver: () => this.#delivery.deliverAll(),
      followRooms: () => {
        this.#rooms.followAll();
        this.#threadWatcher.openAgain();
      },
      reloadStale: () => this.#loader.reloadStale(),
      caughtUp: (isPolling) => this.#drafts.refresh(isPolling),
      userChanged: () => {
        this.#loader.reset();
        this.#drafts.reset();
        this.#threads.reset();
        this.#threadWatcher.reset();
      },
    };
    const connection = new Connection({ api, store, outbox, emitter, timing, random, WebSocket, hooks });
    const commands = new Commands(connection);
    this.#connection = connection;
    this.#commands = commands;
    this.#drafts = new DraftLoader(api, store);
    this.#threadWatcher = new ThreadWatcher(commands);
    const messages = new MessageLoader({ api, store });
    const threads = new ThreadLoader({ api, store, messages, openChat: (chatId) => this.#loader.openChat(chatId) });
    this.#threads = threads;
    this.#loader = new ChatLoader({ api, store, connection, timing, messages, threads });
    this.#rooms = new RoomWatcher({ api, store, connection, commands, timing });
    this.#delivery = new Delivery({ api, store, outbox, emitter, timing, connection, commands });
    this.#typingNotifier = new TypingNotifier(api, commands);
    emitter.on("stale", hooks.reloadStale);
    // A watched room is followed again after the user has left it.
    emitter.on("chat", ({ chatId, chat }) => !chat && this.#rooms.has(chatId) && this.#rooms.followAgain(chatId));
  }

  get status() {
    return this.#connection.status;
  }

  get outgoing() {
    return this.#outbox.all;
  }

  get isSlow() {
    return this.#connection.isSlow;
  }

  get heldFor() {
    return this.#delivery.heldFor;
  }

  on(name, listener) {
    return this.#emitter.on(name, listener);
  }

  start() {
    return this.#connection.start();
  }

  stop() {
    this.#connection.stop();
  }

  // Loading

  open(chatId) {
    return this.#loader.open(chatId);
  }

  openAt(chatId, messageId) {
    return this.#loader.openAt(chatId, messageId);
  }

  openNewest(chatId) {
    return this.#loader.openNewest(chatId);
  }

  close(chatId) {
    this.state.closeMessages(chatId);
  }

  loadOlder(chatId) {
    return this.#loader.loadOlder(chatId);
  }

  loadNewer(chatId) {
    return this.#loader.loadNewer(chatId);
  }

  loadPins(chatId) {
    return this.#loader.loadPins(chatId);
  }

  /** The events of these bring the change to the state. */
  pin(chatId, messageId) {
    return this.api.pin(chatId, messageId);
  }

  unpin(chatId, messageId) {
    return this.api.unpin(chatId, messageId);
  }

  loadDrafts() {
    return this.#drafts.load();
  }

  /** The events of these bring the change to the state. */
  saveDraft(chatId, fields, options) {
    return this.#asUser(options, (options) => this.api.saveDraft(chatId, fields, options));
  }

  removeDraft(chatId, options) {
    return this.#asUser(options, (options) => this.api.removeDraft(chatId, options));
  }

  /** Sends a request that the server refuses if the session is another user's by now. */
  async #asUser(options, send) {
    try {
      return await send({ user: this.state.me?.id, ...options });
    } catch (error) {
      if (error.status === 403) await this.#connection.verifyUser();
      throw error;
    }
  }

  // Threads

  openThread(root) {
    this.#threadWatcher.opened(root);
    return this.#threads.open(root);
  }

  openThreadAt(root, messageId) {
    this.#threadWatcher.opened(root);
    return this.#threads.openAt(root, messageId);
  }

  openNewestReplies(root) {
    this.#threadWatcher.opened(root);
    return this.#threads.openNewest(root);
  }

  closeThread(root) {
    this.#threadWatcher.closed(root);
    this.#threads.close(root);
  }

  loadOlderReplies(root) {
    return this.#threads.loadOlder(root);
  }

  loadNewerReplies(root) {
    return this.#threads.loadNewer(root);
  }

  loadThreads() {
    return this.#threads.loadList();
  }

  loadMoreThreads() {
    return this.#threads.loadMore();
  }

  followThread(root, isFollowed = true) {
    return this.#threads.follow(root, isFollowed);
  }

  async markThreadAsRead(root, messageId = this.state.newestId(threadLane(root))) {
    const thread = this.state.thread(root);
    if (messageId === undefined || thread?.is_followed === false || thread?.last_read_message_id >= messageId) return 0;
    return (await this.api.markThreadAsRead(root, messageId)).marked_count;
  }

  // Chats

  loadMoreChats() {
    return this.#loader.loadMoreChats();
  }

  loadUnread() {
    return this.#loader.loadUnread();
  }

  async updateMe(fields) {
    const me = await this.api.updateMe(fields);
    this.state.takeMe(me);
    return me;
  }

  watch(chatId) {
    return this.#rooms.watch(chatId);
  }

  unwatch(chatId) {
    this.#rooms.unwatch(chatId);
  }

  // Commands

  send(chatId, content, { custom, replyTo, forward, thread = null, also_in_chat = false, mentions = undefined, attachments = undefined } = {}) {
    this.#typingNotifier.messageSent(chatId, thread);
    this.#connection.hurry();
    const reply_to = replyTo ? quoteOf(replyTo) : null;
    const copied = forward && (forward.content || !forward.forwarded_from ? forward : forward.forwarded_from);
    const forwarded_from = copied ? { sender: copied.sender, content: copied.content } : null;
    const fields = { chat: chatId, content, custom, reply_to, forward: forward?.id ?? null, forwarded_from, thread, also_in_chat, mentions, attachments };
    return this.#outbox.add(fields, this.state.me, this.api.now());
  }

  /** Uploads a file for a message of a chat. Resolves with the attachment. */
  upload(chatId, file, options) {
    return upload({ api: this.api, timing: this.#timing, fetch: this.#fetch }, chatId, file, options);
  }

  #onOutgoing(message) {
    this.state.outgoingChanged(message);
    this.#emitter.schedule("outgoing", () => ({ message }));
    this.#delivery.deliver(message.chat);
  }

  async edit(messageId, content, { mentions = undefined } = {}) {
    const rest = async () => ({ message: await this.api.editMessage(messageId, content, mentions) });
    const command = { type: "edit_message", message_id: messageId, content, ...(mentions && { mentions }) };
    const { message } = await this.#commands.run(command, rest);
    this.state.takeMessage(message);
    return message;
  }

  async delete(messageId) {
    const rest = async (isRepeated) => {
      try {
        await this.api.deleteMessage(messageId);
      } catch (error) {
        // The first attempt may have deleted it.
        if (!isRepeated || error.status !== 404) throw error;
      }
    };
    await this.#commands.run({ type: "delete_message", message_id: messageId }, rest);
  }

  async react(messageId, emoji, action = this.#hasReacted(messageId, emoji) ? "remove" : "add") {
    const rest = async () => {
      if (action === "add") return this.api.addReaction(messageId, emoji);
      await this.api.removeReaction(messageId, emoji);
      return { action: "removed" };
    };
    return (await this.#commands.run({ type: "react", message_id: messageId, emoji, action }, rest)).action;
  }

  /** Whether the user has this reaction on a loaded message. */
  #hasReacted(messageId, emoji) {
    const reaction = this.state.message(messageId)?.reactions.find((reaction) => reaction.emoji === emoji);
    return reaction?.users.includes(this.state.me?.id);
  }

  async markAsRead(chatId, messageId = this.state.newestId(chatId)) {
    const chat = this.state.chats.get(chatId);
    if (chat?.last_read_message_id >= messageId && !chat.me?.unread_from) return 0;
    const rest = () => this.api.markAsRead(chatId, messageId);
    const command = { type: "mark_as_read", chat_id: chatId, message_id: messageId };
    return (await this.#commands.run(command, rest)).marked_count;
  }

  typing(chatId, isTyping = true, root = null) {
    this.#typingNotifier.notify(chatId, isTyping, root);
  }
}
