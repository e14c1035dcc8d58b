/** Who uses this browser: what they leave in it, and what its tabs tell each other of signing in and out. */

import { language } from "./texts.js";

/** Holds who has signed out last, or null, with a number that makes it another text each time. */
const KEY = "greenroom-session";
const NOTIFICATIONS = "greenroom-notifications";

/** Tells the other tabs that somebody has signed in (null), or that an owner has signed out. */
export function announceSession(owner = null) {
  use("localStorage", (storage) => storage.setItem(KEY, JSON.stringify({ owner, at: Math.random() })));
}

/** Calls back with who has signed out in another tab, or null where somebody has signed in there. */
export function onSession(listener) {
  const onStorage = ({ key, newValue }) => key === KEY && newValue && listener(JSON.parse(newValue).owner);
  globalThis.addEventListener("storage", onStorage);
  return () => globalThis.removeEventListener("storage", onStorage);
}

/** Leaves nothing of somebody in the browser for whoever uses it next. */
export function forget(client, owner) {
  for (const message of client.outgoing) message.discard();
  const kinds = ["draft", "deletion"].map((kind) => `greenroom-${kind}:${owner}:`);
  const own = [NOTIFICATIONS, reactionsKey(owner)];
  for (const name of ["localStorage", "sessionStorage"]) {
    use(name, (storage) => {
      const keys = Object.keys(storage).filter((key) => own.includes(key) || kinds.some((kind) => key.startsWith(kind)));
      keys.forEach((key) => storage.removeItem(key));
    });
  }
  // The picker keeps which emoji one likes.
  try {
    indexedDB.deleteDatabase(`emoji-picker-element-${language}`);
  } catch {
    // Closed to us, so nothing is kept.
  }
}

/** What tells one user of one server from others, in keys of the storage. */
export const ownerOf = (client) => `${client.api.base}:${client.state.me?.id}`;

/** Where the reactions that a user has used last are kept. */
export const reactionsKey = (owner) => `greenroom-reactions:${owner}`;

/** Whether one wants to be notified in this browser. */
export const isWanted = () => use("localStorage", (storage) => storage.getItem(NOTIFICATIONS)) === "yes";

export const setWanted = (isOn) => void use("localStorage", (storage) => storage.setItem(NOTIFICATIONS, isOn ? "yes" : "no"));

/** @param {"localStorage" | "sessionStorage"} name @param {(storage: Storage) => any} work */
function use(name, work) {
  try {
    return work(globalThis[name]);
  } catch {
    // Full, or closed to us.
    return null;
  }
}
