/** Which messages of a chat notify the user. */

import { useAppContext, useMinute, useRetry, useStore } from "./app-context.js";
import { useEffect, useState } from "./html.js";
import { mayMention } from "./mentions.js";
import { isMuted } from "./muting.js";

/** Returns the user's level in a chat. A chat that is not known notifies. @returns {import("../greenroom.d.ts").NotificationLevel} */
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

/** Returns the number of unread messages in all loaded chats that count in titles and badges. */
function allNotified(client) {
  return client.state.chatList.reduce((total, chat) => total + notifiedCount(client, chat), 0);
}

/** Returns that number, as it changes. Loads the chats further down the list that have unread messages: only they have their levels. */
export function useNotifiedCount() {
  const { client } = useAppContext();
  useMinute();
  const isToLoad = useStore((state) => state.unreadElsewhere.length > 0);
  const isConnected = useStore((_, { status }) => ["connecting", "live", "polling"].includes(status));
  const [problem, setProblem] = useState(/** @type {any} */ (null));
  const load = () => {
    setProblem(null);
    client.loadUnread().catch(setProblem);
  };
  // What failed is loaded again on the next connection.
  useEffect(() => {
    if (isToLoad && isConnected) load();
  }, [client, isToLoad, isConnected]);
  useRetry(problem, load);
  return useStore(() => allNotified(client));
}
