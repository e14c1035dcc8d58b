/** The text of a message, with links. It is never parsed as HTML. */

import { html } from "./html.js";
import { t } from "./texts.js";

const LINK = /\bhttps?:\/\/[^\s<>"']+/g;
/** Characters that end a sentence rather than a URL. */
const TAIL = ".,:;!?…";
/** A URL with a host of valid length. Browsers parse longer ones slowly before they refuse them. */
const HOST = /^https?:\/\/[^/?#\\]{1,255}([/?#\\]|$)/;

/** Whether a text is a URL of reasonable length. */
export const isAddress = (text) => HOST.test(text) && URL.canParse(text);

/** @returns {(string | {href: string})[]} */
export function parts(text) {
  const found = [];
  let end = 0;
  for (const { 0: match, index } of text.matchAll(LINK)) {
    const href = trimmed(match);
    if (!isAddress(href)) continue;
    found.push(text.slice(end, index), { href });
    end = index + href.length;
  }
  return [...found, text.slice(end)].filter((part) => part !== "");
}

/** Returns a URL without the punctuation of the sentence around it. It reads each character once. */
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

/** More combining marks in a row than any language uses. The time to render them grows with the square of their number. */
const MARKS = /(\p{M}{64})/u;

/** A text with line break opportunities between such marks. They are neither visible nor copied. */
export const BreakableText = ({ text }) =>
  MARKS.test(text) ? text.split(MARKS).map((piece, index) => (index % 2 === 1 ? html`${piece}<wbr />` : piece)) : text;

const Linked = ({ text }) =>
  parts(text).map((part) =>
    typeof part === "string"
      ? html`<${BreakableText} text=${part} />`
      : html`<a href=${part.href} target="_blank" rel="noopener noreferrer nofollow"><${BreakableText} text=${part.href} /></a>`,
  );

/**
 * @param {object} props
 * @param {string} props.text
 * @param {import("./mentions.js").MentionRange[]} [props.mentioned] in order
 * @param {(id: number | string) => boolean} [props.isMe] whether a mention is of the user
 */
export function Text({ text, mentioned = [], isMe = () => false }) {
  const ends = [0, ...mentioned.map(({ end }) => end)];
  return [
    ...mentioned.flatMap(({ id, start, end }, index) => [
      html`<${Linked} text=${text.slice(ends[index], start)} />`,
      html`<span class=${isMe(id) ? "gr-mention is-me" : "gr-mention"} dir="auto"><${BreakableText} text=${text.slice(start, end)} /></span>`,
    ]),
    html`<${Linked} text=${text.slice(ends.at(-1))} />`,
  ];
}

/**
 * Splits a text into pieces, every second one a hit, and starts near the first hit. Ranges count characters, not UTF-16
 * units.
 * @param {[number, number][]} ranges
 * @param {number} lead characters before the first range
 */
export function excerpt(text, ranges, lead) {
  const characters = [...text];
  const from = Math.max(0, (ranges[0]?.[0] ?? 0) - lead);
  const slice = (start, end) => characters.slice(Math.max(start, from), end).join("");
  let end = from;
  const pieces = [];
  for (const [start, stop] of ranges) {
    pieces.push(slice(end, start), slice(start, stop));
    end = stop;
  }
  if (from > 0) pieces[0] = `…${pieces[0]}`;
  return [...pieces, slice(end)];
}

/** The longest name or title, in UTF-16 units. At most so many words are marked in one. */
const LONGEST = 512;
const MOST_WORDS = 32;

/** Scripts without spaces between words. The server finds their words anywhere. */
const UNSPACED = ["Hani", "Hira", "Kana", "Bopo", "Yiii", "Thai", "Laoo", "Khmr", "Mymr", "Tibt"];
const SPACED = `(?![${UNSPACED.map((script) => `\\p{scx=${script}}`).join("")}])`;
const BEGINS_WITH_LETTER = new RegExp(`^${SPACED}\\p{L}`, "u");
/** Matches where a word begins. */
const BEGINNING = `(?<!${SPACED}[\\p{L}\\p{N}]\\p{M}{0,8})`;

/** Splits a name into pieces, every second one a searched word or the beginning of a word. */
export function marked(name, words) {
  const different = [...new Set(words.trim().split(/\s+/))].filter((word) => word && word.length <= LONGEST);
  const wanted = different.slice(0, MOST_WORDS).map((word) => (BEGINS_WITH_LETTER.test(word) ? BEGINNING : "") + word.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  return wanted.length ? name.split(new RegExp(`(${wanted.join("|")})`, "giu")) : [name];
}

/** Returns the text to show of a message: its own, or the one that it forwards. */
export const textOf = ({ content, forwarded_from, attachments }) =>
  content || forwarded_from?.content || attachments?.map(({ alt, name }) => alt || name).join(", ") || "";

/** Returns the beginning of a text in one line. */
export const oneLine = (text) => text.slice(0, 1_000).replace(/\s+/g, " ").slice(0, 120);

/** Copies a text, and shows whether that worked. */
export async function copy(text, toast) {
  try {
    await navigator.clipboard.writeText(text);
    toast(t("copied"));
  } catch {
    toast(t("copyFailed"));
  }
}

/** Whether a text consists of a few emoji only. */
export function isEmoji(text) {
  return text.length <= 24 && /^[\p{Extended_Pictographic}\p{Emoji_Component}\s]+$/u.test(text) && !/^[\d\s#*]+$/.test(text);
}
