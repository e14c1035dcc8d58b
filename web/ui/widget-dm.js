/** `<greenroom-dm user="5">`: a button that opens the direct messages with somebody. */

import { ChatAvatar } from "./avatar.js";
import { Conversation } from "./conversation.js";
import { useDesk, useKnown } from "./desk.js";
import { Note } from "./heading.js";
import { html, useRef, useState } from "./html.js";
import { Bubble, Close } from "./icons.js";
import { isMuted } from "./muting.js";
import { dmWith } from "./people.js";
import { Pill } from "./pill.js";
import { t } from "./texts.js";
import { Panel, Signed, UnreadBadge, useTold } from "./widget.js";

export const DmWidget = ({ connection, ...props }) => html`
  <${Signed} connection=${connection}><${Dm} ...${props} /><//>
`;

function Dm({ tell, isFirst, of }) {
  const { client, inWords } = useDesk();
  const userId = Number(of("user"));
  const chat = useKnown((state) => dmWith(state, userId));
  const [isOpen, setOpen] = useState(false);
  const [problem, setProblem] = useState(/** @type {string | null} */ (null));
  const button = useRef(/** @type {any} */ (null));
  useTold(client, tell, chat?.id ?? 0);

  const open = async () => {
    setProblem(null);
    setOpen(true);
    try {
      if (!chat) await client.open((await client.api.createChat({ chat_type: "dm", member_ids: [userId] })).id);
    } catch (error) {
      setProblem(inWords(error));
    }
  };
  const close = () => {
    setOpen(false);
    button.current.focus();
  };
  const label = of("label") ?? (chat ? t("writeTo", { name: chat.title }) : t("sendMessage"));
  return html`
    <button ref=${button} type="button" id=${isFirst ? "chat-toggle-btn" : undefined} class="gr-button gr-button-primary gr-toggle"
      aria-expanded=${String(isOpen)} onClick=${isOpen ? close : open}>
      <${Bubble} />${label}<${UnreadBadge} count=${chat?.unread_count ?? 0} isQuiet=${isMuted(chat)} />
    </button>
    ${isOpen &&
    html`
      <${Panel} id=${isFirst ? "fixed-chat-widget" : undefined} label=${label} onClose=${close}>
        ${chat && !problem
          ? html`<${Conversation} chatId=${chat.id} hasFocus
              hooks=${{ list: { id: isFirst ? "widget-message-list" : undefined }, field: { id: isFirst ? "widget-message-input" : undefined } }}
              header=${html`<${PanelHeading} chat=${chat} onClose=${close} />`} />`
          : html`
              <div class="gr-heading"><span class="gr-heading-text">${label}</span><${CloseButton} onClose=${close} /></div>
              <div class="gr-empty">${problem && html`<p role="alert">${problem}</p>`}</div>
            `}
      <//>
    `}
  `;
}

export const CloseButton = ({ onClose }) => html`
  <button type="button" class="gr-icon-button gr-close-btn" aria-label=${t("close")} onClick=${onClose}><${Close} /></button>
`;

const PanelHeading = ({ chat, onClose }) => html`
  <div class="gr-heading">
    <${ChatAvatar} chat=${chat} small />
    <div class="gr-heading-text">
      <h2 class="gr-heading-title gr-panel-title" dir="auto">${chat.title}</h2>
      <p class="gr-heading-note"><${Note} chat=${chat} /></p>
    </div>
    <${CloseButton} onClose=${onClose} />
  </div>
  <${Pill} />
`;
