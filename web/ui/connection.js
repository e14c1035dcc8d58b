/** The connection that all widgets of a page share: one client, and the state of its user's sign-in. */

import { Greenroom, GreenroomError } from "../greenroom.js";
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

  /** @param {{token?: () => string | Promise<string>, tokenUrl?: string | null, signInUrl?: string | null}} options */
  constructor(server, { token, tokenUrl, signInUrl }) {
    this.#signInUrl = signInUrl;
    const asked = typeof token === "function" ? async () => keyIn(await token()) : token;
    this.client = new Greenroom({ baseUrl: server, token: asked ?? (tokenUrl ? () => fetchToken(tokenUrl) : undefined) });
    this.client.on("status", ({ status }) => status === "signedOut" && !this.#current && this.#setState("visitor"));
    this.client.on("change", () => this.userId !== this.#userId && this.#notify());
    this.#start();
  }

  /** The id of the signed-in user; null while it is not known. */
  get userId() {
    return this.client.state.me?.id ?? null;
  }

  async #start() {
    const start = (this.#current = Symbol("a start"));
    clearTimeout(this.#retry);
    let state;
    try {
      await this.client.start();
      this.settings = await loadSettings(this.client);
      state = this.client.status === "signedOut" ? "visitor" : "started";
    } catch (error) {
      state = error.status === 401 ? "visitor" : "failed";
    }
    if (start !== this.#current) return;
    this.#current = null;
    if (state === "failed") this.#retry = setTimeout(() => this.#start(), PAUSE);
    this.#setState(state);
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
