/** A user without a new `typing` event for so long no longer counts as typing, in milliseconds. */
const TYPING_TIMEOUT = 8_000;

/** The users who are typing, by chat. */
export class TypingUsers {
  #timers = new Map();
  #emitter;

  constructor(emitter) {
    this.#emitter = emitter;
  }

  /** Returns the ids of the users who are typing in a chat. */
  in(chatId) {
    return [...(this.#timers.get(chatId)?.keys() ?? [])];
  }

  set(chatId, user, isTyping) {
    const timers = this.#timers.get(chatId) ?? new Map();
    if (timers.has(user) !== isTyping) {
      this.#emitter.schedule("typing", () => ({ chatId, users: this.in(chatId) }), `typing ${chatId}`);
    }
    clearTimeout(timers.get(user));
    timers.delete(user);
    const end = () => this.set(chatId, user, false);
    if (isTyping) timers.set(user, setTimeout(end, TYPING_TIMEOUT));
    this.#timers.set(chatId, timers);
  }

  /** Removes all users of a chat. */
  clear(chatId) {
    for (const user of this.in(chatId)) this.set(chatId, user, false);
  }

  clearAll() {
    for (const chatId of this.#timers.keys()) this.clear(chatId);
  }
}
