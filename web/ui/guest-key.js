/** The key of the guest that a visitor of this page is, in the browser's storage: one for each server. */

const KEY = "greenroom-guest:";

/** Where the storage is blocked or full, a guest lasts as long as the page. @type {Map<string, string>} */
const memory = new Map();

export function guestKey(server) {
  return memory.get(server) ?? use((storage) => storage.getItem(KEY + server));
}

export function rememberGuest(server, key) {
  memory.set(server, key);
  use((storage) => storage.setItem(KEY + server, key));
}

export function forgetGuest(server) {
  memory.delete(server);
  use((storage) => storage.removeItem(KEY + server));
}

/** @param {(storage: Storage) => any} work */
function use(work) {
  try {
    return work(localStorage);
  } catch {
    return null;
  }
}
