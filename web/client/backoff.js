/** The pauses between failed attempts: exponential, with full jitter. */
export class Backoff {
  #timing;
  #random;
  /** Failed attempts in a row. */
  #failures = 0;
  /** Ends the current pause, at the latest `after` milliseconds from now. */
  #endWithin = (after) => {};

  constructor(timing, random) {
    this.#timing = timing;
    this.#random = random;
  }

  /** Waits before the next attempt, at least `retryAfter` seconds. */
  async wait(retryAfter) {
    const most = Math.min(this.#timing.backoffMax, this.#timing.backoff * 2 ** this.#failures++);
    // Clients that lost their connections together do not reconnect together.
    const wait = (retryAfter ?? 0) * 1000 + this.#random() * most;
    const since = performance.now();
    await new Promise((resolve) => {
      let timer = setTimeout(resolve, wait);
      this.#endWithin = (after) => {
        clearTimeout(timer);
        timer = setTimeout(resolve, Math.min(wait, after) - (performance.now() - since));
      };
    });
    this.#endWithin = () => {};
  }

  /** Ends the current pause. */
  end() {
    this.#endWithin(0);
  }

  /** Shortens the current pause to the shortest one. */
  hurry() {
    this.#endWithin(this.#timing.backoff);
  }

  /** Notes that an attempt succeeded. */
  reset() {
    this.#failures = 0;
  }
}
