/** Listeners by event name. Changes are coalesced: see `schedule`. */
export class Emitter {
  #listeners = new Map();
  #pending = new Map();

  /** Adds a listener and returns the function that removes it. */
  on(name, listener) {
    const listeners = this.#listeners.get(name) ?? new Set();
    // A wrapper for each call, so that a listener added twice can be removed once.
    const wrapper = (payload) => listener(payload);
    this.#listeners.set(name, listeners.add(wrapper));
    return () => void listeners.delete(wrapper);
  }

  /** Calls the listeners of an event now. */
  emit(name, payload) {
    for (const listener of [...(this.#listeners.get(name) ?? [])]) {
      try {
        listener(payload);
      } catch (error) {
        // A listener's error becomes an uncaught one of its own, and the other listeners still run.
        setTimeout(() => {
          throw error;
        });
      }
    }
  }

  /** Emits an event once the current change is complete. Events with the same key are emitted once. */
  schedule(name, payload, key = /** @type {any} */ (Symbol(name))) {
    if (this.#pending.size === 0) queueMicrotask(() => this.#flush());
    this.#pending.set(key, [name, payload]);
  }

  #flush() {
    const pending = [...this.#pending.values()];
    this.#pending.clear();
    for (const [name, payload] of pending) this.emit(name, payload());
    this.emit("change");
  }
}
