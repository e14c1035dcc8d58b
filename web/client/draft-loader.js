import { SingleFlight } from "./single-flight.js";

/** While polling, drafts are loaded again after so many milliseconds: a poll misses events between two requests. */
const STALE_AFTER = 25_000;

/** Loads the user's drafts. The server does not repeat missed events of drafts. */
export class DraftLoader {
  #api;
  #store;
  #loads = new SingleFlight();
  #isWanted = false;
  #loadedAt = -Infinity;

  constructor(api, store) {
    this.#api = api;
    this.#store = store;
  }

  /** Loads the drafts. From then on they are kept up to date. */
  async load() {
    this.#isWanted = true;
    await this.#reload();
  }

  /** Loads wanted drafts again after a connection began. `isPolling`: only if the last load was some time ago. */
  refresh(isPolling) {
    const isFresh = isPolling && performance.now() - this.#loadedAt < STALE_AFTER;
    // A failed load is repeated on the next connection.
    if (this.#isWanted && !isFresh) this.#reload().catch(() => {});
  }

  /** Forgets what was loaded, for another user. */
  reset() {
    this.#loads = new SingleFlight();
    this.#loadedAt = -Infinity;
  }

  #reload() {
    return this.#loads.run("drafts", async () => {
      this.#loadedAt = performance.now();
      await this.#store.loading(
        null,
        () => this.#api.drafts(),
        ({ results }) => this.#store.savedDrafts.takeAll(results),
      );
    });
  }
}
