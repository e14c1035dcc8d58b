/** The heading of a chat: its title, which can be changed in place, and what can be done with the chat. */

import { ChatAvatar, otherOf } from "./avatar.js";
import { useAttempt, useDesk, useKnown } from "./desk.js";
import { html, useEffect, useRef, useState } from "./html.js";
import { Back, Check, Close, Edit, Exit, More, People, Trash } from "./icons.js";
import { mayManage } from "./members.js";
import { Menu, MenuItem } from "./menu.js";
import { ago, t } from "./texts.js";

/** @param {{chatId: number, onBack: () => void, onMembers: () => void, onGone: () => void}} props */
export function Heading({ chatId, onBack, onMembers, onGone }) {
  const chat = useKnown((state) => state.chats.get(chatId));
  const [isRenaming, setRenaming] = useState(false);
  const actions = useChatActions(chat, onGone);
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
                  ? html`<button type="button" id="current-chat-name" dir="auto" title=${t("rename")} onClick=${() => setRenaming(true)}>${chat.title}</button>`
                  : html`<span id="current-chat-name" dir="auto" tabindex="-1">${chat.title}</span>`}
              </h2>
              <p class="gr-heading-note"><${Note} chat=${chat} /></p>
            </div>
          `}
      ${isGroup &&
      html`
        <button type="button" id="members-btn" class="gr-icon-button" aria-label=${t("members", { count: chat.member_count })}
          title=${t("membersTitle")} onClick=${onMembers}><${People} /></button>
        <button type="button" id="leave-chat-btn" class="gr-icon-button" aria-label=${t("leave")} title=${t("leave")}
          onClick=${actions.leave}><${Exit} /></button>
      `}
      <${Menu} label=${t("chatMenu")}
        button=${(props) => html`<button ...${props} id="chat-menu-btn" class="gr-icon-button" aria-label=${t("chatMenu")} title=${t("chatMenu")}><${More} /></button>`}
      >${() => html`
        ${actions.canRename && html`<${MenuItem} icon=${Edit} onSelect=${() => setRenaming(true)}>${t("rename")}<//>`}
        ${isGroup && html`<${MenuItem} icon=${People} onSelect=${onMembers}>${t("membersTitle")}<//>`}
        ${actions.canDelete && html`<${MenuItem} icon=${Trash} id="delete-chat-btn" isDangerous onSelect=${actions.remove}>${t("deleteChat")}<//>`}
        ${!actions.canRename && !isGroup && !actions.canDelete && html`<p class="gr-menu-note">${t("nothingToDo")}</p>`}
      `}<//>
    </div>
  `;
}

const BackButton = ({ onBack }) => html`
  <button type="button" class="gr-icon-button gr-back" aria-label=${t("backToChats")} onClick=${onBack}><${Back} /></button>
`;

/** What somebody may do with a chat as a whole, and how. */
function useChatActions(chat, onGone) {
  const { client, confirm, settings, toast, openChat } = useDesk();
  const attempt = useAttempt();
  if (!chat) return {};
  const isAdmin = mayManage(chat, client.state.me);
  const setting = { dm: "renaming_dms", room: "renaming_rooms" }[chat.chat_type];
  const end = async (question, work, done) => {
    if (!(await confirm({ ...question, text: t(`${done}Text`, { title: chat.title }) }))) return;
    await attempt(async () => {
      await work(chat.id);
      toast(t(`${done}Done`, { title: chat.title }));
      onGone();
    });
  };
  return {
    canRename: (isAdmin || chat.chat_type === "dm") && (!setting || settings.can(setting)),
    canDelete: isAdmin,
    leave: () => end({ title: t("leaveTitle"), yes: t("leave") }, (id) => client.api.leaveChat(id), "leave"),
    remove: () => end({ title: t("deleteTitle"), yes: t("deleteChat") }, (id) => client.api.deleteChat(id), "deleteChat"),
    openChat,
  };
}

export function Note({ chat }) {
  const me = useKnown((state) => state.me);
  const other = chat.chat_type === "dm" ? otherOf(chat, me) : null;
  const presence = useKnown((state) => state.presence.get(other?.id));
  if (!other) return t("members", { count: chat.member_count });
  if (other.id === me?.id) return t("notes");
  if (presence?.is_online) return t("online");
  return presence?.last_seen ? t("lastSeen", { time: ago(presence.last_seen) }) : `@${other.username}`;
}

function TitleForm({ chat, onEnd }) {
  const { client } = useDesk();
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
    if (title !== chat.title && (await attempt(() => client.api.renameChat(chat.id, title))) === undefined) return;
    end();
  };
  return html`
    <form class="gr-title-form" onSubmit=${save} onKeyDown=${(event) => event.key === "Escape" && end()}>
      <input ref=${field} class="chat-title-input" aria-label=${t("chatTitle")} defaultValue=${chat.title} maxlength="255" autocomplete="off" />
      <button type="submit" class="gr-icon-button chat-title-save-btn" aria-label=${t("save")}><${Check} /></button>
      <button type="button" class="gr-icon-button" aria-label=${t("cancel")} onClick=${end}><${Close} /></button>
    </form>
  `;
}
