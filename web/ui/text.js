/** The text of a message: as it was typed, with its links. Nothing of it is ever taken for HTML. */

import { html } from "./html.js";
import { t } from "./texts.js";

const LINK = /\bhttps?:\/\/[^\s<>"']+/g;
/** What ends a sentence rather than an address. */
const TAIL = ".,:;!?…";

/** @returns {(string | {href: string})[]} */
export function parts(text) {
  const found = [];
  let end = 0;
  for (const { 0: match, index } of text.matchAll(LINK)) {
    const href = trimmed(match);
    if (!URL.canParse(href)) continue;
    found.push(text.slice(end, index), { href });
    end = index + href.length;
  }
  return [...found, text.slice(end)].filter((part) => part !== "");
}

/** An address without what belongs to the sentence around it. It looks at each character once, whatever the address is. */
function trimmed(address) {
  let unopened = 0;
  for (const character of address) unopened += Number(character === ")") - Number(character === "(");
  let end = address.length;
  for (; end > 0; end -= 1) {
    const last = address[end - 1];
    if (TAIL.includes(last)) continue;
    if (last !== ")" || unopened <= 0) break;
    unopened -= 1;
  }
  return address.slice(0, end);
}

export const Text = ({ text }) =>
  parts(text).map((part) =>
    typeof part === "string"
      ? part
      : html`<a href=${part.href} target="_blank" rel="noopener noreferrer nofollow">${part.href}</a>`,
  );

/** Copies a text, and says whether it could be. */
export async function copy(text, toast) {
  try {
    await navigator.clipboard.writeText(text);
    toast(t("copied"));
  } catch {
    toast(t("copyFailed"));
  }
}

/** Whether a text is nothing but a few emoji. */
export function isEmoji(text) {
  return text.length <= 24 && /^(\p{Extended_Pictographic}|\p{Emoji_Component}|\s)+$/u.test(text) && !/^[\d\s#*]+$/.test(text);
}
