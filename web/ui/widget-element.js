/** The elements: they follow their attributes, and stay whole whatever a page's scripts do around them. */

import { focusedBeside, html, render } from "./html.js";
import { direction, language } from "./texts.js";
import { addStyle, currentConnection, drawAll, enter, isFirst, leave, texts } from "./widget-page.js";

/** The attributes, by the properties that stand for them. */
const ATTRIBUTES = {
  user: "user",
  objectType: "object-type",
  objectId: "object-id",
  label: "label",
  title: "title",
  theme: "theme",
  lang: "lang",
  tokenUrl: "token-url",
  signInUrl: "sign-in-url",
};
/** Those that one widget says for all of them. */
const SHARED = ["lang", "token-url", "sign-in-url"];

let boxes = 0;

export class WidgetElement extends HTMLElement {
  static observedAttributes = Object.values(ATTRIBUTES);
  /** What is shown in it. */
  static Component = /** @type {any} */ (null);

  #box = newBox(this);
  #observer = new MutationObserver(() => this.#restore());
  #isIn = false;
  #isAwaited = false;
  /** What has the focus in it. @type {HTMLElement | null} */
  #focused = null;

  constructor() {
    super();
    this.#box.addEventListener("focusin", ({ target }) => (this.#focused = /** @type {HTMLElement} */ (target)));
    this.#box.addEventListener("focusout", () => queueMicrotask(() => this.#box.isConnected && this.#forgetFocus()));
  }

  connectedCallback() {
    for (const name of Object.keys(ATTRIBUTES)) this.#takeUp(name);
    if (!this.#isIn) {
      this.#isIn = true;
      enter(this);
    }
    this.#observer.observe(this, { childList: true });
    this.#restore();
    this.draw();
  }

  /** Whoever moves it puts it back at once. */
  disconnectedCallback() {
    queueMicrotask(() => this.isConnected || this.#leave());
  }

  /** Moved by `moveBefore()`, it keeps everything. */
  connectedMoveCallback() {}

  attributeChangedCallback(name, before, now) {
    if (before === now || !this.#isIn) return;
    if (SHARED.includes(name)) drawAll();
    else this.draw();
  }

  /** Draws it once what is under way is done, and the texts are there. */
  draw() {
    if (this.#isAwaited) return;
    this.#isAwaited = true;
    queueMicrotask(async () => {
      // Another language may be asked for while one is loaded.
      for (let loaded; loaded !== texts(); ) await (loaded = texts());
      this.#isAwaited = false;
      if (this.isConnected) this.#draw();
    });
  }

  #draw() {
    const connection = currentConnection();
    const { Component } = /** @type {any} */ (this.constructor);
    const { classList } = this.#box;
    classList.toggle("gr-dark", this.theme === "dark");
    classList.toggle("gr-light", this.theme === "light");
    Object.assign(this.#box, { lang: language, dir: direction });
    const { user, objectType, objectId, label, title } = /** @type {any} */ (this);
    const given = { user, objectType, objectId, label, title };
    const props = { connection, tell: this.#tell, isFirst: isFirst(this), ...given };
    render(html`<${Component} key=${language} ...${props} />`, this.#box);
  }

  #tell = (name, detail) =>
    void this.dispatchEvent(new CustomEvent(`greenroom:${name}`, { detail, bubbles: true, composed: true }));

  /** What was assigned before this was an element of ours. */
  #takeUp(name) {
    if (!Object.hasOwn(this, name)) return;
    const value = this[name];
    delete this[name];
    this[name] = value;
  }

  /** Puts everything back: what was moved, or emptied by a script that makes the page like another one. */
  #restore() {
    addStyle(this.getRootNode());
    const focused = this.#focused;
    if (this.#box.parentNode !== this) this.replaceChildren(this.#box);
    reopen(this.#box);
    if (focused && !document.activeElement?.matches(":not(body)")) focused.focus({ preventScroll: true });
  }

  #forgetFocus() {
    if (!this.#box.contains(focusedBeside(this.#box))) this.#focused = null;
  }

  #leave() {
    if (!this.#isIn) return;
    this.#isIn = false;
    this.#focused = null;
    this.#observer.disconnect();
    render(null, this.#box);
    leave(this);
  }
}

for (const [property, attribute] of Object.entries(ATTRIBUTES)) {
  Object.defineProperty(WidgetElement.prototype, property, {
    configurable: true,
    enumerable: true,
    /** Empty where there is none. */
    get() {
      return this.getAttribute(attribute) ?? "";
    },
    /** Frameworks take an attribute away by `null`, `undefined` or `false`. */
    set(value) {
      if (value === null || value === undefined || value === false) this.removeAttribute(attribute);
      else this.setAttribute(attribute, String(value));
    },
  });
}

/** What everything is drawn in. */
function newBox(widget) {
  const box = document.createElement("div");
  box.className = "greenroom gr-widget";
  // With an id of its own it is never taken for another element, where scripts compare pages.
  box.id = `greenroom-${++boxes}`;
  // Else the widget's title would be shown wherever the pointer rests.
  box.title = "";
  box.addEventListener("keydown", keepEscape);
  box.addEventListener("submit", (event) => event.stopPropagation());
  box.addEventListener("click", (event) => keepClick(event, widget));
  return box;
}

/** Escape closes what is open in a widget, and nothing around it. */
function keepEscape(event) {
  if (event.key !== "Escape") return;
  if (event.currentTarget.querySelector(":popover-open:not(.gr-toasts), :modal")) event.stopPropagation();
}

/** A click in a widget is none on the label around it. */
function keepClick(event, widget) {
  if (widget.closest("label") && !event.target.closest("a, button, input, textarea")) event.preventDefault();
}

/** Opens what was open above the page before it was taken out of it; what opens for a moment is closed. */
function reopen(box) {
  for (const popover of box.querySelectorAll("[popover]:not(:popover-open)")) {
    if (popover.popover !== "manual") popover.dispatchEvent(new ToggleEvent("toggle", { newState: "closed" }));
    else if (popover.childElementCount > 0) popover.showPopover();
  }
  for (const dialog of box.querySelectorAll("dialog[open]:not(:modal)")) dialog.close();
}
