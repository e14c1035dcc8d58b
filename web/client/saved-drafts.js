/** @typedef {import("../greenroom.d.ts").Draft} Draft */

const keyOf = (chatId, thread) => `${chatId} ${thread ?? ""}`;

/** The user's drafts as the server has them, for the store. */
export class SavedDrafts {
  /** @type {Map<string, Draft> | null} Null until they are loaded. */
  #all = null;
  #emitter;

  constructor(emitter) {
    this.#emitter = emitter;
  }

  /** Returns a draft; null if there is none, and undefined until they are loaded. */
  find(chatId, thread) {
    return this.#all ? (this.#all.get(keyOf(chatId, thread)) ?? null) : undefined;
  }

  /** Stores all drafts. @param {Draft[]} drafts */
  takeAll(drafts) {
    this.#all = new Map(drafts.map((draft) => [keyOf(draft.chat_id, draft.thread), draft]));
    this.#changed(null);
  }

  /** Stores a draft; null: it was removed or sent. @param {Draft | null} draft */
  put(chatId, thread, draft) {
    if (!this.#all) return;
    if (draft) this.#all.set(keyOf(chatId, thread), draft);
    else if (!this.#all.delete(keyOf(chatId, thread))) return;
    this.#changed(chatId);
  }

  /** Removes all drafts of a chat. */
  dropChat(chatId) {
    const gone = [...(this.#all?.values() ?? [])].filter((draft) => draft.chat_id === chatId);
    for (const { thread } of gone) this.put(chatId, thread, null);
  }

  clear() {
    this.#all = null;
  }

  #changed(chatId) {
    this.#emitter.schedule("drafts", () => ({ chatId }), `drafts ${chatId}`);
  }
}
