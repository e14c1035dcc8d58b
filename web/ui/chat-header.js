/** The header of a chat: its title, which can be edited in place, and its actions. */

import { useAppContext, useAttempt, useStore } from "./app-context.js";
import { ChatAvatar, otherOf } from "./avatar.js";
import { ChatSubtitle } from "./chat-subtitle.js";
import { ChatMenu, useChatActions } from "./chat-menu.js";
import { html, useEffect, useRef, useState } from "./html.js";
import { Back, Check, Close, Leave, People } from "./icons.js";
import { fullNameOf, titleOf } from "./people.js";
import { t } from "./texts.js";

/** @param {{chatId: number, onBack: () => void, onMembers: () => void, onSearch: () => void, onDate: () => void, onGone: () => void}} props */
export function ChatHeader({ chatId, onBack, onMembers, onSearch, onDate, onGone }) {
  const { client } = useAppContext();
  const chat = useStore((state) => state.chats.get(chatId));
  const [isRenaming, setRenaming] = useState(false);
  const actions = useChatActions(chat, { onBack, onGone });
  if (!chat) return html`<div class="gr-heading"><${BackButton} onBack=${onBack} /></div>`;
  const isGroup = chat.chat_type !== "dm";
  return html`
    <div class="gr-heading">
      <${BackButton} onBack=${onBack} />
      <${ChatAvatar} chat=${chat} />
      ${isRenaming
        ? html`<${TitleForm} chat=${chat} onEnd=${() => setRenaming(false)} />`
        : html`
            <div class="gr-heading-text">
              <h2 class="gr-heading-title">
                ${actions.canRename
                  ? html`<button type="button" id="current-chat-name" dir="auto" title=${t("rename")} onClick=${() => setRenaming(true)}>${titleOf(chat, client.state.me)}</button>`
                  : html`<span id="current-chat-name" dir="auto" tabindex="-1">${titleOf(chat, client.state.me)}</span>`}
              </h2>
              <p class="gr-heading-note"><${ChatSubtitle} chat=${chat} /></p>
            </div>
          `}
      ${isGroup &&
      html`
        <button type="button" id="members-btn" class="gr-icon-button" aria-label=${t("members", { count: chat.member_count })}
          title=${t("membersTitle")} onClick=${onMembers}><${People} /></button>
        <button type="button" id="leave-chat-btn" class="gr-icon-button" aria-label=${t("leave")} title=${t("leave")}
          onClick=${actions.leave}><${Leave} /></button>
      `}
      <${ChatMenu} chat=${chat} actions=${actions} onRename=${() => setRenaming(true)} onMembers=${onMembers} onSearch=${onSearch} onDate=${onDate} />
    </div>
    ${actions.isBlocked && html`<${BlockedNote} chat=${chat} actions=${actions} />`}
  `;
}

/** A note that the user has blocked the other user of this dm. */
function BlockedNote({ chat, actions }) {
  const unblock = async () => {
    await actions.unblock();
    // The focused button has been removed.
    document.getElementById("chat-menu-btn")?.focus();
  };
  const { client } = useAppContext();
  return html`
    <div class="gr-blocked-note">
      <span>${t("blockedNote", { name: fullNameOf(otherOf(chat, client.state.me)) })}</span>
      <button type="button" class="gr-button gr-button-quiet unblock-btn" onClick=${unblock}>${t("unblock")}</button>
    </div>
  `;
}

const BackButton = ({ onBack }) => html`
  <button type="button" class="gr-icon-button gr-back" aria-label=${t("backToChats")} onClick=${onBack}><${Back} /></button>
`;

function TitleForm({ chat, onEnd }) {
  const { client } = useAppContext();
  const attempt = useAttempt();
  const field = useRef(/** @type {any} */ (null));
  useEffect(() => field.current.select(), []);
  const end = () => {
    onEnd();
    setTimeout(() => document.getElementById("current-chat-name")?.focus());
  };
  const save = async (event) => {
    event.preventDefault();
    const title = field.current.value.trim();
    if (title !== titleOf(chat, client.state.me) && (await attempt(() => client.api.renameChat(chat.id, title))) === undefined) return;
    end();
  };
  return html`
    <form class="gr-title-form" onSubmit=${save} onKeyDown=${(event) => event.key === "Escape" && end()}>
      <input ref=${field} class="chat-title-input" aria-label=${t("chatTitle")} defaultValue=${titleOf(chat, client.state.me)} maxlength="255" autocomplete="off" autocapitalize="sentences"
        enterkeyhint="done" />
      <button type="submit" class="gr-icon-button chat-title-save-btn" aria-label=${t("save")}><${Check} /></button>
      <button type="button" class="gr-icon-button" aria-label=${t("cancel")} onClick=${end}><${Close} /></button>
    </form>
  `;
}
