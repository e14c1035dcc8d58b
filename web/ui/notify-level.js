/** Which messages of a chat notify the user. */

import { useAppContext, useMinute, useStore } from "./app-context.js";
import { html, useEffect, useLayoutEffect, useRef } from "./html.js";
import { Bell } from "./icons.js";
import { mayMention } from "./mentions.js";
import { MenuItem } from "./menu.js";
import { isMuted } from "./muting.js";
import { t } from "./texts.js";

/** @typedef {import("../greenroom.d.ts").NotificationLevel} NotificationLevel */

/** The levels with their texts, the loudest first. @returns {{level: NotificationLevel, text: string}[]} */
export const levels = () => [
  { level: "all", text: t("notifyAll") },
  { level: "mentions", text: t("notifyMentions") },
  { level: "none", text: t("notifyNone") },
];

/** Returns the user's level in a chat. A chat that is not known notifies. @returns {NotificationLevel} */
export const levelOf = (chat) => chat?.me?.notify ?? "all";

/** Returns how many unread messages of a chat count in titles and badges. A muted chat has none. */
export function notifiedCount(client, chat) {
  if (isMuted(client, chat)) return 0;
  return { all: chat.unread_count, mentions: chat.unread_mentions ?? 0, none: 0 }[levelOf(chat)];
}

/** Whether a new message notifies the user, as far as this page knows: the server decides whom a mention of a group counts for. */
export function notifies(client, chat, message) {
  if (isMuted(client, chat)) return false;
  return { all: true, mentions: mayMention(message, client.state.me), none: false }[levelOf(chat)];
}

/** At most so many chats are loaded to learn their levels. With more, all messages in them count. */
const MOST = 100;

const areToBeLoaded = ({ unreadElsewhere: { length } }) => length > 0 && length <= MOST;

/** Returns the number of unread messages in all chats that count in titles and badges. */
function allNotified(client) {
  const { state } = client;
  const sum = (counts) => counts.reduce((total, count) => total + count, 0);
  const known = sum(state.chatList.map((chat) => notifiedCount(client, chat)));
  return areToBeLoaded(state) ? known : known + state.unread - sum(state.chatList.map(({ unread_count }) => unread_count));
}

/** Returns that number, as it changes. Loads chats further down the list for it. */
export function useNotifiedCount() {
  const { client } = useAppContext();
  useMinute();
  const isToLoad = useStore(areToBeLoaded);
  useEffect(() => {
    if (isToLoad) client.loadUnread();
  }, [client, isToLoad]);
  return useStore(() => allNotified(client));
}

/** The choice of a level. It replaces a menu's items. */
export function Levels({ chat, onChoice }) {
  const list = useRef(/** @type {any} */ (null));
  const current = levelOf(chat);
  useLayoutEffect(() => list.current.querySelector("[aria-checked=true]").focus(), []);
  return html`
    <div ref=${list} role="group" aria-label=${t("notify")}>
      ${levels().map(
        ({ level, text }) => html`
          <${MenuItem} key=${level} icon=${Bell} class="notify-level-btn" role="menuitemradio"
            aria-checked=${String(level === current)} data-level=${level} onSelect=${() => onChoice(level, text)}>${text}<//>
        `,
      )}
    </div>
  `;
}
