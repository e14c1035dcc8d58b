/** A `typing` command is repeated at most this often, in milliseconds. */
const TYPING_INTERVAL = 3_000;

/** Sends the user's own `typing` commands, throttled. */
export class TypingNotifier {
  #api;
  #commands;
  /** When `typing` was last sent in each chat, by the monotonic clock. */
  #sentAt = new Map();

  constructor(api, commands) {
    this.#api = api;
    this.#commands = commands;
  }

  notify(chatId, isTyping) {
    const sentAt = this.#sentAt.get(chatId);
    if (isTyping ? performance.now() - sentAt < TYPING_INTERVAL : sentAt === undefined) return;
    if (isTyping) this.#sentAt.set(chatId, performance.now());
    else this.#sentAt.delete(chatId);
    const rest = () => this.#api.typing(chatId, isTyping);
    // A failure is ignored: by the time of a retry the user has stopped typing.
    this.#commands.run({ type: "typing", chat_id: chatId, is_typing: isTyping }, rest).catch(() => {});
  }

  /** Notes that a message was sent, which ends typing for the other users. */
  messageSent(chatId) {
    this.#sentAt.delete(chatId);
  }
}
