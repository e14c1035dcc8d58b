/** What the widgets of a page share: one client, and who looks at the page. */

import { Greenroom, GreenroomError } from "../greenroom.js";
import { loadSettings } from "./settings.js";

/** How long after a start that was refused it is tried again, in milliseconds. */
const PAUSE = 30_000;

export class Connection {
  /** @type {"starting" | "started" | "visitor" | "failed"} */
  state = "starting";
  settings;
  client;
  #signInUrl;
  #listeners = new Set();
  /** The start that is under way. @type {symbol | null} */
  #current = null;
  #retry;
  #userId;

  /** @param {{token?: () => string | Promise<string>, tokenUrl?: string | null, signInUrl?: string | null}} options */
  constructor(server, { token, tokenUrl, signInUrl }) {
    this.#signInUrl = signInUrl;
    const asked = typeof token === "function" ? async () => keyIn(await token()) : token;
    this.client = new Greenroom({ baseUrl: server, token: asked ?? (tokenUrl ? () => fetchToken(tokenUrl) : undefined) });
    this.client.on("status", ({ status }) => status === "signedOut" && !this.#current && this.#become("visitor"));
    this.client.on("change", () => this.userId !== this.#userId && this.#tell());
    this.#start();
  }

  /** Whose chats these are; null while that is not known. */
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
    this.#become(state);
  }

  /** Looks again whether somebody is signed in, where nobody was, or the server refused to say. */
  tryAgain() {
    if (this.state !== "started" && !this.#current) this.#start();
  }

  /** Lets go of the network until `tryAgain()`. */
  stop() {
    this.#current = null;
    clearTimeout(this.#retry);
    this.state = "starting";
    this.client.stop();
  }

  /** Another address to sign in at. */
  signsInAt(url) {
    if (url === this.#signInUrl) return;
    this.#signInUrl = url;
    this.#tell();
  }

  #become(state) {
    this.state = state;
    this.#tell();
  }

  #tell() {
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

  /** Where a visitor signs in, and comes back from. */
  get signInUrl() {
    const here = this.isOwnSite ? location.pathname + location.search : location.href;
    const url = new URL(this.#signInUrl ?? `${this.client.api.base}/login/`, location.href);
    // Only its own pages are where the server leads back to.
    if (this.#signInUrl || this.isOwnSite) url.searchParams.set("next", here);
    return url.href;
  }
}

/** A token from the host's own server. */
async function fetchToken(url) {
  const response = await fetch(url, { credentials: "same-origin", headers: { Accept: "application/json" } });
  if ([204, 401, 403, 404].includes(response.status)) throw new GreenroomError(401, { detail: "Nobody is signed in." });
  if (!response.ok) throw new GreenroomError(0, { detail: `${url} answered with ${response.status}.` });
  return keyIn(await response.text());
}

/** The token in what a host answers: JSON with a `key` or a `token`, or the token as it is. */
function keyIn(answer) {
  if (typeof answer === "string") {
    const text = answer.trim();
    return text.startsWith("{") ? keyIn(JSON.parse(text)) : text;
  }
  return answer?.key ?? answer?.token ?? null;
}
