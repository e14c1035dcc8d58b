/** The text of a message: as it was typed, with its links. Nothing of it is ever taken for HTML. */

import { html } from "./html.js";
import { t } from "./texts.js";

const LINK = /\bhttps?:\/\/[^\s<>"']+/g;
/** What ends a sentence rather than an address. */
const TAIL = /[.,:;!?…]+$/;

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

/** An address without what belongs to the sentence around it. */
function trimmed(address) {
  const isUnopened = (text) => text.endsWith(")") && text.split("(").length < text.split(")").length;
  let text = address.replace(TAIL, "");
  while (isUnopened(text)) text = text.slice(0, -1).replace(TAIL, "");
  return text;
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
