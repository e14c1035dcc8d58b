// The state after all events must equal a fresh load, whatever happens and however often the connection breaks.
// `GREENROOM_SEED=7 node --test tests/client/oracle.test.mjs` repeats one random walk.

import assert from "node:assert/strict";
import test from "node:test";

import { Api } from "../../web/greenroom.js";
import { Server, untilSame } from "./support.mjs";

const STEPS = 80;
const SEEDS = process.env.GREENROOM_SEED ? [Number(process.env.GREENROOM_SEED)] : [1, 2, 3, Date.now() % 1_000_000];
const EMOJI = ["👍", "🎉", "❤️"];

/** Returns random numbers, the same for the same seed (mulberry32). */
function dice(seed) {
  const random = () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let mixed = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  return { random, one: (list) => list[Math.floor(random() * list.length)] };
}

/** Returns the client's whole state, in an order that does not depend on the order of events. */
function picture(client) {
  // Other users' own settings take sequence numbers that the client does not receive.
  const chats = client.state.chatList.map(({ seq, ...chat }) => chat);
  const stored = (all) => all.filter((message) => message.id !== null);
  const messages = chats.map(({ id }) => [id, stored(client.state.messages(id))]);
  const threads = client.state.threads.map(({ messages, title, ...thread }) => ({ ...thread, messages: stored(messages) }));
  return JSON.parse(JSON.stringify({ chats, messages, threads, unread: client.state.unread, unreadThreads: client.state.unreadThreads }));
}

/** 0: the request failed over the broken proxy. */
function refused(error) {
  if (![0, 400, 403, 404].includes(error.status)) throw error;
}

/** The actions of users. Refusals are expected: another user may have been faster. */
class Walk {
  chats = [];
  messages = [];
  /** Messages that may have threads. */
  roots = [];
  posted = 0;

  constructor({ random, one }, people, observer, road) {
    Object.assign(this, { random, one, people, observer, road });
  }

  async step() {
    const who = this.one(this.people);
    const other = this.one(this.people);
    const chat = this.one(this.chats);
    // Prefers newer messages.
    const { id: message, by: sender } = this.one(this.random() < 0.5 ? this.messages.slice(-8) : this.messages) ?? {};
    const { id: root, chat: rootChat } = this.one(this.random() < 0.7 ? this.roots.slice(-3) : this.roots) ?? {};
    const deeds = [
      [24, () => this.posts(who, chat)],
      [14, () => this.replies(who, root, rootChat)],
      [4, () => this.observer.send(rootChat, `observed ${++this.posted}`, { thread: root, also_in_chat: this.random() < 0.3 })],
      [4, () => who.api.markThreadAsRead(root, undefined)],
      [4, () => this.observer.markThreadAsRead(root)],
      [2, () => this.one([who, this.people[1]]).api.followThread(root)],
      [2, () => this.one([who, this.people[1]]).api.unfollowThread(root)],
      [5, () => this.observer.openThread(root)],
      [2, () => this.observer.loadOlderReplies(root)],
      [2, () => this.observer.loadThreads()],
      [8, () => this.observer.send(chat, `observed ${++this.posted}`)],
      [8, () => sender?.api.editMessage(message, `edited ${++this.posted}`)],
      [8, () => sender?.api.deleteMessage(message)],
      [10, () => who.api.toggleReaction(message, this.one(EMOJI))],
      [10, () => who.api.markAsRead(chat, this.random() < 0.5 ? undefined : message)],
      [3, () => this.observer.markAsRead(chat)],
      [6, () => this.one([who, this.people[1]]).api.setMe(chat, this.one([{ is_pinned: this.random() < 0.5 }, { unread_from: message }]))],
      [4, () => who.api.renameChat(chat, this.random() < 0.5 ? "" : `title ${++this.posted}`)],
      [5, () => who.api.addMembers(chat, [other.id])],
      [3, () => who.api.removeMember(chat, other.id)],
      [3, () => who.api.changeRole(chat, other.id, this.one(["admin", "member"]))],
      [1, () => who.api.leaveChat(chat)],
      [1, () => who.api.deleteChat(chat)],
      [2, () => this.makes(who, other)],
      [4, () => this.comesBack(who, other, chat)],
      [8, () => this.observer.open(chat)],
      [3, () => this.observer.loadOlder(chat)],
      [5, () => this.observer.close(chat)],
      [6, () => this.road.cut()],
      [2, () => (this.road.isClosed = !this.road.isClosed)],
      [2, () => (this.road.refusesSockets = !this.road.refusesSockets)],
    ];
    let left = this.random() * deeds.reduce((sum, [weight]) => sum + weight, 0);
    const [, deed] = deeds.find(([weight]) => (left -= weight) < 0);
    try {
      await deed();
    } catch (error) {
      refused(error);
    }
  }

  async posts(who, chat) {
    const burst = this.random() < 0.2 ? 30 : 1;
    for (let number = 0; number < burst; number++) {
      const { id } = await who.api.sendMessage(chat, { content: `message ${++this.posted}` });
      this.messages.push({ id, by: who });
      this.roots.push({ id, chat });
    }
  }

  async replies(who, root, chat) {
    const burst = this.random() < 0.1 ? 20 : 1;
    for (let number = 0; number < burst; number++) {
      const fields = { content: `reply ${++this.posted}`, thread: root, also_in_chat: this.random() < 0.3 };
      const { id } = await who.api.sendMessage(chat, fields);
      this.messages.push({ id, by: who });
    }
  }

  /** Two users leave and rejoin while the observer, perhaps one of them, is disconnected. */
  async comesBack(who, other, chat) {
    const third = this.one(this.people);
    this.road.cut();
    for (const { id } of [other, third]) await who.api.removeMember(chat, id).catch(refused);
    await this.posts(who, chat);
    for (const { id } of [other, third]) await who.api.addMembers(chat, [id]).catch(refused);
    await who.api.changeRole(chat, other.id, "admin");
  }

  async makes(who, other) {
    const chat_type = this.one(["dm", "group", "group"]);
    const { id } = await who.api.createChat({ chat_type, member_ids: [other.id] });
    if (!this.chats.includes(id)) this.chats.push(id);
  }
}

for (const seed of SEEDS) {
  test(`a client that was cut off again and again knows what a fresh one knows (seed ${seed})`, async (t) => {
    const server = await Server.start(t);
    const people = [];
    for (const name of ["ann", "bob", "carol", "dave"]) {
      const person = await server.user(name);
      people.push({ ...person, api: new Api({ baseUrl: server.url, token: person.token }) });
    }
    const [ann, bob, ...others] = people;
    const road = await server.road();
    const observer = await server.live(bob, { baseUrl: road.url, timing: { socketAgainEvery: 50 } });
    const walk = new Walk(dice(seed), people, observer, road);
    for (const title of ["Team", ""]) {
      const member_ids = [bob, ...others].map(({ id }) => id);
      walk.chats.push((await ann.api.createChat({ chat_type: "group", title, member_ids })).id);
    }
    await walk.makes(bob, ann);
    // Answers are often slower than events, so their state is old when they arrive.
    road.lag = (data) => (data.includes("HTTP/1.1 200") ? walk.random() * 30 : walk.random() < 0.1 ? 10 : 0);
    for (let step = 0; step < STEPS; step++) {
      await Promise.all(Array.from({ length: 1 + Math.floor(walk.random() * 4) }, () => walk.step()));
    }
    road.lag = () => 0;
    road.isClosed = road.refusesSockets = false;
    await untilSame(
      observer,
      async () => {
        const fresh = server.client(bob);
        await fresh.start();
        for (const client of [observer, fresh]) {
          await client.loadThreads();
          while (await client.loadMoreThreads());
        }
        for (const client of [observer, fresh]) {
          for (const { id } of fresh.state.chatList) {
            await client.open(id);
            while (await client.loadOlder(id));
          }
          for (const { id } of fresh.state.threads) {
            await client.openThread(id);
            while (await client.loadOlderReplies(id));
          }
        }
        const seen = picture(fresh);
        fresh.stop();
        return seen;
      },
      picture,
    );
    assert.deepEqual(
      observer.outgoing.filter(({ status }) => status === "sending"),
      [],
    );
  });
}
