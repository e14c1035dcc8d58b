/** Chats that are to keep quiet. */

import { useDesk, useKnown, useMinute } from "./desk.js";
import { useEffect } from "./html.js";
import { t, timeOfDay, dateAndTime } from "./texts.js";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
/** Later than anybody waits for: muted until one says otherwise. */
const FOREVER = "9999-01-01T00:00:00Z";
/** What ends later than that, in milliseconds from now, is not worth a date. */
const FAR = 365 * DAY;

/** What the server's time is behind at most where it is told in whole seconds. */
const BEHIND = 2_000;

/** For how long chats can be muted, each with its text. */
export const spans = () => [
  { text: t("muteHours", { count: 1 }), span: HOUR },
  { text: t("muteHours", { count: 8 }), span: 8 * HOUR },
  { text: t("muteDays", { count: 7 }), span: 7 * DAY },
  { text: t("muteForever"), span: Infinity },
];

/** When a span ends that begins now, by the server's clock. The device's may be wrong, and what is known of the server's may be old. */
export async function endOfSpan({ api }, span) {
  if (span === Infinity) return FOREVER;
  await api.settings();
  return new Date(api.now() + BEHIND + span).toISOString();
}

const endOf = (chat) => Date.parse(chat?.me?.muted_until ?? "") || 0;

export const isMuted = ({ api }, chat) => endOf(chat) > api.now();

/** Chats that are loaded only to know whether they are muted. Where there are more, they all count as loud. */
const MOST = 100;

const areToBeLoaded = ({ unreadElsewhere: { length } }) => length > 0 && length <= MOST;

/** Unread messages of all chats but the muted ones. */
function unreadAloud(client) {
  const { state } = client;
  const sum = (chats) => chats.reduce((total, { unread_count }) => total + unread_count, 0);
  const loud = sum(state.chatList.filter((chat) => !isMuted(client, chat)));
  return areToBeLoaded(state) ? loud : loud + state.unread - sum(state.chatList);
}

/** The same as it changes. Chats further down the list are loaded for it. */
export function useUnreadAloud() {
  const { client } = useDesk();
  useMinute();
  const isToLoad = useKnown(areToBeLoaded);
  useEffect(() => {
    if (isToLoad) client.loadUnread();
  }, [client, isToLoad]);
  return useKnown(() => unreadAloud(client));
}

/** How long a chat is muted, in words. */
export function mutedText({ api }, chat) {
  const left = endOf(chat) - api.now();
  if (left > FAR) return t("muted");
  return t("mutedUntil", { time: left < DAY ? timeOfDay(endOf(chat)) : dateAndTime(endOf(chat)) });
}
