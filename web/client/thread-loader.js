import { threadLane } from "./message-windows.js";
import { SingleFlight } from "./single-flight.js";

const THREADS_PER_PAGE = 50;

/** Loads threads, their replies and the list of followed threads into the store. */
export class ThreadLoader {
  #api;
  #store;
  #messages;
  #openChat;
  #loads = new SingleFlight();
  /** How many pages of the list were read one after the other. */
  #pages = 0;

  /** `openChat` loads a chat, unless it is loaded. */
  constructor({ api, store, messages, openChat }) {
    this.#api = api;
    this.#store = store;
    this.#messages = messages;
    this.#openChat = openChat;
  }

  /** Forgets what was loaded, for another user. */
  reset() {
    this.#pages = 0;
    this.#loads = new SingleFlight();
  }

  #isOpen(root) {
    return this.#store.isOpen(threadLane(root));
  }

  async open(root) {
    if (!this.#isOpen(root)) await this.#loads.run(`open ${root}`, () => this.#openWith(root, (lane, chat) => this.#messages.newest(lane, chat)));
    return this.#store.thread(root);
  }

  async openAt(root, messageId) {
    const isLoaded = () => this.#store.messagesIn(threadLane(root)).some(({ id }) => id === messageId);
    const load = (lane, chat) => this.#messages.around(lane, chat, messageId);
    if (!this.#isOpen(root) || !isLoaded()) await this.#loads.run(`open ${root} ${messageId}`, () => this.#openWith(root, load));
    return this.#store.thread(root);
  }

  async openNewest(root) {
    if (!this.#isOpen(root) || !this.#store.hasNewer(threadLane(root))) return this.open(root);
    await this.#loads.run(`newest ${root}`, () => this.#openWith(root, (lane, chat) => this.#messages.newest(lane, chat)));
    return this.#store.thread(root);
  }

  /** Loads a thread before its replies, so that a client without access to it loads nothing. */
  async #openWith(root, load) {
    await this.reload(root);
    const chat = this.#store.knownThreads.chatOf(root);
    await this.#openChat(chat);
    await load(threadLane(root), chat);
  }

  /** Loads a thread without its replies. */
  reload(root) {
    return this.#store.loading(null, () => this.#api.thread(root), (thread) => this.#store.knownThreads.take(thread));
  }

  close(root) {
    this.#store.closeMessages(threadLane(root), this.#store.knownThreads.chatOf(root));
  }

  async loadOlder(root) {
    await this.open(root);
    const lane = threadLane(root);
    if (!this.#store.hasOlder(lane)) return false;
    await this.#loads.run(`older ${root}`, () => this.#messages.older(lane, this.#store.knownThreads.chatOf(root)));
    return this.#store.hasOlder(lane);
  }

  async loadNewer(root) {
    const lane = threadLane(root);
    if (!this.#store.hasNewer(lane)) return false;
    await this.#loads.run(`newer ${root}`, () => this.#messages.newer(lane, this.#store.knownThreads.chatOf(root)));
    return this.#store.hasNewer(lane);
  }

  // The list

  async loadList() {
    if (this.#pages === 0) await this.loadMore();
    return this.#store.threads;
  }

  async loadMore() {
    await this.#loads.run("threads", async () => {
      if (!this.#store.hasMoreThreads) return;
      const load = () => this.#api.threads({ page: this.#pages + 1, page_size: THREADS_PER_PAGE });
      await this.#store.loading(null, load, (page) => this.#store.knownThreads.takeList(page));
      this.#pages++;
    });
    return this.#store.hasMoreThreads;
  }

  /** Starts or stops following a thread. */
  async follow(root, isFollowed) {
    const load = async () => {
      if (isFollowed) return this.#api.followThread(root);
      await this.#api.unfollowThread(root);
      return this.#api.thread(root);
    };
    await this.#store.loading(null, load, (thread) => this.#store.knownThreads.take(thread));
  }

  /** Loads the open threads of a chat again, with their newest replies. */
  async reloadIn(chatId) {
    for (const root of this.#store.openThreads(chatId)) {
      const lane = threadLane(root);
      const load = async () => ({ thread: await this.#api.thread(root), page: await this.#messages.pageAgain(lane) });
      await this.#store.loading(null, load, ({ thread, page }) => {
        this.#store.knownThreads.take(thread);
        this.#store.takeNewest(lane, chatId, page);
      });
    }
  }

  /** Loads all stale threads again, one after the other. Those that are gone are dropped. */
  async reloadStale() {
    const { stale } = this.#store.knownThreads;
    const failed = [];
    for (const root of stale) {
      stale.delete(root);
      try {
        await this.reload(root);
      } catch (error) {
        if (error.isFinal) this.#store.knownThreads.drop(root);
        else failed.push(root);
      }
    }
    // They are loaded on the next connection.
    for (const root of failed) stale.add(root);
  }
}
