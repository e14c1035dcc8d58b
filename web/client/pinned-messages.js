/** The pinned messages of chats, where they were loaded: the one pinned last first. */
export class PinnedMessages {
  /** @type {Map<number, readonly any[]>} */
  #pins = new Map();
  #emitter;

  constructor(emitter) {
    this.#emitter = emitter;
  }

  in(chatId) {
    return this.#pins.get(chatId) ?? null;
  }

  take(chatId, messages) {
    this.#pins.set(chatId, Object.freeze(messages));
    this.#changed(chatId);
  }

  /** Adds and removes pinned messages of a chat, if they were loaded. */
  change(chatId, added, removed) {
    const gone = new Set([...added.map(({ id }) => id), ...removed]);
    const pins = this.in(chatId);
    const kept = pins?.filter(({ id }) => !gone.has(id));
    if (kept && (added.length > 0 || kept.length < pins.length)) this.take(chatId, [...added, ...kept]);
  }

  /** Changes the pinned messages of a chat, or one of them. */
  update(chatId, change, messageId = undefined) {
    const pins = this.in(chatId);
    const changed = pins?.map((pinned) => ((messageId ?? pinned.id) === pinned.id ? change(pinned) : pinned));
    if (changed?.some((pinned, place) => pinned !== pins[place])) this.take(chatId, changed);
  }

  drop(chatId) {
    if (this.#pins.delete(chatId)) this.#changed(chatId);
  }

  #changed(chatId) {
    this.#emitter.schedule("pins", () => ({ chatId }), `pins ${chatId}`);
  }
}
