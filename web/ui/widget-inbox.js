/** `<greenroom-inbox>`: a button with the number of unread messages, which opens the user's chats. */

import { useAppContext, useStore } from "./app-context.js";
import { ChatAvatar } from "./avatar.js";
import { ChatSubtitle } from "./chat-subtitle.js";
import { Pill } from "./connection-status.js";
import { html, useEffect, useRef, useState } from "./html.js";
import { Back, Bubble } from "./icons.js";
import { lazy } from "./lazy.js";
import { useNotifiedCount } from "./notify-level.js";
import { t } from "./texts.js";
import { CloseButton } from "./widget-dm.js";
import { Chat, Panel, SignedIn, SignInLink, UnreadBadge } from "./widget.js";

const ChatList = lazy(() => import("./chat-list.js").then(({ ChatList }) => ChatList));
const MentionList = lazy(() => import("./mention-list.js").then(({ MentionList }) => MentionList));
const SideLists = lazy(() => import("./side-lists.js").then(({ SideLists }) => SideLists));
const ThreadList = lazy(() => import("./thread-list.js").then(({ ThreadList }) => ThreadList));

/**
 * What the inbox shows instead of a list: a chat, a message in it, or an open thread.
 * @typedef {object} Shown
 * @property {number} chatId
 * @property {import("./conversation.js").Place} [place]
 * @property {import("./conversation.js").OpenThread} [thread]
 */

export function InboxWidget({ connection, ...props }) {
  const visitor = html`<${SignInLink} connection=${connection} text=${t("signIn")} />`;
  return html`<${SignedIn} connection=${connection} visitor=${visitor}><${Inbox} ...${props} /><//>`;
}

function Inbox({ emit, label: wanted, title }) {
  const { client } = useAppContext();
  const unread = useNotifiedCount();
  const [isOpen, setOpen] = useState(false);
  /** The list in place of the chats. */
  const [list, setList] = useState(/** @type {string | null} */ (null));
  const [shown, setShown] = useState(/** @type {Shown | null} */ (null));
  const button = useRef(/** @type {any} */ (null));
  useEffect(() => client.on("message", (detail) => emit("message", detail)), [client]);
  useEffect(() => emit("unread", { total: unread }), [unread]);
  useEffect(() => client.on("chat", ({ chatId: id, chat }) => !chat && setShown((now) => (now?.chatId === id ? null : now))), [client]);

  const close = () => {
    setOpen(false);
    button.current.focus();
  };
  const label = wanted || title || t("messagesTitle");
  const address = (id, query = "") => `${client.api.base}/messages/?chat=${id}${query}`;
  const showThread = (chatId, root, messageId = null) => setShown({ chatId, thread: { root, place: { messageId } } });
  const showMention = ({ id, chat, thread, also_in_chat }) =>
    thread && !also_in_chat ? showThread(chat, thread, id) : setShown({ chatId: chat, place: { messageId: id } });
  return html`
    <button ref=${button} type="button" class="gr-button gr-toggle" aria-expanded=${String(isOpen)}
      onClick=${() => (isOpen ? close() : setOpen(true))}>
      <${Bubble} /><span class="gr-toggle-label">${label}</span><${UnreadBadge} count=${unread} />
    </button>
    ${isOpen &&
    html`
      <${Panel} label=${label} onClose=${close}>
        ${shown
          ? html`<${Chat} key=${shown.chatId} ...${shown} hasFocus
              header=${(menu) => html`<${InboxChatHeader} chatId=${shown.chatId} menu=${menu} onBack=${() => setShown(null)} onClose=${close} />`} />`
          : html`
              <div class="gr-heading">
                <div class="gr-heading-text"><h2 class="gr-heading-title gr-panel-title">${label}</h2></div>
                <${CloseButton} onClose=${close} />
              </div>
              <${Pill} />
              <${SideLists} shown=${list} onShow=${setList} />
              ${list === "threads"
                ? html`<${ThreadList} selected=${null} address=${({ id, chat }) => address(chat, `&thread=${id}`)} onSelect=${({ id, chat }) => showThread(chat, id)} />`
                : list === "mentions"
                ? html`<${MentionList} selected=${null} address=${({ id, chat }) => address(chat, `&message=${id}`)} onSelect=${showMention} />`
                : html`
                    <${ChatList} address=${(id) => address(id)} selected=${null} onSelect=${(chatId) => setShown({ chatId })}>
                      <div class="gr-empty"><p>${t("inboxEmpty")}</p></div>
                    <//>
                  `}
              <div class="gr-panel-footer"><a href=${`${client.api.base}/messages/`}>${t("allMessages")}</a></div>
            `}
      <//>
    `}
  `;
}

function InboxChatHeader({ chatId, menu, onBack, onClose }) {
  const chat = useStore((state) => state.chats.get(chatId));
  return html`
    <div class="gr-heading">
      <button type="button" class="gr-icon-button gr-back gr-back-always" aria-label=${t("backToChats")} onClick=${onBack}><${Back} /></button>
      ${chat && html`<${ChatAvatar} chat=${chat} small />`}
      <div class="gr-heading-text">
        <h2 class="gr-heading-title gr-panel-title" dir="auto">${chat?.title}</h2>
        <p class="gr-heading-note">${chat && html`<${ChatSubtitle} chat=${chat} />`}</p>
      </div>
      ${menu}
      <${CloseButton} onClose=${onClose} />
    </div>
    <${Pill} />
  `;
}
