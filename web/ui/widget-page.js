/** What all widgets of a page share: the connection, the language, and the style sheet. */

import { Connection } from "./connection.js";
import { isSame } from "./html.js";
import { loadTexts } from "./texts.js";

/** The server: the origin of this module. */
const server = new URL(import.meta.url).origin;
const style = new URL("../style.css", import.meta.url).href;

/** The first and longest pause before a retry, in milliseconds. */
const FIRST_PAUSE = 1_000;
const LONGEST_PAUSE = 30_000;
/** How long the connection outlives the last widget, in milliseconds: the app's next page may have widgets again. */
const LINGERS = 5_000;

/** @typedef {HTMLElement & {draw: () => void}} Drawn */

/** @type {Set<Drawn>} The widgets of the document and of its shadow roots, in the order of their arrival. */
const widgets = new Set();
/** @type {Connection | null} */
let connection = null;
/** The options of the current connection. */
let used = {};
let options = {};
let leaving;

/**
 * Sets how to get the user's token, and where users sign in. Each call connects again, perhaps as another user.
 * @param {{token?: () => string | Promise<string>, tokenUrl?: string, signInUrl?: string, allowsGuests?: boolean}} given
 */
export function connect(given = {}) {
  options = { ...options, ...given };
  connection?.stop();
  connection = null;
  renderAll();
}

export function addWidget(widget) {
  clearTimeout(leaving);
  widgets.add(widget);
  // A user may have signed in since.
  if (connection) currentConnection().tryAgain();
}

export function removeWidget(widget) {
  widgets.delete(widget);
  renderAll();
  if (widgets.size === 0) leaving = setTimeout(() => connection?.stop(), LINGERS);
}

/** The first widget of a kind has the ids that themes and scripts use. */
export const isFirst = (widget) => [...widgets].find(({ localName }) => localName === widget.localName) === widget;

export const renderAll = () => widgets.forEach((widget) => widget.draw());

/** Returns a shared attribute, from the first widget that has it. */
function given(attribute) {
  return [...widgets].find((widget) => widget.hasAttribute(attribute))?.getAttribute(attribute);
}

/** Returns the connection with the options of the widgets and of `connect()`; a new one after they changed. */
export function currentConnection() {
  const wanted = {
    tokenUrl: given("token-url") ?? used.tokenUrl,
    signInUrl: given("sign-in-url") ?? used.signInUrl,
    allowsGuests: given("guests") !== undefined ? given("guests") !== "off" : used.allowsGuests,
    ...options,
  };
  if (connection && isSame({ ...wanted, signInUrl: null }, { ...used, signInUrl: null })) {
    connection.setSignInUrl(wanted.signInUrl);
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

/** Loads the texts in the language of a widget or of the page. Resolves once they are loaded. */
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

new MutationObserver(renderAll).observe(document.documentElement, { attributeFilter: ["lang"] });

// Looks

/** @type {WeakMap<Node, HTMLLinkElement>} */
const links = new WeakMap();

/** Adds the style sheet to a widget's document or shadow root, unless it has it. */
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

/** Returns the nonce of the page's Content-Security-Policy. */
function nonce() {
  const elements = /** @type {HTMLElement[]} */ ([...document.querySelectorAll("script, style, link")]);
  return elements.find(({ nonce }) => nonce)?.nonce ?? "";
}

/** Restores the style sheet after a script has removed it from the head, or replaced the head. */
const heads = new MutationObserver(() => {
  watchHead();
  if (widgets.size > 0) addStyle(document);
});
function watchHead() {
  for (const node of [document.documentElement, document.head]) heads.observe(node, { childList: true });
}
watchHead();
texts();
