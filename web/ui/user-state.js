/** State of the signed-in user that all widgets of a page share: drafts, blocked users, and pending deletions. */

import { Blocks } from "./blocks.js";
import { ComposerStates } from "./composer-state.js";
import { Deletions } from "./deletions.js";
import { Drafts } from "./drafts.js";
import { clearUserData, ownerOf } from "./session.js";

/** @type {WeakMap<object, any>} */
const states = new WeakMap();

/** Returns the state of the client's user. `failures`: functions that show an error; the latest one is called. */
export function userStateOf(client, settings) {
  const owner = ownerOf(client);
  const before = states.get(client);
  if (before?.owner === owner) return before;
  before?.composers.close();
  states.set(client, createState(client, owner, settings));
  return states.get(client);
}

/** Ends the state of the client's user, whose session has ended: drafts are saved no more. */
export const closeUserState = (client) => states.get(client)?.composers.close();

/** Removes the data of the client's user, who has signed out, from the browser. */
export function clearUser(client, owner) {
  // First, so that a draft that is being saved is not stored again.
  closeUserState(client);
  clearUserData(client, owner);
}

function createState(client, owner, settings) {
  const failures = new Set();
  const drafts = new Drafts(owner, storage("localStorage"), storage("sessionStorage"));
  return {
    owner,
    failures,
    blocks: new Blocks(client.api),
    deletions: new Deletions(client, owner, storage("localStorage"), (error) => [...failures].at(-1)?.(error)),
    composers: new ComposerStates(client, drafts, settings.maxMessageLength, owner, storage("localStorage")),
  };
}

/** @param {"localStorage" | "sessionStorage"} name */
function storage(name) {
  try {
    return globalThis[name];
  } catch {
    // Browser settings can block it.
    return null;
  }
}
