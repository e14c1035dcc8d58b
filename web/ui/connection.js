/** The connection that all widgets of a page share: one client, and the state of its user's sign-in. */

import { Api, Greenroom, GreenroomError } from "../greenroom.js";
import { forgetGuest, guestKey, rememberGuest } from "./guest-key.js";
import { loadSettings } from "./settings.js";

/** The pause before a refused start is retried, in milliseconds. */
const PAUSE = 30_000;

export class Connection {
  /** @type {"starting" | "started" | "visitor" | "failed"} */
  state = "starting";
  settings;
  client;
  #signInUrl;
  #listeners = new Set();
  /** The start in progress. @type {symbol | null} */
  #current = null;
  #retry;
  #userId;
  #server;
  #token;
  #allowsGuests;
  /** The token of the current client. */
  #used;

  /**
   * @typedef {object} Options
   * @property {() => string | Promise<string>} [token]
   * @property {string | null} [tokenUrl]
   * @property {string | null} [signInUrl]
   * @property {boolean} [allowsGuests] Whether visitors may continue as guests.
   */

  /** @param {string} server @param {Options} options */
  constructor(server, { token, tokenUrl, signInUrl, allowsGuests = false }) {
    this.#signInUrl = signInUrl;
    this.#server = server;
    this.#allowsGuests = allowsGuests;
    const asked = typeof token === "function" ? async () => keyIn(await token()) : token;
    this.#token = asked ?? (tokenUrl ? () => fetchToken(tokenUrl) : undefined);
    this.#useClient(this.#token);
    this.#start();
  }

  #useClient(token) {
    this.client?.stop();
    this.#used = token;
    const client = (this.client = new Greenroom({ baseUrl: this.#server, token }));
    const isCurrent = () => client === this.client;
    client.on("status", ({ status }) => status === "signedOut" && isCurrent() && !this.#current && this.#setState("visitor"));
    client.on("change", () => isCurrent() && this.userId !== this.#userId && this.#notify());
  }

  /** Whether visitors may continue as guests. */
  get allowsGuests() {
    return this.#allowsGuests;
  }

  /** Makes the visitor a guest, who is known again on the next visit. */
  async continueAsGuest() {
    const { key } = await new Api({ baseUrl: this.#server }).createGuest();
    rememberGuest(this.#server, key);
    this.tryAgain();
  }

  /** The id of the signed-in user; null while it is not known. */
  get userId() {
    return this.client.state.me?.id ?? null;
  }

  async #start() {
    const start = (this.#current = Symbol("a start"));
    clearTimeout(this.#retry);
    const isCurrent = () => start === this.#current;
    let state = await this.#startClient(this.#token);
    const key = isCurrent() && this.#allowsGuests ? guestKey(this.#server) : null;
    if (key && state === "visitor") state = await this.#startClient(() => key);
    if (!isCurrent()) return;
    if (key && state !== "failed") this.#settleGuest(key, state);
    this.#current = null;
    if (state === "failed") this.#retry = setTimeout(() => this.#start(), PAUSE);
    this.#setState(state);
  }

  /** Starts the client with a token, as a new one if the token is another one. Returns the state after that. */
  async #startClient(token) {
    if (this.#used !== token) this.#useClient(token);
    const { client } = this;
    try {
      await client.start();
      this.settings = await loadSettings(client);
      return client.status === "signedOut" ? "visitor" : "started";
    } catch (error) {
      return error.status === 401 ? "visitor" : "failed";
    }
  }

  /** Forgets a guest whose key has expired. A guest who has signed in since becomes that user. */
  async #settleGuest(key, state) {
    if (state === "visitor") return forgetGuest(this.#server);
    if (this.client.state.me?.is_guest !== false) return;
    try {
      await this.client.api.claimGuest(key);
    } catch (error) {
      // Tried again on the next page, unless the key has expired.
      if (error.status !== 400) return;
    }
    forgetGuest(this.#server);
  }

  /** Starts again, if no user was signed in or the server refused. */
  tryAgain() {
    if (this.state !== "started" && !this.#current) this.#start();
  }

  /** Disconnects until `tryAgain()`. */
  stop() {
    this.#current = null;
    clearTimeout(this.#retry);
    this.state = "starting";
    this.client.stop();
  }

  /** Changes the sign-in URL. */
  setSignInUrl(url) {
    if (url === this.#signInUrl) return;
    this.#signInUrl = url;
    this.#notify();
  }

  #setState(state) {
    this.state = state;
    this.#notify();
  }

  #notify() {
    this.#userId = this.userId;
    for (const listener of this.#listeners) listener();
  }

  on(listener) {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  get isOwnSite() {
    return this.client.api.base === location.origin;
  }

  /** The URL at which a visitor signs in. It leads back to this page. */
  get signInUrl() {
    const here = this.isOwnSite ? location.pathname + location.search : location.href;
    const url = new URL(this.#signInUrl ?? `${this.client.api.base}/login/`, location.href);
    // The server redirects only to its own pages.
    if (this.#signInUrl || this.isOwnSite) url.searchParams.set("next", here);
    return url.href;
  }
}

/** Fetches a token from the host's server. */
async function fetchToken(url) {
  const response = await fetch(url, { credentials: "same-origin", headers: { Accept: "application/json" } });
  if ([204, 401, 403, 404].includes(response.status)) throw new GreenroomError(401, { detail: "Nobody is signed in." });
  if (!response.ok) throw new GreenroomError(0, { detail: `${url} answered with ${response.status}.` });
  return keyIn(await response.text());
}

/** Returns the token in a host's answer: JSON with `key` or `token`, or the token as plain text. */
function keyIn(answer) {
  if (typeof answer === "string") {
    const text = answer.trim();
    return text.startsWith("{") ? keyIn(JSON.parse(text)) : text;
  }
  return answer?.key ?? answer?.token ?? null;
}
