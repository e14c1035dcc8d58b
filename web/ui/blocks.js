/** The users whom the signed-in user has blocked: they cannot write to them. */

import { useAppContext, useAttempt } from "./app-context.js";
import { useEffect, useSubscription } from "./html.js";
import { t } from "./texts.js";

export class Blocks {
  #api;
  #listeners = new Set();
  /** @type {Map<number, any> | null} null before the list is loaded */
  #users = null;
  #loading;

  constructor(api) {
    this.#api = api;
  }

  on(listener) {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Blocked users, the latest first; null before they are loaded. */
  get users() {
    return this.#users && [...this.#users.values()];
  }

  has(id) {
    return this.#users?.has(id) ?? false;
  }

  /** Loads the list, once. */
  load() {
    this.#loading ??= this.#fetch().catch((error) => {
      this.#loading = undefined;
      throw error;
    });
    return this.#loading;
  }

  async #fetch() {
    const users = [];
    for (let page = 1, next = true; next; page++) {
      const answer = await this.#api.blocked({ page });
      users.push(...answer.results);
      next = answer.next !== null;
    }
    this.#set(users);
  }

  async block(user) {
    const blocked = await this.#api.block(user.id);
    this.#set([blocked, ...(this.users ?? []).filter(({ id }) => id !== user.id)]);
  }

  async unblock(user) {
    await this.#api.unblock(user.id);
    this.#set((this.users ?? []).filter(({ id }) => id !== user.id));
  }

  #set(users) {
    this.#users = new Map(users.map((user) => [user.id, user]));
    for (const listener of this.#listeners) listener();
  }
}

/** Whether a user is blocked, and functions to change that. */
export function useBlock(user) {
  const { announce, blocks } = useAppContext();
  const attempt = useAttempt();
  const isBlocked = useSubscription(blocks, () => Boolean(user) && blocks.has(user.id));
  useEffect(() => {
    // If the list cannot be loaded, blocking is offered. Blocking twice changes nothing.
    if (user) blocks.load().catch(() => {});
  }, [user?.id]);
  const unblock = () => attempt(() => blocks.unblock(user));
  const block = () =>
    attempt(async () => {
      await blocks.block(user);
      announce(t("blockedDone", { name: user.display_name }));
    });
  return { isBlocked, block, unblock };
}
