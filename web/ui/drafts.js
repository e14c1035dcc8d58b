/**
 * What was typed and not sent or saved yet, for each chat; it outlives a reload. The tabs of a browser share it: one shows what
 * another one typed, until one types in it oneself. From then on it keeps its own text.
 */

export class Drafts {
  #owner;
  #storage;
  #ofTab;
  #kept = new Map();
  /** What was typed in this tab. */
  #own = new Set();
  /** The shared texts as this tab knows them: a read may be older than the latest event. */
  #seen = new Map();
  #listeners = new Set();
  #end = new AbortController();

  /**
   * @param {string} owner tells one user of one server from others
   * @param {Storage | null} storage shared by all tabs
   * @param {Storage | null} ofTab outlives a reload of this tab: keeps its text while another tab's is in the shared one
   */
  constructor(owner, storage, ofTab = null) {
    this.#owner = `greenroom-draft:${owner}:`;
    this.#storage = storage;
    this.#ofTab = ofTab;
    const { signal } = this.#end;
    globalThis.addEventListener("storage", (event) => this.#onOther(event), { signal });
    globalThis.addEventListener("pagehide", () => this.#keepOwn(), { signal });
  }

  /** Calls back with the chat's id, and whether it is an edit, when another tab has changed what is kept. */
  on(listener) {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  close() {
    this.#end.abort();
  }

  get(chatId) {
    if (!this.#kept.has(chatId)) {
      const own = this.#use(this.#ofTab, (storage, key) => storage.getItem(key), chatId);
      if (own) this.#own.add(chatId);
      const shared = this.#shared(chatId);
      this.#seen.set(chatId, shared);
      this.#kept.set(chatId, own ?? shared ?? "");
    }
    return this.#kept.get(chatId);
  }

  set(chatId, text) {
    const before = this.get(chatId);
    this.#kept.set(chatId, text);
    this.#use(this.#ofTab, (storage, key) => storage.removeItem(key), chatId);
    if (text) {
      this.#own.add(chatId);
      this.#seen.set(chatId, text);
      this.#use(this.#storage, (storage, key) => storage.setItem(key, text), chatId);
    } else {
      this.#own.delete(chatId);
      // Another tab's text stays.
      if (this.#seen.get(chatId) !== before) return;
      this.#seen.set(chatId, null);
      this.#use(this.#storage, (storage, key) => storage.removeItem(key), chatId);
    }
  }

  /** The message that is being edited, `{id, content}`, and its new text as far as it is typed. */
  getEdit(chatId) {
    try {
      return JSON.parse(this.get(editIn(chatId)) || "null");
    } catch {
      return null;
    }
  }

  /** @param {{message: {id: number, content: string}, text: string} | null} edit */
  setEdit(chatId, edit) {
    this.set(editIn(chatId), edit ? JSON.stringify(edit) : "");
  }

  #onOther({ key, oldValue, newValue, storageArea }) {
    if (storageArea !== this.#storage || !key?.startsWith(this.#owner)) return;
    const name = key.slice(this.#owner.length);
    const [id, edit] = name.split(":");
    const chatId = edit ? name : Number(id);
    if (!this.#kept.has(chatId)) return;
    this.#seen.set(chatId, newValue);
    const text = this.#kept.get(chatId);
    if (this.#own.has(chatId) && !(text === oldValue && isSameText(text, newValue))) {
      if (newValue === text) return;
      if (newValue === null) this.set(chatId, text);
      else this.#use(this.#ofTab, (storage, key) => storage.setItem(key, text), chatId);
      return;
    }
    this.#own.delete(chatId);
    this.#kept.set(chatId, newValue ?? "");
    for (const listener of this.#listeners) listener(Number(id), edit !== undefined);
  }

  /** Keeps this tab's texts where another tab has written over them and the event has not come yet. */
  #keepOwn() {
    for (const chatId of this.#own) {
      const text = this.#kept.get(chatId);
      const shared = this.#shared(chatId);
      if (shared !== null && shared !== text) this.#use(this.#ofTab, (storage, key) => storage.setItem(key, text), chatId);
    }
  }

  #shared(chatId) {
    return this.#use(this.#storage, (storage, key) => storage.getItem(key), chatId);
  }

  #use(storage, use, key) {
    try {
      return storage ? use(storage, this.#owner + key) : null;
    } catch {
      // Full, or closed to us: then a draft does not outlive a reload.
      return null;
    }
  }
}

const editIn = (chatId) => `${chatId}:edit`;

/** Whether a text was sent, or goes on, in another tab: it is gone there, or the longer of the two begins with the other. */
const isSameText = (text, other) => !other || other.startsWith(text) || text.startsWith(other);
