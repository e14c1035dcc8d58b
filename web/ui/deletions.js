/** Messages that are about to be deleted. For a while it can be undone: until then the server does not know of it. */

/** How long, in milliseconds. */
const WAIT = 8_000;

export class Deletions {
  #client;
  #onFailure;
  #timers = new Map();
  #listeners = new Set();

  constructor(client, onFailure) {
    this.#client = client;
    this.#onFailure = onFailure;
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
    this.#tell();
  }

  undo(messageId) {
    clearTimeout(this.#timers.get(messageId));
    this.#timers.delete(messageId);
    this.#tell();
  }

  /** Deletes now what waits, in requests that outlive the page. */
  flush() {
    for (const messageId of [...this.#timers.keys()]) {
      this.undo(messageId);
      this.#client.api.request("DELETE", `messages/${messageId}/`, { keepalive: true }).catch(() => {});
    }
  }

  async #run(messageId) {
    clearTimeout(this.#timers.get(messageId));
    try {
      await this.#client.delete(messageId);
    } catch (error) {
      if (error.status !== 404) this.#onFailure(error);
    }
    // Only now, so that its text is not seen again in between.
    this.#timers.delete(messageId);
    this.#tell();
  }

  #tell() {
    for (const listener of this.#listeners) listener();
  }
}
