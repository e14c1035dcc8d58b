/** Runs one piece of work per key at a time: calls with the key of running work share its result. */
export class SingleFlight {
  #running = new Map();

  run(key, work) {
    const shared = this.#running.get(key) ?? work().finally(() => this.#running.delete(key));
    this.#running.set(key, shared);
    return shared;
  }
}
