import { indexOfId } from "./chat-rules.js";

/** @typedef {import("../greenroom.d.ts").Message} Message */

/**
 * A sequence of messages: the timeline of a chat by the chat's id, or the replies of a thread by the negative id of its root.
 * @typedef {number} Lane
 */

/** @returns {Lane} */
export const threadLane = (root) => -root;
export const isThreadLane = (lane) => lane < 0;
export const rootOfLane = (lane) => -lane;

/** Whether the timeline of its chat shows a message. */
export const isInTimeline = ({ thread, also_in_chat }) => !thread || also_in_chat;

/** Returns the lanes that show a message. @returns {Lane[]} */
export const lanesOf = (message) => [
  ...(isInTimeline(message) ? [message.chat] : []),
  ...(message.thread ? [threadLane(message.thread)] : []),
];

/**
 * The loaded messages of open chats and threads: one gapless window for each lane, oldest first. A window ends at the newest
 * message of its lane, unless `hasNewer`.
 */
export class MessageWindows {
  /** @type {Map<Lane, {chat: number, messages: Message[], hasOlder: boolean, hasNewer: boolean, limit: number}>} */
  #windows = new Map();
  #maxMessages;

  constructor(maxMessages) {
    this.#maxMessages = maxMessages;
  }

  /** @returns {Message[]} */
  messages(lane) {
    return this.#windows.get(lane)?.messages ?? [];
  }

  /** Finds a loaded message in any lane. */
  find(messageId) {
    for (const { messages } of this.#windows.values()) {
      const found = messages[indexOfId(messages, messageId)];
      if (found?.id === messageId) return found;
    }
    return undefined;
  }

  isOpen(lane) {
    return this.#windows.has(lane);
  }

  /** Returns the open lanes of a chat. */
  in(chatId) {
    return [...this.#windows].filter(([, { chat }]) => chat === chatId).map(([lane]) => lane);
  }

  hasOlder(lane) {
    return this.#windows.get(lane)?.hasOlder ?? true;
  }

  hasNewer(lane) {
    return this.#windows.get(lane)?.hasNewer ?? false;
  }

  /** Replaces a window of a chat by a page. Returns its messages. */
  replace(lane, chat, { results, next }, hasNewer) {
    const messages = results.reverse();
    this.#windows.set(lane, { chat, messages, hasOlder: next !== null, hasNewer, limit: this.#maxMessages });
    return messages;
  }

  /** Adds a page of older messages, unless `before` is no longer the oldest one. Returns whether it did. */
  prepend(lane, before, { results, next }) {
    const window = this.#windows.get(lane);
    if (!window || window.messages[0]?.id !== before) return false;
    window.messages.unshift(...results.reverse());
    window.hasOlder = next !== null;
    window.limit = Math.max(window.limit, window.messages.length);
    return true;
  }

  /** Adds a page of newer messages, unless `after` is no longer the newest one. Returns whether it did. */
  append(lane, after, { results, previous }) {
    const window = this.#windows.get(lane);
    if (!window || window.messages.at(-1)?.id !== after) return false;
    window.messages.push(...results.reverse());
    window.hasNewer = previous !== null;
    window.limit = Math.max(window.limit, window.messages.length);
    return true;
  }

  /** Inserts a message into the loaded windows that it belongs into. Returns their lanes. @param {Message} message */
  insert(message) {
    return lanesOf(message).filter((lane) => this.#insertIn(lane, message));
  }

  #insertIn(lane, message) {
    const window = this.#windows.get(lane);
    if (!window) return false;
    const { messages } = window;
    const index = indexOfId(messages, message.id);
    if (messages[index]?.id === message.id || (index === 0 && window.hasOlder)) return false;
    if (index === messages.length && window.hasNewer) return false;
    messages.splice(index, 0, message);
    if (messages.length > window.limit) {
      messages.splice(0, messages.length - window.limit);
      window.hasOlder = true;
    }
    return true;
  }

  /**
   * Changes the messages of a chat and its threads, or one of them. Returns the lanes in which any changed.
   * @param {(message: Message) => Message} change returns the same object where nothing changes
   */
  update(chatId, change, messageId = undefined) {
    return this.in(chatId).filter((lane) => this.#updateIn(lane, change, messageId));
  }

  #updateIn(lane, change, messageId) {
    const messages = this.messages(lane);
    const first = messageId === undefined ? 0 : indexOfId(messages, messageId);
    let hasChanged = false;
    for (let index = first; index < messages.length; index++) {
      if (messageId !== undefined && messages[index].id !== messageId) break;
      const changed = change(messages[index]);
      if (changed === messages[index]) continue;
      messages[index] = changed;
      hasChanged = true;
    }
    return hasChanged;
  }

  /** Removes a window. Returns whether there was one. */
  close(lane) {
    return this.#windows.delete(lane);
  }
}
