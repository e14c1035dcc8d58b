/** What the widgets of a page share: the connection, the language, and the style sheet. */

import { Connection } from "./connection.js";
import { isSame } from "./html.js";
import { loadTexts } from "./texts.js";

/** Where the server is: where this module came from. */
const server = new URL(import.meta.url).origin;
const style = new URL("../style.css", import.meta.url).href;

/** Pauses before something that failed is tried again, in milliseconds. */
const FIRST_PAUSE = 1_000;
const LONGEST_PAUSE = 30_000;
/** How long the connection outlives the last widget, in milliseconds: the next page of an app may have others. */
const LINGERS = 5_000;

/** @typedef {HTMLElement & {draw: () => void}} Drawn */

/** @type {Set<Drawn>} The widgets of the document, and of shadow roots in it, in the order in which they came. */
const widgets = new Set();
/** @type {Connection | null} */
let connection = null;
/** What the connection was made with. */
let used = {};
let options = {};
let leaving;

/**
 * Says how to get a token for whoever looks at the page, and where they sign in. Who that is is asked anew each time.
 * @param {{token?: () => string | Promise<string>, tokenUrl?: string, signInUrl?: string}} given
 */
export function connect(given = {}) {
  options = { ...options, ...given };
  connection?.stop();
  connection = null;
  drawAll();
}

export function enter(widget) {
  clearTimeout(leaving);
  widgets.add(widget);
  // Somebody may have signed in since.
  if (connection) currentConnection().tryAgain();
}

export function leave(widget) {
  widgets.delete(widget);
  drawAll();
  if (widgets.size === 0) leaving = setTimeout(() => connection?.stop(), LINGERS);
}

/** The first widget of a kind has the ids that themes and scripts know it by. */
export const isFirst = (widget) => [...widgets].find(({ localName }) => localName === widget.localName) === widget;

export const drawAll = () => widgets.forEach((widget) => widget.draw());

/** What one of the widgets says for all of them. */
function given(attribute) {
  return [...widgets].find((widget) => widget.hasAttribute(attribute))?.getAttribute(attribute);
}

/** The connection as the widgets and `connect()` want it now. */
export function currentConnection() {
  const wanted = {
    tokenUrl: given("token-url") ?? used.tokenUrl,
    signInUrl: given("sign-in-url") ?? used.signInUrl,
    ...options,
  };
  if (connection && isSame({ ...wanted, signInUrl: null }, { ...used, signInUrl: null })) {
    connection.signsInAt(wanted.signInUrl);
  } else {
    connection?.stop();
    connection = new Connection(server, wanted);
  }
  used = wanted;
  return connection;
}

// Language

let wanted = "";
/** @type {Promise<void>} */
let loaded;

/** Loads the texts in the language of the page, or of a widget that names one. Resolves once they are there. */
export function texts() {
  const languages = [given("lang"), document.documentElement.lang, ...navigator.languages].filter(Boolean);
  if (languages.join() === wanted) return loaded;
  wanted = languages.join();
  loaded = load(languages);
  return loaded;
}

async function load(languages) {
  for (let pause = FIRST_PAUSE; ; pause = Math.min(2 * pause, LONGEST_PAUSE)) {
    try {
      return await loadTexts(languages);
    } catch {
      await new Promise((resolve) => setTimeout(resolve, pause));
    }
  }
}

new MutationObserver(drawAll).observe(document.documentElement, { attributeFilter: ["lang"] });

// Looks

/** @type {WeakMap<Node, HTMLLinkElement>} */
const links = new WeakMap();

/** Gives the style sheet to the document or the shadow root that a widget is in, unless that has it. */
export function addStyle(root) {
  const hasStyle = [...root.querySelectorAll("link[rel=stylesheet]")].some(({ href }) => href === style);
  if (!hasStyle) (root === document ? document.head : root).append(links.get(root) ?? newLink(root));
}

function newLink(root, pause = FIRST_PAUSE) {
  const link = Object.assign(document.createElement("link"), { rel: "stylesheet", href: style, nonce: nonce() });
  const again = () => link.isConnected && link.replaceWith(newLink(root, Math.min(2 * pause, LONGEST_PAUSE)));
  link.addEventListener("error", () => setTimeout(again, pause));
  links.set(root, link);
  return link;
}

/** What a page with a Content-Security-Policy of nonces lets its own scripts and styles in with. */
function nonce() {
  const elements = /** @type {HTMLElement[]} */ ([...document.querySelectorAll("script, style, link")]);
  return elements.find(({ nonce }) => nonce)?.nonce ?? "";
}

/** Puts the style sheet back where a script has taken it out of the head, or replaced that. */
const heads = new MutationObserver(() => {
  watchHead();
  if (widgets.size > 0) addStyle(document);
});
function watchHead() {
  for (const node of [document.documentElement, document.head]) heads.observe(node, { childList: true });
}
watchHead();
texts();
