/** The user of this browser: what is stored for them, and how tabs share sign-ins and sign-outs. */

import { language } from "./texts.js";

/** Storage key of the user who signed out last, or null, with a random number that makes each value new. */
const KEY = "greenroom-session";
const NOTIFICATIONS = "greenroom-notifications";

/** Notifies the other tabs that a user has signed in (null) or that `owner` has signed out. */
export function announceSession(owner = null) {
  use("localStorage", (storage) => storage.setItem(KEY, JSON.stringify({ owner, at: Math.random() })));
}

/** Calls the listener with the owner who signed out in another tab, or with null after a sign-in there. */
export function onSession(listener) {
  const onStorage = ({ key, newValue }) => key === KEY && newValue && listener(JSON.parse(newValue).owner);
  globalThis.addEventListener("storage", onStorage);
  return () => globalThis.removeEventListener("storage", onStorage);
}

/**
 * Calls the listener on the sign-in page if the browser has a session: after a sign-in in another tab, when the page
 * is shown again, and now, because a session may have begun while the page was loading.
 */
export function onSignedIn(listener) {
  // The server redirects from the sign-in page if there is a session. Unlike 401 that is no error in the console.
  const check = async () => {
    const reply = await fetch("/login/", { redirect: "manual", cache: "no-store" }).catch(() => null);
    if (reply?.type === "opaqueredirect") listener();
  };
  const onShown = () => document.visibilityState === "visible" && check();
  const stop = onSession((owner) => owner === null && check());
  document.addEventListener("visibilitychange", onShown);
  check();
  return () => {
    stop();
    document.removeEventListener("visibilitychange", onShown);
  };
}

/** Removes a user's data from the browser, for the next user of the device. */
export function clearUserData(client, owner) {
  for (const message of client.outgoing) message.discard();
  const kinds = ["draft", "deletion"].map((kind) => `greenroom-${kind}:${owner}:`);
  const own = [NOTIFICATIONS, reactionsKey(owner)];
  for (const name of ["localStorage", "sessionStorage"]) {
    use(name, (storage) => {
      const keys = Object.keys(storage).filter((key) => own.includes(key) || kinds.some((kind) => key.startsWith(kind)));
      keys.forEach((key) => storage.removeItem(key));
    });
  }
  // The emoji picker stores favourites.
  try {
    indexedDB.deleteDatabase(`emoji-picker-element-${language}`);
  } catch {
    // The storage is blocked, so nothing is stored.
  }
}

/** Identifies the user and the server, in storage keys. */
export const ownerOf = (client) => `${client.api.base}:${client.state.me?.id}`;

/** The storage key of a user's latest reactions. */
export const reactionsKey = (owner) => `greenroom-reactions:${owner}`;

/** Whether the user wants notifications in this browser. */
export const wantsNotifications = () => use("localStorage", (storage) => storage.getItem(NOTIFICATIONS)) === "yes";

export const setWantsNotifications = (isOn) => void use("localStorage", (storage) => storage.setItem(NOTIFICATIONS, isOn ? "yes" : "no"));

/** @param {"localStorage" | "sessionStorage"} name @param {(storage: Storage) => any} work */
function use(name, work) {
  try {
    return work(globalThis[name]);
  } catch {
    // The storage is full or blocked.
    return null;
  }
}
