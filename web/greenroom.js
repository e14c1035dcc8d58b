/**
 * Greenroom's client: chats over REST, live over one WebSocket. One module without dependencies, for browsers and Node.
 *
 *     import { Greenroom } from "/messages/greenroom.js";
 *
 *     const client = new Greenroom();
 *     client.on("messages", ({ chatId }) => draw(client.state.messages(chatId)));
 *     await client.start();
 *     await client.open(7);
 *     client.send(7, "Hello!");
 *
 * What can be called, and what it means, stands in `greenroom.d.ts`. This file goes from the bottom of things to the
 * top: errors, events, REST, the local state, the outbox, one socket, and the client that holds them together.
 *
 * @typedef {import("./greenroom.d.ts").Chat} Chat
 * @typedef {import("./greenroom.d.ts").ChatMember} ChatMember
 * @typedef {import("./greenroom.d.ts").FeedEvent} FeedEvent
 * @typedef {import("./greenroom.d.ts").Message} Message
 * @typedef {import("./greenroom.d.ts").Options} Options
 */

// Errors

/** What the server refused, or could not be asked. */
export class GreenroomError extends Error {
  /** @param {any} [body] as the server answers */
  constructor(status, body = {}, { retryAfter = null, cause = undefined } = {}) {
    const [field, sentences] = Object.entries(body.details ?? {})[0] ?? [];
    const detail = body.detail ?? (field ? `${field}: ${sentences}` : body.error) ?? `Status ${status}.`;
    super(detail, { cause });
    this.name = "GreenroomError";
    this.status = status;
    this.detail = detail;
    this.fields = body.details ?? {};
    this.retryAfter = retryAfter;
  }

  get isFinal() {
    return this.status >= 400 && this.status < 500 && ![401, 408, 425, 429].includes(this.status);
  }
}

const noAnswer = (detail = "The server could not be reached.", cause = undefined) =>
  new GreenroomError(0, { detail }, { cause });

// Close codes.
const LOST = 1006;
const OVERLOADED = 1013;
const SIGNED_OUT = 4401;
/** Codes from here on are an application's own (RFC 6455, 7.4.2): no proxy closes with them. */
const OWN_CODES = 4000;

/** A socket's end: its close code, and whether the server had said hello on it. */
class Ended extends GreenroomError {
  constructor(code, wasGreeted) {
    super(0, { detail: `The socket was closed with ${code}.` }, { retryAfter: code === OVERLOADED ? 1 : null });
    this.code = code;
    this.wasGreeted = wasGreeted;
  }
}

/** Something that does not go over the socket now. */
class Unsuitable extends GreenroomError {}

/** A command on which nothing came over the socket, no answer and nothing else. */
class Silent extends Unsuitable {}

// Events

/** Listeners, by the name of what they listen to. */
class Emitter {
  #listeners = new Map();
  #pending = new Map();

  on(name, listener) {
    const listeners = this.#listeners.get(name) ?? new Set();
    // An own function each time, so that who listens twice can stop each by itself.
    const own = (payload) => listener(payload);
    this.#listeners.set(name, listeners.add(own));
    return () => void listeners.delete(own);
  }

  emit(name, payload) {
    for (const listener of [...(this.#listeners.get(name) ?? [])]) {
      try {
        listener(payload);
      } catch (error) {
        // The listener's own fault: seen like any error that nobody caught, and no reason to stop here.
        setTimeout(() => {
          throw error;
        });
      }
    }
  }

  /** Tells when the change under way is whole. What is told under one key meanwhile is told once. */
  soon(name, payload, key = /** @type {any} */ (Symbol(name))) {
    if (this.#pending.size === 0) queueMicrotask(() => this.#flush());
    this.#pending.set(key, [name, payload]);
  }

  #flush() {
    const pending = [...this.#pending.values()];
    this.#pending.clear();
    for (const [name, payload] of pending) this.emit(name, payload());
    this.emit("change");
  }
}

// REST

/** A path with ids in it. Null where one cannot be an id: dots and slashes would lead to another path. */
function at(names, ...ids) {
  const parts = ids.map((id) => encodeURIComponent(id));
  if (parts.some((part) => /^\.*$/.test(part))) return null;
  return names.reduce((path, name, index) => path + parts[index - 1] + name);
}

/** The REST API, a method for each endpoint. */
export class Api {
  #base;
  #token;
  #fetch;
  /** @type {Promise<string | null> | undefined} */
  #key;
  /** The server's time as an answer bore it, and when that came by a clock that only runs forward. */
  #told = /** @type {{time: number, at: number} | null} */ (null);

  /** @param {Options} [options] */
  constructor({ baseUrl = globalThis.location?.origin, token, fetch = globalThis.fetch } = {}) {
    if (!baseUrl) throw new TypeError("Greenroom needs a baseUrl here.");
    this.#base = new URL(baseUrl).origin;
    this.#token = token;
    // Browsers' own fetch wants to be called without an object.
    this.#fetch = (url, init) => fetch(url, init);
  }

  get base() {
    return this.#base;
  }

  /** The server's time, in milliseconds since 1970, as far as it is known: whatever the device's clock says. */
  now() {
    return this.#told ? this.#told.time + performance.now() - this.#told.at : Date.now();
  }

  /** The token, asked for once and kept; null where the cookie says who asks. */
  key() {
    this.#key ??= this.#askForKey().catch((error) => {
      this.#key = undefined;
      throw error;
    });
    return this.#key;
  }

  async #askForKey() {
    if (typeof this.#token !== "function") return this.#token ?? null;
    const key = await this.#token();
    if (!key) throw new GreenroomError(401, { detail: "There is no token." });
    return key;
  }

  /** Has the token asked for anew, unless that was done since `used`. Whether it can be. */
  renew(used = this.#key) {
    if (typeof this.#token !== "function") return false;
    if (this.#key === used) this.#key = undefined;
    return true;
  }

  /** @param {any} [options] */
  async request(method, path, options = {}) {
    if (path === null) throw new GreenroomError(404, { detail: "Not found." });
    const url = new URL(path, `${this.#base}/messages/api/`);
    // The credentials are for the server alone, whatever a link says.
    if (url.origin !== this.#base) throw new TypeError(`${url.origin} is not the server.`);
    for (const [name, value] of Object.entries(options.query ?? {})) {
      if (value !== undefined && value !== null) url.searchParams.set(name, value);
    }
    const used = this.key();
    const answer = await this.#ask(method, url, options, await used);
    if (answer.status !== 401 || !this.renew(used)) return resultOf(answer);
    return resultOf(await this.#ask(method, url, options, await this.key()));
  }

  async #ask(method, url, { body, signal, timeout = 30_000, keepalive = false }, key) {
    const controller = new AbortController();
    const abort = () => controller.abort();
    const timer = setTimeout(abort, timeout);
    signal?.addEventListener("abort", abort);
    if (signal?.aborted) abort();
    try {
      const response = await this.#fetch(url.href, {
        method,
        headers: {
          Accept: "application/json",
          ...(key && { Authorization: `Token ${key}` }),
          ...(body && { "Content-Type": "application/json" }),
        },
        body: body && JSON.stringify(body),
        credentials: key ? "omit" : "include",
        keepalive,
        signal: controller.signal,
      });
      const time = Date.parse(response.headers.get("Date") ?? "");
      if (time) this.#told = { time, at: performance.now() };
      const text = await response.text();
      return { status: response.status, text, retryAfter: Number(response.headers.get("Retry-After")) || null };
    } catch (error) {
      throw noAnswer(undefined, error);
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener("abort", abort);
    }
  }

  #get = (path, query) => this.request("GET", path, { query });
  #post = (path, body) => this.request("POST", path, { body });
  #patch = (path, body) => this.request("PATCH", path, { body });
  #delete = (path) => this.request("DELETE", path);

  login = (username, password) => this.#post("/login/", { username, password });
  logout = () => this.#post("/logout/");
  register = (fields) => this.#post("/register/", fields);

  chats = (query) => this.#get("chats/", query);
  chat = (id) => this.#get(at`chats/${id}/`);
  createChat = (fields) => this.#post("chats/", fields);
  renameChat = (id, title) => this.#patch(at`chats/${id}/`, { title });
  deleteChat = (id) => this.#delete(at`chats/${id}/`);
  rooms = (query) => this.#get("rooms/", query);
  setMe = (id, fields) => this.#patch(at`chats/${id}/me/`, fields);
  joinChat = (id) => this.#post(at`chats/${id}/join/`);
  leaveChat = (id) => this.#post(at`chats/${id}/leave/`);

  messages = (chatId, query) => this.#get(at`chats/${chatId}/messages/`, query);
  message = (id) => this.#get(at`messages/${id}/`);
  sendMessage = (chatId, fields) => this.#post(at`chats/${chatId}/messages/`, fields);
  editMessage = (id, content) => this.#patch(at`messages/${id}/`, { content });
  deleteMessage = (id) => this.#delete(at`messages/${id}/`);
  search = (q, query) => this.#get("search/", { q, ...query });

  toggleReaction = (id, emoji) => this.#post(at`messages/${id}/reactions/`, { emoji });
  addReaction = (id, emoji) => this.request("PUT", at`messages/${id}/reactions/${emoji}/`);
  removeReaction = (id, emoji) => this.#delete(at`messages/${id}/reactions/${emoji}/`);

  markAsRead = (chatId, message_id) => this.#post(at`chats/${chatId}/mark-as-read/`, { message_id });
  typing = (chatId, is_typing) => this.#post(at`chats/${chatId}/typing/`, { is_typing });
  unread = () => this.#get("unread/");

  members = (chatId, query) => this.#get(at`chats/${chatId}/members/`, query);
  addMembers = (chatId, user_ids) => this.#post(at`chats/${chatId}/members/add/`, { user_ids });
  changeRole = (chatId, userId, role) => this.#patch(at`chats/${chatId}/members/${userId}/`, { role });
  removeMember = (chatId, userId) => this.#delete(at`chats/${chatId}/members/${userId}/remove/`);

  me = () => this.#get("users/me/");
  updateMe = (fields) => this.#patch("users/me/", fields);
  sessions = (query) => this.#get("users/me/sessions/", query);
  endSession = (id) => this.#delete(at`users/me/sessions/${id}/`);
  endOtherSessions = () => this.#delete("users/me/sessions/");
  tokens = (query) => this.#get("users/me/tokens/", query);
  endToken = (id) => this.#delete(at`users/me/tokens/${id}/`);
  endOtherTokens = () => this.#delete("users/me/tokens/");
  user = (id) => this.#get(at`users/${id}/`);
  block = (id) => this.#post(at`users/${id}/block/`);
  unblock = (id) => this.#delete(at`users/${id}/block/`);
  blocked = (query) => this.#get("users/blocked/", query);
  searchUsers = (q, query) => this.#get("users/search/", { q, ...query });
  createUser = (fields) => this.#post("users/", fields);
  updateUser = (id, fields) => this.#patch(at`users/${id}/`, fields);
  createToken = (id, fields = {}) => this.#post(at`users/${id}/tokens/`, fields);
  deleteTokens = (id) => this.#delete(at`users/${id}/tokens/`);

  settings = () => this.#get("settings/");
  sync = () => this.#get("sync/");
  syncSince = ({ chats, wait = 0 }, options) =>
    this.request("POST", "sync/", { body: { chats, wait }, timeout: (wait + 15) * 1000, ...options });
}

function resultOf({ status, text, retryAfter }) {
  const body = parsed(text);
  if (status >= 400) throw new GreenroomError(status, body ?? {}, { retryAfter });
  // A proxy's page, or an answer that was cut.
  if (text && body === undefined) throw noAnswer("The server's answer could not be read.");
  return body ?? null;
}

/** @returns {any} undefined where it is no JSON */
function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

// The local state

/** Members that a chat lists, and readers that a message lists. */
const LISTED = 100;
/** Who is not heard of for so long does not type any more. */
const TYPING_ENDS = 8_000;

const idOf = ({ id }) => id;
const isAdmin = ({ role }) => role === "admin";
/** Times as the server writes them. Their `Z` would sort whole seconds behind fractions. */
const isLater = (time, than) => time.slice(0, -1) > than.slice(0, -1);
const laterOf = (a, b) => (isLater(b, a) ? b : a);
const isPinned = ({ me }) => Boolean(me?.is_pinned);
const byActivity = (a, b) =>
  isPinned(a) !== isPinned(b) ? (isPinned(a) ? -1 : 1) : a.updated_at === b.updated_at ? b.id - a.id : isLater(a.updated_at, b.updated_at) ? -1 : 1;

/** Where the message with an id is, or belongs. */
function placeOf(messages, id) {
  let low = 0;
  for (let high = messages.length; low < high;) {
    const middle = (low + high) >> 1;
    if (messages[middle].id < id) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The title of a chat that was given none, as the server forms it. */
function automaticTitle({ chat_type, members, member_count }, me) {
  const names = members
    .filter(({ id }) => id !== me?.id)
    .slice(0, 3)
    .map((member) => member.display_name);
  if (chat_type === "dm" || names.length === 0) return names[0] ?? members[0]?.display_name ?? "";
  const more = member_count - 1 - names.length;
  return names.join(", ") + (more > 0 ? `, +${more}` : "");
}

/** A message that somebody has read: the sender stands first, then the others as the chat lists them. */
function readBy(message, user, members) {
  if (message.is_deleted || message.read_by.includes(user)) return message;
  const order = (id) => members.findIndex((member) => member.id === id);
  const place = message.read_by.findIndex((id, index) => index > 0 && order(id) > order(user));
  const read_by = [...message.read_by];
  read_by.splice(place < 0 ? read_by.length : place, 0, user);
  return { ...message, read_by: read_by.slice(0, LISTED), read_count: message.read_count + 1 };
}

/** A message that somebody read who is not in the chat any more. */
function notReadBy(message, user) {
  if (message.sender.id === user || !message.read_by.includes(user)) return message;
  const read_by = message.read_by.filter((id) => id !== user);
  return { ...message, read_by, read_count: message.read_count - 1 };
}

/** Members after some came, went or changed. `gone` are also those who came: they may have been there before. */
function changedMembers(members, gone, { added, changed }) {
  const kept = members
    .filter(({ id }) => !gone.includes(id))
    .map((member) => changed.find(({ id }) => id === member.id) ?? member);
  for (const member of added) {
    let place = kept.length;
    while (place > 0 && isLater(kept[place - 1].joined_at, member.joined_at)) place--;
    kept.splice(place, 0, member);
  }
  return kept;
}

/**
 * What the client knows. Objects in it are replaced when they change, never altered.
 *
 * Three numbers keep it right. `heads`: how far the feed was heard of each chat, so that nothing is applied twice. A
 * chat's `seq`: what is in a loaded chat already is not applied to it. A message's `seq`: of two copies the later one
 * stays. And what is loaded may be older than what was heard meanwhile, so that is applied once more; see `loading`.
 */
class State {
  /** @type {any} */
  me = null;
  /** @type {Map<number, Chat>} */
  chats = new Map();
  /** @type {Map<number, Chat>} Public rooms that are watched, without the user being in them. */
  rooms = new Map();
  presence = new Map();
  /** @type {Map<number, number>} All chats of the user, loaded or not. */
  heads = new Map();
  /** @type {Set<number>} Chats to be loaded, for the first time or again. */
  stale = new Set();
  /** While what comes happened earlier: unread counts come at the end of it. */
  isCatchingUp = false;

  /**
   * Messages without holes in between, the newest ones unless there are newer ones.
   * @type {Map<number, {messages: Message[], hasOlder: boolean, hasNewer: boolean, limit: number}>}
   */
  #windows = new Map();
  #unread = new Map();
  #typing = new Map();
  #journals = new Set();
  #lists = new Map();
  #chatList;
  #emitter;
  #outbox;
  #maxMessages;

  constructor(emitter, outbox, maxMessages) {
    this.#emitter = emitter;
    this.#outbox = outbox;
    this.#maxMessages = Math.max(maxMessages, LISTED);
  }

  // What is known

  get chatList() {
    this.#chatList ??= Object.freeze([...this.chats.values()].sort(byActivity));
    return this.#chatList;
  }

  get hasMoreChats() {
    return this.chats.size < this.heads.size;
  }

  get unreadElsewhere() {
    return [...this.#unread.keys()].filter((id) => !this.chats.has(id));
  }

  get unread() {
    return [...this.#unread.values()].reduce((total, count) => total + count, 0);
  }

  messages(chatId) {
    if (!this.#lists.has(chatId)) {
      const outgoing = this.hasNewer(chatId) ? [] : this.#outbox.all.filter(({ chat }) => chat === chatId);
      this.#lists.set(chatId, Object.freeze([...(this.#windows.get(chatId)?.messages ?? []), ...outgoing]));
    }
    return this.#lists.get(chatId);
  }

  message(messageId) {
    for (const { messages } of this.#windows.values()) {
      const found = messages[placeOf(messages, messageId)];
      if (found?.id === messageId) return found;
    }
    return undefined;
  }

  newestId(chatId) {
    const last = this.hasNewer(chatId) ? undefined : this.#windows.get(chatId)?.messages.at(-1);
    return last?.id ?? this.chats.get(chatId)?.last_message?.id;
  }

  isOpen(chatId) {
    return this.#windows.has(chatId);
  }

  hasOlder(chatId) {
    return this.#windows.get(chatId)?.hasOlder ?? true;
  }

  hasNewer(chatId) {
    return this.#windows.get(chatId)?.hasNewer ?? false;
  }

  typing(chatId) {
    return [...(this.#typing.get(chatId)?.keys() ?? [])];
  }

  // What is loaded

  /** The first view of things. */
  begin(me, { chats, heads, unread = {}, users_online = [], last_seen = {} }) {
    this.me = me;
    this.reached(heads, unread);
    for (const chat of chats) this.takeChat(chat);
    for (const [id, time] of Object.entries(last_seen)) this.#seen(Number(id), false, time);
    this.takeOnline(users_online);
  }

  /** What has changed of the user. Another picture has another source, which is not known from events. */
  takeMe(fields) {
    const { avatar_source: source, ...me } = this.me ?? {};
    const isSame = source !== undefined && fields.avatar_url === me.avatar_url;
    this.me = { ...me, ...(isSame && { avatar_source: source }), ...fields };
    this.#emitter.soon("me", () => ({ me: this.me }), "me");
  }

  /** Who is there, of those with whom the user shares a dm. */
  takeOnline(users) {
    for (const [id, { is_online }] of this.presence) if (is_online && !users.includes(id)) this.#seen(id, false);
    for (const id of users) this.#seen(id, true);
  }

  /** Forgets everything. */
  clear() {
    this.me = null;
    for (const id of [...this.heads.keys()]) this.#drop(id);
    for (const id of [...this.rooms.keys()]) this.dropRoom(id);
    this.presence.clear();
    this.#journals.clear();
  }

  /** Loads something about a chat (null: about all), takes it, and applies to it what was heard meanwhile. */
  async loading(chatId, load, take) {
    const journal = { chatId, events: [] };
    this.#journals.add(journal);
    try {
      const answer = await load();
      if (!this.#journals.has(journal)) throw noAnswer("Another user has signed in.");
      take(answer);
      for (const event of journal.events) this.#change(event);
    } finally {
      this.#journals.delete(journal);
    }
  }

  takeChat(chat) {
    // A public one that was only looked at.
    if (chat.is_member === false) return;
    if (!this.heads.has(chat.id)) this.heads.set(chat.id, chat.seq);
    this.rooms.delete(chat.id);
    this.chats.set(chat.id, chat);
    this.#setUnread(chat.id, chat.unread_count);
    this.#chatChanged(chat.id);
  }

  /** A public room as one sees it who is not in it. */
  takeRoom(chat) {
    if (this.heads.has(chat.id) || this.rooms.get(chat.id)?.seq > chat.seq) return;
    this.rooms.set(chat.id, chat);
    this.#chatChanged(chat.id);
  }

  /** Whether a chat is known, from inside or from outside. */
  has(chatId) {
    return this.heads.has(chatId) || this.rooms.has(chatId);
  }

  dropRoom(id) {
    if (this.rooms.delete(id)) this.#chatChanged(id);
  }

  /** The newest messages of a chat, in place of those that are known; or some from between, where there are newer ones. */
  takeNewest(chatId, { results, next }, hasNewer = false) {
    if (!this.heads.has(chatId)) return;
    const window = { messages: results.reverse(), hasOlder: next !== null, hasNewer, limit: this.#maxMessages };
    this.#windows.set(chatId, window);
    for (const message of window.messages) this.#outbox.confirm(message, this.me);
    this.messagesChanged(chatId);
  }

  /** Messages older than one, unless that is not the oldest any more. */
  takeOlder(chatId, before, { results, next }) {
    const window = this.#windows.get(chatId);
    if (!window || window.messages[0]?.id !== before) return;
    window.messages.unshift(...results.reverse());
    window.hasOlder = next !== null;
    window.limit = Math.max(window.limit, window.messages.length);
    this.messagesChanged(chatId);
  }

  /** Messages newer than one, unless that is not the newest of them any more. */
  takeNewer(chatId, after, { results, previous }) {
    const window = this.#windows.get(chatId);
    if (!window || window.messages.at(-1)?.id !== after) return;
    window.messages.push(...results.reverse());
    window.hasNewer = previous !== null;
    window.limit = Math.max(window.limit, window.messages.length);
    for (const message of results) this.#outbox.confirm(message, this.me);
    this.messagesChanged(chatId);
  }

  /** A message that is the answer to a command. Its event may come before or after. */
  takeMessage(message) {
    this.#outbox.confirm(message, this.me);
    this.#putMessage(message);
  }

  closeMessages(chatId) {
    if (this.#windows.delete(chatId)) this.messagesChanged(chatId);
  }

  /** Where all chats are, and what is unread, once everything up to there was applied. */
  reached(heads, unread) {
    for (const [key, seq] of Object.entries(heads)) {
      const id = Number(key);
      this.heads.set(id, seq);
      // What was changed once more since has left its number out.
      if (this.chats.get(id)?.seq < seq && !this.stale.has(id)) this.#edit(id, () => ({}), seq);
    }
    for (const id of [...this.#unread.keys()]) if (!(id in unread)) this.#setUnread(id, 0);
    for (const [id, count] of Object.entries(unread)) this.#setUnread(Number(id), count);
  }

  // What is heard

  /** Applies an event of the feed, unless it was heard before. @param {FeedEvent} event */
  apply(event) {
    const { type, chat_id: id, seq } = event;
    if (id !== undefined) {
      const isLookedAt = this.rooms.has(id) || [...this.#journals].some(({ chatId }) => chatId === id);
      if (!this.heads.has(id) && type !== "chat_created" && !isLookedAt) return;
      if (type !== "resync" && seq <= this.heads.get(id)) return;
      if (seq !== undefined && (this.heads.has(id) || type === "chat_created")) this.heads.set(id, seq);
      for (const { chatId, events } of this.#journals) if (chatId === null || chatId === id) events.push(event);
    }
    this.#change(event);
    this.#tell(event);
  }

  /** What an event does to what is known; done again it changes nothing. */
  #change(event) {
    const { type, chat_id: id, seq, message } = event;
    if (this.rooms.has(id) && type !== "chat_created") return this.#onRoom(event);
    switch (type) {
      case "new_message":
        return this.#onNewMessage(event);
      case "message_updated":
        this.#putMessage(message);
        return this.#edit(id, () => ({}), seq);
      case "message_deleted":
        return this.#onMessageDeleted(event);
      case "reaction_updated": {
        const { message_id, reactions } = event;
        this.#revise(id, (copy) => (copy.seq < seq ? { ...copy, reactions, seq } : copy), message_id);
        return this.#edit(id, () => ({}), seq);
      }
      case "read":
        return this.#onRead(event);
      case "me_updated":
        return this.#onMe(event);
      case "typing":
        return this.#setTyping(id, event.user_id, event.is_typing);
      case "members_changed":
        return this.#onMembersChanged(event);
      case "chat_created":
        return this.#onChatCreated(event);
      case "chat_updated":
        return this.#onChatUpdated(event);
      case "chat_deleted":
        return this.#drop(id);
      case "resync":
        // A load that is under way may be from before it; where it is done already, another one changes nothing.
        return this.#markStale(id);
      case "user_updated":
        return this.#onUserUpdated(event.user);
      case "presence":
        return this.#seen(event.user_id, event.is_online, event.last_seen);
    }
  }

  #onNewMessage({ chat_id: id, seq, message }) {
    this.takeMessage(message);
    this.#setTyping(id, message.sender.id, false);
    if (!this.chats.has(id)) return this.#markStale(id);
    const isNews = this.#edit(
      id,
      ({ last_message, updated_at }) => ({
        last_message: last_message?.id > message.id ? last_message : message,
        updated_at: laterOf(updated_at, message.created_at),
      }),
      seq,
    );
    if (isNews) this.#countUnread(message, 1);
  }

  #onMessageDeleted({ chat_id: id, seq, message, last_message }) {
    this.takeMessage(message);
    const change = ({ updated_at }) => ({ last_message, updated_at: laterOf(updated_at, message.created_at) });
    if (this.#edit(id, change, seq)) this.#countUnread(message, -1);
    // Whether it was one of the unread messages is only known where the chat is.
    else if (!this.chats.has(id) && this.#unread.has(id)) this.#markStale(id);
  }

  #onMe({ chat_id: id, seq, me, unread_count }) {
    const isLoaded = this.chats.has(id);
    if (this.#edit(id, () => ({ me }), seq) || !isLoaded) this.#setUnread(id, unread_count);
    // It may be pinned, and stand above all others.
    if (!isLoaded) this.#markStale(id);
  }

  #onRead({ chat_id: id, seq, user_id: user, last_read_message_id: upTo, unread_count = 0, me }) {
    const chat = this.chats.get(id);
    const member = chat?.members.find((member) => member.id === user);
    const from = member?.read_from_message_id ?? 0;
    // Where there are no read receipts it has no number, and comes to the reader alone.
    if (chat && seq !== undefined) {
      this.#revise(id, (copy) => (from < copy.id && copy.id <= upTo ? readBy(copy, user, chat.members) : copy));
    }
    if (member && !(member.last_read_message_id >= upTo)) {
      const moved = { ...member, last_read_message_id: upTo };
      this.#edit(id, ({ members }) => ({ members: members.map((other) => (other === member ? moved : other)) }));
    }
    if (user === this.me?.id && !(chat?.last_read_message_id >= upTo)) {
      this.#edit(id, () => ({ last_read_message_id: upTo }));
      this.#setUnread(id, unread_count);
    }
    // Reading has ended what was unread by hand. Without a number, another event tells it.
    if (me && seq > chat?.seq) this.#edit(id, () => ({ me }));
    if (seq !== undefined) this.#edit(id, () => ({}), seq);
  }

  #onMembersChanged(event) {
    const { chat_id: id, seq, added, removed, changed, member_count } = event;
    const gone = [...removed, ...added.map(idOf)];
    for (const user of gone) this.#revise(id, (message) => notReadBy(message, user));
    this.#edit(
      id,
      (chat) => {
        const areAllListed = chat.members.length >= chat.member_count;
        const members = changedMembers(chat.members, gone, areAllListed ? event : { added: [], changed });
        const others = chat.admins.filter((user) => !gone.includes(user) && !changed.some(({ id }) => id === user));
        const admins = areAllListed
          ? members.filter(isAdmin).map(idOf)
          : [...others, ...[...added, ...changed].filter(isAdmin).map(idOf)];
        const my_role = changed.find((member) => member.id === this.me?.id)?.role ?? chat.my_role;
        return { members: members.slice(0, LISTED), member_count, admins, my_role };
      },
      seq,
    );
    const chat = this.chats.get(id);
    if (chat && chat.members.length < Math.min(LISTED, chat.member_count)) this.#markStale(id);
  }

  #onChatCreated({ chat_id: id, chat }) {
    if (!(this.chats.get(id)?.seq > chat.seq)) this.takeChat(chat);
    // Who comes back has missed what happened meanwhile.
    if (this.#windows.has(id)) this.#markStale(id);
  }

  #onChatUpdated({ chat_id: id, seq, chat }) {
    const change = (known) => {
      const changed = { ...known, ...chat, updated_at: laterOf(known.updated_at, chat.updated_at) };
      return { ...changed, title: chat.title ?? automaticTitle(changed, this.me) };
    };
    this.#edit(id, change, seq);
  }

  /** What is heard of a room that is watched. */
  #onRoom({ type, chat_id: id, seq, chat, member_count }) {
    const room = this.rooms.get(id);
    // Of one's own leaving a room that was loaded after it knows already.
    if (!room || seq <= room.seq) return undefined;
    if (type === "chat_deleted") return this.dropRoom(id);
    const changes = type === "chat_updated" ? chat : { member_count: member_count ?? room.member_count };
    this.rooms.set(id, { ...room, ...changes, last_message: null, seq });
    return this.#chatChanged(id);
  }

  #onUserUpdated(user) {
    if (user.id === this.me?.id) this.takeMe(user);
    const renewed = (other) => (other.id === user.id ? { ...other, ...user } : other);
    for (const [id, { members }] of this.chats) {
      this.#revise(id, (message) =>
        message.sender.id === user.id ? { ...message, sender: renewed(message.sender) } : message,
      );
      if (members.some(({ id }) => id === user.id)) this.#edit(id, () => ({ members: members.map(renewed) }));
    }
  }

  // How it is changed

  /** Changes a chat; with a number, only where that change is not in it yet. Whether it did. */
  #edit(id, change, seq = undefined) {
    const chat = this.chats.get(id);
    if (!chat || seq <= chat.seq) return false;
    const fields = change(chat);
    const changed = { ...chat, ...fields, seq: seq ?? chat.seq };
    const hasAutomaticTitle = fields.members && chat.title === automaticTitle(chat, this.me);
    if (hasAutomaticTitle && fields.title === undefined) changed.title = automaticTitle(changed, this.me);
    this.chats.set(id, changed);
    this.#chatChanged(id);
    return true;
  }

  /** Keeps a message in its place, if that is within what is loaded. @param {Message} message */
  #putMessage(message) {
    this.#revise(message.chat, (copy) => (copy.seq < message.seq ? message : copy), message.id);
    const window = this.#windows.get(message.chat);
    if (!window) return;
    const { messages } = window;
    const place = placeOf(messages, message.id);
    if (messages[place]?.id === message.id || (place === 0 && window.hasOlder)) return;
    if (place === messages.length && window.hasNewer) return;
    messages.splice(place, 0, message);
    if (messages.length > window.limit) {
      messages.splice(0, messages.length - window.limit);
      window.hasOlder = true;
    }
    this.messagesChanged(message.chat);
  }

  /** Changes the copies of a chat's messages, or of one of them. @param {(copy: Message) => Message} change */
  #revise(chatId, change, messageId = undefined) {
    const messages = this.#windows.get(chatId)?.messages ?? [];
    const first = messageId === undefined ? 0 : placeOf(messages, messageId);
    for (let place = first; place < messages.length; place++) {
      if (messageId !== undefined && messages[place].id !== messageId) break;
      const changed = change(messages[place]);
      if (changed === messages[place]) continue;
      messages[place] = changed;
      this.messagesChanged(chatId);
    }
    const last = this.chats.get(chatId)?.last_message;
    if (!last || (messageId !== undefined && last.id !== messageId)) return;
    const last_message = change(last);
    if (last_message !== last) this.#edit(chatId, () => ({ last_message }));
  }

  #drop(id) {
    for (const user of this.typing(id)) this.#setTyping(id, user, false);
    this.closeMessages(id);
    this.chats.delete(id);
    this.heads.delete(id);
    this.stale.delete(id);
    this.#setUnread(id, 0);
    this.#chatChanged(id);
  }

  #markStale(id) {
    this.stale.add(id);
    this.#emitter.soon("stale", () => {}, "stale");
  }

  #countUnread({ id, chat: chatId, sender }, step) {
    const chat = this.chats.get(chatId);
    if (this.isCatchingUp || !chat || sender.id === this.me?.id) return;
    const isRead = id <= (chat.last_read_message_id ?? 0) && id < (chat.me?.unread_from ?? Infinity);
    if (isRead) return;
    this.#setUnread(chatId, Math.max(0, chat.unread_count + step));
  }

  #setUnread(id, count) {
    if ((this.#unread.get(id) ?? 0) !== count) this.#emitter.soon("unread", () => ({ total: this.unread }), "unread");
    if (count > 0) this.#unread.set(id, count);
    else this.#unread.delete(id);
    const chat = this.chats.get(id);
    if (chat && chat.unread_count !== count) this.#edit(id, () => ({ unread_count: count }));
  }

  #seen(userId, is_online, last_seen = this.presence.get(userId)?.last_seen ?? null) {
    this.presence.set(userId, { is_online, last_seen });
    this.#emitter.soon("presence", () => ({ userId, ...this.presence.get(userId) }), `presence ${userId}`);
  }

  #setTyping(chatId, user, isTyping) {
    const typists = this.#typing.get(chatId) ?? new Map();
    if (typists.has(user) !== isTyping) {
      this.#emitter.soon("typing", () => ({ chatId, users: this.typing(chatId) }), `typing ${chatId}`);
    }
    clearTimeout(typists.get(user));
    typists.delete(user);
    const end = () => this.#setTyping(chatId, user, false);
    if (isTyping) typists.set(user, setTimeout(end, TYPING_ENDS));
    this.#typing.set(chatId, typists);
  }

  /** Nobody is known to type any more. */
  stopTyping() {
    for (const chatId of this.#typing.keys()) {
      for (const user of this.typing(chatId)) this.#setTyping(chatId, user, false);
    }
  }

  // What is told

  #chatChanged(chatId) {
    this.#chatList = undefined;
    const known = () => this.chats.get(chatId) ?? this.rooms.get(chatId) ?? null;
    this.#emitter.soon("chat", () => ({ chatId, chat: known() }), `chat ${chatId}`);
  }

  messagesChanged(chatId) {
    this.#lists.delete(chatId);
    this.#emitter.soon("messages", () => ({ chatId }), `messages ${chatId}`);
  }

  /** What is told one by one. @param {any} event */
  #tell({ type, chat_id: chatId, user_id: userId, message_id, message = this.message(message_id), ...event }) {
    const kinds = ["new_message", "message_updated", "message_deleted", "reaction_updated"];
    const change = ["new", "updated", "deleted", "updated"][kinds.indexOf(type)];
    if (change && message) this.#emitter.soon("message", () => ({ chatId, message, change }));
    const messageId = event.last_read_message_id;
    if (type === "read") this.#emitter.soon("read", () => ({ chatId, userId, messageId }));
  }
}

// The outbox

/** A key that nobody else draws; `crypto.randomUUID` is missing on pages without HTTPS. */
const drawKey = () =>
  Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");

/** Waits for something, but no longer than so many milliseconds. */
async function within(most, promise) {
  let timer;
  const late = new Promise((resolve) => (timer = setTimeout(resolve, most)));
  await Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** A promise with its ends. Where nobody waits for it, its failure is not an error that nobody caught. */
function deferred() {
  const ends = {};
  ends.promise = new Promise((resolve, reject) => Object.assign(ends, { resolve, reject }));
  ends.promise.catch(() => {});
  return /** @type {any} */ (ends);
}

/** A message that is on its way, or was refused; it stands behind the messages of its chat until it is one of them. */
class OutgoingMessage {
  #outbox;

  constructor(outbox, { chat, content, client_id, created_at, sender, status = "sending", error = null }, sent) {
    this.#outbox = outbox;
    this.client_id = client_id;
    Object.freeze(Object.assign(this, { id: null, chat, content, created_at, sender, status, error, sent }));
  }

  retry() {
    return this.#outbox.retry(this.client_id) ?? this;
  }

  discard() {
    this.#outbox.discard(this.client_id);
  }
}

/** What is kept of a message for a moment when it was thrown away. */
const DISCARDED = "discarded";
const discarded = () => noAnswer("The message was discarded.");

/** Server faults after which a message counts as refused. */
const FAULTS = 5;

/** How long another tab may keep a chat's messages to itself: browsers put tabs to sleep. */
const PATIENCE = 4_000;
/** How long after another tab has dealt with a message its place in the feed is waited for. */
const SETTLES = 5_000;

/**
 * What was typed and is not known to be stored, in the order of sending. It outlives a reload where there is storage: under
 * a key for each message, which all tabs see. Whichever of them comes first sends it.
 */
class Outbox {
  #entries = new Map();
  #lastOrder = 0;
  #end = new AbortController();
  /** What the keys in the storage begin with, once the user is known. */
  #owner = null;
  #storage;
  #changed;
  #isStored;

  /** @param {(message: any) => boolean} isStored whether the server is known to have a message */
  constructor(storage, changed, isStored) {
    this.#storage = storage;
    this.#changed = changed;
    this.#isStored = isStored;
  }

  get all() {
    return [...this.#entries.values()].map(({ message }) => message);
  }

  /** Takes up what its user has not sent. */
  open(owner) {
    this.#owner = owner;
    for (const entry of this.#entries.values()) this.#save(entry);
    for (const fields of this.#saved()) {
      if (!this.#entries.has(fields.client_id)) this.#put(fields, { isRestored: true, order: fields.order });
    }
    this.#end = new AbortController();
    globalThis.addEventListener?.("storage", (event) => this.#onOther(event), { signal: this.#end.signal });
  }

  /** Leaves what there is to its user, in the storage. */
  close() {
    const messages = this.all;
    this.#end.abort();
    this.#owner = null;
    this.#entries.clear();
    messages.forEach(this.#changed);
  }

  add(chat, content, sender, now) {
    return this.#put({ chat, content, client_id: drawKey(), created_at: new Date(now).toISOString(), sender });
  }

  /** Does something while no other tab does it in the same chat. */
  async alone(chatId, work) {
    let isBegun = false;
    const begin = () => {
      isBegun = true;
      return work();
    };
    try {
      const locks = this.#use((_, owner) => globalThis.navigator?.locks && { all: navigator.locks, owner });
      if (!locks) return await begin();
      return await locks.all.request(locks.owner + chatId, { signal: AbortSignal.timeout(PATIENCE) }, begin);
    } catch (error) {
      // There are none here, or another tab does not let go: the key sees to it that nothing is stored twice.
      if (isBegun) throw error;
      return begin();
    }
  }

  /** What is to be sent next in a chat. */
  next(chatId) {
    for (const entry of this.#entries.values()) {
      const { message, isRestored, wasSaved, isElsewhere } = entry;
      if (message.chat !== chatId || message.status !== "sending" || isElsewhere) continue;
      const isSaved = () => this.#use((storage, owner) => storage.getItem(owner + message.client_id)) !== null;
      if (!(isRestored || wasSaved) || isSaved()) return message;
      // Another tab has sent it meanwhile, or thrown it away.
      if (isRestored) this.#remove(message);
      else this.#leaveElsewhere(entry);
    }
    return undefined;
  }

  /** It was typed here and is gone from the storage: the feed is about to bring it. If not, it is sent again. */
  #leaveElsewhere(entry) {
    entry.isElsewhere = true;
    const { client_id } = entry.message;
    setTimeout(() => {
      if (this.#entries.get(client_id) !== entry) return;
      entry.isElsewhere = false;
      this.#save(entry);
      this.#changed(entry.message);
    }, SETTLES);
  }

  /** What another tab has done with a message. */
  #onOther({ key, newValue, storageArea }) {
    if (storageArea !== this.#storage || !key?.startsWith(this.#owner)) return;
    const clientId = key.slice(this.#owner.length);
    const entry = this.#entries.get(clientId);
    const fields = parsed(newValue ?? "null");
    if (fields?.status === DISCARDED) return void this.#forget(clientId)?.sent.reject(discarded());
    if (fields?.client_id !== clientId) {
      // It is sent: the feed brings it.
      if (entry?.isRestored) setTimeout(() => this.#entries.get(clientId) === entry && this.#forget(clientId), SETTLES);
      return;
    }
    if (this.#isStored(fields) || (entry && entry.message.status === fields.status)) return;
    this.#put(fields, { sent: entry?.sent, isRestored: entry?.isRestored ?? true, order: fields.order, isSaved: true });
  }

  /** A message of the feed may be one of these. @param {Message} message */
  confirm(message, me) {
    const known = this.#entries.get(message.client_id)?.message;
    if (known?.chat === message.chat && message.sender.id === me?.id) this.sent(known.client_id, message);
  }

  sent(clientId, message) {
    this.#settle(clientId)?.resolve(message);
  }

  discard(clientId) {
    // Other tabs tell it from one that was sent.
    const mark = JSON.stringify({ status: DISCARDED });
    if (this.#entries.get(clientId)?.wasSaved) this.#use((storage, owner) => storage.setItem(owner + clientId, mark));
    this.#settle(clientId)?.reject(discarded());
  }

  /** The server could not take it. Where that is final, or has been so too often, it waits for its user. */
  failed(clientId, error) {
    const entry = this.#entries.get(clientId);
    if (entry && error.status >= 500 && error.status !== 503) entry.faults++;
    if (!entry || !(error.isFinal || entry.faults >= FAULTS)) return;
    this.#put({ ...entry.message, status: "failed", error }, entry);
    entry.sent.reject(error);
  }

  /** Sends it again, behind what was typed since. */
  retry(clientId) {
    const message = this.#entries.get(clientId)?.message;
    if (message?.status !== "failed") return message;
    this.#entries.delete(clientId);
    return this.#put({ ...message, status: "sending", error: null });
  }

  /** @returns {any} */
  #put(fields, { sent = deferred(), isRestored = false, faults = 0, order = this.#lastOrder + 1, isSaved = false } = {}) {
    const message = new OutgoingMessage(this, fields, sent.promise);
    const entry = { message, sent, isRestored, faults, order, wasSaved: isSaved };
    this.#lastOrder = Math.max(this.#lastOrder, order);
    this.#entries.set(message.client_id, entry);
    if (!isSaved) this.#save(entry);
    this.#changed(message);
    return message;
  }

  #settle(clientId) {
    const entry = this.#entries.get(clientId);
    if (entry) this.#remove(entry.message);
    return entry?.sent;
  }

  #remove(message) {
    this.#use((storage, owner) => storage.removeItem(owner + message.client_id));
    this.#forget(message.client_id);
  }

  #forget(clientId) {
    const entry = this.#entries.get(clientId);
    this.#entries.delete(clientId);
    if (entry) this.#changed(entry.message);
    return entry;
  }

  #save(entry) {
    const { message, order } = entry;
    this.#use((storage, owner) => {
      storage.setItem(owner + message.client_id, JSON.stringify({ ...message, order }));
      entry.wasSaved = true;
    });
  }

  #saved() {
    const texts = this.#use((storage, owner) => {
      const keys = Array.from({ length: storage.length }, (_, index) => storage.key(index));
      return keys.filter((key) => key.startsWith(owner)).map((key) => storage.getItem(key));
    });
    const found = (texts ?? []).map(parsed).filter((fields) => fields?.client_id);
    // By the clock only where an earlier version has kept it.
    return found.sort((a, b) => (a.order ?? 0) - (b.order ?? 0) || (a.created_at < b.created_at ? -1 : 1));
  }

  #use(use) {
    try {
      if (this.#storage && this.#owner) return use(this.#storage, this.#owner);
    } catch {
      // Full, or closed to us: then nothing outlives a reload.
    }
    return undefined;
  }
}

// One socket

/** The largest frame that is sent, in bytes; the server takes a little more. */
const MAX_FRAME = 60 * 1024;
/** Frames sent in a second; the server takes more, but closes the socket when it is too much. */
const FRAMES_PER_SECOND = 60;
/** The most that a chat takes in a `resume`, in bytes. */
const MAX_HEAD = 36;

/** A WebSocket from its opening to its end: asks and is answered, and notices when nobody is there any more. */
class Link {
  #socket;
  #timing;
  #onEvent;
  #opened = deferred();
  #ended = deferred();
  #hasEnded = false;
  #wasGreeted = false;
  #asked = new Map();
  #lastId = 0;
  /** Frames that came. */
  #frames = 0;
  #second = { since: 0, frames: 0 };
  #timer;

  constructor(socket, timing, onEvent) {
    this.#socket = socket;
    this.#timing = timing;
    this.#onEvent = onEvent;
    this.#timer = setTimeout(() => this.close(LOST), timing.openWithin);
    socket.onmessage = ({ data }) => this.#onFrame(data);
    socket.onclose = ({ code }) => this.close(code);
    // A close has to follow, but Node 20 does without.
    socket.onerror = () => this.close(LOST);
  }

  /** Resolves with `hello`. @returns {Promise<any>} */
  get opened() {
    return this.#opened.promise;
  }

  /** Rejects at the end. */
  get ended() {
    return this.#ended.promise;
  }

  get isUsable() {
    return this.#wasGreeted && !this.#hasEnded;
  }

  /** @param {AbortSignal} signal */
  closedOn(signal) {
    const close = () => this.close();
    signal.addEventListener("abort", close);
    this.ended.catch(() => signal.removeEventListener("abort", close));
    if (signal.aborted) close();
    return this;
  }

  /** Ends it at once, whether or not the other side is there to agree. */
  close(code = 1000) {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    clearTimeout(this.#timer);
    const ended = new Ended(code, this.#wasGreeted);
    this.#opened.reject(ended);
    this.#ended.reject(ended);
    for (const id of [...this.#asked.keys()]) this.#settle(id).reject(ended);
    this.#socket.close();
  }

  get frames() {
    return this.#frames;
  }

  /** Finds out now whether the other side is there. */
  check() {
    if (this.isUsable) this.#watch(0);
  }

  /**
   * Sends a command, resolves with its `ack`. `onAck` is called before a later frame is looked at. Rejects with `Silent`
   * where nothing at all comes within `silence`.
   */
  ask(command, { onAck = (_) => {}, silence = this.#timing.silence } = {}) {
    const id = ++this.#lastId;
    return new Promise((resolve, reject) => {
      this.#send({ ...command, id });
      const before = this.#frames;
      const onSilence = () => this.#frames === before && this.#settle(id)?.reject(new Silent(0));
      const onLate = () => this.#settle(id)?.reject(noAnswer());
      const timers = [setTimeout(onSilence, silence), setTimeout(onLate, this.#timing.answerWithin)];
      this.#asked.set(id, { timers, reject, resolve: (ack) => (onAck(ack), resolve(ack)) });
    });
  }

  /** Says how far the feed was heard, in as many frames as that takes. */
  resume(heads, options) {
    const known = [...heads];
    const part = Math.floor(MAX_FRAME / MAX_HEAD);
    while (known.length > part) {
      this.#send({ type: "resume", chats: Object.fromEntries(known.splice(0, part)), more: true });
    }
    return this.ask({ type: "resume", chats: Object.fromEntries(known) }, options);
  }

  #send(frame) {
    if (this.#hasEnded) throw new Ended(LOST, this.#wasGreeted);
    const text = JSON.stringify(frame);
    const now = performance.now();
    if (now - this.#second.since >= 1000) this.#second = { since: now, frames: 0 };
    const isMuch = ++this.#second.frames > FRAMES_PER_SECOND || new TextEncoder().encode(text).length > MAX_FRAME;
    if (isMuch && !["resume", "ping"].includes(frame.type)) throw new Unsuitable(0);
    this.#socket.send(text);
  }

  #onFrame(data) {
    const frame = parsed(data);
    if (!frame || this.#hasEnded) return;
    this.#frames++;
    this.#watch(this.#timing.pingEvery);
    switch (frame.type) {
      case "hello":
        this.#wasGreeted = true;
        return this.#opened.resolve(frame);
      case "ack":
        return this.#settle(frame.id)?.resolve(frame);
      case "error":
        return this.#settle(frame.id)?.reject(new GreenroomError(frame.status, frame, { retryAfter: frame.retry_after }));
      case "pong":
        return;
      default:
        this.#onEvent(frame);
    }
  }

  #settle(id) {
    const asked = this.#asked.get(id);
    this.#asked.delete(id);
    asked?.timers.forEach(clearTimeout);
    return asked;
  }

  /** Asks for a sign of life in a while, if nothing comes before. */
  #watch(after) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#timer = setTimeout(() => this.close(LOST), this.#timing.pongWithin);
      this.#send({ type: "ping" });
    }, after);
  }
}

// The client

/** How long a poll waits for something to happen, in seconds. */
const POLL_WAIT = 25;
/** That somebody types is told at most this often. */
const TYPING_EVERY = 3_000;
const PAGE_SIZE = 50;
const MAX_PAGE_SIZE = 100;
/** So many chats are loaded one by one rather than by the page. */
const FEW_CHATS = 3;

const TIMING = {
  openWithin: 10_000,
  pollAfter: 2_000,
  silence: 3_000,
  pingEvery: 25_000,
  pongWithin: 10_000,
  answerWithin: 30_000,
  backoff: 1_000,
  backoffMax: 30_000,
  steadyAfter: 10_000,
  socketAgainEvery: 60_000,
  lookEvery: 5_000,
};

function browserStorage() {
  try {
    return globalThis.document ? globalThis.localStorage : null;
  } catch {
    // Browsers can be told to keep it closed.
    return null;
  }
}

export class Greenroom {
  #emitter = new Emitter();
  #outbox;
  #WebSocket;
  #timing;
  #random;
  /** @type {import("./greenroom.d.ts").Status} */
  #status = "stopped";
  /** @type {AbortController | null} From `start()` to the end. */
  #run = null;
  #started = deferred();
  #hasStarted = false;
  /** @type {Link | null} The socket, while it is live. */
  #link = null;
  /** Attempts in a row that led nowhere; they set the pause before the next one. */
  #failures = 0;
  /** Sockets in a row that did not open, or did not stay; while there are any, the client polls meanwhile. */
  #unopened = 0;
  #keyOfSocket;
  /** The key whose user was seen to be the one whom the client knows. */
  #verified;
  /** Ends what is under way with the server. */
  #interrupt = () => {};
  /** Whether a poll that waited for news has been answered. */
  #pollsWell = false;
  /** Ends a pause, `after` so long if not before. */
  #wake = (after = 0) => {};
  #underWay = new Map();
  #delivering = new Set();
  /** When what waits in a chat is tried again, and deliveries in a row that failed. */
  #deliveries = new Map();
  #undelivered = 0;
  /** Until when nothing is sent, and what ends that. */
  #heldUntil = 0;
  #held;
  #isFreshening = false;
  #typedAt = new Map();
  /** Pages of the list of chats that were read one after the other. */
  #chatPages = 0;
  /** @type {Set<number>} Public rooms that are to be followed, whether the user is in them or not. */
  #watched = new Set();

  /** @param {Options} [options] */
  constructor(options = {}) {
    const { WebSocket = globalThis.WebSocket, storage = browserStorage(), maxMessages = 1_000 } = options;
    this.api = new Api(options);
    const isStored = ({ chat, client_id }) =>
      this.state.messages(chat).some((message) => message.id !== null && message.client_id === client_id);
    this.#outbox = new Outbox(storage, (message) => this.#onOutgoing(message), isStored);
    this.state = new State(this.#emitter, this.#outbox, maxMessages);
    this.#WebSocket = WebSocket;
    this.#timing = { ...TIMING, ...options.timing };
    this.#random = options.random ?? Math.random;
    this.#emitter.on("stale", () => this.#freshen());
    // Who has left a room may want to see what becomes of it.
    this.#emitter.on("chat", ({ chatId, chat }) => !chat && this.#watched.has(chatId) && this.#followAgain(chatId));
  }

  get status() {
    return this.#status;
  }

  get outgoing() {
    return this.#outbox.all;
  }

  get isSlow() {
    return this.#status === "polling" && !this.#pollsWell;
  }

  get heldFor() {
    return Math.max(0, Math.ceil((this.#heldUntil - performance.now()) / 1000));
  }

  on(name, listener) {
    return this.#emitter.on(name, listener);
  }

  // Starting and stopping

  start() {
    if (this.#run) return this.#started.promise;
    this.#started = deferred();
    this.#hasStarted = false;
    this.#begin();
    return this.#started.promise;
  }

  #begin() {
    this.#run = new AbortController();
    this.#unopened = 0;
    const { signal } = this.#run;
    this.#setStatus(this.#hasStarted ? "reconnecting" : "connecting");
    this.#hearHints(signal);
    globalThis.addEventListener?.("pagehide", () => this.#rest(), { signal });
    this.#stayConnected(signal);
  }

  /** Lets go of the network while its page is left: browsers keep only those without sockets for going back. */
  #rest() {
    this.#run.abort();
    this.#link = null;
    this.#wake();
    const rest = (this.#run = new AbortController());
    const goOn = () => {
      rest.abort();
      this.#begin();
    };
    globalThis.addEventListener("pageshow", goOn, { signal: rest.signal });
  }

  stop() {
    this.#end("stopped", noAnswer("The client was stopped."));
  }

  #end(status, error) {
    this.#run?.abort();
    this.#run = null;
    this.#link = null;
    this.#wake();
    this.state.stopTyping();
    this.#setStatus(status);
    this.#started.reject(error);
  }

  #setStatus(status) {
    if (this.#status === status) return;
    this.#status = status;
    this.#emitter.soon("status", () => ({ status: this.#status }), "status");
  }

  /** What a browser knows of its network, and of who looks at it. */
  #hearHints(signal) {
    const look = () => {
      this.#link?.check();
      if (globalThis.document?.visibilityState !== "hidden") this.#wake();
    };
    const onOnline = () => {
      // Another network may let sockets through.
      this.#unopened = 0;
      look();
    };
    globalThis.addEventListener?.("online", onOnline, { signal });
    globalThis.addEventListener?.("offline", look, { signal });
    globalThis.document?.addEventListener("visibilitychange", look, { signal });
  }

  // Staying connected

  async #stayConnected(signal) {
    while (!signal.aborted) {
      try {
        await this.#load(signal);
        await this.#connect(signal);
      } catch (error) {
        const problem = signal.aborted ? error : await this.#examine(error);
        if (signal.aborted) return;
        if (problem.status === 401) return this.#end("signedOut", problem);
        // What is asked for at the beginning cannot be had from this server, now or later.
        if (problem.isFinal && !this.#hasStarted) return this.#end("stopped", problem);
        // Polling goes on where a socket has gone silent.
        if (problem instanceof Silent) continue;
        await this.#pause(problem);
      }
    }
  }

  /** What is behind an end: is somebody signed in still? */
  async #examine(error) {
    if (!(error instanceof Ended) || error.code !== SIGNED_OUT) return error;
    try {
      this.api.renew(this.#keyOfSocket);
      this.#recognise(await this.api.me());
      return error;
    } catch (worse) {
      return worse;
    }
  }

  async #pause({ retryAfter }) {
    const isOffline = globalThis.navigator?.onLine === false;
    this.#setStatus(isOffline ? "offline" : this.#hasStarted ? "reconnecting" : "connecting");
    const most = Math.min(this.#timing.backoffMax, this.#timing.backoff * 2 ** this.#failures++);
    // Anything up to the most, so that those who were cut off together do not come back together.
    const wait = (retryAfter ?? 0) * 1000 + this.#random() * most;
    const since = performance.now();
    await new Promise((resolve) => {
      let timer = setTimeout(resolve, wait);
      this.#wake = (after = 0) => {
        clearTimeout(timer);
        timer = setTimeout(resolve, Math.min(wait, after) - (performance.now() - since));
      };
    });
    this.#wake = () => {};
  }

  /** The first view of things. Later, whether it is the same user's still. */
  async #load(signal) {
    if (this.#hasStarted) return;
    const [me, snapshot] = await Promise.all([this.api.me(), this.state.me ? null : this.api.sync()]);
    signal.throwIfAborted();
    if (this.state.me) {
      this.#recognise(me);
    } else {
      this.state.begin(me, snapshot);
      this.#outbox.open(`greenroom:${this.api.base}:${me.id}:`);
    }
    this.#hasStarted = true;
    this.#started.resolve();
    this.#deliverAll();
  }

  /** Begins anew where it is another user by now: nobody sees, or sends, what is somebody else's. */
  #recognise({ id }) {
    if (this.state.me?.id === id) return;
    this.#hasStarted = false;
    this.#chatPages = 0;
    this.#outbox.close();
    this.state.clear();
    this.#interrupt();
    throw noAnswer("Another user has signed in.");
  }

  /** Makes sure that the server takes the client for the same user still: its cookie may be another one's by now. */
  async #verify() {
    const key = this.api.key();
    if ((await key) !== null && key === this.#verified) return;
    this.#recognise(await this.api.me());
    this.#verified = this.api.key();
  }

  /** Over a socket where one opens soon. Else by polling until one opens, which is tried again and again. */
  async #connect(signal) {
    const attempts = new AbortController();
    const polls = new AbortController();
    const end = () => (polls.abort(), attempts.abort());
    signal.addEventListener("abort", end);
    this.#interrupt = end;
    let link = null;
    let again;
    const later = () => (again = setTimeout(attempt, this.#untilNextSocket));
    const attempt = async () => {
      link = await this.#open(attempts.signal).catch(() => null);
      if (link || !this.#hasStarted) polls.abort();
      else if (!attempts.signal.aborted) later();
    };
    try {
      if (this.#WebSocket && this.#unopened > 0) later();
      else if (this.#WebSocket) await within(this.#timing.pollAfter, attempt());
      if (!polls.signal.aborted) await this.#poll(polls.signal);
    } catch (error) {
      if (!link) throw error;
    } finally {
      signal.removeEventListener("abort", end);
      clearTimeout(again);
      polls.abort();
      if (!link) attempts.abort();
    }
    if (link) await this.#listen(link, signal);
  }

  /** How long the next attempt at a socket has to wait: longer each time, and not for all at once. */
  get #untilNextSocket() {
    const most = Math.min(this.#timing.socketAgainEvery, this.#timing.backoff * 2 ** this.#unopened);
    return most * (0.5 + this.#random() / 2);
  }

  // Over a socket

  async #open(signal) {
    this.#keyOfSocket = this.api.key();
    const key = await this.#keyOfSocket;
    const url = `${this.api.base.replace(/^http/, "ws")}/messages/ws/?resume=1`;
    const socket = new this.#WebSocket(url, key ? [`greenroom.token.${key}`] : []);
    const link = new Link(socket, this.#timing, (event) => this.state.apply(event));
    try {
      const hello = await link.closedOn(signal).opened;
      this.#recognise({ id: hello.user_id });
      this.state.takeOnline(hello.users_online ?? []);
      return link;
    } catch (error) {
      link.close();
      this.#unopened++;
      throw error;
    }
  }

  /** Catches up, and then hears of what happens until the socket ends. */
  async #listen(link, signal) {
    let liveSince = Infinity;
    this.state.isCatchingUp = true;
    const goLive = (ack) => {
      this.#caughtUp(ack);
      this.#link = link;
      liveSince = performance.now();
      this.#setStatus("live");
      this.#deliverAll();
      for (const chatId of this.#watched) this.#followAgain(chatId);
    };
    this.#interrupt = () => link.close();
    let reason;
    try {
      // A busy server may need longer than it took to give up before.
      const silence = this.#timing.silence * (1 + this.#unopened);
      await link.closedOn(signal).resume(this.state.heads, { onAck: goLive, silence });
      await link.ended;
    } catch (error) {
      reason = error;
      throw error;
    } finally {
      link.close();
      this.#link = null;
      this.state.isCatchingUp = false;
      this.state.stopTyping();
      const wasSteady = performance.now() - liveSince >= this.#timing.steadyAfter;
      if (wasSteady) this.#failures = 0;
      // Only Greenroom closes with these codes, at the end of a token for example: sockets work.
      const wasEnded = liveSince < Infinity && reason instanceof Ended && reason.code >= OWN_CODES;
      this.#unopened = wasSteady || wasEnded ? 0 : this.#unopened + 1;
    }
  }

  #caughtUp({ heads, unread }) {
    this.state.isCatchingUp = false;
    this.state.reached(heads, unread);
    this.#freshen();
  }

  // By polling

  /** Polls until it is ended. @param {AbortSignal} signal */
  async #poll(signal) {
    const polls = new AbortController();
    const end = () => polls.abort();
    signal.addEventListener("abort", end);
    // A poll that waits would notice only when its time is over.
    globalThis.addEventListener?.("offline", end, { signal: polls.signal });
    // Only sockets are told of rooms that one is not in.
    const look = () => this.#watched.forEach((chatId) => this.#followAgain(chatId));
    const looks = setInterval(look, this.#timing.lookEvery);
    this.#pollsWell = false;
    try {
      for (let wait = 0; !polls.signal.aborted; wait = POLL_WAIT) {
        const chats = Object.fromEntries(this.state.heads);
        const news = await this.api.syncSince({ chats, wait }, { signal: polls.signal });
        // What comes may be of another user who has signed in meanwhile.
        if (!polls.signal.aborted) await this.#verify();
        if (!polls.signal.aborted) this.#takeNews(news, wait > 0);
      }
    } finally {
      signal.removeEventListener("abort", end);
      clearInterval(looks);
      polls.abort();
    }
  }

  #takeNews({ events, heads, unread, removed }, hasWaited) {
    this.state.isCatchingUp = true;
    for (const event of events) this.state.apply(event);
    for (const id of removed) this.state.apply({ type: "chat_deleted", chat_id: id });
    this.#caughtUp({ heads, unread });
    this.#failures = 0;
    this.#setStatus("polling");
    if (hasWaited && !this.#pollsWell) {
      this.#pollsWell = true;
      this.#emitter.soon("slow", () => ({ isSlow: this.isSlow }), "slow");
    }
    this.#deliverAll();
  }

  // Chats and messages

  /** Does something once at a time: who wants it meanwhile shares it. */
  #once(name, work) {
    const shared = this.#underWay.get(name) ?? work().finally(() => this.#underWay.delete(name));
    this.#underWay.set(name, shared);
    return shared;
  }

  async open(chatId) {
    if (!this.state.isOpen(chatId)) await this.#once(`open ${chatId}`, () => this.#openNewest(chatId));
    return this.state.messages(chatId);
  }

  /** One after the other: who is refused the messages does not ask for the chat again. */
  async #openNewest(chatId) {
    if (!this.state.chats.has(chatId) || this.state.stale.has(chatId)) await this.#reload(chatId, false);
    const load = () => this.api.messages(chatId, { page_size: PAGE_SIZE });
    await this.state.loading(chatId, load, (page) => this.state.takeNewest(chatId, page));
  }

  async openAt(chatId, messageId) {
    if (!this.state.chats.has(chatId)) await this.open(chatId);
    if (this.state.isOpen(chatId) && this.state.message(messageId)?.chat === chatId) return this.state.messages(chatId);
    await this.#once(`open ${chatId} ${messageId}`, () => {
      const load = () => this.#around(chatId, messageId);
      return this.state.loading(chatId, load, (page) => this.state.takeNewest(chatId, page, page.previous !== null));
    });
    return this.state.messages(chatId);
  }

  /** A message and those before and after it, as one page. */
  async #around(chatId, messageId) {
    const older = await this.api.messages(chatId, { before: messageId + 1, page_size: PAGE_SIZE });
    const newer = await this.api.messages(chatId, { after: messageId, page_size: PAGE_SIZE });
    return { results: [...newer.results, ...older.results], next: older.next, previous: newer.previous };
  }

  async openNewest(chatId) {
    if (!this.state.isOpen(chatId) || !this.state.hasNewer(chatId)) return this.open(chatId);
    await this.#once(`newest ${chatId}`, () => this.#reload(chatId, true));
    return this.state.messages(chatId);
  }

  close(chatId) {
    this.state.closeMessages(chatId);
  }

  async loadOlder(chatId) {
    await this.open(chatId);
    if (!this.state.hasOlder(chatId)) return false;
    await this.#once(`older ${chatId}`, () => {
      const before = this.state.messages(chatId)[0]?.id;
      const load = () => this.api.messages(chatId, { before, page_size: PAGE_SIZE });
      return this.state.loading(chatId, load, (page) => this.state.takeOlder(chatId, before, page));
    });
    return this.state.hasOlder(chatId);
  }

  async loadNewer(chatId) {
    if (!this.state.hasNewer(chatId)) return false;
    await this.#once(`newer ${chatId}`, () => {
      const after = this.state.messages(chatId).at(-1)?.id;
      const load = () => this.api.messages(chatId, { after, page_size: PAGE_SIZE });
      return this.state.loading(chatId, load, (page) => this.state.takeNewer(chatId, after, page));
    });
    return this.state.hasNewer(chatId);
  }

  async loadMoreChats() {
    await this.#once("chats", async () => {
      const known = this.state.chats.size;
      // Chats move up while pages are read, and some are gone: then there are fewer known than were read.
      let page = Math.min(Math.floor(known / PAGE_SIZE), this.#chatPages);
      // Some were loaded before it was their turn, so a page may bring nothing new.
      do {
        this.#chatPages = await this.#loadChats(++page);
      } while (this.#chatPages > 0 && this.state.chats.size === known);
    });
    return this.state.hasMoreChats;
  }

  /** Loads a page of chats. Its number, or 0 where it is the last one and what is missing is to be looked for again. */
  async #loadChats(page) {
    let isLast = false;
    this.#chatPages = 0;
    await this.state.loading(
      null,
      () => this.api.chats({ page, page_size: PAGE_SIZE }),
      ({ results, next }) => {
        results.forEach((chat) => this.state.takeChat(chat));
        isLast = next === null;
      },
    );
    return isLast ? 0 : page;
  }

  async loadUnread() {
    const count = () => this.state.unreadElsewhere.length;
    // Most of them are near the top of the list, and come by the page.
    for (let before = Infinity; count() > FEW_CHATS && count() < before; ) {
      before = count();
      await this.loadMoreChats().catch(() => {});
    }
    // The others come one by one, those that fail once more when there is a connection again.
    for (const chatId of this.state.unreadElsewhere) this.state.stale.add(chatId);
    await this.#freshen();
  }

  /** Loads a chat, and its newest messages where they are wanted, in place of what is known. */
  #reload(chatId, withMessages) {
    const page_size = Math.min(MAX_PAGE_SIZE, Math.max(PAGE_SIZE, this.state.messages(chatId).length));
    const load = async () => {
      const chat = await this.api.chat(chatId);
      return { chat, page: withMessages ? await this.api.messages(chatId, { page_size }) : null };
    };
    return this.state.loading(chatId, load, ({ chat, page }) => {
      this.state.takeChat(chat);
      if (page) this.state.takeNewest(chatId, page);
    });
  }

  /** Loads what is not known well enough, one after the other, however much it is. */
  async #freshen() {
    if (this.#isFreshening) return;
    this.#isFreshening = true;
    const failed = [];
    let wait = 0;
    // What is added meanwhile has its turn as well.
    for (const chatId of this.state.stale) {
      this.state.stale.delete(chatId);
      try {
        await this.#reload(chatId, this.state.isOpen(chatId));
      } catch (error) {
        if (!error.isFinal && this.state.heads.has(chatId)) failed.push(chatId);
        wait = Math.max(wait, error.retryAfter ?? 0);
      }
    }
    // They are tried again when there is a connection again, or when the server has said.
    if (wait) setTimeout(() => this.#canAsk && this.#freshen(), wait * 1000 + this.#timing.backoff);
    for (const chatId of failed) this.state.stale.add(chatId);
    this.#isFreshening = false;
  }

  async updateMe(fields) {
    const me = await this.api.updateMe(fields);
    this.state.takeMe(me);
    return me;
  }

  // Watching

  async watch(chatId) {
    this.#watched.add(chatId);
    await this.#follow(chatId);
    return this.state.chats.get(chatId) ?? this.state.rooms.get(chatId);
  }

  unwatch(chatId) {
    if (!this.#watched.delete(chatId)) return;
    this.state.dropRoom(chatId);
    this.#ask({ type: "unwatch", chat_id: chatId }).catch(() => {});
  }

  /** Has the server tell of a room, and loads it: in this order, so that nothing is missed in between. */
  #follow(chatId) {
    return this.#once(`watch ${chatId}`, async () => {
      const take = (chat) => (chat.is_member === false ? this.state.takeRoom(chat) : this.state.takeChat(chat));
      let asked;
      do {
        asked = this.#link;
        if (asked) await this.#ask({ type: "watch", chat_id: chatId });
        await this.state.loading(chatId, () => this.api.chat(chatId), take);
        if (!this.#watched.has(chatId)) return this.state.dropRoom(chatId);
        // A socket that opened meanwhile was not asked yet. And an answer from before the user left is void.
      } while ((this.#link && this.#link !== asked) || !this.state.has(chatId));
    });
  }

  /** Follows a room that was followed before. If that fails, it is tried again later, at the latest by the next connection. */
  #followAgain(chatId) {
    if (this.state.heads.has(chatId)) return;
    this.#follow(chatId).catch((error) => {
      if (error.status === 404) this.state.dropRoom(chatId);
      if (error.isFinal) return;
      const again = () => this.#watched.has(chatId) && this.#canAsk && this.#followAgain(chatId);
      setTimeout(again, (error.retryAfter ?? 0) * 1000 + this.#timing.backoff);
    });
  }

  // Sending

  send(chatId, content) {
    this.#typedAt.delete(chatId);
    this.#wake(this.#timing.backoff);
    return this.#outbox.add(chatId, content, this.state.me, this.api.now());
  }

  #onOutgoing(message) {
    this.state.messagesChanged(message.chat);
    this.#emitter.soon("outgoing", () => ({ message }));
    this.#deliver(message.chat);
  }

  /** Without a socket it goes over REST, whether or not that is known to work. */
  get #canDeliver() {
    return this.#run && this.#hasStarted && performance.now() >= this.#heldUntil;
  }

  get #canAsk() {
    return this.#link?.isUsable || this.#status === "polling";
  }

  /** Sends nothing for so many seconds: it was too much, or the server has too much to do. */
  #hold(seconds) {
    this.#heldUntil = Math.max(this.#heldUntil, performance.now() + seconds * 1000);
    clearTimeout(this.#held);
    const wait = this.#heldUntil - performance.now() + this.#timing.backoff;
    const tell = () => this.#emitter.soon("held", () => ({ seconds: this.heldFor }), "held");
    this.#held = setTimeout(() => {
      tell();
      this.#deliverAll();
    }, wait);
    tell();
  }

  #deliverAll() {
    for (const { chat } of this.#outbox.all) this.#deliver(chat);
  }

  /** Sends what waits in a chat, once at a time. */
  async #deliver(chatId) {
    if (this.#delivering.has(chatId) || !this.#canDeliver || !this.#outbox.next(chatId)) return;
    this.#delivering.add(chatId);
    clearTimeout(this.#deliveries.get(chatId));
    const isDone = await this.#outbox.alone(chatId, () => this.#deliverInOrder(chatId));
    this.#delivering.delete(chatId);
    // There may be more by now.
    if (isDone) this.#deliver(chatId);
  }

  /** One after the other, so that the order is kept whatever fails. Whether nothing is left to be sent now. */
  async #deliverInOrder(chatId) {
    let message;
    while (this.#canDeliver && (message = this.#outbox.next(chatId))) {
      try {
        const stored = await this.#post(message);
        this.#undelivered = 0;
        this.state.takeMessage(stored);
        this.#outbox.sent(message.client_id, stored);
      } catch (error) {
        this.#outbox.failed(message.client_id, error);
        if (error.isFinal) continue;
        if (error.retryAfter) this.#hold(error.retryAfter);
        else this.#deliverLater(chatId);
        return false;
      }
    }
    return true;
  }

  /** Tries again after a while, or as soon as there is a connection. */
  #deliverLater(chatId) {
    const wait = Math.min(this.#timing.backoffMax, this.#timing.backoff * 2 ** this.#undelivered++);
    this.#deliveries.set(chatId, setTimeout(() => this.#deliver(chatId), wait));
  }

  /** The key sees to it that it is stored once, whichever way it goes and however often. */
  async #post({ chat, content, client_id }) {
    const rest = async () => ({ message: await this.api.sendMessage(chat, { content, client_id }) });
    return (await this.#command({ type: "send_message", chat_id: chat, content, client_id }, rest)).message;
  }

  // Commands

  async #ask(command) {
    if (!this.#link) throw new Unsuitable(0);
    return this.#link.ask(command);
  }

  /**
   * Over the socket. Over REST where that cannot be, where the socket has ended meanwhile, and where nothing comes from it any
   * more; so it has to be safe to repeat.
   */
  async #command(command, rest) {
    const run = this.#run;
    const link = this.#link;
    const before = link?.frames;
    try {
      return await this.#ask(command);
    } catch (error) {
      const isRepeated = error instanceof Ended || error instanceof Silent;
      if (!isRepeated && !(error instanceof Unsuitable)) throw error;
      await this.#verify();
      if (run !== this.#run) throw noAnswer("The client was stopped.");
      const answer = await rest(isRepeated);
      // The server is there, and the socket is not.
      if (error instanceof Silent && link?.frames === before) link?.close(LOST);
      return answer;
    }
  }

  async edit(messageId, content) {
    const rest = async () => ({ message: await this.api.editMessage(messageId, content) });
    const { message } = await this.#command({ type: "edit_message", message_id: messageId, content }, rest);
    this.state.takeMessage(message);
    return message;
  }

  async delete(messageId) {
    const rest = async (isRepeated) => {
      try {
        await this.api.deleteMessage(messageId);
      } catch (error) {
        // It was deleted the first time.
        if (!isRepeated || error.status !== 404) throw error;
      }
    };
    await this.#command({ type: "delete_message", message_id: messageId }, rest);
  }

  async react(messageId, emoji, action = this.#isOn(messageId, emoji) ? "remove" : "add") {
    const rest = async () => {
      if (action === "add") return this.api.addReaction(messageId, emoji);
      await this.api.removeReaction(messageId, emoji);
      return { action: "removed" };
    };
    return (await this.#command({ type: "react", message_id: messageId, emoji, action }, rest)).action;
  }

  /** Whether the user's own reaction is on a message, as far as is known. */
  #isOn(messageId, emoji) {
    const reaction = this.state.message(messageId)?.reactions.find((reaction) => reaction.emoji === emoji);
    return reaction?.users.includes(this.state.me?.id);
  }

  async markAsRead(chatId, messageId = this.state.newestId(chatId)) {
    const chat = this.state.chats.get(chatId);
    if (chat?.last_read_message_id >= messageId && !chat.me?.unread_from) return 0;
    const rest = () => this.api.markAsRead(chatId, messageId);
    return (await this.#command({ type: "mark_as_read", chat_id: chatId, message_id: messageId }, rest)).marked_count;
  }

  typing(chatId, isTyping = true) {
    const told = this.#typedAt.get(chatId);
    if (isTyping ? performance.now() - told < TYPING_EVERY : told === undefined) return;
    if (isTyping) this.#typedAt.set(chatId, performance.now());
    else this.#typedAt.delete(chatId);
    const rest = () => this.api.typing(chatId, isTyping);
    // It is over before a failure could matter to anybody.
    this.#command({ type: "typing", chat_id: chatId, is_typing: isTyping }, rest).catch(() => {});
  }
}
