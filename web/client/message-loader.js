import { isThreadLane, rootOfLane } from "./message-windows.js";

const PAGE_SIZE = 50;
const MAX_PAGE_SIZE = 100;

/** @typedef {import("./message-windows.js").Lane} Lane */

/** Loads pages of messages of chats and threads into the store. The chat itself must be loaded. */
export class MessageLoader {
  #api;
  #store;

  constructor({ api, store }) {
    this.#api = api;
    this.#store = store;
  }

  /** Requests a page of a lane. */
  #page(lane, query) {
    const all = { page_size: PAGE_SIZE, ...query };
    return isThreadLane(lane) ? this.#api.replies(rootOfLane(lane), all) : this.#api.messages(lane, all);
  }

  /** Loads the newest messages of a lane. @param {Lane} lane */
  newest(lane, chatId) {
    return this.#store.loading(chatId, () => this.#page(lane, {}), (page) => this.#store.takeNewest(lane, chatId, page));
  }

  /** Requests the newest messages of a lane, at least as many as are loaded. */
  pageAgain(lane) {
    return this.#page(lane, { page_size: Math.min(MAX_PAGE_SIZE, Math.max(PAGE_SIZE, this.#store.messagesIn(lane).length)) });
  }

  /** Loads a message and the messages before and after it. */
  around(lane, chatId, messageId) {
    const load = async () => {
      const older = await this.#page(lane, { before: messageId + 1 });
      const newer = await this.#page(lane, { after: messageId });
      return { results: [...newer.results, ...older.results], next: older.next, previous: newer.previous };
    };
    return this.#store.loading(chatId, load, (page) => this.#store.takeNewest(lane, chatId, page, page.previous !== null));
  }

  older(lane, chatId) {
    const before = this.#store.messagesIn(lane)[0]?.id;
    const load = () => this.#page(lane, { before });
    return this.#store.loading(chatId, load, (page) => this.#store.takeOlder(lane, chatId, before, page));
  }

  newer(lane, chatId) {
    const after = this.#store.messagesIn(lane).at(-1)?.id;
    const load = () => this.#page(lane, { after });
    return this.#store.loading(chatId, load, (page) => this.#store.takeNewer(lane, chatId, after, page));
  }
}
