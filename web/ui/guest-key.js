/** The key of the guest that a visitor of this page is, in the browser's storage: one for each server. */

const KEY = "greenroom-guest:";

export function guestKey(server) {
  return use((storage) => storage.getItem(KEY + server));
}

export function rememberGuest(server, key) {
  use((storage) => storage.setItem(KEY + server, key));
}

export function forgetGuest(server) {
  use((storage) => storage.removeItem(KEY + server));
}

/** Where the storage is blocked, a guest lasts as long as the page. @type {Map<string, string>} */
const memory = new Map();
const inMemory = {
  getItem: (name) => memory.get(name) ?? null,
  setItem: (name, value) => memory.set(name, value),
  removeItem: (name) => memory.delete(name),
};

/** @param {(storage: any) => any} work */
function use(work) {
  try {
    return work(localStorage);
  } catch {
    return work(inMemory);
  }
}
