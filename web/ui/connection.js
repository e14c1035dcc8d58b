/** What the widgets of a page share: one client, and who looks at the page. */

import { Greenroom, GreenroomError } from "../greenroom.js";
import { loadSettings } from "./settings.js";

export class Connection {
  /** @type {"starting" | "started" | "visitor" | "failed"} */
  state = "starting";
  settings;
  client;
  #signInUrl;
  #listeners = new Set();

  /** @param {{token?: () => string | Promise<string>, tokenUrl?: string | null, signInUrl?: string | null}} options */
  constructor(server, { token, tokenUrl, signInUrl }) {
    this.#signInUrl = signInUrl;
    const asked = tokenUrl ? () => fetchToken(tokenUrl) : undefined;
    this.client = new Greenroom({ baseUrl: server, token: token ?? asked });
    this.client.on("status", ({ status }) => status === "signedOut" && this.#become("visitor"));
    this.#start();
  }

  async #start() {
    try {
      await this.client.start();
      this.settings = await loadSettings(this.client);
      this.#become("started");
    } catch (error) {
      this.#become(error.status === 401 ? "visitor" : "failed");
    }
  }

  #become(state) {
    this.state = state;
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

/** A token from the host's own server: as JSON with a `key` or a `token`, or as it is. */
async function fetchToken(url) {
  const response = await fetch(url, { credentials: "same-origin", headers: { Accept: "application/json" } });
  if ([204, 401, 403, 404].includes(response.status)) throw new GreenroomError(401, { detail: "Nobody is signed in." });
  if (!response.ok) throw new GreenroomError(0, { detail: `${url} answered with ${response.status}.` });
  const text = (await response.text()).trim();
  if (!text.startsWith("{")) return text;
  const { key, token } = JSON.parse(text);
  return key ?? token;
}
