import { SingleFlight } from "./single-flight.js";

const CHATS_PER_PAGE = 50;
/** Up to so many chats are loaded one by one, more by the page. */
const FEW_CHATS = 3;

/** Loads chats and their messages into the store, and reloads what is stale. */
export class ChatLoader {
  #api;
  #store;
  #connection;
  #timing;
  #messages;
  #threads;
  #loads = new SingleFlight();
  #isReloading = false;
  /** Chats whose pinned messages are wanted. */
  #pinned = new Set();
  /** How many pages of the chat list were read one after the other. */
  #chatPages = 0;

  constructor({ api, store, connection, timing, messages, threads }) {
    this.#api = api;
    this.#store = store;
    this.#connection = connection;
    this.#timing = timing;
    this.#messages = messages;
    this.#threads = threads;
  }

  /** Forgets how much of the chat list was read, for another user. */
  reset() {
    this.#chatPages = 0;
    this.#pinned.clear();
    this.#loads = new SingleFlight();
  }

  // Messages

  async open(chatId) {
    if (!this.#store.isOpen(chatId)) await this.#loads.run(`open ${chatId}`, () => this.#loadNewest(chatId));
    return this.#store.messages(chatId);
  }

  /** Loads the chat before its messages, so that a client without access to them does not load the chat again. */
  async #loadNewest(chatId) {
    if (!this.#store.chats.has(chatId) || this.#store.stale.has(chatId)) await this.#reload(chatId, false);
    await this.#messages.newest(chatId, chatId);
  }

  async openAt(chatId, messageId) {
    if (!this.#store.chats.has(chatId)) await this.open(chatId);
    const isLoaded = this.#store.isOpen(chatId) && this.#store.message(messageId)?.chat === chatId;
    if (isLoaded) return this.#store.messages(chatId);
    await this.#loads.run(`open ${chatId} ${messageId}`, () => this.#messages.around(chatId, chatId, messageId));
    return this.#store.messages(chatId);
  }

  async openNewest(chatId) {
    if (!this.#store.isOpen(chatId) || !this.#store.hasNewer(chatId)) return this.open(chatId);
    await this.#loads.run(`newest ${chatId}`, () => this.#reload(chatId, true));
    return this.#store.messages(chatId);
  }

  async loadOlder(chatId) {
    await this.open(chatId);
    if (!this.#store.hasOlder(chatId)) return false;
    await this.#loads.run(`older ${chatId}`, () => this.#messages.older(chatId, chatId));
    return this.#store.hasOlder(chatId);
  }

  async loadNewer(chatId) {
    if (!this.#store.hasNewer(chatId)) return false;
    await this.#loads.run(`newer ${chatId}`, () => this.#messages.newer(chatId, chatId));
    return this.#store.hasNewer(chatId);
  }

  /** Loads the pinned messages of a chat, unless they are known. */
  async loadPins(chatId) {
    this.#pinned.add(chatId);
    if (this.#store.pins(chatId) === null) await this.#loads.run(`pins ${chatId}`, () => this.#reloadPins(chatId));
    return this.#store.pins(chatId);
  }

  #reloadPins(chatId) {
    return this.#store.loading(
      chatId,
      () => this.#api.pins(chatId),
      ({ results }) => this.#store.takePins(chatId, results),
    );
  }

  // Chats

  async loadMoreChats() {
    await this.#loads.run("chats", async () => {
      const known = this.#store.chats.size;
      // Chats move up between pages, and some are deleted: then fewer are known than were read.
      let page = Math.min(Math.floor(known / CHATS_PER_PAGE), this.#chatPages);
      // Some chats were loaded out of turn, so a page may bring nothing new.
      do {
        this.#chatPages = await this.#loadChats(++page);
      } while (this.#chatPages > 0 && this.#store.chats.size === known);
    });
    return this.#store.hasMoreChats;
  }

  /** Loads a page of chats. Returns its number, or 0 after the last page: missing chats are then searched from the top. */
  async #loadChats(page) {
    let isLast = false;
    this.#chatPages = 0;
    await this.#store.loading(
      null,
      () => this.#api.chats({ page, page_size: CHATS_PER_PAGE }),
      ({ results, next }) => {
        results.forEach((chat) => this.#store.takeChat(chat));
        isLast = next === null;
      },
    );
    return isLast ? 0 : page;
  }

  async loadUnread() {
    const { chats, heads } = this.#store;
    const left = () => this.#store.unreadElsewhere.length;
    const pagesLeft = () => Math.ceil((heads.size - chats.size) / CHATS_PER_PAGE);
    // Most chats with unread messages are near the top of the list. Further down, pages are loaded where they are fewer.
    let [before, known] = [Infinity, -1];
    while (left() > FEW_CHATS && chats.size > known && (left() < before || left() > pagesLeft())) {
      [before, known] = [left(), chats.size];
      await this.loadMoreChats();
    }
    // The others are loaded one by one. A failed load is retried on the next connection.
    for (const chatId of this.#store.unreadElsewhere) this.#store.stale.add(chatId);
    await this.reloadStale();
  }

  /** Loads a chat again, with its newest messages if wanted. */
  #reload(chatId, withMessages) {
    const load = async () => {
      const chat = await this.#api.chat(chatId);
      return { chat, page: withMessages ? await this.#messages.pageAgain(chatId) : null };
    };
    return this.#store.loading(chatId, load, ({ chat, page }) => {
      this.#store.takeChat(chat);
      if (page) this.#store.takeNewest(chatId, chatId, page);
    });
  }

  /** Loads a chat, unless it is loaded. */
  async openChat(chatId) {
    if (!this.#store.chats.has(chatId)) await this.#reload(chatId, false);
  }

  /** Reloads all stale chats, one after the other. */
  async reloadStale() {
    if (this.#isReloading) return;
    this.#isReloading = true;
    const failed = [];
    let wait = 0;
    // The loop also visits chats that become stale while it runs.
    for (const chatId of this.#store.stale) {
      this.#store.stale.delete(chatId);
      try {
        await this.#reload(chatId, this.#store.isOpen(chatId));
        if (this.#pinned.has(chatId) && this.#store.has(chatId)) await this.#reloadPins(chatId);
        await this.#threads.reloadIn(chatId);
      } catch (error) {
        if (!error.isFinal && this.#store.heads.has(chatId)) failed.push(chatId);
        wait = Math.max(wait, error.retryAfter ?? 0);
      }
    }
    // Failed chats are retried after `Retry-After`, or else on the next connection.
    if (wait) setTimeout(() => this.#connection.isConnected && this.reloadStale(), wait * 1000 + this.#timing.backoff);
    for (const chatId of failed) this.#store.stale.add(chatId);
    await this.#threads.reloadStale();
    this.#isReloading = false;
    if (this.#store.stale.size > failed.length) await this.reloadStale();
  }
}
