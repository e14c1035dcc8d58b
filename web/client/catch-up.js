/** From which `seq` on the client catches up with each chat. */
export class CatchUp {
  /**
   * Where a catch-up began that has not ended. It is repeated as a whole, because the state of threads comes last.
   * @type {Map<number, number> | null}
   */
  #begun = null;

  /** Begins, or repeats what broke off. `heads`: the last `seq` applied of each chat. @param {Map<number, number>} heads */
  from(heads) {
    const begun = this.#begun;
    this.#begun = new Map([...heads].map(([id, head]) => [id, begun?.get(id) ?? head]));
    return this.#begun;
  }

  end() {
    this.#begun = null;
  }
}
