/** The actions on a chat, and their menu. */

import { useAppContext, useAttempt } from "./app-context.js";
import { otherOf } from "./avatar.js";
import { useBlock } from "./blocks.js";
import { mayManage } from "./chat-rights.js";
import { html, useLayoutEffect, useRef, useState } from "./html.js";
import { Bell, Block, Calendar, Clock, Copy, Edit, More, Mute, People, Pin, Search, Trash, Unread } from "./icons.js";
import { Levels } from "./levels.js";
import { Menu, MenuItem } from "./menu.js";
import { endOfSpan, isMuted, spans } from "./muting.js";
import { fullTitleOf } from "./people.js";
import { t } from "./texts.js";

/** Chats that the user is leaving or deleting in this tab. */
const ending = new Set();

/** Whether this tab itself is removing the chat. */
export const isEnding = (chatId) => ending.has(chatId);

/** The actions that the user may take on a chat. */
export function useChatActions(chat, { onBack, onGone }) {
  const { client, announce, confirm, settings, toast } = useAppContext();
  const attempt = useAttempt();
  const block = useBlock(personOf(chat, client.state.me));
  if (!chat) return {};
  const isAdmin = mayManage(chat, client.state.me);
  const setting = { dm: "renaming_dms", room: "renaming_rooms" }[chat.chat_type];
  const end = async (question, work, done) => {
    const { note = "", ...asked } = question;
    const text = [t(`${done}Text`, { title: fullTitleOf(chat, client.state.me) }), note].filter(Boolean).join(" ");
    if (!(await confirm({ ...asked, chatId: chat.id, text }))) return;
    const { id } = chat;
    const settle = () => {
      stop();
      ending.delete(id);
    };
    // After all other listeners of this event.
    const stop = client.on("chat", (event) => event.chatId === id && !event.chat && setTimeout(settle));
    ending.add(id);
    await attempt(async () => {
      await work(id).catch((error) => {
        settle();
        throw error;
      });
      toast(t(`${done}Done`, { title: fullTitleOf(chat, client.state.me) }));
      onGone();
    });
  };
  /** Changes the user's own settings of the chat and announces that. `fields` may be a function that computes them. */
  const set = (fields, done, then = () => {}) =>
    attempt(async () => {
      await client.api.setMe(chat.id, typeof fields === "function" ? await fields() : fields);
      announce(done);
      then();
    });
  const last = lastOfOthers(client.state, chat);
  return {
    ...block,
    canBlock: personOf(chat, client.state.me) !== null,
    canRename: (isAdmin || chat.chat_type === "dm") && (!setting || settings.can(setting)),
    canDelete: isAdmin,
    canUnread: last !== null && chat.unread_count === 0,
    leave: () => end({ title: t("leaveTitle"), yes: t("leave"), note: leaveNote(chat, client.state.me) }, (id) => client.api.leaveChat(id), "leave"),
    remove: () => end({ title: t("deleteTitle"), yes: t("deleteChat") }, (id) => client.api.deleteChat(id), "deleteChat"),
    pin: () => set({ is_pinned: true }, t("pinned")),
    unpin: () => set({ is_pinned: false }, t("unpinned")),
    mute: (span) => set(async () => ({ muted_until: await endOfSpan(client, span) }), t("muted")),
    unmute: () => set({ muted_until: null }, t("unmuted")),
    notify: (level, text) => set({ notify: level }, t("notifyDone", { level: text })),
    // An open chat would be marked as read at once.
    unread: () => set({ unread_from: last }, t("madeUnread"), onBack),
  };
}

/** Returns what happens to the chat after the user leaves: it gets another admin, or it is deleted. */
function leaveNote(chat, me) {
  if (chat.member_count === 1) return chat.chat_type === "room" ? "" : t("leaveLast");
  const isOnlyAdmin = chat.admins?.length === 1 && chat.admins[0] === me?.id;
  return isOnlyAdmin ? t("leaveHandsOver") : "";
}

/** Returns the other member of a dm; null for other chats and for notes. */
function personOf(chat, me) {
  const other = chat?.chat_type === "dm" ? otherOf(chat, me) : null;
  return other && other.id !== me?.id ? other : null;
}

/** Returns the newest loaded message of another user. */
function lastOfOthers(state, chat) {
  const isTheirs = (message) => message.id !== null && !message.is_deleted && message.sender.id !== state.me?.id;
  const known = [...state.messages(chat.id), chat.last_message].filter((message) => message?.chat === chat.id);
  return known.findLast(isTheirs)?.id ?? null;
}

export const ChatMenu = (props) => html`
  <${Menu} label=${t("chatMenu")}
    button=${(button) => html`<button ...${button} id="chat-menu-btn" class="gr-icon-button" aria-label=${t("chatMenu")} title=${t("chatMenu")}><${More} /></button>`}
  >${() => html`<${Items} ...${props} />`}<//>
`;

function Items({ chat, actions, onRename, onMembers, onSearch, onDate }) {
  const { client, settings, showFiles } = useAppContext();
  const [choice, setChoice] = useState(/** @type {"mute" | "notify" | null} */ (null));
  if (choice === "mute") return html`<${Spans} onChoice=${actions.mute} />`;
  if (choice === "notify") return html`<${Levels} chat=${chat} onChoice=${actions.notify} />`;
  return html`
    <${MenuItem} icon=${Search} id="search-chat-btn" onSelect=${onSearch}>${t("searchHere")}<//>
    <${MenuItem} icon=${Calendar} id="go-to-date-item" onSelect=${onDate}>${t("goToDate")}<//>
    ${settings.takesFiles && html`<${MenuItem} icon=${Copy} id="chat-files-btn" onSelect=${() => showFiles(chat.id)}>${t("files")}<//>`}
    ${chat.me?.is_pinned
      ? html`<${MenuItem} key="pin" icon=${Pin} id="pin-chat-btn" onSelect=${actions.unpin}>${t("unpin")}<//>`
      : html`<${MenuItem} key="pin" icon=${Pin} id="pin-chat-btn" onSelect=${actions.pin}>${t("pin")}<//>`}
    ${isMuted(client, chat)
      ? html`<${MenuItem} key="mute" icon=${Bell} id="mute-chat-btn" onSelect=${actions.unmute}>${t("unmute")}<//>`
      : html`<${MenuItem} key="mute" icon=${Mute} id="mute-chat-btn" stays aria-haspopup="menu" onSelect=${() => setChoice("mute")}>${t("mute")}<//>`}
    <${MenuItem} icon=${Bell} id="notify-chat-btn" stays aria-haspopup="menu" onSelect=${() => setChoice("notify")}>${t("notify")}<//>
    ${actions.canUnread && html`<${MenuItem} icon=${Unread} id="unread-chat-btn" onSelect=${actions.unread}>${t("makeUnread")}<//>`}
    ${actions.canRename && html`<${MenuItem} icon=${Edit} onSelect=${onRename}>${t("rename")}<//>`}
    ${chat.chat_type !== "dm" && html`<${MenuItem} icon=${People} onSelect=${onMembers}>${t("membersTitle")}<//>`}
    ${actions.canBlock && (actions.isBlocked
      ? html`<${MenuItem} key="block" icon=${Block} id="block-user-btn" onSelect=${actions.unblock}>${t("unblock")}<//>`
      : html`<${MenuItem} key="block" icon=${Block} id="block-user-btn" isDangerous onSelect=${actions.block}>${t("block")}<//>`)}
    ${actions.canDelete && html`<${MenuItem} icon=${Trash} id="delete-chat-btn" isDangerous onSelect=${actions.remove}>${t("deleteChat")}<//>`}
  `;
}

/** The choices of how long to mute. They replace the menu's items. */
function Spans({ onChoice }) {
  const list = useRef(/** @type {any} */ (null));
  useLayoutEffect(() => list.current.querySelector("[role=menuitem]").focus(), []);
  return html`
    <div ref=${list} role="group" aria-label=${t("mute")}>
      ${spans().map(({ text, span }) => html`<${MenuItem} key=${text} icon=${Clock} class="mute-for-btn" onSelect=${() => onChoice(span)}>${text}<//>`)}
    </div>
  `;
}
