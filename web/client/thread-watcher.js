/** The server tells a socket who is typing in up to so many threads. */
const MAX_WATCHED = 5;

/** Tells the server which threads are open here, so that it tells who is typing in them. Only sockets learn that. */
export class ThreadWatcher {
  /** The threads that were opened last, the latest one at the end. @type {Set<number>} */
  #watched = new Set();
  #commands;

  constructor(commands) {
    this.#commands = commands;
  }

  opened(root) {
    const isNew = !this.#watched.delete(root);
    this.#watched.add(root);
    if (!isNew) return;
    const [oldest] = this.#watched;
    if (this.#watched.size > MAX_WATCHED) this.closed(oldest);
    this.#send("open_thread", root);
  }

  closed(root) {
    if (this.#watched.delete(root)) this.#send("close_thread", root);
  }

  /** Tells a new socket. */
  openAgain() {
    for (const root of this.#watched) this.#send("open_thread", root);
  }

  /** Forgets all, for another user. */
  reset() {
    this.#watched.clear();
  }

  #send(type, root) {
    // Without a socket the next one is told, and without the thread nobody is typing in it.
    this.#commands.request({ type, root }).catch(() => {});
  }
}
