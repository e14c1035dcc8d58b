/**
 * What belongs to a user, whichever of a page's widgets shows it: what is being written, whom one has blocked, and what is
 * about to be deleted.
 */

import { Blocks } from "./blocks.js";
import { Composings } from "./composing.js";
import { Deletions } from "./deletions.js";
import { Drafts } from "./drafts.js";
import { ownerOf } from "./session.js";

/** @type {WeakMap<object, any>} */
const known = new WeakMap();

/** Those of the client's user. `failures`: functions of which the latest one says what went wrong. */
export function belongingsOf(client, settings) {
  const owner = ownerOf(client);
  const before = known.get(client);
  if (before?.owner === owner) return before;
  before?.composings.close();
  known.set(client, made(client, owner, settings));
  return known.get(client);
}

function made(client, owner, settings) {
  const failures = new Set();
  const drafts = new Drafts(owner, storage("localStorage"), storage("sessionStorage"));
  return {
    owner,
    failures,
    blocks: new Blocks(client.api),
    deletions: new Deletions(client, owner, storage("localStorage"), (error) => [...failures].at(-1)?.(error)),
    composings: new Composings(client, drafts, settings.longestMessage),
  };
}

/** @param {"localStorage" | "sessionStorage"} name */
function storage(name) {
  try {
    return globalThis[name];
  } catch {
    // Browsers can be told to keep it closed.
    return null;
  }
}
