import { GreenroomError, noAnswer } from "./errors.js";
import { parseJson } from "./json.js";

/** @typedef {import("../greenroom.d.ts").Options} Options */

/** Builds a path with ids in it. Returns null where one cannot be an id: dots and slashes would lead to another path. */
function at(names, ...ids) {
  const parts = ids.map((id) => encodeURIComponent(id));
  if (parts.some((part) => /^\.*$/.test(part))) return null;
  return names.reduce((path, name, index) => path + parts[index - 1] + name);
}

/** Whether a credential is a JSON Web Token. A token of Greenroom has no dots. */
export function isJwt(key) {
  return key.split(".").length === 3;
}

const authorization = (key) => (key ? { Authorization: `${isJwt(key) ? "Bearer" : "Token"} ${key}` } : {});

/** The REST API: a method for each endpoint. */
export class Api {
  #base;
  #token;
  #fetch;
  /** @type {Promise<string | null> | undefined} */
  #key;
  /** The `Date` of the latest answer, and when it arrived by the monotonic clock. */
  #serverClock = /** @type {{time: number, at: number} | null} */ (null);

  /** @param {Options} [options] */
  constructor({ baseUrl = globalThis.location?.origin, token, fetch = globalThis.fetch } = {}) {
    if (!baseUrl) throw new TypeError("Greenroom needs a baseUrl here.");
    this.#base = new URL(baseUrl).origin;
    this.#token = token;
    // A browser's fetch throws when it is called as a method of another object.
    this.#fetch = (url, init) => fetch(url, init);
  }

  get base() {
    return this.#base;
  }

  /** Returns the server's time in milliseconds since 1970; the device's where no answer has given it yet. */
  now() {
    return this.#serverClock ? this.#serverClock.time + performance.now() - this.#serverClock.at : Date.now();
  }

  /** Returns the token, fetched once and cached; null where the session's cookie authenticates. */
  key() {
    this.#key ??= this.#fetchKey().catch((error) => {
      this.#key = undefined;
      throw error;
    });
    return this.#key;
  }

  async #fetchKey() {
    if (typeof this.#token !== "function") return this.#token ?? null;
    const key = await this.#token();
    if (!key) throw new GreenroomError(401, { detail: "There is no token." });
    return key;
  }

  /** Drops the cached token, unless it is newer than `used`. Returns whether another one can be fetched. */
  renew(used = this.#key) {
    if (typeof this.#token !== "function") return false;
    if (this.#key === used) this.#key = undefined;
    return true;
  }

  /** Returns the bytes of a file. @returns {Promise<Blob>} */
  async download(path) {
    const { href, origin } = new URL(path, this.#base);
    if (origin !== this.#base) throw new TypeError(`${origin} is not the server.`);
    const key = await this.key();
    const response = await this.#fetch(href, { headers: authorization(key), credentials: key ? "omit" : "include" }).catch((error) => {
      throw noAnswer(undefined, error);
    });
    if (!response.ok) throw new GreenroomError(response.status);
    return response.blob();
  }

  /** Sends a request; after a 401 once more, with a new token. @param {any} [options] */
  async request(method, path, options = {}) {
    if (path === null) throw new GreenroomError(404, { detail: "Not found." });
    const url = new URL(path, `${this.#base}/messages/api/`);
    // Credentials are sent to this server only.
    if (url.origin !== this.#base) throw new TypeError(`${url.origin} is not the server.`);
    for (const [name, value] of Object.entries(options.query ?? {})) {
      if (value !== undefined && value !== null) url.searchParams.set(name, value);
    }
    const used = this.key();
    const answer = await this.#send(method, url, options, await used);
    if (answer.status !== 401 || !this.renew(used)) return resultOf(answer);
    return resultOf(await this.#send(method, url, options, await this.key()));
  }

  async #send(method, url, { body, signal, timeout = 30_000, keepalive = false }, key) {
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
          ...authorization(key),
          ...(body && { "Content-Type": "application/json" }),
        },
        body: body && JSON.stringify(body),
        credentials: key ? "omit" : "include",
        keepalive,
        signal: controller.signal,
      });
      const time = Date.parse(response.headers.get("Date") ?? "");
      if (time) this.#serverClock = { time, at: performance.now() };
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
  createGuest = (fields = {}) => this.#post("/guests/", fields);
  claimGuest = async (key) => {
    for (;;) {
      const claim = await this.#post("guests/claim/", { key });
      if (claim.is_done) return claim;
    }
  };
  register = (fields) => this.#post("/register/", fields);

  chats = (query) => this.#get("chats/", query);
  chat = (id) => this.#get(at`chats/${id}/`);
  createChat = (fields) => this.#post("chats/", fields);
  renameChat = (id, title) => this.#patch(at`chats/${id}/`, { title });
  setChatCustom = (id, custom) => this.#patch(at`chats/${id}/`, { custom });
  deleteChat = (id) => this.#delete(at`chats/${id}/`);
  rooms = (query) => this.#get("rooms/", query);
  setMe = (id, fields) => this.#patch(at`chats/${id}/me/`, fields);
  joinChat = (id) => this.#post(at`chats/${id}/join/`);
  leaveChat = (id) => this.#post(at`chats/${id}/leave/`);

  messages = (chatId, query) => this.#get(at`chats/${chatId}/messages/`, query);
  message = (id) => this.#get(at`messages/${id}/`);
  sendMessage = (chatId, fields) => this.#post(at`chats/${chatId}/messages/`, fields);
  editMessage = (id, content, mentions) => this.#patch(at`messages/${id}/`, { content, ...(mentions && { mentions }) });
  setMessageCustom = (id, custom) => this.#patch(at`messages/${id}/`, { custom });
  deleteMessage = (id) => this.#delete(at`messages/${id}/`);
  removePreview = (id, index) => this.#delete(at`messages/${id}/previews/${index}/`);
  search = (q, query) => this.#get("search/", { q, ...query });

  createUpload = (fields, options) => this.request("POST", "uploads/", { body: fields, ...options });
  completeUpload = (id, options) => this.request("POST", at`uploads/${id}/complete/`, options);
  updateUpload = (id, fields) => this.#patch(at`uploads/${id}/`, fields);
  cancelUpload = (id) => this.#delete(at`uploads/${id}/`);
  files = (chatId, query) => this.#get(at`chats/${chatId}/files/`, query);
  fileLink = (id) => this.#get(at`files/${id}/link/`);

  history = (id) => this.#get(at`messages/${id}/history/`);
  pins = (chatId) => this.#get(at`chats/${chatId}/pins/`);
  pin = (chatId, id) => this.request("PUT", at`chats/${chatId}/pins/${id}/`);
  unpin = (chatId, id) => this.#delete(at`chats/${chatId}/pins/${id}/`);

  drafts = () => this.#get("drafts/");
  saveDraft = (chatId, { content = "", reply_to = null, mentions }, { thread, user, keepalive } = /** @type {any} */ ({})) => {
    const body = { content, reply_to, mentions };
    return this.request("PUT", at`chats/${chatId}/draft/`, { body, query: { thread, user }, keepalive });
  };
  removeDraft = (chatId, { thread, user } = /** @type {any} */ ({})) =>
    this.request("DELETE", at`chats/${chatId}/draft/`, { query: { thread, user } });
  replies = (root, query) => this.#get(at`messages/${root}/replies/`, query);
  mentions = (query) => this.#get("mentions/", query);
  threads = (query) => this.#get("threads/", query);
  thread = (root) => this.#get(at`threads/${root}/`);
  followThread = (root) => this.request("PUT", at`messages/${root}/follow/`);
  unfollowThread = (root) => this.#delete(at`messages/${root}/follow/`);
  markThreadAsRead = (root, message_id) => this.#post(at`messages/${root}/mark-as-read/`, { message_id });

  toggleReaction = (id, emoji) => this.#post(at`messages/${id}/reactions/`, { emoji });
  addReaction = (id, emoji) => this.request("PUT", at`messages/${id}/reactions/${emoji}/`);
  removeReaction = (id, emoji) => this.#delete(at`messages/${id}/reactions/${emoji}/`);

  markAsRead = (chatId, message_id) => this.#post(at`chats/${chatId}/mark-as-read/`, { message_id });
  typing = (chatId, is_typing, thread = undefined) => this.#post(at`chats/${chatId}/typing/`, { is_typing, thread });
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
  users = (query) => this.#get("users/", query);
  createUser = (fields) => this.#post("users/", fields);
  updateUser = (id, fields) => this.#patch(at`users/${id}/`, fields);
  createToken = (id, fields = {}) => this.#post(at`users/${id}/tokens/`, fields);
  deleteTokens = (id) => this.#delete(at`users/${id}/tokens/`);
  revokeUser = (id, fields = {}) => this.#post(at`users/${id}/revoke/`, fields);

  settings = () => this.#get("settings/");
  sync = () => this.#get("sync/");
  syncSince = ({ chats, wait = 0 }, options) =>
    this.request("POST", "sync/", { body: { chats, wait, threads: true }, timeout: (wait + 15) * 1000, ...options });
}

/** Returns the body of an answer, or throws its error. */
function resultOf({ status, text, retryAfter }) {
  const body = parseJson(text);
  if (status >= 400) throw new GreenroomError(status, body ?? {}, { retryAfter });
  // A proxy's page, or a truncated answer.
  if (text && body === undefined) throw noAnswer("The server's answer could not be read.");
  return body ?? null;
}
