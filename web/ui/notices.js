/** Signs of new messages outside the open chat: the page's title and icon, and browser notifications. */

import { useAppContext, useStore } from "./app-context.js";
import { otherOf } from "./avatar.js";
import { useEffect } from "./html.js";
import { groupsOf, mayMention, mentionsByName } from "./mentions.js";
import { isNotified, notify, closeNotification } from "./notifications.js";
import { levelOf, notifies, useNotifiedCount } from "./notify-level.js";
import { fullNameOf, fullTitleOf } from "./people.js";
import { ownerOf } from "./session.js";
import { announceFocus, isTabFocused } from "./tab-focus.js";
import { t } from "./texts.js";

/**
 * Chats give signs by the user's level in them. Muted chats give none.
 * @param {{chatId: number | null, root: number | null, onSelect: (chatId: number, message?: any) => void}} props the open chat and
 * thread, and a function that opens another one
 */
export function Notices({ chatId, root, onSelect }) {
  const { client, announce } = useAppContext();
  const unread = useNotifiedCount();
  const title = useStore((state) => namedTitle(state.chats.get(chatId), state.me));

  useEffect(() => {
    document.title = [unread > 0 && `(${unread})`, title ?? t("messagesTitle"), "· Greenroom"].filter(Boolean).join(" ");
    showOnIcon(unread);
  }, [unread, title]);

  useEffect(
    () =>
      client.on("message", async ({ chatId: of, message, change }) => {
        if (change !== "new" || message.sender.id === client.state.me?.id) return;
        // Only a loaded chat shows its level.
        const chat = client.state.chats.get(of) ?? (await client.api.chat(of).catch(() => null));
        if (!notifies(client, chat, message)) return;
        const isInThread = message.thread && !message.also_in_chat;
        const isForMentions = levelOf(chat) === "mentions" || (isInThread && !(await followed(client, message.thread)));
        if (isForMentions && !(await isMentioned(client, message))) return;
        const isSeen = isTabFocused();
        const { title = "" } = chat ?? {};
        // In a dm, the username tells users of the same name apart.
        const name = chat?.chat_type === "dm" ? fullNameOf(message.sender) : message.sender.display_name;
        if (isSeen && (of !== chatId || (isInThread && message.thread !== root))) announce(t("newIn", { name, title }));
        if (!isSeen && isNotified() && (await isUnread(client, message))) notify(ownerOf(client), message, headingOf(message, client.state.me, name), () => onSelect(of, isInThread ? message : null));
      }),
    [client, chatId, root],
  );
  useEffect(() => client.on("chat", ({ chatId, chat }) => !chat?.unread_count && closeNotification(chatId)), [client]);
  useEffect(() => announceFocus(ownerOf(client)), [client]);
  return null;
}

/** Returns what a notification says above the text of a message. */
function headingOf(message, me, name) {
  const [group] = groupsOf(message);
  if (mentionsByName(message, me)) return t("mentionedYou", { name });
  if (group === undefined) return name;
  return group === "everyone" ? t("mentionedEveryone", { name }) : t("mentionedHere", { name });
}

/**
 * Whether the server has a message as an unread mention of the user. A group leaves out people who were away. People with
 * a block between them do not mention each other.
 */
async function isMentioned(client, message) {
  if (!mayMention(message, client.state.me)) return false;
  const { results } = await client.api.mentions({ unread: 1, page_size: 100 }).catch(() => ({ results: [message] }));
  return results.some(({ id }) => id === message.id);
}

/** Returns the title of a chat; with the other member's name if a dm has a title of its own. */
function namedTitle(chat, me) {
  const isGiven = chat?.chat_type === "dm" && chat.title !== otherOf(chat, me)?.display_name;
  return isGiven ? fullTitleOf(chat, me) : chat?.title;
}

/** Whether the user follows a thread. */
async function followed(client, root) {
  const known = client.state.thread(root) ?? (await client.api.thread(root).catch(() => null));
  return known?.is_followed ?? false;
}

/** Whether the server has a message as unread. A page that wakes up gets the message first, and its read event later. */
async function isUnread(client, message) {
  const { id, chat: chatId, thread: root, also_in_chat } = message;
  if (root && !also_in_chat) {
    const thread = await client.api.thread(root).catch(() => client.state.thread(root));
    return thread?.unread > 0 && id > (thread.last_read_message_id ?? 0) && !client.state.message(id)?.is_deleted;
  }
  const known = () => client.state.chats.get(chatId);
  const chat = await client.api.chat(chatId).catch((error) => (error.isFinal ? null : known()));
  if (!chat || client.state.message(id)?.is_deleted) return false;
  const isRead = id <= (chat.last_read_message_id ?? 0) && id < (chat.me?.unread_from ?? Infinity);
  return !isRead && notifies(client, chat, message);
}

let plain;

/** Shows the number of unread messages on the page's icon. */
function showOnIcon(unread) {
  const link = /** @type {HTMLLinkElement | null} */ (document.querySelector("link[rel=icon]"));
  if (!link) return;
  plain ??= link.href;
  link.href = unread === 0 ? plain : `data:image/svg+xml,${encodeURIComponent(icon(unread > 99 ? "99" : String(unread)))}`;
}

const icon = (number) => `
  <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="9" fill="#1f7a4f"/>
  <path d="M7 8h14a2 2 0 0 1 2 2v8a2 2 0 0 1-2 2h-6l-4 3v-3H7a2 2 0 0 1-2-2v-8a2 2 0 0 1 2-2z" fill="#fff"/>
  <circle cx="22" cy="21" r="10" fill="#c62828"/><text x="22" y="26" font-family="sans-serif" font-size="14"
  font-weight="700" text-anchor="middle" fill="#fff">${number}</text></svg>`;
