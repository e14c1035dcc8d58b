/** What was typed and not sent or saved yet, for each chat; it outlives a reload. */

export class Drafts {
  #owner;
  #storage;
  #kept = new Map();

  /** @param {string} owner tells one user of one server from others */
  constructor(owner, storage) {
    this.#owner = `greenroom-draft:${owner}:`;
    this.#storage = storage;
  }

  get(chatId) {
    if (!this.#kept.has(chatId)) this.#kept.set(chatId, this.#use((storage, key) => storage.getItem(key), chatId) ?? "");
    return this.#kept.get(chatId);
  }

  set(chatId, text) {
    this.#kept.set(chatId, text);
    this.#use((storage, key) => (text ? storage.setItem(key, text) : storage.removeItem(key)), chatId);
  }

  /** The message that is being edited, `{id, content}`, and its new text as far as it is typed. */
  getEdit(chatId) {
    return JSON.parse(this.get(editIn(chatId)) || "null");
  }

  /** @param {{message: {id: number, content: string}, text: string} | null} edit */
  setEdit(chatId, edit) {
    this.set(editIn(chatId), edit ? JSON.stringify(edit) : "");
  }

  #use(use, key) {
    try {
      return this.#storage ? use(this.#storage, this.#owner + key) : null;
    } catch {
      // Full, or closed to us: then a draft does not outlive a reload.
      return null;
    }
  }
}

const editIn = (chatId) => `${chatId}:edit`;
