/** The field that searches chats, people and messages. */

import { html, useRef } from "./html.js";
import { Close, Search as Lens } from "./icons.js";
import { SEARCH_FIELD } from "./people.js";
import { t } from "./texts.js";

/** The search field. Arrow Down moves to the hits, Escape clears it. */
export function SearchField({ text, onText }) {
  const field = useRef(/** @type {any} */ (null));
  const clear = () => {
    onText("");
    field.current.focus();
  };
  const onKeyDown = (event) => {
    if (event.key === "Escape" && text) clear();
    else if (event.key === "ArrowDown") document.querySelector(".gr-hit")?.focus();
    else return;
    event.preventDefault();
  };
  return html`
    <div class="gr-search gr-side-search" role="search">
      <${Lens} />
      <input ref=${field} id="search-input" type="search" aria-label=${t("searchAll")} placeholder=${t("searchAll")} ...${SEARCH_FIELD}
        value=${text} onInput=${(event) => onText(event.currentTarget.value)} onKeyDown=${onKeyDown} />
      ${text && html`<button type="button" class="gr-icon-button" aria-label=${t("clearSearch")} onClick=${clear}><${Close} /></button>`}
    </div>
  `;
}
