/** The emoji picker. It, and what it knows of emoji, is loaded when it is wanted for the first time. */

import { EmojiMemory } from "./emoji-memory.js";
import { focusedBeside } from "./html.js";
import { place } from "./menu.js";
import { group, language } from "./texts.js";

/** What the picker shows where the system has no emoji in colour, and it cannot find out which ones there are. */
const PLAIN = 15;

let sheet;
/** The picker's element; a page may have one of its own under its usual name. */
let Element;

async function makePicker() {
  const [{ default: Picker }, { default: Database }] = await Promise.all([
    import("../vendor/emoji/picker.js"),
    import("../vendor/emoji/database.js"),
  ]);
  Element ??= customElements.get("emoji-picker") === Picker ? Picker : named(class extends Picker {});
  const source = { dataSource: new URL(`../vendor/emoji/${language}.json`, import.meta.url).href, locale: language };
  const database = eitherOf(new Database(source), new EmojiMemory(source));
  const emojiVersion = hasColours() ? undefined : PLAIN;
  const picker = new Element({ ...source, database, i18n: group("picker"), ...(emojiVersion && { emojiVersion }) });
  // An inline style is refused by pages with a strict Content-Security-Policy; the same as a sheet is not.
  const style = picker.shadowRoot.querySelector("style");
  if (!sheet) {
    sheet = new CSSStyleSheet();
    sheet.replaceSync(style.textContent);
  }
  style.remove();
  picker.shadowRoot.adoptedStyleSheets = [sheet];
  return picker;
}

/** A database, or where browsers keep the storage closed the other one. */
function eitherOf(stored, other) {
  const usable = stored.ready().then(
    () => stored,
    () => other,
  );
  const get = (target, name) =>
    typeof target[name] === "function" ? async (...given) => (await usable)[name](...given) : target[name];
  return new Proxy(stored, { get });
}

function named(Picker) {
  customElements.define("greenroom-emoji-picker", Picker);
  return Picker;
}

/** Whether emoji are drawn in colour. */
function hasColours() {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = 8;
  const context = canvas.getContext("2d", { willReadFrequently: true });
  if (!context) return false;
  context.textBaseline = "top";
  context.font = "8px sans-serif";
  context.fillText("😀", 0, 0);
  const { data } = context.getImageData(0, 0, 8, 8);
  return data.some((value, index) => index % 4 === 0 && (value !== data[index + 1] || value !== data[index + 2]));
}

/** Shows the picker beside something. Resolves with the emoji, or null where none was picked. */
export async function pickEmoji(box, opener) {
  const focused = focusedBeside(box);
  const picker = await makePicker();
  return new Promise((resolve) => {
    let picked = null;
    // What it was opened for may go: a message that is deleted.
    const watch = new ResizeObserver(() => !opener.isConnected && box.matches(":popover-open") && box.hidePopover());
    watch.observe(opener);
    const end = () => {
      watch.disconnect();
      picker.remove();
      box.removeEventListener("toggle", onToggle);
      if (!document.activeElement?.matches(":not(body)")) focused?.focus();
      resolve(picked);
    };
    const onToggle = (event) => event.newState === "closed" && end();
    picker.addEventListener("emoji-click", (event) => {
      picked = event.detail.unicode;
      box.hidePopover();
    });
    // An earlier one may be open.
    if (box.matches(":popover-open")) box.hidePopover();
    box.replaceChildren(picker);
    box.showPopover();
    box.addEventListener("toggle", onToggle);
    place(box, opener);
    picker.shadowRoot.querySelector("input")?.focus();
  });
}
