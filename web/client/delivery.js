/** Sends the messages of the outbox: in order within a chat, with retries until the server stores or refuses them. */
export class Delivery {
  #api;
  #store;
  #outbox;
  #emitter;
  #timing;
  #connection;
  #commands;
  /** Chats whose messages are being sent. */
  #sending = new Set();
  /** Timers of retries, by chat. */
  #retries = new Map();
  /** Failed deliveries in a row: they set the backoff before the next one. */
  #failures = 0;
  /** Nothing is sent before this moment, by the monotonic clock. */
  #pausedUntil = 0;
  #pauseTimer;

  constructor({ api, store, outbox, emitter, timing, connection, commands }) {
    this.#api = api;
    this.#store = store;
    this.#outbox = outbox;
    this.#emitter = emitter;
    this.#timing = timing;
    this.#connection = connection;
    this.#commands = commands;
  }

  /** How many more seconds sending is paused. */
  get heldFor() {
    return Math.max(0, Math.ceil((this.#pausedUntil - performance.now()) / 1000));
  }

  get #canDeliver() {
    return this.#connection.canSend && performance.now() >= this.#pausedUntil;
  }

  deliverAll() {
    for (const { chat } of this.#outbox.all) this.deliver(chat);
  }

  /** Sends the messages that wait in a chat, unless that is in progress. */
  async deliver(chatId) {
    if (this.#sending.has(chatId) || !this.#canDeliver || !this.#outbox.next(chatId)) return;
    this.#sending.add(chatId);
    clearTimeout(this.#retries.get(chatId));
    const isDone = await this.#outbox.withLock(chatId, () => this.#deliverInOrder(chatId));
    this.#sending.delete(chatId);
    // More messages may have been added since.
    if (isDone) this.deliver(chatId);
  }

  /** Sends one message after the other, which keeps their order across failures. Returns false if it must be retried. */
  async #deliverInOrder(chatId) {
    let message;
    while (this.#canDeliver && (message = this.#outbox.next(chatId))) {
      try {
        const stored = await this.#post(message);
        this.#failures = 0;
        this.#store.takeMessage(stored);
        this.#outbox.sent(message.client_id, stored);
      } catch (error) {
        // What it replies to was deleted meanwhile. Nothing was stored under its `client_id`.
        if (message.reply_to && error.fields?.reply_to) {
          this.#outbox.dropReply(message.client_id);
          continue;
        }
        this.#outbox.failed(message.client_id, error);
        if (error.isFinal) continue;
        if (error.retryAfter) this.#pause(error.retryAfter);
        else this.#retryLater(chatId);
        return false;
      }
    }
    return true;
  }

  /** Retries with exponential backoff. A new connection retries at once. */
  #retryLater(chatId) {
    const wait = Math.min(this.#timing.backoffMax, this.#timing.backoff * 2 ** this.#failures++);
    this.#retries.set(chatId, setTimeout(() => this.deliver(chatId), wait));
  }

  /** Sends nothing for so many seconds: the rate limit was reached, or the server is overloaded. */
  #pause(seconds) {
    this.#pausedUntil = Math.max(this.#pausedUntil, performance.now() + seconds * 1000);
    clearTimeout(this.#pauseTimer);
    const wait = this.#pausedUntil - performance.now() + this.#timing.backoff;
    const notify = () => this.#emitter.schedule("held", () => ({ seconds: this.heldFor }), "held");
    this.#pauseTimer = setTimeout(() => {
      notify();
      this.deliverAll();
    }, wait);
    notify();
  }

  /** Posts a message. It may be posted twice, over both transports: the server deduplicates by `client_id`. */
  async #post({ chat, content, custom, reply_to, forward, thread, also_in_chat, mentions, attachments, client_id }) {
    const isMentioning = mentions.everyone || mentions.here || mentions.users.length > 0;
    const optional = {
      ...(reply_to && { reply_to: reply_to.id }),
      ...(forward && { forward }),
      ...(thread && { thread, also_in_chat }),
      ...(isMentioning && { mentions }),
      ...(attachments.length > 0 && { attachments: attachments.map(({ id }) => id) }),
    };
    const fields = { content, custom, ...optional, client_id };
    const rest = async () => ({ message: await this.#api.sendMessage(chat, fields) });
    return (await this.#commands.run({ type: "send_message", chat_id: chat, ...fields }, rest)).message;
  }
}
