/** The messages that mention the user, as a list beside the chats. */

import { useAppContext, useMinute, useRetry, useStore } from "./app-context.js";
import { Avatar } from "./avatar.js";
import { classes, html, useEffect, useLatest, useRef, useState } from "./html.js";
import { mayMention } from "./mentions.js";
import { Skeletons } from "./message-list.js";
import { oneLine, textOf } from "./text.js";
import { ago, t } from "./texts.js";

const PER_PAGE = 30;

/** @param {{id?: string, selected: number | null, address: (message: any) => string, onSelect: (message: any) => void}} props */
export function MentionList({ id = undefined, selected, address, onSelect }) {
  const { client } = useAppContext();
  const [page, setPage] = useState(/** @type {any} */ ({ messages: null, count: 1, hasMore: false }));
  const [problem, setProblem] = useState(/** @type {any} */ (null));
  useMinute();
  // A change during a load may not be in its answer.
  const loading = useRef({ isOn: false, isLate: false, ids: new Set() });
  /** Loads so many pages from the top, since new mentions move all others. */
  const load = useLatest(async (count = page.count) => {
    loading.current.isLate = loading.current.isOn;
    if (loading.current.isOn) return;
    loading.current.isOn = true;
    setProblem(null);
    try {
      const messages = [];
      let hasMore = true;
      for (let number = 1; number <= count && hasMore; number++) {
        const { results, next } = await client.api.mentions({ page: number, page_size: PER_PAGE });
        messages.push(...results);
        hasMore = next !== null;
      }
      loading.current.ids = new Set(messages.map(({ id }) => id));
      setPage({ messages, count, hasMore });
    } catch (error) {
      setProblem(error);
    }
    loading.current.isOn = false;
    if (loading.current.isLate) load(count);
  });
  useEffect(() => void load(), [client]);
  useRetry(problem, load);
  useEffect(
    () =>
      client.on("message", ({ message, change }) => {
        const { ids, isOn } = loading.current;
        if (ids.has(message.id) || isOn || (change !== "deleted" && mayMention(message, client.state.me))) load();
      }),
    [client],
  );
  const { messages, count, hasMore } = page;
  return html`
    <div class="gr-chats">
      ${messages?.length > 0 &&
      html`
        <ul id=${id} class="gr-chat-list" aria-label=${t("mentions")}>
          ${messages.map((message) => html`<${Item} key=${message.id} message=${message} isSelected=${message.id === selected} href=${address(message)} onSelect=${onSelect} />`)}
        </ul>
      `}
      ${messages === null && !problem && html`<${Skeletons} count=${4} />`}
      ${messages?.length === 0 && html`<p class="gr-empty gr-note">${t("mentionsNone")}</p>`}
      ${(problem || hasMore) &&
      html`<div class="gr-more"><button type="button" class="gr-button" onClick=${() => load(problem ? count : count + 1)}>${problem ? t("retry") : t("showMore")}</button></div>`}
    </div>
  `;
}

function Item({ message, isSelected, href, onSelect }) {
  const [title, isUnread] = useStore((state) => [state.chats.get(message.chat)?.title ?? "", isUnreadIn(state, message)]);
  const onClick = (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    onSelect(message);
  };
  return html`
    <li>
      <a href=${href} class=${classes("chat-item mention-item", isSelected && "is-selected", isUnread && "chat-unread")} aria-current=${isSelected ? "page" : undefined}
        data-mention-id=${message.id} onClick=${onClick}>
        <${Avatar} user=${message.sender} />
        <span class="gr-chat-text">
          <span class="gr-chat-line">
            <span class="gr-chat-title" dir="auto">${message.sender.display_name}</span>
            <time class="gr-chat-time" datetime=${message.created_at}>${ago(message.created_at)}</time>
          </span>
          <span class="gr-chat-preview gr-found-text" dir="auto">${oneLine(textOf(message))}</span>
          <span class="gr-chat-line gr-thread-place" dir="auto">${message.thread ? t("threadIn", { title }) : title}</span>
        </span>
      </a>
    </li>
  `;
}

/** Whether a message is after the read marker of where it is shown. */
function isUnreadIn(state, { id, chat, thread, also_in_chat }) {
  if (thread && !also_in_chat) return state.thread(thread)?.unread > 0 && id > (state.thread(thread).last_read_message_id ?? 0);
  const of = state.chats.get(chat);
  return of?.unread_count > 0 && (id > (of.last_read_message_id ?? 0) || id >= (of.me?.unread_from ?? Infinity));
}
