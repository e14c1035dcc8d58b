/** Menus behind buttons. */

import { renderNow, focusedBeside, html, useId, useLayoutEffect, useRef, useState } from "./html.js";

/**
 * A button and its menu. The menu is next to the button in the document, and above everything on the screen.
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
    const settle = isSheet() ? lift(opener.current, current) : place(current, opener.current);
    (current.querySelector(".gr-menu-item") ?? items(current)[0])?.focus({ preventScroll: true });
    return settle;
  }, [isOpen]);

  const close = () => {
    if (menu.current?.contains(focusedBeside(menu.current))) opener.current?.focus();
    renderNow(() => setOpen(false));
  };
  // Closes before the item acts: a dialog that it opens returns the focus to the element that has it now.
  const onChoice = ({ target }) => target.closest("[role^=menuitem]:not([data-stays])") && close();
  // Rendered at once, so that the menu is there after the click.
  const toggle = () => (isOpen ? close() : renderNow(() => setOpen(true)));
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

/** A menu item. `stays`: the menu stays open and shows something else. */
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
  const next = getComputedStyle(menu).direction === "rtl" ? -1 : 1;
  const to = { ArrowDown: at + 1, ArrowUp: at - 1, ArrowRight: at + next, ArrowLeft: at - next, Home: 0, End: -1 }[event.key];
  if (to !== undefined) all.at(to % all.length)?.focus();
  else if (event.key === "Tab" || event.key === "Escape") close();
  else return;
  event.stopPropagation();
  if (event.key !== "Tab") event.preventDefault();
}

/** Whether menus open as sheets at the lower edge of the screen. `style.css` has the same condition. */
const isSheet = () => matchMedia("(pointer: coarse) and (max-width: 46rem)").matches;

/** Scrolls a sheet's message above the sheet, until the returned function is called. */
function lift(opener, sheet) {
  const row = opener.closest("[data-key]");
  const box = row?.closest(".gr-messages");
  if (!box) return undefined;
  // The sheet may still be moving up.
  const top = innerHeight - sheet.offsetHeight;
  const covered = box.getBoundingClientRect().bottom - top;
  // The last messages need room below them to scroll.
  if (covered > 0) box.style.paddingBlockEnd = `${covered + MARGIN}px`;
  box.scrollTop += Math.max(0, row.getBoundingClientRect().bottom - top + MARGIN);
  return () => {
    box.style.paddingBlockEnd = "";
  };
}

/** Places a popover beside the element that opened it, where there is room. */
export function place(box, opener) {
  const { innerWidth, innerHeight } = globalThis;
  const at = opener.getBoundingClientRect();
  const isRtl = getComputedStyle(opener).direction === "rtl";
  // Away from the message: beside other users' messages there is room after them.
  const isAfter = opener.closest(".is-others") !== null;
  const { width, height: whole } = box.getBoundingClientRect();
  const line = opener.closest(".gr-row-line")?.getBoundingClientRect();
  // Above or below the message, unless it fills much of the screen.
  const edge = line && line.height < innerHeight / 3 ? line : at;
  const left = isRtl !== isAfter ? at.left : at.right - width;
  const [above, below] = [edge.top - MARGIN, innerHeight - edge.bottom - MARGIN];
  const isAbove = whole > below && above > below;
  // A menu that has not enough room beside a message scrolls.
  const isCut = edge === line && whole > Math.max(above, below) && box.matches(".gr-menu");
  const height = isCut ? Math.max(above, below) : whole;
  box.style.maxHeight = isCut ? `${height}px` : "";
  const top = isAbove ? edge.top - height : edge.bottom;
  const within = (place, most) => `${Math.max(MARGIN, Math.min(place, most - MARGIN))}px`;
  Object.assign(box.style, {
    left: within(left, innerWidth - width),
    top: within(top, innerHeight - height),
  });
}

const MARGIN = 8;
