import { indexOfId } from "./chat-rules.js";

/** @typedef {import("../greenroom.d.ts").Message} Message */

/**
 * The loaded messages of open chats: one gapless window for each chat, oldest first. A window ends at the chat's newest
 * message, unless `hasNewer`.
 */
export class MessageWindows {
  /** @type {Map<number, {messages: Message[], hasOlder: boolean, hasNewer: boolean, limit: number}>} */
  #windows = new Map();
  #maxMessages;

  constructor(maxMessages) {
    this.#maxMessages = maxMessages;
  }

  /** @returns {Message[]} */
  messages(chatId) {
    return this.#windows.get(chatId)?.messages ?? [];
  }

  /** Finds a loaded message in any chat. */
  find(messageId) {
    for (const { messages } of this.#windows.values()) {
      const found = messages[indexOfId(messages, messageId)];
      if (found?.id === messageId) return found;
    }
    return undefined;
  }

  isOpen(chatId) {
    return this.#windows.has(chatId);
  }

  hasOlder(chatId) {
    return this.#windows.get(chatId)?.hasOlder ?? true;
  }

  hasNewer(chatId) {
    return this.#windows.get(chatId)?.hasNewer ?? false;
  }

  /** Replaces a chat's window by a page. Returns its messages. */
  replace(chatId, { results, next }, hasNewer) {
    const messages = results.reverse();
    this.#windows.set(chatId, { messages, hasOlder: next !== null, hasNewer, limit: this.#maxMessages });
    return messages;
  }

  /** Adds a page of older messages, unless `before` is no longer the oldest one. Returns whether it did. */
  prepend(chatId, before, { results, next }) {
    const window = this.#windows.get(chatId);
    if (!window || window.messages[0]?.id !== before) return false;
    window.messages.unshift(...results.reverse());
    window.hasOlder = next !== null;
    window.limit = Math.max(window.limit, window.messages.length);
    return true;
  }

  /** Adds a page of newer messages, unless `after` is no longer the newest one. Returns whether it did. */
  append(chatId, after, { results, previous }) {
    const window = this.#windows.get(chatId);
    if (!window || window.messages.at(-1)?.id !== after) return false;
    window.messages.push(...results.reverse());
    window.hasNewer = previous !== null;
    window.limit = Math.max(window.limit, window.messages.length);
    return true;
  }

  /** Inserts a message if it belongs into the loaded window. Returns whether it did. @param {Message} message */
  insert(message) {
    const window = this.#windows.get(message.chat);
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
   * Changes the messages of a chat, or one of them. Returns whether any changed.
   * @param {(message: Message) => Message} change returns the same object where nothing changes
   */
  update(chatId, change, messageId = undefined) {
    const messages = this.messages(chatId);
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

  /** Removes a chat's window. Returns whether there was one. */
  close(chatId) {
    return this.#windows.delete(chatId);
  }
}
