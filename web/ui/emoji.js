/** The emoji picker. The picker and its data are loaded at first use. */

import { EmojiMemory } from "./emoji-memory.js";
import { focusedBeside } from "./html.js";
import { place } from "./menu.js";
import { group, language } from "./texts.js";

/** The emoji version to show where the system has no colour emoji: the picker cannot detect its versions there. */
const PLAIN = 15;

let sheet;
/** The picker's element class. The page may define the usual element name itself. */
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
  // Strict Content-Security-Policies refuse inline styles; a constructed sheet is allowed.
  const style = picker.shadowRoot.querySelector("style");
  if (!sheet) {
    sheet = new CSSStyleSheet();
    sheet.replaceSync(style.textContent);
  }
  style.remove();
  picker.shadowRoot.adoptedStyleSheets = [sheet];
  return picker;
}

/** Returns a proxy of the stored database, or of the other one where the browser blocks the storage. */
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

/** Whether the system draws emoji in colour. */
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

/** Shows the picker beside an element. Resolves with the emoji, or null where none was picked. */
export async function pickEmoji(box, opener) {
  const focused = focusedBeside(box);
  const picker = await makePicker();
  return new Promise((resolve) => {
    // The element may be removed: a message that is deleted.
    const watch = new ResizeObserver(() => !opener.isConnected && box.matches(":popover-open") && box.hidePopover());
    watch.observe(opener);
    const end = () => {
      watch.disconnect();
      picker.remove();
      box.removeEventListener("toggle", onToggle);
      if (!document.activeElement?.matches(":not(body)")) focused?.focus();
      resolve(null);
    };
    const onToggle = (event) => event.newState === "closed" && end();
    picker.addEventListener("emoji-click", (event) => {
      box.hidePopover();
      // Not when the popover has closed: the user may be typing by then.
      resolve(event.detail.unicode);
    });
    // Another picker may be open.
    if (box.matches(":popover-open")) box.hidePopover();
    box.replaceChildren(picker);
    box.showPopover();
    box.addEventListener("toggle", onToggle);
    place(box, opener);
    picker.shadowRoot.querySelector("input")?.focus();
  });
}
