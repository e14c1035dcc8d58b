/** Finding chats, people and messages. */

import { Avatar, ChatAvatar } from "./avatar.js";
import { useAttempt, useDesk, useKnown } from "./desk.js";
import { html, useEffect, useRef } from "./html.js";
import { Close, Search as Lens } from "./icons.js";
import { useLookup } from "./people.js";
import { ago, t } from "./texts.js";
import { Skeletons } from "./thread.js";

/** Hits of a kind that are shown. */
const SHOWN = 5;
const SHOWN_MESSAGES = 20;
/** What is shown of a message before the first word that was found, in characters. */
const LEAD = 30;

/** The field. Down leads to what was found, Escape ends it. */
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
      <input ref=${field} id="search-input" type="search" aria-label=${t("searchAll")} placeholder=${t("searchAll")} autocomplete="off"
        value=${text} onInput=${(event) => onText(event.currentTarget.value)} onKeyDown=${onKeyDown} />
      ${text && html`<button type="button" class="gr-icon-button" aria-label=${t("clearSearch")} onClick=${clear}><${Close} /></button>`}
    </div>
  `;
}

/** @param {{text: string, onChat: (id: number, messageId?: number) => void}} props */
export function SearchResults({ text, onChat }) {
  const { client, settings, announce } = useDesk();
  const attempt = useAttempt();
  const look = async (words) => {
    const [chats, people, messages] = await Promise.all([
      client.api.chats({ search: words, page_size: SHOWN }),
      client.api.searchUsers(words),
      settings.hasSearch ? client.api.search(words, { page_size: SHOWN_MESSAGES }) : { results: [] },
    ]);
    return { chats: chats.results, people: people.results.slice(0, SHOWN), messages: messages.results };
  };
  const { found, problem, isLooking } = useLookup(text, look);
  const count = found && found.chats.length + found.people.length + found.messages.length;
  useEffect(() => {
    if (found) announce(count ? t("hits", { count }) : t("noHits"));
  }, [found]);
  const write = (user) =>
    attempt(async () => {
      const { id } = await client.api.createChat({ chat_type: "dm", member_ids: [user.id] });
      onChat(id);
    });
  if (problem) return html`<div class="gr-chats"><p class="gr-note gr-danger gr-found-note">${problem}</p></div>`;
  if (!found) return html`<div class="gr-chats">${isLooking && html`<${Skeletons} count=${4} />`}</div>`;
  if (count === 0) return html`<div class="gr-chats gr-empty"><p>${t("noHits")}</p></div>`;
  return html`
    <div class="gr-chats" onKeyDown=${onArrow}>
      <${Section} title=${t("chats")} hits=${found.chats}>
        ${(chat) => html`<${ChatHit} chat=${chat} words=${text} onSelect=${() => onChat(chat.id)} />`}
      <//>
      <${Section} title=${t("people")} hits=${found.people}>
        ${(user) => html`
          <button type="button" class="gr-hit chat-item" onClick=${() => write(user)}>
            <${Avatar} user=${user} />
            <span class="gr-chat-text">
              <span class="gr-chat-title" dir="auto"><${Marked} text=${user.display_name} words=${text} /></span>
              <span class="gr-chat-preview">@${user.username}</span>
            </span>
          </button>
        `}
      <//>
      <${Section} title=${t("messagesTitle")} hits=${found.messages}>
        ${(message) => html`<${MessageHit} message=${message} onSelect=${() => onChat(message.chat, message.id)} />`}
      <//>
    </div>
  `;
}

function Section({ title, hits, children }) {
  if (hits.length === 0) return null;
  return html`
    <section class="gr-found" aria-label=${title}>
      <h2>${title}</h2>
      <ul class="gr-chat-list">
        ${hits.map((hit) => html`<li key=${hit.id}>${children(hit)}</li>`)}
      </ul>
    </section>
  `;
}

const ChatHit = ({ chat, words, onSelect }) => html`
  <button type="button" class="gr-hit chat-item" onClick=${onSelect}>
    <${ChatAvatar} chat=${chat} />
    <span class="gr-chat-text">
      <span class="gr-chat-title" dir="auto"><${Marked} text=${chat.title} words=${words} /></span>
      <span class="gr-chat-preview">${t("members", { count: chat.member_count })}</span>
    </span>
  </button>
`;

function MessageHit({ message, onSelect }) {
  const title = useKnown((state) => state.chats.get(message.chat)?.title);
  return html`
    <button type="button" class="gr-hit chat-item search-result" onClick=${onSelect}>
      <${Avatar} user=${message.sender} />
      <span class="gr-chat-text">
        <span class="gr-chat-line">
          <span class="gr-chat-title" dir="auto">${message.sender.display_name}${title && html`<span class="gr-found-in"> · ${title}</span>`}</span>
          <time class="gr-chat-time" datetime=${message.created_at}>${ago(message.created_at)}</time>
        </span>
        <span class="gr-chat-preview gr-found-text" dir="auto"><${Highlighted} text=${message.content} ranges=${message.highlights} /></span>
      </span>
    </button>
  `;
}

/** A text with what was found marked; it begins near the first of it. Ranges count characters, not units of UTF-16. */
function Highlighted({ text, ranges }) {
  const characters = [...text];
  const from = Math.max(0, (ranges[0]?.[0] ?? 0) - LEAD);
  const slice = (start, end) => characters.slice(Math.max(start, from), end).join("");
  let end = from;
  const parts = ranges.map(([start, stop]) => {
    const part = html`${slice(end, start)}<mark>${slice(start, stop)}</mark>`;
    end = stop;
    return part;
  });
  return html`${from > 0 && "…"}${parts}${slice(end)}`;
}

/** A name with the words that were looked for marked. */
function Marked({ text, words }) {
  const wanted = words.trim().split(/\s+/).map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  const parts = text.split(new RegExp(`(${wanted.join("|")})`, "giu"));
  return parts.map((part, index) => (index % 2 === 1 ? html`<mark>${part}</mark>` : part));
}

function onArrow(event) {
  const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
  if (!step) return;
  event.preventDefault();
  const hits = [...event.currentTarget.querySelectorAll(".gr-hit")];
  const at = hits.indexOf(document.activeElement) + step;
  (at < 0 ? document.querySelector("#search-input") : hits[at])?.focus();
}
