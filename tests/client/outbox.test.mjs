import assert from "node:assert/strict";
import test from "node:test";

import { Server, inTime, texts, until, untilStatus } from "./support.mjs";

/** A stand-in for browsers' `localStorage`. */
class Storage {
  #items = new Map();

  get length() {
    return this.#items.size;
  }

  key(index) {
    return [...this.#items.keys()][index] ?? null;
  }

  getItem(key) {
    return this.#items.get(key) ?? null;
  }

  setItem(key, value) {
    this.#items.set(key, `${value}`);
  }

  removeItem(key) {
    this.#items.delete(key);
  }
}

async function bobOverARoad(t, storage = new Storage()) {
  const server = await Server.start(t);
  const people = [await server.user("ann"), await server.user("bob")];
  const road = await server.road();
  const ann = await server.live(people[0]);
  const { id: chat } = await ann.api.createChat({ chat_type: "dm", member_ids: [people[1].id] });
  await ann.open(chat);
  const bob = await server.live(people[1], { baseUrl: road.url, storage });
  await bob.open(chat);
  return { server, people, road, storage, ann, bob, chat };
}

test("what was typed outlives a reload of the page and is sent in its order", async (t) => {
  const { server, people, road, storage, ann, bob, chat } = await bobOverARoad(t);
  road.isClosed = true;
  road.cut();
  const typed = ["one", "two", "three"];
  const keys = typed.map((text) => bob.send(chat, text).client_id);
  bob.stop();
  assert.equal(storage.length, 3);
  road.isClosed = false;
  const reloaded = server.client(people[1], { baseUrl: road.url, storage });
  await inTime(reloaded.start(), "the start");
  assert.deepEqual(texts(reloaded, chat).slice(-3), typed);
  await until(ann, () => texts(ann, chat).length === 3);
  assert.deepEqual(texts(ann, chat), typed);
  assert.deepEqual(
    ann.state.messages(chat).map(({ client_id }) => client_id),
    keys,
  );
  await until(reloaded, () => reloaded.outgoing.length === 0);
  assert.equal(storage.length, 0);
});

test("what was refused outlives a reload too, until it is thrown away", async (t) => {
  const { server, people, road, storage, bob, chat } = await bobOverARoad(t);
  await assert.rejects(bob.send(chat, "x".repeat(5_001)).sent, { status: 400 });
  bob.stop();
  const reloaded = await server.live(people[1], { baseUrl: road.url, storage });
  const [failed] = reloaded.outgoing;
  assert.deepEqual([failed.status, failed.error.status, failed.content.length], ["failed", 400, 5_001]);
  failed.discard();
  assert.equal(storage.length, 0);
});

test("two tabs that share their storage send each message once", async (t) => {
  const { server, people, road, storage, ann, bob, chat } = await bobOverARoad(t);
  road.isClosed = true;
  road.cut();
  await untilStatus(bob, "reconnecting");
  for (const text of ["one", "two", "three"]) bob.send(chat, text);
  // The other tab finds the first tab's unsent message, and both reconnect at once.
  const other = server.client(people[1], { baseUrl: road.url, storage });
  const started = other.start();
  road.isClosed = false;
  await inTime(started, "the start");
  await other.open(chat);
  for (const client of [bob, other]) await until(client, () => client.outgoing.length === 0);
  await ann.send(chat, "after").sent;
  for (const client of [ann, bob, other]) {
    await until(client, () => texts(client, chat).at(-1) === "after");
    assert.deepEqual(texts(client, chat), ["one", "two", "three", "after"]);
  }
  assert.equal(storage.length, 0);
});

test("what another tab threw away is not sent by this one", async (t) => {
  const { server, people, road, storage, ann, bob, chat } = await bobOverARoad(t);
  road.isClosed = true;
  road.cut();
  await untilStatus(bob, "reconnecting");
  const regretted = bob.send(chat, "regretted");
  bob.stop();
  road.isClosed = false;
  const other = server.client(people[1], { baseUrl: road.url, storage });
  const started = other.start();
  regretted.discard();
  await inTime(started, "the start");
  await other.send(chat, "instead").sent;
  assert.deepEqual(other.outgoing, []);
  await until(ann, () => texts(ann, chat).length === 1);
  assert.deepEqual(texts(ann, chat), ["instead"]);
});

test("what one user typed is not sent by another on the same machine", async (t) => {
  const { server, people, road, storage, ann, bob, chat } = await bobOverARoad(t);
  road.isClosed = true;
  road.cut();
  await untilStatus(bob, "reconnecting");
  bob.send(chat, "of bob");
  bob.stop();
  road.isClosed = false;
  const otherAnn = await server.live(people[0], { baseUrl: road.url, storage });
  assert.deepEqual(otherAnn.outgoing, []);
  await otherAnn.send(chat, "of ann").sent;
  const again = server.client(people[1], { baseUrl: road.url, storage });
  await inTime(again.start(), "the start");
  await until(ann, () => texts(ann, chat).length === 2);
  const senders = ann.state.messages(chat).map(({ sender, content }) => [sender.id, content]);
  assert.deepEqual(senders, [
    [people[0].id, "of ann"],
    [people[1].id, "of bob"],
  ]);
});

test("a storage that is full or closed does not keep anybody from sending", async (t) => {
  const closed = () => {
    throw new Error("closed");
  };
  const storage = { length: 0, key: closed, getItem: closed, setItem: closed, removeItem: closed };
  const { ann, bob, chat } = await bobOverARoad(t, storage);
  await bob.send(chat, "Hello").sent;
  await until(ann, () => texts(ann, chat).length === 1);
});

for (const way of ["over the socket", "without sockets"]) {
  test(`what is too much at once waits until the server takes more, ${way}`, async (t) => {
    const server = await Server.start(t, "--rate-limit", "send=1/s:1");
    const [ann, bob] = [await server.user("ann"), await server.user("bob")];
    const road = await server.road();
    road.refusesSockets = way === "without sockets";
    const client = server.client(ann, { baseUrl: road.url });
    await inTime(client.start(), "the start");
    await untilStatus(client, road.refusesSockets ? "polling" : "live");
    const { id: chat } = await client.api.createChat({ chat_type: "dm", member_ids: [bob.id] });
    const { id: other } = await client.api.createChat({ chat_type: "group", title: "group", member_ids: [bob.id] });
    await Promise.all([client.open(chat), client.open(other)]);
    let attempts = 0;
    road.cutsBefore = (text) => {
      if (/"type":"send_message"|^POST \S*\/chats\/\d+\/messages\//.test(text)) attempts++;
      return false;
    };
    const held = [];
    client.on("held", ({ seconds }) => held.push(seconds));
    for (const text of ["one", "two", "three"]) client.send(chat, text);
    client.send(other, "elsewhere");
    await until(client, () => client.outgoing.length === 0 && client.heldFor === 0);
    assert.ok(held.includes(1), `held for ${held}`);
    assert.deepEqual(texts(client, chat), ["one", "two", "three"]);
    assert.deepEqual(texts(client, other), ["elsewhere"]);
    // Each message is tried, and once more in each second of waiting.
    assert.ok(attempts >= 4 && attempts <= 12, `${attempts} attempts`);
  });
}
