/** Which of the users with whom the user shares a dm are online, and when the others were last seen. */
export class Presence {
  /** @type {Map<number, {is_online: boolean, last_seen: string | null}>} */
  users = new Map();
  #emitter;

  constructor(emitter) {
    this.#emitter = emitter;
  }

  set(userId, is_online, last_seen = this.users.get(userId)?.last_seen ?? null) {
    this.users.set(userId, { is_online, last_seen });
    this.#emitter.schedule("presence", () => ({ userId, ...this.users.get(userId) }), `presence ${userId}`);
  }

  /** Stores who is online: all others are not. */
  takeOnline(users) {
    for (const [id, { is_online }] of this.users) if (is_online && !users.includes(id)) this.set(id, false);
    for (const id of users) this.set(id, true);
  }

  clear() {
    this.users.clear();
  }
}
