/**
 * Unsent texts, by chat. They outlive a reload, and the tabs of a browser share them: a tab shows the text of another tab
 * until the user types in it. From then on the tab keeps its own text.
 */

export class Drafts {
  #owner;
  #storage;
  #ofTab;
  #kept = new Map();
  /** Chats in which the user typed in this tab. */
  #own = new Set();
  /** The shared texts as last seen by this tab: a read may be older than the latest event. */
  #seen = new Map();
  #listeners = new Set();
  #end = new AbortController();

  /**
   * @param {string} owner identifies the user and the server
   * @param {Storage | null} storage shared by all tabs
   * @param {Storage | null} ofTab this tab's own storage: it keeps the tab's text while the shared storage has another tab's
   */
  constructor(owner, storage, ofTab = null) {
    this.#owner = `greenroom-draft:${owner}:`;
    this.#storage = storage;
    this.#ofTab = ofTab;
    const { signal } = this.#end;
    globalThis.addEventListener("storage", (event) => this.#onOther(event), { signal });
    globalThis.addEventListener("pagehide", () => this.#keepOwn(), { signal });
  }

  /** Calls the listener with the chat's id, and whether it is an edit, when another tab has changed its text. */
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
      // The shared text is another tab's: it stays.
      if (this.#seen.get(chatId) !== before) return;
      this.#seen.set(chatId, null);
      this.#use(this.#storage, (storage, key) => storage.removeItem(key), chatId);
    }
  }

  /** Replaces a text by that of another device. */
  adopt(chatId, text) {
    this.get(chatId);
    this.#own.delete(chatId);
    this.#kept.set(chatId, text);
    this.#seen.set(chatId, text || null);
    this.#use(this.#ofTab, (storage, key) => storage.removeItem(key), chatId);
    this.#use(this.#storage, (storage, key) => (text ? storage.setItem(key, text) : storage.removeItem(key)), chatId);
  }

  /** Returns the edit in progress: the message `{id, content}` and its new text. */
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

  /** Returns the message being replied to. Each tab has its own, which outlives a reload. */
  getReply(chatId) {
    try {
      return JSON.parse(this.#use(this.#ofTab, (storage, key) => storage.getItem(key), replyIn(chatId)) ?? "null");
    } catch {
      return null;
    }
  }

  setReply(chatId, message) {
    const text = message && JSON.stringify(message);
    this.#use(this.#ofTab, (storage, key) => (text ? storage.setItem(key, text) : storage.removeItem(key)), replyIn(chatId));
  }

  /** Returns who is mentioned in a draft, and where. It is known in the tab in which the draft was written. */
  getMentioned(chatId, text) {
    try {
      const kept = JSON.parse(this.#use(this.#ofTab, (storage, key) => storage.getItem(key), mentionedIn(chatId)) ?? "null");
      return text && kept?.text === text ? kept.mentioned : [];
    } catch {
      return [];
    }
  }

  setMentioned(chatId, text, mentioned) {
    const kept = mentioned.length > 0 && JSON.stringify({ text, mentioned });
    this.#use(this.#ofTab, (storage, key) => (kept ? storage.setItem(key, kept) : storage.removeItem(key)), mentionedIn(chatId));
  }

  #onOther({ key, oldValue, newValue, storageArea }) {
    if (storageArea !== this.#storage || !key?.startsWith(this.#owner)) return;
    const name = key.slice(this.#owner.length);
    const [id, part] = name.split(":");
    const chatId = part ? name : Number(id);
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
    for (const listener of this.#listeners) listener(Number(id), part === "edit");
  }

  /** Saves this tab's texts that another tab has overwritten, while the event has not arrived yet. */
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
      // The storage is full or blocked: a draft does not outlive a reload.
      return null;
    }
  }
}

const editIn = (chatId) => `${chatId}:edit`;
const replyIn = (chatId) => `${chatId}:reply`;
const mentionedIn = (chatId) => `${chatId}:mentioned`;

/** Whether a text is the same draft in another tab: it was sent there, or one of the two begins with the other. */
const isSameText = (text, other) => !other || other.startsWith(text) || text.startsWith(other);
