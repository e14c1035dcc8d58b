/** The dialog in which the user finds public rooms and joins them. */

import { useAppContext, useRetry, useStore } from "./app-context.js";
import { ChatAvatar } from "./avatar.js";
import { Dialog } from "./dialog.js";
import { retriedErrorText } from "./errors.js";
import { html, useEffect, useRef, useState } from "./html.js";
import { Skeletons } from "./message-list.js";
import { MATCH, SEARCH_FIELD } from "./people.js";
import { t } from "./texts.js";

export function RoomBrowser({ onClose, onOpen }) {
  const [text, setText] = useState("");
  const { rooms, hasMore, problem, loadMore } = useRooms(text);
  return html`
    <${Dialog} title=${t("rooms")} onClose=${onClose}>
      <input class="gr-field" type="search" aria-label=${t("findRooms")} placeholder=${t("findRooms")} value=${text}
        ...${SEARCH_FIELD} onInput=${(event) => setText(event.currentTarget.value)} />
      <div role="status">
        ${problem && html`<p class="gr-note gr-danger">${problem}</p>`}
        ${rooms?.length === 0 && html`<p class="gr-note">${text.trim() ? t("noHits") : t("noRooms")}</p>`}
      </div>
      ${!rooms && !problem && html`<${Skeletons} count=${3} />`}
      <ul class="gr-people">
        ${rooms?.map((room) => html`<${Room} key=${room.id} room=${room} onOpen=${onOpen} />`)}
      </ul>
      ${hasMore && html`<button type="button" class="gr-button" onClick=${loadMore}>${t("showMore")}</button>`}
    <//>
  `;
}

/** Returns rooms whose titles match the words, page by page. */
function useRooms(text) {
  const { client } = useAppContext();
  const [state, setState] = useState({ rooms: /** @type {any[] | null} */ (null), hasMore: false, error: /** @type {any} */ (null) });
  const pages = useRef(0);
  const asked = useRef(0);
  const load = async (page) => {
    const number = ++asked.current;
    try {
      const { results, next } = await client.api.rooms({ search: text.trim() || undefined, match: MATCH, page, page_size: 30 });
      if (number !== asked.current) return;
      pages.current = page;
      setState(({ rooms }) => ({ rooms: page === 1 ? results : [...(rooms ?? []), ...results], hasMore: next !== null, error: null }));
    } catch (error) {
      if (number === asked.current) setState((before) => ({ ...before, error }));
    }
  };
  useEffect(() => {
    pages.current = 0;
    const timer = setTimeout(() => load(1), text ? 250 : 0);
    return () => clearTimeout(timer);
  }, [text]);
  const loadMore = () => load(pages.current + 1);
  useRetry(state.error, loadMore);
  return { ...state, problem: state.error && retriedErrorText(state.error), loadMore };
}

function Room({ room, onOpen }) {
  const { client, errorText } = useAppContext();
  const [problem, setProblem] = useState(/** @type {string | null} */ (null));
  const isMember = useStore((state) => state.chats.has(room.id)) || room.is_member;
  const join = async () => {
    try {
      if (!isMember) await client.api.joinChat(room.id);
      onOpen(room.id);
    } catch (error) {
      setProblem(errorText(error));
    }
  };
  return html`
    <li class="gr-person room-item">
      <${ChatAvatar} chat=${room} />
      <span class="gr-person-names">
        <span class="gr-person-name" dir="auto">${room.title}</span>
        <span class="gr-person-note">${t("members", { count: room.member_count })}</span>
        ${problem && html`<span class="gr-danger" role="alert">${problem}</span>`}
      </span>
      <button type="button" class=${`gr-button ${isMember ? "" : "gr-button-primary join-room-btn"}`} onClick=${join}>
        ${isMember ? t("open") : t("join")}<span class="gr-hidden">${room.title}</span>
      </button>
    </li>
  `;
}
