/** The list of the user's chats. */

import { useAppContext, useMinute, useRetry, useStore } from "./app-context.js";
import { ChatAvatar } from "./avatar.js";
import { DraftPreview, draftIn } from "./draft-preview.js";
import { classes, html, memo, useEffect, useRef, useState } from "./html.js";
import { Mute, Pin } from "./icons.js";
import { Skeletons } from "./message-list.js";
import { isMuted } from "./muting.js";
import { notifiedCount } from "./notify-level.js";
import { Identity, titleOf } from "./people.js";
import { oneLine, textOf } from "./text.js";
import { ago, t } from "./texts.js";

/** @param {{selected: number | null, root?: number | null, address: (id: number) => string, onSelect: (id: number) => void, id?: string, isLoading?: boolean, children?: any}} props */
export function ChatList({ selected, root = null, address, onSelect, id, isLoading = false, children }) {
  const chats = useStore((state) => state.chatList);
  useMinute();
  if (isLoading) return html`<div class="gr-chats"><${Skeletons} count=${6} /></div>`;
  if (chats.length === 0) return html`<div id=${id} class="gr-chats">${children}</div>`;
  return html`
    <div class="gr-chats">
      <ul id=${id} class="gr-chat-list" aria-label=${t("chats")}>
        ${chats.map(
          (chat) => html`
            <${Item} key=${chat.id} chat=${chat} isSelected=${chat.id === selected} root=${chat.id === selected ? root : null} href=${address(chat.id)} onSelect=${onSelect}
              minute=${Math.floor(Date.now() / 60_000)} />
          `,
        )}
      </ul>
      <${More} />
    </div>
  `;
}

const Item = memo(function Item({ chat, isSelected, root, href, onSelect }) {
  const me = useStore((state) => state.me);
  const isTyping = useStore((state) => state.typing(chat.id).length > 0);
  const { last_message: last, unread_count: unread } = chat;
  const draft = useStore((state) => draftIn(state, chat.id, { isOpen: isSelected, root }));
  const { client } = useAppContext();
  const isQuiet = isMuted(client, chat);
  const isCounted = notifiedCount(client, chat) > 0;
  const onClick = (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    onSelect(chat.id);
  };
  return html`
    <li>
      <a href=${href} class=${classes("chat-item", isSelected && "is-selected", unread > 0 && !isQuiet && "chat-unread")}
        aria-current=${isSelected ? "page" : undefined} data-chat-id=${chat.id} onClick=${onClick}>
        <${ChatAvatar} chat=${chat} />
        <span class="gr-chat-text">
          <span class="gr-chat-line">
            <span class="gr-chat-title" dir="auto">${titleOf(chat, me)}</span>
            <${Identity} chat=${chat} me=${me} />
            ${isQuiet && html`<span class="gr-chat-sign muted-indicator" title=${t("muted")}><${Mute} /><span class="gr-hidden">${t("muted")}</span></span>`}
            ${chat.me?.is_pinned && html`<span class="gr-chat-sign pinned-indicator" title=${t("pinned")}><${Pin} /><span class="gr-hidden">${t("pinned")}</span></span>`}
            ${last && html`<time class="gr-chat-time" datetime=${last.created_at}>${ago(last.created_at)}</time>`}
          </span>
          <span class="gr-chat-line">
            <span class="gr-chat-preview" dir="auto">
              ${isTyping ? html`<em class="gr-accent">${t("typingShort")}</em>` : draft ? html`<${DraftPreview} draft=${draft} text=${draft.thread === null ? t("draft") : t("draftInThread")} />` : preview(last, chat, me)}
            </span>
            ${chat.unread_mentions > 0 &&
            html`<span class="unread-indicator mention-indicator" title=${t("unreadMentions", { count: chat.unread_mentions })}><span aria-hidden="true">@</span><span class="gr-hidden">${t("unreadMentions", { count: chat.unread_mentions })}</span></span>`}
            ${unread > 0 &&
            html`<span class=${classes("unread-indicator", !isCounted && "is-quiet")}><span aria-hidden="true">${unread > 99 ? "99+" : unread}</span><span class="gr-hidden">${t("unread", { count: unread })}</span></span>`}
          </span>
        </span>
      </a>
    </li>
  `;
});

/** Returns the latest message in one line. */
function preview(message, chat, me) {
  if (!message) return t("noMessagesShort");
  const text = oneLine(textOf(message));
  if (message.sender.id === me?.id) return t("yourPreview", { text });
  return chat.chat_type === "dm" ? text : t("said", { name: message.sender.display_name, text });
}

/** Loads more chats when the end of the list comes near. */
function More() {
  const { client } = useAppContext();
  const hasMore = useStore((state) => state.hasMoreChats);
  const [problem, setProblem] = useState(/** @type {any} */ (null));
  const end = useRef(/** @type {any} */ (null));
  const load = () => {
    setProblem(null);
    client.loadMoreChats().catch(setProblem);
  };
  useRetry(problem, load);
  useEffect(() => {
    if (!hasMore || problem) return undefined;
    const observer = new IntersectionObserver(([{ isIntersecting }]) => isIntersecting && load(), { rootMargin: "400px" });
    observer.observe(end.current);
    return () => observer.disconnect();
  });
  if (!hasMore) return null;
  return html`
    <div ref=${end} class="gr-more">
      ${problem ? html`<button type="button" class="gr-button" onClick=${load}>${t("retry")}</button>` : html`<${Skeletons} count=${2} />`}
    </div>
  `;
}
