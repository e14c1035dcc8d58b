/**
 * Messages that are about to be deleted. For a while it can be undone: until then the server does not know of it. It is noted
 * in the storage, so that it is done another time where the page's end came first.
 */

/** How long, in milliseconds. */
const WAIT = 8_000;

export class Deletions {
  #client;
  #onFailure;
  #owner;
  #storage;
  #timers = new Map();
  #listeners = new Set();

  /** @param {string} owner tells one user of one server from others */
  constructor(client, owner, storage, onFailure) {
    this.#client = client;
    this.#owner = `greenroom-deletion:${owner}:`;
    this.#storage = storage;
    this.#onFailure = onFailure;
    this.#takeUp();
    // Whoever goes away does not come back to undo it.
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
    this.#tell();
  }

  undo(messageId) {
    this.#settle(messageId);
    this.#tell();
  }

  /** Deletes now what waits, in requests that outlive the page. */
  flush() {
    for (const messageId of [...this.#timers.keys()]) {
      clearTimeout(this.#timers.get(messageId));
      this.#timers.delete(messageId);
      this.#delete(messageId).catch(() => {});
    }
    this.#tell();
  }

  async #run(messageId) {
    try {
      await this.#client.delete(messageId);
    } catch (error) {
      if (error.status !== 404) this.#onFailure(error);
    }
    // Only now, so that its text is not seen again in between.
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

  /** Does what was left undone, unless another tab undoes it before its time. */
  #takeUp() {
    const keys = this.#use((storage, owner) => Object.keys(storage).filter((key) => key.startsWith(owner))) ?? [];
    for (const key of keys) {
      const read = () => Number(this.#use((storage) => storage.getItem(key)));
      const finish = () => read() && this.#delete(Number(key.slice(this.#owner.length))).catch(() => {});
      setTimeout(finish, Math.min(read() - Date.now(), WAIT));
    }
  }

  #settle(messageId) {
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
      // Full, or closed to us: then it is not done another time.
      return null;
    }
  }

  #tell() {
    for (const listener of this.#listeners) listener();
  }
}
