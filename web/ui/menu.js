/** Lists of things to do behind a button. */

import { drawn, focusedBeside, html, useId, useLayoutEffect, useRef, useState } from "./html.js";

/**
 * A button and its menu. The menu stands beside the button in the document and above everything on the screen.
 * @param {{button: (props: object) => any, children: () => any, class?: string, label: string}} props
 */
export function Menu({ button, children, label, class: kind = "" }) {
  const [isOpen, setOpen] = useState(false);
  const id = useId();
  const opener = useRef(/** @type {any} */ (null));
  const menu = useRef(/** @type {any} */ (null));

  useLayoutEffect(() => {
    if (!isOpen) return undefined;
    const { current } = menu;
    current.showPopover();
    place(current, opener.current);
    items(current)[0]?.focus();
    return undefined;
  }, [isOpen]);

  const close = () => {
    if (menu.current?.contains(focusedBeside(menu.current))) opener.current?.focus();
    drawn(() => setOpen(false));
  };
  // Before the item does what it is for: a window that it opens gives the focus back to whoever has it now.
  const onChoice = ({ target }) => target.closest("[role^=menuitem]:not([data-stays])") && close();
  // At once, so that who clicks finds the menu right away.
  const toggle = () => (isOpen ? close() : drawn(() => setOpen(true)));
  const onToggle = (event) => event.newState === "closed" && setOpen(false);

  return html`
    ${button({
      ref: opener,
      type: "button",
      "aria-haspopup": "menu",
      "aria-expanded": String(isOpen),
      "aria-controls": isOpen ? id : undefined,
      onClick: toggle,
    })}
    ${isOpen &&
    html`
      <div ref=${menu} id=${id} class=${`gr-menu ${kind}`} role="menu" aria-label=${label} popover="auto"
        onToggle=${onToggle} onClickCapture=${onChoice} onKeyDown=${(event) => onKey(event, menu.current, close)}>
        ${children()}
      </div>
    `}
  `;
}

/** `stays`: the menu does, and shows something else. */
export function MenuItem({ icon: Icon, children, onSelect, isDangerous = false, stays = false, ...others }) {
  const kind = `gr-menu-item ${isDangerous ? "gr-danger" : ""} ${others.class ?? ""}`;
  return html`
    <button type="button" role="menuitem" tabindex="-1" data-stays=${stays || undefined} ...${others} class=${kind} onClick=${onSelect}>
      <${Icon} /><span>${children}</span>
    </button>
  `;
}

const items = (menu) => [...menu.querySelectorAll("[role^=menuitem]")];

function onKey(event, menu, close) {
  const all = items(menu);
  const at = all.indexOf(focusedBeside(menu));
  const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: -1 }[event.key];
  if (to !== undefined) all.at(to % all.length)?.focus();
  else if (event.key === "Tab" || event.key === "Escape") close();
  else return;
  event.stopPropagation();
  if (event.key !== "Tab") event.preventDefault();
}

/** Puts something beside what opened it, where there is room. */
export function place(box, opener) {
  const { innerWidth, innerHeight } = globalThis;
  const at = opener.getBoundingClientRect();
  const isRtl = getComputedStyle(opener).direction === "rtl";
  const { width, height } = box.getBoundingClientRect();
  const left = isRtl ? at.left : at.right - width;
  const top = at.bottom + height + MARGIN > innerHeight && at.top > innerHeight / 2 ? at.top - height : at.bottom;
  const within = (place, most) => `${Math.max(MARGIN, Math.min(place, most - MARGIN))}px`;
  Object.assign(box.style, {
    left: within(left, innerWidth - width),
    top: within(top, innerHeight - height),
  });
}

const MARGIN = 8;
