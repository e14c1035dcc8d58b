/** Muted chats. */

import { useAppContext, useMinute, useStore } from "./app-context.js";
import { useEffect } from "./html.js";
import { t, timeOfDay, dateAndTime } from "./texts.js";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
/** The end of a mute that lasts until the user unmutes. */
const FOREVER = "9999-01-01T00:00:00Z";
/** A mute that ends later than this, in milliseconds from now, is shown without a date. */
const FAR = 365 * DAY;

/** How far behind the known server time can be, in milliseconds: the `Date` header has whole seconds. */
const BEHIND = 2_000;

/** The durations for which chats can be muted, with their texts. */
export const spans = () => [
  { text: t("muteHours", { count: 1 }), span: HOUR },
  { text: t("muteHours", { count: 8 }), span: 8 * HOUR },
  { text: t("muteDays", { count: 7 }), span: 7 * DAY },
  { text: t("muteForever"), span: Infinity },
];

/** Returns when a mute of this length ends, by the server's clock. It asks the server: the device's clock may be wrong. */
export async function endOfSpan({ api }, span) {
  if (span === Infinity) return FOREVER;
  await api.settings();
  return new Date(api.now() + BEHIND + span).toISOString();
}

const endOf = (chat) => Date.parse(chat?.me?.muted_until ?? "") || 0;

export const isMuted = ({ api }, chat) => endOf(chat) > api.now();

/** At most so many chats are loaded to learn whether they are muted. With more, all of them count as not muted. */
const MOST = 100;

const areToBeLoaded = ({ unreadElsewhere: { length } }) => length > 0 && length <= MOST;

/** Returns the number of unread messages outside muted chats. */
function unmutedUnread(client) {
  const { state } = client;
  const sum = (chats) => chats.reduce((total, { unread_count }) => total + unread_count, 0);
  const loud = sum(state.chatList.filter((chat) => !isMuted(client, chat)));
  return areToBeLoaded(state) ? loud : loud + state.unread - sum(state.chatList);
}

/** Returns the number of unread messages outside muted chats, as it changes. Loads chats further down the list for it. */
export function useUnmutedUnread() {
  const { client } = useAppContext();
  useMinute();
  const isToLoad = useStore(areToBeLoaded);
  useEffect(() => {
    if (isToLoad) client.loadUnread();
  }, [client, isToLoad]);
  return useStore(() => unmutedUnread(client));
}

/** Returns until when a chat is muted, as a text. */
export function mutedText({ api }, chat) {
  const left = endOf(chat) - api.now();
  if (left > FAR) return t("muted");
  return t("mutedUntil", { time: left < DAY ? timeOfDay(endOf(chat)) : dateAndTime(endOf(chat)) });
}
