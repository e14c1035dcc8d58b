/** Quotes: what is shown of the message that another one replies to. */

import { html } from "./html.js";
import { BreakableText } from "./text.js";
import { t } from "./texts.js";

/** The longest text of a quote, in characters. */
const LONGEST = 200;

/** Returns the beginning of a text in one line. */
function beginning(text) {
  const characters = [...text.slice(0, 2 * LONGEST)];
  return characters.slice(0, LONGEST).join("").replace(/\s+/g, " ") + (characters.length >= LONGEST ? "…" : "");
}

/** The sender and the beginning of a quoted message. */
export const QuoteText = ({ sender, text, me, isDeleted = false }) => html`
  <span class="gr-quote-name"><span class="gr-hidden">${t("inReplyTo")} </span>${sender.id === me?.id ? t("you") : sender.display_name}</span>
  <span class="gr-quote-text" dir="auto">${isDeleted ? t("deleted") : html`<${BreakableText} text=${beginning(text) || t("attachment")} />`}</span>
`;

/** The quote in a message. It leads to the quoted message, unless that is deleted. */
export function Quote({ quote, me, isCurrent, onQuote }) {
  const text = html`<${QuoteText} sender=${quote.sender} text=${quote.excerpt} me=${me} isDeleted=${quote.is_deleted} />`;
  if (quote.is_deleted) return html`<span class="gr-quote is-deleted">${text}</span>`;
  return html`
    <button type="button" class="gr-quote" title=${t("showQuoted")} tabindex=${isCurrent ? 0 : -1} onClick=${() => onQuote(quote.id)}>${text}</button>
  `;
}
