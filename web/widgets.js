/**
 * Widgets for other pages, from one script tag:
 *
 *     <script type="module" src="https://chat.example.com/messages/widgets.js"></script>
 *     <greenroom-dm user="5"></greenroom-dm>
 *     <greenroom-room object-type="video" object-id="42" title="Discussion"></greenroom-room>
 *     <greenroom-inbox></greenroom-inbox>
 *
 * They stand in the page's own document, below an element of class `greenroom`, so that its styles and scripts reach them.
 */

import { Connection } from "./ui/connection.js";
import { html, render } from "./ui/html.js";
import { loadTexts } from "./ui/texts.js";
import { DmWidget } from "./ui/widget-dm.js";
import { InboxWidget } from "./ui/widget-inbox.js";
import { RoomWidget } from "./ui/widget-room.js";

/** Where the server is: where this module came from. */
const server = new URL(import.meta.url).origin;
const style = new URL("./style.css", import.meta.url).href;
const texts = loadTexts([document.documentElement.lang, ...navigator.languages].filter(Boolean));

/** @type {Connection | null} All widgets of a page share one. */
let connection = null;
let options = {};

/**
 * Says how to get a token for whoever looks at the page, and where they sign in, before there is a widget.
 * @param {{token?: () => string | Promise<string>, tokenUrl?: string, signInUrl?: string}} given
 */
export function connect(given) {
  options = { ...options, ...given };
}

/** The first widget of each kind has the ids that themes and scripts know it by. */
const first = new Map();

class Widget extends HTMLElement {
  #box = document.createElement("div");

  connectedCallback() {
    addStyle();
    if (!first.get(this.localName)?.isConnected) first.set(this.localName, this);
    // A title of the element itself would be shown wherever the pointer rests.
    if (this.hasAttribute("title")) {
      this.setAttribute("label", this.getAttribute("title"));
      this.removeAttribute("title");
    }
    this.#box.className = "greenroom gr-widget";
    this.replaceChildren(this.#box);
    texts.then(() => this.isConnected && this.#draw());
  }

  disconnectedCallback() {
    render(null, this.#box);
  }

  #draw() {
    connection ??= new Connection(server, {
      tokenUrl: given("token-url"),
      signInUrl: given("sign-in-url"),
      ...options,
    });
    const { Component } = /** @type {any} */ (this.constructor);
    const tell = (name, detail) =>
      this.dispatchEvent(new CustomEvent(`greenroom:${name}`, { detail, bubbles: true, composed: true }));
    const theme = this.getAttribute("theme");
    this.#box.classList.toggle("gr-dark", theme === "dark");
    this.#box.classList.toggle("gr-light", theme === "light");
    const props = { connection, tell, isFirst: first.get(this.localName) === this };
    render(html`<${Component} ...${props} of=${(name) => this.getAttribute(name)} />`, this.#box);
  }
}

/** What one of the widgets says for all of them. */
function given(attribute) {
  const widgets = [...document.querySelectorAll(Object.keys(kinds).join())];
  return widgets.find((widget) => widget.hasAttribute(attribute))?.getAttribute(attribute);
}

function addStyle() {
  if ([...document.querySelectorAll("link[rel=stylesheet]")].some((link) => /** @type {any} */ (link).href === style))
    return;
  document.head.append(Object.assign(document.createElement("link"), { rel: "stylesheet", href: style }));
}

const kinds = { "greenroom-dm": DmWidget, "greenroom-room": RoomWidget, "greenroom-inbox": InboxWidget };
for (const [name, Component] of Object.entries(kinds)) {
  if (customElements.get(name)) continue;
  customElements.define(
    name,
    class extends Widget {
      static Component = Component;
    },
  );
}
