/** `<greenroom-inbox>`: a button with the number of unread messages, which opens the user's chats. */

import { useAppContext, useStore } from "./app-context.js";
import { ChatAvatar } from "./avatar.js";
import { ChatSubtitle } from "./chat-subtitle.js";
import { ChatList } from "./chat-list.js";
import { Pill } from "./connection-status.js";
import { Conversation } from "./conversation.js";
import { html, useEffect, useRef, useState } from "./html.js";
import { Back, Bubble } from "./icons.js";
import { useNotifiedCount } from "./notify-level.js";
import { t } from "./texts.js";
import { CloseButton } from "./widget-dm.js";
import { Panel, SignedIn, SignInLink, UnreadBadge } from "./widget.js";

export function InboxWidget({ connection, ...props }) {
  const visitor = html`<${SignInLink} connection=${connection} text=${t("signIn")} />`;
  return html`<${SignedIn} connection=${connection} visitor=${visitor}><${Inbox} ...${props} /><//>`;
}

function Inbox({ emit, label: wanted, title }) {
  const { client } = useAppContext();
  const unread = useNotifiedCount();
  const [isOpen, setOpen] = useState(false);
  const [chatId, setChatId] = useState(/** @type {number | null} */ (null));
  const button = useRef(/** @type {any} */ (null));
  useEffect(() => client.on("message", (detail) => emit("message", detail)), [client]);
  useEffect(() => emit("unread", { total: unread }), [unread]);
  useEffect(() => client.on("chat", ({ chatId: id, chat }) => !chat && setChatId((now) => (now === id ? null : now))), [client]);

  const close = () => {
    setOpen(false);
    button.current.focus();
  };
  const label = wanted || title || t("messagesTitle");
  const base = client.api.base;
  return html`
    <button ref=${button} type="button" class="gr-button gr-toggle" aria-expanded=${String(isOpen)}
      onClick=${() => (isOpen ? close() : setOpen(true))}>
      <${Bubble} /><span class="gr-toggle-label">${label}</span><${UnreadBadge} count=${unread} />
    </button>
    ${isOpen &&
    html`
      <${Panel} label=${label} onClose=${close}>
        ${chatId
          ? html`<${Conversation} key=${chatId} chatId=${chatId} hasFocus
              header=${html`<${InboxChatHeader} chatId=${chatId} onBack=${() => setChatId(null)} onClose=${close} />`} />`
          : html`
              <div class="gr-heading">
                <div class="gr-heading-text"><h2 class="gr-heading-title gr-panel-title">${label}</h2></div>
                <${CloseButton} onClose=${close} />
              </div>
              <${Pill} />
              <${ChatList} address=${(id) => `${base}/messages/?chat=${id}`} selected=${null} onSelect=${setChatId}>
                <div class="gr-empty"><p>${t("inboxEmpty")}</p></div>
              <//>
              <div class="gr-panel-footer"><a href=${`${base}/messages/`}>${t("allMessages")}</a></div>
            `}
      <//>
    `}
  `;
}

function InboxChatHeader({ chatId, onBack, onClose }) {
  const chat = useStore((state) => state.chats.get(chatId));
  return html`
    <div class="gr-heading">
      <button type="button" class="gr-icon-button gr-back gr-back-always" aria-label=${t("backToChats")} onClick=${onBack}><${Back} /></button>
      ${chat && html`<${ChatAvatar} chat=${chat} small />`}
      <div class="gr-heading-text">
        <h2 class="gr-heading-title gr-panel-title" dir="auto">${chat?.title}</h2>
        <p class="gr-heading-note">${chat && html`<${ChatSubtitle} chat=${chat} />`}</p>
      </div>
      <${CloseButton} onClose=${onClose} />
    </div>
    <${Pill} />
  `;
}
