import { SingleFlight } from "./single-flight.js";

/** Subscribes to the public rooms that the application watches, and loads them. */
export class RoomWatcher {
  #api;
  #store;
  #connection;
  #commands;
  #timing;
  /** @type {Set<number>} Watched rooms, whether or not the user is in them. */
  #watched = new Set();
  #loads = new SingleFlight();

  constructor({ api, store, connection, commands, timing }) {
    this.#api = api;
    this.#store = store;
    this.#connection = connection;
    this.#commands = commands;
    this.#timing = timing;
  }

  has(chatId) {
    return this.#watched.has(chatId);
  }

  async watch(chatId) {
    this.#watched.add(chatId);
    await this.#follow(chatId);
    return this.#store.chats.get(chatId) ?? this.#store.rooms.get(chatId);
  }

  unwatch(chatId) {
    if (!this.#watched.delete(chatId)) return;
    this.#store.dropRoom(chatId);
    this.#commands.request({ type: "unwatch", chat_id: chatId }).catch(() => {});
  }

  /** Follows all watched rooms again, on a new connection. */
  followAll() {
    for (const chatId of this.#watched) this.followAgain(chatId);
  }

  /** Subscribes to a room, and loads it afterwards, so that no event is missed in between. */
  #follow(chatId) {
    return this.#loads.run(chatId, async () => {
      const take = (chat) => (chat.is_member === false ? this.#store.takeRoom(chat) : this.#store.takeChat(chat));
      let socket;
      do {
        socket = this.#connection.socket;
        if (socket) await this.#commands.request({ type: "watch", chat_id: chatId });
        await this.#store.loading(chatId, () => this.#api.chat(chatId), take);
        if (!this.#watched.has(chatId)) return this.#store.dropRoom(chatId);
        // Repeated if another socket opened during the load, or if the answer predates the user's leaving the room.
      } while ((this.#connection.socket && this.#connection.socket !== socket) || !this.#store.has(chatId));
    });
  }

  /** Follows a watched room again. A failure is retried after a pause, or at the latest on the next connection. */
  followAgain(chatId) {
    if (this.#store.heads.has(chatId)) return;
    this.#follow(chatId).catch((error) => {
      if (error.status === 404) this.#store.dropRoom(chatId);
      if (error.isFinal) return;
      const retry = () => this.#watched.has(chatId) && this.#connection.isConnected && this.followAgain(chatId);
      setTimeout(retry, (error.retryAfter ?? 0) * 1000 + this.#timing.backoff);
    });
  }
}
