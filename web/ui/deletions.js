/**
 * Pending deletions of messages. For a few seconds a deletion can be undone: until then it is not sent to the server. It
 * is kept in the storage, so that the next page sends it if this one closes first.
 */

/** How long a deletion can be undone, in milliseconds. */
const WAIT = 8_000;

export class Deletions {
  #client;
  #onFailure;
  #owner;
  #storage;
  #timers = new Map();
  #listeners = new Set();

  /** @param {string} owner identifies the user and the server */
  constructor(client, owner, storage, onFailure) {
    this.#client = client;
    this.#owner = `greenroom-deletion:${owner}:`;
    this.#storage = storage;
    this.#onFailure = onFailure;
    this.#resume();
    // After leaving the page, a user does not return to undo it.
    globalThis.addEventListener("pagehide", () => this.flush());
  }

  on(listener) {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  has(messageId) {
    return this.#timers.has(messageId);
  }

  add(messageId) {
    if (this.has(messageId)) return;
    this.#timers.set(messageId, setTimeout(() => this.#run(messageId), WAIT));
    this.#use((storage, owner) => storage.setItem(owner + messageId, String(Date.now() + WAIT)));
    this.#notify();
  }

  undo(messageId) {
    this.#cancel(messageId);
    this.#notify();
  }

  /** Sends all pending deletions now, in requests that outlive the page. */
  flush() {
    for (const messageId of [...this.#timers.keys()]) {
      clearTimeout(this.#timers.get(messageId));
      this.#timers.delete(messageId);
      this.#delete(messageId).catch(() => {});
    }
    this.#notify();
  }

  async #run(messageId) {
    try {
      await this.#client.delete(messageId);
    } catch (error) {
      if (error.status !== 404) this.#onFailure(error);
    }
    // Only now, so that the text does not reappear in between.
    this.undo(messageId);
  }

  async #delete(messageId) {
    try {
      await this.#client.api.request("DELETE", `messages/${messageId}/`, { keepalive: true });
    } catch (error) {
      if (!error.isFinal) throw error;
    }
    this.#forget(messageId);
  }

  /** Sends the stored deletions of earlier pages, unless another tab undoes them in time. */
  #resume() {
    const keys = this.#use((storage, owner) => Object.keys(storage).filter((key) => key.startsWith(owner))) ?? [];
    for (const key of keys) {
      const read = () => Number(this.#use((storage) => storage.getItem(key)));
      const finish = () => read() && this.#delete(Number(key.slice(this.#owner.length))).catch(() => {});
      setTimeout(finish, Math.min(read() - Date.now(), WAIT));
    }
  }

  #cancel(messageId) {
    clearTimeout(this.#timers.get(messageId));
    this.#timers.delete(messageId);
    this.#forget(messageId);
  }

  #forget(messageId) {
    this.#use((storage, owner) => storage.removeItem(owner + messageId));
  }

  #use(use) {
    try {
      return this.#storage ? use(this.#storage, this.#owner) : null;
    } catch {
      // The storage is full or blocked: a deletion does not outlive the page.
      return null;
    }
  }

  #notify() {
    for (const listener of this.#listeners) listener();
  }
}
