/** Searches chats, people and messages. */

import { useAppContext, useAttempt, useMinute } from "./app-context.js";
import { Avatar, ChatAvatar, otherOf } from "./avatar.js";
import { classes, renderNow, html, useEffect, useRef, useState } from "./html.js";
import { Skeletons } from "./message-list.js";
import { Identity, identityOf, MATCH, useSearch } from "./people.js";
import { BreakableText, excerpt, marked } from "./text.js";
import { ago, atLeast, t } from "./texts.js";

/** How many chats and people are shown at first, and how many hits are fetched at a time. */
const FEW = 5;
const FETCHED = 20;
/** The server counts up to this number of hits. */
export const COUNTED = 1_000;
/** How much of a message is shown before its first hit, in characters. */
const LEAD = 30;

/**
 * @param {object} props
 * @param {string} props.text
 * @param {{messageId: number | null}} props.place the visible message
 * @param {(chatId: number, hit?: any) => void} props.onChat opens a chat, at a hit if given
 */
export function SearchResults({ text, place, onChat }) {
  const { client, announce, settings } = useAppContext();
  useMinute();
  const attempt = useAttempt();
  // Answers from an attempt in which other requests failed: under a rate limit, repeating all requests would never succeed.
  const kept = useRef(/** @type {any} */ ({}));
  const look = async (words) => {
    if (kept.current.words !== words) kept.current = { words };
    const answers = kept.current;
    const once = async (name, ask) => (answers[name] ??= await ask());
    const [chats, people, messages] = await Promise.all([
      once("chats", () => client.api.chats({ search: words, match: MATCH, page_size: FETCHED })),
      once("people", () => peopleFor(words)),
      once("messages", () => client.api.search(words, { match: MATCH, page_size: FETCHED }).then(withTitles)),
    ]);
    kept.current = {};
    return { chats, people: { next: null, count: people.results.length, ...people }, messages };
  };
  /** Finds people to write to. Users who may not start chats find the people of their dms. */
  const peopleFor = async (words) => {
    const { me } = client.state;
    if (settings.mayStartChats(me)) return client.api.searchUsers(words, { match: MATCH });
    const { results } = await client.api.chats({ search: words, match: MATCH, chat_type: "dm", page_size: FETCHED });
    return { results: results.map((chat) => otherOf(chat, me)).filter(({ id }) => id !== me.id) };
  };
  /** Adds the chat to each hit: some chats may not be loaded. */
  const withTitles = async (page) => {
    const ids = [...new Set(page.results.map(({ chat }) => chat))].filter((id) => !client.state.chats.has(id));
    const chats = await Promise.all(ids.map((id) => client.api.chat(id).catch(() => null)));
    const fetched = new Map(chats.filter(Boolean).map((chat) => [chat.id, chat]));
    const chatOf = (id) => client.state.chats.get(id) ?? fetched.get(id) ?? null;
    return { ...page, results: page.results.map((hit) => ({ ...hit, in: chatOf(hit.chat) })) };
  };
  const { found, problem, isLooking, of, again } = useSearch(text, look);
  const count = found && found.chats.count + found.people.count + found.messages.count;
  const isNothing = count === 0 && !found.messages.next;
  useEffect(() => {
    if (found) announce(isNothing ? t("noHits") : t("hits", { count }));
  }, [found]);
  const write = (user) =>
    attempt(async () => {
      const { id } = await client.api.createChat({ chat_type: "dm", member_ids: [user.id] });
      onChat(id);
    });
  if (problem) {
    return html`
      <div class="gr-chats">
        <div class="gr-found-note">
          <p class="gr-note gr-danger" role="alert">${problem}</p>
          <button type="button" class="gr-button" onClick=${again}>${t("retry")}</button>
        </div>
      </div>
    `;
  }
  if (!found) return html`<div class="gr-chats">${isLooking && html`<${Skeletons} count=${4} />`}</div>`;
  if (isNothing) return html`<div class="gr-chats gr-empty"><p>${t("noHits")}</p></div>`;
  return html`
    <div key=${of} class="gr-chats" onKeyDown=${onArrow}>
      <${Section} title=${t("chats")} page=${found.chats} shown=${FEW} more=${(query) => client.api.chats(query)}>
        ${(chat) => html`<${ChatHit} chat=${chat} me=${client.state.me} words=${of} onSelect=${() => onChat(chat.id)} />`}
      <//>
      <${Section} title=${t("people")} page=${found.people} shown=${FEW}>
        ${(user) => html`<${PersonHit} user=${user} words=${of} onSelect=${() => write(user)} />`}
      <//>
      <${Section} title=${t("messagesTitle")} page=${found.messages} shown=${FETCHED}
        more=${({ q, ...query }) => client.api.search(q, query).then(withTitles)}>
        ${(hit) => html`<${MessageHit} hit=${hit} isShown=${hit.id === place.messageId} onSelect=${() => onChat(hit.chat, hit)} />`}
      <//>
    </div>
  `;
}

/** The hits of one kind: the first ones, and more on demand. */
function Section({ title, page, shown, more, children }) {
  const [pages, setPages] = useState([page]);
  const [limit, setLimit] = useState(shown);
  const list = useRef(/** @type {any} */ (null));
  const attempt = useAttempt();
  const all = pages.flatMap(({ results }) => results);
  const { next } = pages.at(-1);
  const hits = all.slice(0, limit);
  const onMore = () =>
    attempt(async () => {
      const further = all.length > limit ? [] : [await more(queryOf(next))];
      renderNow(() => {
        setPages([...pages, ...further]);
        setLimit(limit + FETCHED);
      });
      list.current?.children[hits.length]?.querySelector(".gr-hit")?.focus();
    });
  if (all.length === 0 && !next) return null;
  return html`
    <section class="gr-found" aria-label=${title}>
      <h2>${title}<span class="gr-found-count">${atLeast(page.count, COUNTED)}</span></h2>
      <ul ref=${list} class="gr-chat-list">
        ${hits.map((hit) => html`<li key=${hit.id}>${children(hit)}</li>`)}
      </ul>
      ${(all.length > limit || next) && html`<button type="button" class="gr-button gr-button-quiet gr-more-btn" onClick=${onMore}>${t("showMore")}<span class="gr-hidden"> · ${title}</span></button>`}
    </section>
  `;
}

/** Returns the query of a link to another page. */
export const queryOf = (link) => Object.fromEntries(new URL(link).searchParams);

const ChatHit = ({ chat, me, words, onSelect }) => html`
  <button type="button" class="gr-hit chat-item" data-chat-id=${chat.id} onClick=${onSelect}>
    <${ChatAvatar} chat=${chat} />
    <span class="gr-chat-text">
      <span class="gr-chat-title" dir="auto"><${Marked} text=${chat.title} words=${words} /></span>
      <span class="gr-chat-preview">${identityOf(chat, me) ? html`<${Identity} chat=${chat} me=${me} />` : t("members", { count: chat.member_count })}</span>
    </span>
  </button>
`;

const PersonHit = ({ user, words, onSelect }) => html`
  <button type="button" class="gr-hit chat-item" onClick=${onSelect}>
    <${Avatar} user=${user} />
    <span class="gr-chat-text">
      <span class="gr-chat-title" dir="auto"><${Marked} text=${user.display_name} words=${words} /></span>
      <span class="gr-chat-preview">@${user.username}</span>
    </span>
  </button>
`;

function MessageHit({ hit, isShown, onSelect }) {
  const { client } = useAppContext();
  const name = hit.sender.id === client.state.me?.id ? t("you") : hit.sender.display_name;
  // A dm has the other member's name as its title.
  const { me } = client.state;
  const title = !hit.in || hit.in.title === name ? "" : hit.in.title;
  return html`
  <button type="button" class=${classes("gr-hit chat-item search-result", isShown && "is-selected")} aria-current=${isShown ? "true" : undefined}
    data-found=${hit.id} onClick=${onSelect}>
    <${Avatar} user=${hit.sender} />
    <span class="gr-chat-text">
      <span class="gr-chat-line">
        <span class="gr-chat-title gr-found-title">
          <span dir="auto">${name}</span>${title && html`<span class="gr-found-in" dir="auto">· ${title}</span>`}
        </span>
        ${hit.in && html`<${Identity} chat=${hit.in} me=${me} />`}
        <time class="gr-chat-time" datetime=${hit.created_at}>${ago(hit.created_at)}</time>
      </span>
      <span class="gr-chat-preview gr-found-text" dir="auto"><${Highlighted} text=${hit.content} ranges=${hit.highlights} /></span>
    </span>
  </button>
  `;
}

/** Renders the pieces of a text, every second one marked. */
const Pieces = ({ pieces }) =>
  pieces.map((piece, index) => {
    const shown = html`<${BreakableText} text=${piece} />`;
    return index % 2 === 1 ? html`<mark>${shown}</mark>` : shown;
  });

/** A text with the hits marked. */
const Highlighted = ({ text, ranges }) => html`<${Pieces} pieces=${excerpt(text, ranges, LEAD)} />`;

/** A name with the searched words marked. */
const Marked = ({ text, words }) => html`<${Pieces} pieces=${marked(text, words)} />`;

function onArrow(event) {
  const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
  if (!step) return;
  event.preventDefault();
  const hits = [...event.currentTarget.querySelectorAll(".gr-hit, .gr-more-btn")];
  const at = hits.indexOf(document.activeElement) + step;
  (at < 0 ? document.querySelector("#search-input") : hits[at])?.focus();
}
