/** Muted chats. */

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

/** Returns until when a chat is muted, as a text. */
export function mutedText({ api }, chat) {
  const left = endOf(chat) - api.now();
  if (left > FAR) return t("muted");
  return t("mutedUntil", { time: left < DAY ? timeOfDay(endOf(chat)) : dateAndTime(endOf(chat)) });
}
