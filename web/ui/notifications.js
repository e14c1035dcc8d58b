/** The browser's notifications: whether they can be had, and one for each message, however many tabs there are. */

import { isWanted, setWanted } from "./session.js";
import { isWatched } from "./watching.js";

/** Phones know the name, but their browsers refuse to make one outside of a service worker. */
const isPhone = /Android|iPhone|iPad/.test(globalThis.navigator?.userAgent ?? "");

/** Whether one could be made; null as long as that is not known. */
let works = /** @type {boolean | null} */ (null);

/** Whether the browser lets a page make notifications. */
export function canNotify() {
  if (!("Notification" in globalThis) || !globalThis.isSecureContext) return false;
  if (works === null && (isPhone || Notification.permission !== "granted")) make("", { silent: true })?.close?.();
  return works ?? true;
}

/** Makes one, or null where that is not possible. @param {NotificationOptions} options */
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

/** Whether one is notified in this browser. */
export const isNotified = () => canNotify() && isWanted() && Notification.permission === "granted";

/** Asks the browser where that is needed. Whether one is notified from now on. */
export async function askToNotify(isOn) {
  const isAllowed = isOn && canNotify() && (await Notification.requestPermission()) === "granted";
  setWanted(isAllowed);
  return isAllowed;
}

/** Those that are shown, by chat. */
const shown = new Map();

/**
 * Notifies of a message, unless another tab has, or somebody looks at one of them.
 * @param {string} owner whose tabs these are
 * @param {string} name how its sender is called
 */
export async function notify(owner, message, name, onClick) {
  if (!isNotified()) return;
  await alone(`greenroom-notify:${owner}`, async () => {
    const key = `greenroom-notified:${owner}`;
    if ((await isWatched(owner)) || !claim(key, message.id) || !(await holds(`${key}:${message.id}`))) return;
    const notification = make(name, {
      body: message.content.slice(0, 200),
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

/** Takes back what a chat was notified of: it is read. */
export function unnotify(chatId) {
  shown.get(chatId)?.close();
  shown.delete(chatId);
}

/** Numbers that are remembered; those before them are taken for claimed. */
const REMEMBERED = 200;

/** Whether this tab is the first one to claim a number. They need not come in order: each waits for an answer of its own. */
function claim(key, number) {
  try {
    const known = JSON.parse(localStorage.getItem(key) ?? "[]");
    const claimed = Array.isArray(known) ? known : [];
    if (claimed.includes(number) || (claimed.length === REMEMBERED && number < claimed[0])) return false;
    const latest = [...claimed, number].sort((a, b) => a - b).slice(-REMEMBERED);
    localStorage.setItem(key, JSON.stringify(latest));
  } catch {
    // Without storage each tab is on its own.
  }
  return true;
}

/** How long other tabs may take to see what one has stored, in milliseconds. */
const SEEN_WITHIN = 5_000;

/** Whether this tab gets a lock, which it keeps until the storage of all tabs tells the same. */
function holds(name) {
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

async function alone(name, work) {
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
