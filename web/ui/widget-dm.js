/** `<greenroom-dm user="5">`: a button that opens the dm with a user. */

import { useAppContext, useStore } from "./app-context.js";
import { ChatAvatar } from "./avatar.js";
import { ChatSubtitle } from "./chat-subtitle.js";
import { Pill } from "./connection-status.js";
import { retriedErrorText } from "./errors.js";
import { html, useEffect, useRef, useState } from "./html.js";
import { Bubble, Close } from "./icons.js";
import { notifiedCount } from "./notify-level.js";
import { dmWith } from "./people.js";
import { t } from "./texts.js";
import { warnAuthor, Chat, Panel, SignedIn, UnreadBadge, useChatEvents, useRetriedWork } from "./widget.js";

export const DmWidget = ({ connection, ...props }) => html`
  <${SignedIn} connection=${connection}><${Dm} ...${props} /><//>
`;

function Dm({ emit, isFirst, user, label: wanted, title }) {
  const { client } = useAppContext();
  const userId = Number(user);
  const chat = useStore((state) => dmWith(state, userId));
  // The user whose dm was opened by hand. Only there the composer gets the focus: no text goes to another user.
  const [openedFor, setOpenedFor] = useState(/** @type {number | null} */ (null));
  const isOpen = openedFor !== null;
  const button = useRef(/** @type {any} */ (null));
  useChatEvents(emit, chat?.id);

  const close = () => {
    setOpenedFor(null);
    button.current.focus();
  };
  const label = wanted || title || (chat ? t("writeTo", { name: chat.title }) : t("sendMessage"));
  return html`
    <button ref=${button} type="button" id=${isFirst ? "chat-toggle-btn" : undefined} class="gr-button gr-button-primary gr-toggle"
      aria-expanded=${String(isOpen)} onClick=${isOpen ? close : () => setOpenedFor(userId)}>
      <${Bubble} /><span class="gr-toggle-label">${label}</span><${UnreadBadge} count=${chat?.unread_count ?? 0} isQuiet=${!chat || notifiedCount(client, chat) === 0} />
    </button>
    ${isOpen &&
    html`
      <${Panel} id=${isFirst ? "fixed-chat-widget" : undefined} label=${label} onClose=${close}>
        ${chat
          ? html`<${Chat} key=${chat.id} chatId=${chat.id} hasFocus=${openedFor === userId}
              hooks=${{ list: { id: isFirst ? "widget-message-list" : undefined }, field: { id: isFirst ? "widget-message-input" : undefined } }}
              header=${(menu) => html`<${PanelHeader} chat=${chat} menu=${menu} onClose=${close} />`} />`
          : html`<${Opening} key=${user} userId=${userId} label=${label} onClose=${close} />`}
      <//>
    `}
  `;
}

/** The panel while the chat is being created. */
function Opening({ userId, label, onClose }) {
  const { client } = useAppContext();
  const problem = useRetriedWork(async (isWanted) => {
    const { id } = await client.api.createChat({ chat_type: "dm", member_ids: [userId] });
    if (isWanted()) await client.open(id);
  }, []);
  useEffect(() => {
    if (problem?.isFinal) warnAuthor("greenroom-dm", problem);
  }, [problem]);
  return html`
    <div class="gr-heading"><span class="gr-heading-text">${label}</span><${CloseButton} onClose=${onClose} /></div>
    <div class="gr-empty">${problem && html`<p role="alert">${problem.isFinal ? t("dmImpossible") : retriedErrorText(problem)}</p>`}</div>
  `;
}

export const CloseButton = ({ onClose }) => html`
  <button type="button" class="gr-icon-button gr-close-btn" aria-label=${t("close")} onClick=${onClose}><${Close} /></button>
`;

const PanelHeader = ({ chat, menu, onClose }) => html`
  <div class="gr-heading">
    <${ChatAvatar} chat=${chat} small />
    <div class="gr-heading-text">
      <h2 class="gr-heading-title gr-panel-title" dir="auto">${chat.title}</h2>
      <p class="gr-heading-note"><${ChatSubtitle} chat=${chat} /></p>
    </div>
    ${menu}
    <${CloseButton} onClose=${onClose} />
  </div>
  <${Pill} />
`;
