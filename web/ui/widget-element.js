/** The custom elements: they follow their attributes, and repair their content when the page's scripts change it. */

import { focusedBeside, html, render } from "./html.js";
import { direction, language } from "./texts.js";
import { addStyle, currentConnection, renderAll, addWidget, isFirst, removeWidget, texts } from "./widget-page.js";

/** The attributes, by the properties that reflect them. */
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
  guests: "guests",
};
/** Attributes that one widget sets for all of them. */
const SHARED = ["lang", "token-url", "sign-in-url", "guests"];

let boxes = 0;

export class WidgetElement extends HTMLElement {
  static observedAttributes = Object.values(ATTRIBUTES);
  /** The component that is rendered. */
  static Component = /** @type {any} */ (null);

  #box = newBox(this);
  #observer = new MutationObserver(() => this.#restore());
  #isAdded = false;
  #isScheduled = false;
  /** The focused element in it. @type {HTMLElement | null} */
  #focused = null;

  constructor() {
    super();
    this.#box.addEventListener("focusin", ({ target }) => (this.#focused = /** @type {HTMLElement} */ (target)));
    this.#box.addEventListener("focusout", () => queueMicrotask(() => this.#box.isConnected && this.#forgetFocus()));
  }

  connectedCallback() {
    for (const name of Object.keys(ATTRIBUTES)) this.#upgradeProperty(name);
    if (!this.#isAdded) {
      this.#isAdded = true;
      addWidget(this);
    }
    this.#observer.observe(this, { childList: true });
    this.#restore();
    this.draw();
  }

  /** An element that is moved is connected again at once. */
  disconnectedCallback() {
    queueMicrotask(() => this.isConnected || this.#leave());
  }

  /** Keeps everything when moved by `moveBefore()`. */
  connectedMoveCallback() {}

  attributeChangedCallback(name, before, now) {
    if (before === now || !this.#isAdded) return;
    if (SHARED.includes(name)) renderAll();
    else this.draw();
  }

  /** Schedules a render after the current changes, once the texts are loaded. */
  draw() {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    queueMicrotask(async () => {
      // The language may change while another one is loading.
      for (let loaded; loaded !== texts(); ) await (loaded = texts());
      this.#isScheduled = false;
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
    const props = { connection, emit: this.#emit, isFirst: isFirst(this), ...given };
    render(html`<${Component} key=${language} ...${props} />`, this.#box);
  }

  #emit = (name, detail) =>
    void this.dispatchEvent(new CustomEvent(`greenroom:${name}`, { detail, bubbles: true, composed: true }));

  /** Applies a property that was set before the element was defined. */
  #upgradeProperty(name) {
    if (!Object.hasOwn(this, name)) return;
    const value = this[name];
    delete this[name];
    this[name] = value;
  }

  /** Restores the content after a script has moved or emptied it, for example by morphing the page. */
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
    if (!this.#isAdded) return;
    this.#isAdded = false;
    this.#focused = null;
    this.#observer.disconnect();
    render(null, this.#box);
    removeWidget(this);
  }
}

for (const [property, attribute] of Object.entries(ATTRIBUTES)) {
  Object.defineProperty(WidgetElement.prototype, property, {
    configurable: true,
    enumerable: true,
    /** Returns an empty string where there is no attribute. */
    get() {
      return this.getAttribute(attribute) ?? "";
    },
    /** Frameworks remove an attribute by `null`, `undefined` or `false`. */
    set(value) {
      if (value === null || value === undefined || value === false) this.removeAttribute(attribute);
      else this.setAttribute(attribute, String(value));
    },
  });
}

/** Returns the element that contains all of the widget. */
function newBox(widget) {
  const box = document.createElement("div");
  box.className = "greenroom gr-widget";
  // An id of its own: scripts that morph pages never match it with another element.
  box.id = `greenroom-${++boxes}`;
  // Else the browser shows the widget's title as a tooltip everywhere in it.
  box.title = "";
  box.addEventListener("keydown", keepEscape);
  box.addEventListener("submit", (event) => event.stopPropagation());
  box.addEventListener("click", (event) => keepClick(event, widget));
  return box;
}

/** Escape closes popovers and dialogs in a widget, not those around it. */
function keepEscape(event) {
  if (event.key !== "Escape") return;
  if (event.currentTarget.querySelector(":popover-open:not(.gr-toasts), :modal")) event.stopPropagation();
}

/** A click in a widget does not activate a label around it. */
function keepClick(event, widget) {
  if (widget.closest("label") && !event.target.closest("a, button, input, textarea")) event.preventDefault();
}

/** Reopens the popovers that closed when the element left the page; popovers that open for a moment stay closed. */
function reopen(box) {
  for (const popover of box.querySelectorAll("[popover]:not(:popover-open)")) {
    if (popover.popover !== "manual") popover.dispatchEvent(new ToggleEvent("toggle", { newState: "closed" }));
    else if (popover.childElementCount > 0) popover.showPopover();
  }
  for (const dialog of box.querySelectorAll("dialog[open]:not(:modal)")) dialog.close();
}
