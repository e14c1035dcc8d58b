/** A user without a new `typing` event for so long no longer counts as typing, in milliseconds. */
const TYPING_TIMEOUT = 8_000;

/** The users who are typing in chats and threads. */
export class TypingUsers {
  /** By the id of the chat, or the negative id of the root. @type {Map<number, Map<number, any>>} */
  #timers = new Map();
  /** The chat of each key. */
  #chats = new Map();
  #emitter;

  constructor(emitter) {
    this.#emitter = emitter;
  }

  /** Returns the ids of the users who are typing in a chat or in a thread of it. */
  in(chatId, root = null) {
    return [...(this.#timers.get(root === null ? chatId : -root)?.keys() ?? [])];
  }

  set(chatId, user, isTyping, root = null) {
    const key = root === null ? chatId : -root;
    const timers = this.#timers.get(key) ?? new Map();
    if (timers.has(user) !== isTyping) {
      this.#emitter.schedule("typing", () => ({ chatId, thread: root, users: this.in(chatId, root) }), `typing ${key}`);
    }
    clearTimeout(timers.get(user));
    timers.delete(user);
    const end = () => this.set(chatId, user, false, root);
    if (isTyping) timers.set(user, setTimeout(end, TYPING_TIMEOUT));
    this.#timers.set(key, timers);
    this.#chats.set(key, chatId);
  }

  /** Removes all users of a chat and its threads. */
  clear(chatId) {
    for (const [key, of] of this.#chats) {
      const root = key < 0 ? -key : null;
      if (of === chatId) for (const user of this.in(chatId, root)) this.set(chatId, user, false, root);
    }
  }

  clearAll() {
    for (const chatId of new Set(this.#chats.values())) this.clear(chatId);
  }
}
