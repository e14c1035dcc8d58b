import { noAnswer } from "./errors.js";

/**
 * The events that arrive during loads. A loaded answer may be older than events that were applied during its request,
 * so they are replayed on it.
 */
export class LoadJournals {
  #journals = new Set();

  /** Whether a load of this chat is in progress. */
  includes(chatId) {
    return [...this.#journals].some((journal) => journal.chatId === chatId);
  }

  /** Records a chat's event for the loads in progress that it concerns. */
  record(event) {
    for (const { chatId, events } of this.#journals) if (chatId === null || chatId === event.chat_id) events.push(event);
  }

  /** Loads something about a chat (null: about all chats), stores it, and replays the events that arrived since. */
  async load(chatId, load, store, replay) {
    const journal = { chatId, events: [] };
    this.#journals.add(journal);
    try {
      const answer = await load();
      if (!this.#journals.has(journal)) throw noAnswer("Another user has signed in.");
      store(answer);
      replay(journal.events);
    } finally {
      this.#journals.delete(journal);
    }
  }

  /** Cancels the loads in progress: their answers are dropped. */
  clear() {
    this.#journals.clear();
  }
}
