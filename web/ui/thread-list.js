/** The threads that the user follows, as a list beside the chats. */

import { useAppContext, useMinute, useRetry, useStore } from "./app-context.js";
import { Avatar } from "./avatar.js";
import { DraftPreview } from "./draft-preview.js";
import { classes, html, useEffect, useState } from "./html.js";
import { Skeletons } from "./message-list.js";
import { oneLine, textOf } from "./text.js";
import { ago, t } from "./texts.js";

/** @param {{id?: string, selected: number | null, address: (thread: any) => string, onSelect: (thread: any) => void}} props */
export function ThreadList({ id = undefined, selected, address, onSelect }) {
  const { client } = useAppContext();
  const [threads, hasMore] = useStore((state) => [state.threads, state.hasMoreThreads]);
  const [isLoaded, setLoaded] = useState(false);
  const [problem, setProblem] = useState(/** @type {any} */ (null));
  useMinute();
  const load = (work) => {
    setProblem(null);
    work().then(() => setLoaded(true), setProblem);
  };
  const start = () => load(() => client.loadThreads());
  useEffect(start, [client]);
  useRetry(problem, start);
  return html`
    <div class="gr-chats">
      ${threads.length > 0 &&
      html`
        <ul id=${id} class="gr-chat-list" aria-label=${t("threads")}>
          ${threads.map((thread) => html`<${Item} key=${thread.id} thread=${thread} isSelected=${thread.id === selected} href=${address(thread)} onSelect=${onSelect} />`)}
        </ul>
      `}
      ${!isLoaded && !problem && threads.length === 0 && html`<${Skeletons} count=${4} />`}
      ${isLoaded && threads.length === 0 && html`<p class="gr-empty gr-note">${t("threadsNone")}</p>`}
      ${(problem || (isLoaded && hasMore)) &&
      html`
        <div class="gr-more">
          <button type="button" class="gr-button" onClick=${problem ? start : () => load(() => client.loadMoreThreads())}>${problem ? t("retry") : t("showMore")}</button>
        </div>
      `}
    </div>
  `;
}

function Item({ thread, isSelected, href, onSelect }) {
  const [me, title] = useStore((state) => [state.me, state.chats.get(thread.chat)?.title ?? thread.title]);
  const draft = useStore((state) => (isSelected ? null : state.draft(thread.chat, thread.id)));
  const { root, last_reply: last, unread } = thread;
  const onClick = (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    onSelect(thread);
  };
  const text = (message) => (message.is_deleted ? t("deleted") : oneLine(textOf(message)));
  const name = last?.sender.id === me?.id ? t("you") : last?.sender.display_name;
  return html`
    <li>
      <a href=${href} class=${classes("chat-item thread-item", isSelected && "is-selected", unread > 0 && "chat-unread")}
        aria-current=${isSelected ? "page" : undefined} data-thread-id=${thread.id} onClick=${onClick}>
        <${Avatar} user=${root.sender} />
        <span class="gr-chat-text">
          <span class="gr-chat-line">
            <span class="gr-chat-title" dir="auto">${text(root)}</span>
            <time class="gr-chat-time" datetime=${(last ?? root).created_at}>${ago((last ?? root).created_at)}</time>
          </span>
          <span class="gr-chat-line">
            <span class="gr-chat-preview" dir="auto">${draft ? html`<${DraftPreview} draft=${draft} />` : last ? t("said", { name, text: text(last) }) : t("noReplies")}</span>
            ${thread.mentions > 0 && html`<span class="unread-indicator mention-indicator"><span aria-hidden="true">@</span><span class="gr-hidden">${t("unreadMentions", { count: thread.mentions })}</span></span>`}
            ${unread > 0 && html`<span class="unread-indicator"><span aria-hidden="true">${unread > 99 ? "99+" : unread}</span><span class="gr-hidden">${t("unreadReplies", { count: unread })}</span></span>`}
          </span>
          <span class="gr-chat-line gr-thread-place" dir="auto">${title}</span>
        </span>
      </a>
    </li>
  `;
}
