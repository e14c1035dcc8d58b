/** A `typing` command is repeated at most this often, in milliseconds. */
const TYPING_INTERVAL = 3_000;

/** Sends the user's own `typing` commands, throttled. */
export class TypingNotifier {
  #api;
  #commands;
  /** When `typing` was last sent in each chat and thread, by the monotonic clock. */
  #sentAt = new Map();

  constructor(api, commands) {
    this.#api = api;
    this.#commands = commands;
  }

  /** `root`: of the thread that is written in; null for the chat. */
  notify(chatId, isTyping, root = null) {
    const key = root === null ? chatId : -root;
    const sentAt = this.#sentAt.get(key);
    if (isTyping ? performance.now() - sentAt < TYPING_INTERVAL : sentAt === undefined) return;
    if (isTyping) this.#sentAt.set(key, performance.now());
    else this.#sentAt.delete(key);
    const thread = root ?? undefined;
    const rest = () => this.#api.typing(chatId, isTyping, thread);
    // A failure is ignored: by the time of a retry the user has stopped typing.
    this.#commands.run({ type: "typing", chat_id: chatId, is_typing: isTyping, thread }, rest).catch(() => {});
  }

  /** Notes that a message was sent, which ends typing for the other users. */
  messageSent(chatId, root = null) {
    this.#sentAt.delete(root === null ? chatId : -root);
  }
}
