/**
 * @typedef {import("../greenroom.d.ts").Message} Message
 * @typedef {import("../greenroom.d.ts").Thread} Thread
 */

/**
 * What the client knows of a thread. `seq`: the numbers include the changes up to it. A `last_read_message_id` of undefined
 * is not known. Without `root`, the root message, only the user's own state is known.
 * @typedef {object} KnownThread
 * @property {number} id
 * @property {number} chat
 * @property {string} title of the chat
 * @property {boolean} is_followed
 * @property {number} unread
 * @property {number} mentions
 * @property {number | null | undefined} last_read_message_id
 * @property {Message | null} root
 * @property {Message | null} last_reply
 * @property {number} seq
 */

/** @returns {KnownThread} */
const unknownThread = (id, chat) => ({
  id,
  chat,
  title: "",
  is_followed: false,
  unread: 0,
  mentions: 0,
  last_read_message_id: undefined,
  root: null,
  last_reply: null,
  seq: 0,
});

/** The order of the list of threads: the newest reply first. */
const latestIn = ({ id, last_reply }) => Math.max(id, last_reply?.id ?? 0);

/** The threads that the client knows, each with the user's own state of it. */
export class Threads {
  /** @type {Map<number, KnownThread>} */
  #threads = new Map();
  /** @type {Map<number, Thread>} Cached results of `view`. */
  #views = new Map();
  /** Cached result of `list`. */
  #list;
  /** Whether the list is wanted: threads that become followed are then loaded. */
  #isListed = false;
  #emitter;
  #repliesOf;
  /** @type {Set<number>} Threads to load, for the first time or again. */
  stale = new Set();
  hasMore = true;

  /** @param {(root: number) => object} repliesOf returns the loaded replies of a thread */
  constructor(emitter, repliesOf) {
    this.#emitter = emitter;
    this.#repliesOf = repliesOf;
  }

  /** Returns the thread as applications see it; null where it is not known. */
  view(root) {
    const known = this.#threads.get(root);
    if (!known) return null;
    if (!this.#views.has(root)) {
      const { seq, ...thread } = known;
      this.#views.set(root, Object.freeze({ ...thread, ...this.#repliesOf(root) }));
    }
    return this.#views.get(root);
  }

  /** The followed threads whose roots are known. */
  get list() {
    const isShown = ({ is_followed, root }) => is_followed && root !== null;
    const shown = () => [...this.#threads.values()].filter(isShown).sort((a, b) => latestIn(b) - latestIn(a));
    this.#list ??= Object.freeze(shown().map(({ id }) => this.view(id)));
    return this.#list;
  }

  /** The threads with unread replies. */
  get unread() {
    return [...this.#threads.values()].filter(({ unread }) => unread > 0);
  }

  chatOf(root) {
    return this.#threads.get(root)?.chat;
  }

  /** Stores a page of the list. */
  takeList({ results, next }) {
    this.#isListed = true;
    this.hasMore = next !== null;
    for (const thread of results) this.take(thread);
  }

  /** Stores a loaded thread. Events that arrived meanwhile are replayed on it. */
  take({ root, chat, ...thread }) {
    const known = this.#threads.get(root.id)?.root;
    this.stale.delete(root.id);
    this.#put({ ...thread, id: root.id, chat: chat.id, title: chat.title, root: known?.seq > root.seq ? known : root, seq: root.seq });
  }

  /** Stores the counts of all threads with unread replies, once all events up to `heads` were applied. */
  reached(heads, unread) {
    for (const thread of [...this.#threads.values()]) {
      const { unread: count = 0, mentions = 0 } = unread[thread.id] ?? {};
      // A count of a thread that is not followed means that following it was missed.
      if (count > 0 && !thread.is_followed) this.markStale(thread.id);
      else this.#put({ ...thread, unread: count, mentions, seq: Math.max(thread.seq, heads[thread.chat] ?? 0) });
    }
    for (const [key, { chat, unread: count, mentions }] of Object.entries(unread)) {
      if (this.#threads.has(Number(key))) continue;
      this.#put({ ...unknownThread(Number(key), chat), is_followed: true, unread: count, mentions, seq: heads[chat] ?? 0 });
    }
  }

  /** Applies the user's own state of a thread, which events bear. */
  takeOwn({ root, chat_id: chat, seq, is_followed, unread, mentions, last_read_message_id }) {
    const known = this.#threads.get(root) ?? unknownThread(root, chat);
    if (!(seq < known.seq)) this.#put({ ...known, is_followed, unread, mentions, last_read_message_id, seq });
  }

  /** Applies a new reply. It raises the number of unread ones if `isCounted`, and that of mentions if `isMention`. */
  addReply(reply, seq, isCounted, isMention) {
    const known = this.#threads.get(reply.thread);
    // Whether the user follows it is not known.
    if (!known) return void (isCounted && this.markStale(reply.thread));
    if (seq <= known.seq) return;
    const step = Number(isCounted && known.is_followed);
    const last_reply = known.last_reply?.id > reply.id ? known.last_reply : reply;
    const mentions = known.mentions + (isMention ? step : 0);
    this.#put({ ...known, unread: known.unread + step, mentions, last_reply, seq });
  }

  /** Applies the deletion of a reply. */
  removeReply(reply, seq, isCounted) {
    const known = this.#threads.get(reply.thread);
    if (!known || seq <= known.seq) return;
    const { unread, last_read_message_id: read } = known;
    const wasUnread = isCounted && known.is_followed && unread > 0;
    // Only the server knows the reply before it, and where an unknown marker is.
    if (known.last_reply?.id === reply.id || (wasUnread && read === undefined)) this.markStale(reply.thread);
    const step = Number(wasUnread && reply.id > (read ?? 0));
    // Of the mentions that it had, `thread_read` tells.
    this.#put({ ...known, unread: unread - step, seq });
  }

  /** Changes the roots and last replies of a chat's threads. */
  updateMessages(chatId, change, messageId = undefined) {
    const changed = (message) => (message && (messageId ?? message.id) === message.id ? change(message) : message);
    for (const thread of [...this.#threads.values()]) {
      if (thread.chat === chatId) this.#put({ ...thread, root: changed(thread.root), last_reply: changed(thread.last_reply) });
    }
  }

  /** Loads again what is known of a chat's threads. Those without unread replies are forgotten until they are needed. */
  review(chatId) {
    for (const { id, chat, root, unread } of [...this.#threads.values()]) {
      if (chat !== chatId) continue;
      if (root === null && unread === 0) this.drop(id);
      else this.markStale(id);
    }
  }

  dropChat(chatId) {
    for (const { id, chat } of [...this.#threads.values()]) if (chat === chatId) this.drop(id);
  }

  drop(root) {
    const known = this.#threads.get(root);
    this.#threads.delete(root);
    this.stale.delete(root);
    if (known) this.changed(root, known.chat);
  }

  clear() {
    for (const root of [...this.#threads.keys()]) this.drop(root);
    this.#isListed = false;
    this.hasMore = true;
  }

  markStale(root) {
    this.stale.add(root);
    this.#emitter.schedule("stale", () => {}, "stale");
  }

  /** @param {KnownThread} thread */
  #put(thread) {
    const { seq, ...now } = thread;
    const { seq: _, ...before } = this.#threads.get(thread.id) ?? { id: undefined };
    this.#threads.set(thread.id, thread);
    if (this.#isListed && now.is_followed && now.root === null) this.markStale(now.id);
    if (Object.keys(now).some((name) => now[name] !== before[name])) this.changed(now.id, now.chat);
  }

  /** Notes that a thread or its loaded replies have changed. */
  changed(root, chatId) {
    this.#views.delete(root);
    this.#list = undefined;
    this.#emitter.schedule("thread", () => ({ chatId, root }), `thread ${root}`);
  }
}
