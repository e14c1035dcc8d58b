import { deferred } from "./deferred.js";
import { noAnswer } from "./errors.js";
import { parseJson } from "./json.js";
import { OutgoingMessage } from "./outgoing-message.js";

/** @typedef {import("../greenroom.d.ts").Message} Message */

/** Draws a random `client_id`. Pages without HTTPS have no `crypto.randomUUID`. */
const randomKey = () =>
  Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");

/** The status that a discarded message has in the storage for a moment, for other tabs. */
const DISCARDED = "discarded";
const discardedError = () => noAnswer("The message was discarded.");

/** After so many server errors a message counts as refused. */
const MAX_SERVER_ERRORS = 5;

/** How long to wait for another tab's lock on a chat, in milliseconds: browsers suspend tabs that hold locks. */
const LOCK_TIMEOUT = 4_000;
/** How long to wait for the feed to bring a message that another tab has sent, in milliseconds. */
const FEED_TIMEOUT = 5_000;

/**
 * The queue of messages that the server may not have stored yet, in the order of sending. With storage it outlives a
 * reload: each message has a key there, which all tabs see. The first tab to take a chat's lock sends its messages.
 */
export class Outbox {
  #entries = new Map();
  #lastOrder = 0;
  #end = new AbortController();
  /** The prefix of the user's keys in the storage; null before the user is known. */
  #owner = null;
  #storage;
  #changed;
  #isStored;

  /** @param {(message: any) => boolean} isStored returns whether the server has a message, as far as is known */
  constructor(storage, changed, isStored) {
    this.#storage = storage;
    this.#changed = changed;
    this.#isStored = isStored;
  }

  get all() {
    return [...this.#entries.values()].map(({ message }) => message);
  }

  /** Restores the user's unsent messages from the storage. */
  open(owner) {
    this.#owner = owner;
    for (const entry of this.#entries.values()) this.#save(entry);
    for (const fields of this.#saved()) {
      if (!this.#entries.has(fields.client_id)) this.#put(fields, { isRestored: true, order: fields.order });
    }
    this.#end = new AbortController();
    globalThis.addEventListener?.("storage", (event) => this.#onStorageEvent(event), { signal: this.#end.signal });
  }

  /** Empties the queue. The user's messages stay in the storage. */
  close() {
    const messages = this.all;
    this.#end.abort();
    this.#owner = null;
    this.#entries.clear();
    messages.forEach(this.#changed);
  }

  add(fields, sender, now) {
    return this.#put({ ...fields, client_id: randomKey(), created_at: new Date(now).toISOString(), sender });
  }

  /** Runs work while this tab holds the chat's lock (Web Locks API). Without locks it runs at once. */
  async withLock(chatId, work) {
    let hasBegun = false;
    const begin = () => {
      hasBegun = true;
      return work();
    };
    try {
      const locks = this.#withStorage((_, owner) => globalThis.navigator?.locks && { all: navigator.locks, owner });
      if (!locks) return await begin();
      return await locks.all.request(locks.owner + chatId, { signal: AbortSignal.timeout(LOCK_TIMEOUT) }, begin);
    } catch (error) {
      // No locks here, or another tab keeps the lock. Sending is safe: the server deduplicates by `client_id`.
      if (hasBegun) throw error;
      return begin();
    }
  }

  /** Returns the next message to send in a chat. */
  next(chatId) {
    for (const entry of this.#entries.values()) {
      const { message, isRestored, wasSaved, isSentElsewhere } = entry;
      if (message.chat !== chatId || message.status !== "sending" || isSentElsewhere) continue;
      const isSaved = () => this.#withStorage((storage, owner) => storage.getItem(owner + message.client_id)) !== null;
      if (!(isRestored || wasSaved) || isSaved()) return message;
      // Another tab has sent or discarded it since.
      if (isRestored) this.#remove(message);
      else this.#awaitFeed(entry);
    }
    return undefined;
  }

  /** Another tab has taken this tab's message: the feed will bring it. On timeout the message is sent again. */
  #awaitFeed(entry) {
    entry.isSentElsewhere = true;
    const { client_id } = entry.message;
    setTimeout(() => {
      if (this.#entries.get(client_id) !== entry) return;
      entry.isSentElsewhere = false;
      this.#save(entry);
      this.#changed(entry.message);
    }, FEED_TIMEOUT);
  }

  /** Applies another tab's change of a message. */
  #onStorageEvent({ key, newValue, storageArea }) {
    if (storageArea !== this.#storage || !key?.startsWith(this.#owner)) return;
    const clientId = key.slice(this.#owner.length);
    const entry = this.#entries.get(clientId);
    const fields = parseJson(newValue ?? "null");
    if (fields?.status === DISCARDED) return void this.#forget(clientId)?.sent.reject(discardedError());
    if (fields?.client_id !== clientId) {
      // Another tab has sent it: the feed will bring it.
      if (entry?.isRestored) setTimeout(() => this.#entries.get(clientId) === entry && this.#forget(clientId), FEED_TIMEOUT);
      return;
    }
    if (this.#isStored(fields) || (entry && entry.message.status === fields.status)) return;
    this.#put(fields, { sent: entry?.sent, isRestored: entry?.isRestored ?? true, order: fields.order, isSaved: true });
  }

  /** Settles the queued message that a stored message was made from, if there is one. @param {Message} message */
  confirm(message, me) {
    const known = this.#entries.get(message.client_id)?.message;
    if (known?.chat === message.chat && message.sender.id === me?.id) this.sent(known.client_id, message);
  }

  sent(clientId, message) {
    this.#take(clientId)?.resolve(message);
  }

  discard(clientId) {
    // The mark lets other tabs tell a discarded message from a sent one.
    const mark = JSON.stringify({ status: DISCARDED });
    if (this.#entries.get(clientId)?.wasSaved) this.#withStorage((storage, owner) => storage.setItem(owner + clientId, mark));
    this.#take(clientId)?.reject(discardedError());
  }

  /** Notes a failed attempt. After a final error, or too many server errors, the message waits for `retry`. */
  failed(clientId, error) {
    const entry = this.#entries.get(clientId);
    if (entry && error.status >= 500 && error.status !== 503) entry.serverErrors++;
    if (!entry || !(error.isFinal || entry.serverErrors >= MAX_SERVER_ERRORS)) return;
    this.#put({ ...entry.message, status: "failed", error }, entry);
    entry.sent.reject(error);
  }

  /** Makes a message one that replies to nothing. */
  dropReply(clientId) {
    const entry = this.#entries.get(clientId);
    if (entry) this.#put({ ...entry.message, reply_to: null }, entry);
  }

  /** Shows an edited message in the queued replies to it. Replies to a deleted message become plain messages. */
  updateQuotes(quote) {
    for (const entry of [...this.#entries.values()]) {
      const { reply_to, status } = entry.message;
      if (reply_to?.id !== quote.id || status !== "sending") continue;
      this.#put({ ...entry.message, reply_to: quote.is_deleted ? null : quote }, entry);
    }
  }

  /** Queues a refused message again, at the end. */
  retry(clientId) {
    const message = this.#entries.get(clientId)?.message;
    if (message?.status !== "failed") return message;
    this.#entries.delete(clientId);
    return this.#put({ ...message, status: "sending", error: null });
  }

  /** Adds or replaces a message. @returns {any} */
  #put(fields, { sent = deferred(), isRestored = false, serverErrors = 0, order = this.#lastOrder + 1, isSaved = false } = {}) {
    const message = new OutgoingMessage(this, fields, sent.promise);
    const entry = { message, sent, isRestored, serverErrors, order, wasSaved: isSaved };
    this.#lastOrder = Math.max(this.#lastOrder, order);
    this.#entries.set(message.client_id, entry);
    if (!isSaved) this.#save(entry);
    this.#changed(message);
    return message;
  }

  /** Removes a message and returns its promise, to be settled. */
  #take(clientId) {
    const entry = this.#entries.get(clientId);
    if (entry) this.#remove(entry.message);
    return entry?.sent;
  }

  #remove(message) {
    this.#withStorage((storage, owner) => storage.removeItem(owner + message.client_id));
    this.#forget(message.client_id);
  }

  /** Removes a message from the queue. It stays in the storage. */
  #forget(clientId) {
    const entry = this.#entries.get(clientId);
    this.#entries.delete(clientId);
    if (entry) this.#changed(entry.message);
    return entry;
  }

  #save(entry) {
    const { message, order } = entry;
    this.#withStorage((storage, owner) => {
      storage.setItem(owner + message.client_id, JSON.stringify({ ...message, order }));
      entry.wasSaved = true;
    });
  }

  #saved() {
    const texts = this.#withStorage((storage, owner) => {
      const keys = Array.from({ length: storage.length }, (_, index) => storage.key(index));
      return keys.filter((key) => key.startsWith(owner)).map((key) => storage.getItem(key));
    });
    const saved = (texts ?? []).map(parseJson).filter((fields) => fields?.client_id);
    // Entries of earlier versions have no `order`, only a time.
    return saved.sort((a, b) => (a.order ?? 0) - (b.order ?? 0) || (a.created_at < b.created_at ? -1 : 1));
  }

  /** Calls `use` with the storage and the prefix of the user's keys. Without a usable storage it returns undefined. */
  #withStorage(use) {
    try {
      if (this.#storage && this.#owner) return use(this.#storage, this.#owner);
    } catch {
      // The storage is full or blocked: the queue is lost on reload.
    }
    return undefined;
  }
}
