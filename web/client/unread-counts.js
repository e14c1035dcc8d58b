/** The unread messages of chats, loaded or not, and those of them that mention the user. */
export class UnreadCounts {
  /** @type {Map<number, {unread: number, mentions: number}>} Chats without either are left out. */
  #counts = new Map();
  #emitter;

  constructor(emitter) {
    this.#emitter = emitter;
  }

  /** Returns the ids of the chats with counts. */
  get chats() {
    return [...this.#counts.keys()];
  }

  /** @param {"unread" | "mentions"} name */
  sum(name) {
    return [...this.#counts.values()].reduce((total, counts) => total + counts[name], 0);
  }

  in(chatId) {
    return this.#counts.get(chatId) ?? { unread: 0, mentions: 0 };
  }

  set(chatId, unread, mentions) {
    const before = this.in(chatId);
    if (before.unread === unread && before.mentions === mentions) return;
    if (unread > 0 || mentions > 0) this.#counts.set(chatId, { unread, mentions });
    else this.#counts.delete(chatId);
    this.#emitter.schedule("unread", () => ({ total: this.sum("unread") }), "unread");
  }
}
