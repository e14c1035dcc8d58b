/** Browser notifications: one for each message, however many tabs are open. */

import { wantsNotifications, setWantsNotifications } from "./session.js";
import { isAnyTabFocused } from "./tab-focus.js";
import { textOf } from "./text.js";

/** Browsers on phones have `Notification`, but only service workers may create one. */
const isPhone = /Android|iPhone|iPad/.test(globalThis.navigator?.userAgent ?? "");

/** Whether notifications can be created; null while it is not known. */
let works = /** @type {boolean | null} */ (null);

/** Whether the browser lets a page create notifications. */
export function canNotify() {
  if (!("Notification" in globalThis) || !globalThis.isSecureContext) return false;
  if (works === null && (isPhone || Notification.permission !== "granted")) make("", { silent: true })?.close?.();
  return works ?? true;
}

/** Creates a notification; null where that is not possible. @param {NotificationOptions} options */
function make(title, options) {
  try {
    const notification = new Notification(title, options);
    works = true;
    return notification;
  } catch {
    works = false;
    return null;
  }
}

/** Whether the user gets notifications in this browser. */
export const isNotified = () => canNotify() && wantsNotifications() && Notification.permission === "granted";

/** Turns notifications on or off, and asks the browser's permission. Returns whether they are on. */
export async function askToNotify(isOn) {
  const isAllowed = isOn && canNotify() && (await Notification.requestPermission()) === "granted";
  setWantsNotifications(isAllowed);
  return isAllowed;
}

/** Open notifications, by chat. */
const shown = new Map();

/**
 * Notifies of a message, unless another tab has, or one of the tabs is focused.
 * @param {string} owner the signed-in user of these tabs
 * @param {string} name the sender's name
 */
export async function notify(owner, message, name, onClick) {
  if (!isNotified()) return;
  await withLock(`greenroom-notify:${owner}`, async () => {
    const key = `greenroom-notified:${owner}`;
    if ((await isAnyTabFocused(owner)) || !claim(key, message.id) || !(await acquire(`${key}:${message.id}`))) return;
    const notification = make(name, {
      body: textOf(message).slice(0, 200),
      tag: `greenroom ${message.chat}`,
    });
    if (!notification) return;
    shown.set(message.chat, notification);
    notification.onclick = () => {
      globalThis.focus();
      notification.close();
      onClick();
    };
  });
}

/** Closes a chat's notification: the chat was read. */
export function closeNotification(chatId) {
  shown.get(chatId)?.close();
  shown.delete(chatId);
}

/** How many claimed numbers are stored; lower ones count as claimed. */
const REMEMBERED = 200;

/** Claims a number for this tab. Returns false if it was claimed. Claims may be out of order. */
function claim(key, number) {
  try {
    const known = JSON.parse(localStorage.getItem(key) ?? "[]");
    const claimed = Array.isArray(known) ? known : [];
    if (claimed.includes(number) || (claimed.length === REMEMBERED && number < claimed[0])) return false;
    const latest = [...claimed, number].sort((a, b) => a - b).slice(-REMEMBERED);
    localStorage.setItem(key, JSON.stringify(latest));
  } catch {
    // Without storage each tab notifies by itself.
  }
  return true;
}

/** How long other tabs may take to see a change of the storage, in milliseconds. */
const SEEN_WITHIN = 5_000;

/** Takes a lock, and keeps it until all tabs see the changed storage. Returns whether this tab got it. */
function acquire(name) {
  const { locks } = globalThis.navigator ?? {};
  if (!locks) return true;
  return new Promise((resolve) => {
    const keep = (lock) => {
      resolve(lock !== null);
      return lock && new Promise((end) => setTimeout(end, SEEN_WITHIN));
    };
    locks.request(name, { ifAvailable: true }, keep).catch(() => resolve(true));
  });
}

/** Runs work under a lock (Web Locks API), or without it where there are no locks. */
async function withLock(name, work) {
  let isBegun = false;
  const begin = () => {
    isBegun = true;
    return work();
  };
  try {
    return await (navigator.locks?.request(name, begin) ?? begin());
  } catch (error) {
    if (isBegun) throw error;
    return begin();
  }
}
