/** Searches messages of the open chat, and steps from hit to hit. */

import { useAppContext } from "./app-context.js";
import { html, useEffect, useRef, useState } from "./html.js";
import { Close, Down, Search, Up } from "./icons.js";
import { MATCH, SEARCH_FIELD, useSearch } from "./people.js";
import { COUNTED, queryOf } from "./search.js";
import { atLeast, t } from "./texts.js";

const NOTHING = { hits: /** @type {any[]} */ ([]), next: null, count: 0, at: -1 };

/**
 * @param {object} props
 * @param {number} props.chatId
 * @param {(hit: any) => void} props.onHit shows a message without moving the focus
 * @param {() => void} props.onClose
 */
export function ChatSearch({ chatId, onHit, onClose }) {
  const { client, announce, errorText } = useAppContext();
  const [text, setText] = useState("");
  const [state, setState] = useState(NOTHING);
  const [failure, setFailure] = useState(/** @type {string | null} */ (null));
  const field = useRef(/** @type {any} */ (null));
  const { found, problem, isLooking } = useSearch(text, (words) => client.api.search(words, { chat: chatId, match: MATCH }));
  const { hits, next, count, at } = state;

  const show = (hits, next, count, at) => {
    setState({ hits, next, count, at });
    const hit = hits[at];
    if (!hit) return;
    onHit(hit);
    announce(t("said", { name: hit.sender.display_name, text: hit.content.slice(0, 200) }));
  };
  useEffect(() => field.current.focus(), []);
  useEffect(() => {
    setFailure(null);
    if (found) show(found.results, found.next, found.count, found.results.length > 0 ? 0 : -1);
    else setState(NOTHING);
  }, [found]);

  const older = async () => {
    if (at + 1 < hits.length) return show(hits, next, count, at + 1);
    if (!next) return undefined;
    try {
      const { q, ...query } = queryOf(next);
      const page = await client.api.search(q, query);
      return show([...hits, ...page.results], page.next, count, page.results.length > 0 ? at + 1 : at);
    } catch (error) {
      return setFailure(errorText(error));
    }
  };
  const newer = () => at > 0 && show(hits, next, count, at - 1);
  const onKeyDown = (event) => {
    if (event.key === "Escape") onClose();
    else if (event.key === "ArrowDown" || (event.key === "Enter" && event.shiftKey)) newer();
    else if (event.key === "ArrowUp" || event.key === "Enter") older();
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  const note = problem ?? failure ?? (at >= 0 ? t("hitPlace", { place: at + 1, count: atLeast(count, COUNTED) }) : found && !isLooking && !next ? t("noHits") : "");
  return html`
    <div class="gr-chat-search" role="search" aria-label=${t("searchHere")} onKeyDown=${onKeyDown}>
      <span class="gr-search">
        <${Search} />
        <input ref=${field} id="chat-search-input" type="search" aria-label=${t("searchHere")} placeholder=${t("searchHere")} ...${SEARCH_FIELD}
          value=${text} onInput=${(event) => setText(event.currentTarget.value)} />
      </span>
      <span class="gr-chat-search-note" role="status">${note}</span>
      <button type="button" class="gr-icon-button older-hit-btn" aria-label=${t("olderHit")} title=${t("olderHit")}
        aria-disabled=${String(at + 1 >= hits.length && !next)} onClick=${older}><${Up} /></button>
      <button type="button" class="gr-icon-button newer-hit-btn" aria-label=${t("newerHit")} title=${t("newerHit")}
        aria-disabled=${String(at <= 0)} onClick=${newer}><${Down} /></button>
      <button type="button" class="gr-icon-button" aria-label=${t("endSearch")} title=${t("endSearch")} onClick=${onClose}><${Close} /></button>
    </div>
  `;
}
