import { MessageWindows, isThreadLane, lanesOf, rootOfLane } from "./message-windows.js";

/**
 * @typedef {import("../greenroom.d.ts").Message} Message
 * @typedef {import("./message-windows.js").Lane} Lane
 */

/** The messages of open chats and threads, for the store: loaded ones, followed by outgoing ones. */
export class LoadedMessages {
  #windows;
  #outbox;
  #emitter;
  #threadChanged;
  /** @type {Map<Lane, readonly any[]>} Cached results of `in`. */
  #lists = new Map();

  /** @param {(root: number, chatId: number) => void} threadChanged notes that the replies of a thread have changed */
  constructor({ maxMessages, outbox, emitter, threadChanged }) {
    this.#windows = new MessageWindows(maxMessages);
    this.#outbox = outbox;
    this.#emitter = emitter;
    this.#threadChanged = threadChanged;
  }

  /** @param {Lane} lane @returns {readonly any[]} the same list until something changes */
  in(lane) {
    if (!this.#lists.has(lane)) {
      const outgoing = this.hasNewer(lane) ? [] : this.#outbox.all.filter((message) => lanesOf(message).includes(lane));
      this.#lists.set(lane, Object.freeze([...this.#windows.messages(lane), ...outgoing]));
    }
    return /** @type {readonly any[]} */ (this.#lists.get(lane));
  }

  find(messageId) {
    return this.#windows.find(messageId);
  }

  /** Whether a message of the user's is stored and loaded. */
  isStored({ chat, client_id }) {
    const own = (lane) => this.#windows.messages(lane).some((message) => message.client_id === client_id);
    return this.#windows.in(chat).some(own);
  }

  /** Returns the newest message of a lane; undefined if it is not loaded. */
  newest(lane) {
    return this.hasNewer(lane) ? undefined : this.#windows.messages(lane).at(-1);
  }

  isOpen(lane) {
    return this.#windows.isOpen(lane);
  }

  hasOlder(lane) {
    return this.#windows.hasOlder(lane);
  }

  hasNewer(lane) {
    return this.#windows.hasNewer(lane);
  }

  /** Returns the open lanes of a chat. */
  lanesIn(chatId) {
    return this.#windows.in(chatId);
  }

  // Changing: see `MessageWindows`.

  replace(lane, chatId, page, hasNewer) {
    const messages = this.#windows.replace(lane, chatId, page, hasNewer);
    this.#changed(lane, chatId);
    return messages;
  }

  prepend(lane, chatId, before, page) {
    if (this.#windows.prepend(lane, before, page)) this.#changed(lane, chatId);
  }

  append(lane, chatId, after, page) {
    const isAppended = this.#windows.append(lane, after, page);
    if (isAppended) this.#changed(lane, chatId);
    return isAppended;
  }

  /** @param {Message} message */
  insert(message) {
    for (const lane of this.#windows.insert(message)) this.#changed(lane, message.chat);
  }

  update(chatId, change, messageId) {
    for (const lane of this.#windows.update(chatId, change, messageId)) this.#changed(lane, chatId);
  }

  close(lane, chatId) {
    if (this.#windows.close(lane)) this.#changed(lane, chatId);
  }

  /** Notes that an outgoing message was added, changed or removed. */
  outgoingChanged(message) {
    for (const lane of lanesOf(message)) this.#changed(lane, message.chat);
  }

  #changed(lane, chatId) {
    this.#lists.delete(lane);
    if (isThreadLane(lane)) this.#threadChanged(rootOfLane(lane), chatId);
    else this.#emitter.schedule("messages", () => ({ chatId }), `messages ${chatId}`);
  }
}
