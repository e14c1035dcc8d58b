import assert from "node:assert/strict";
import test from "node:test";

import { Server, inTime, texts, until, untilStatus } from "./support.mjs";

/** Ann with a good connection, bob over a proxy that can break, and their group, open for both. */
async function annAndBob(t, options) {
  const server = await Server.start(t);
  const people = [await server.user("ann"), await server.user("bob")];
  const road = await server.road();
  const ann = await server.live(people[0]);
  const { id: chat } = await ann.api.createChat({ chat_type: "group", title: "Team", member_ids: [people[1].id] });
  const bob = await server.live(people[1], { baseUrl: road.url, ...options });
  await ann.open(chat);
  await bob.open(chat);
  return { server, people, road, ann, bob, chat };
}

test("nothing is missed and nothing comes twice when a connection is cut in the middle of a burst", async (t) => {
  const { road, ann, bob, chat } = await annAndBob(t);
  const heard = [];
  bob.on("message", ({ message, change }) => change === "new" && heard.push(message.content));
  const sent = Array.from({ length: 150 }, (_, number) => `${number}`);
  for (const text of sent) ann.send(chat, text);
  for (const count of [20, 60, 100]) {
    await until(bob, () => heard.length >= count);
    road.cut();
  }
  await until(bob, () => texts(bob, chat).length === 150);
  assert.deepEqual(texts(bob, chat), sent);
  assert.deepEqual(heard, sent);
  await until(bob, () => bob.state.unread === 150);
});

test("what is sent while there is no connection arrives when there is, once and in order", async (t) => {
  const { road, ann, bob, chat } = await annAndBob(t);
  road.isClosed = true;
  road.cut();
  const sent = ["one", "two", "three"];
  for (const text of sent) bob.send(chat, text);
  await untilStatus(bob, "reconnecting");
  assert.deepEqual(texts(bob, chat), sent);
  assert.deepEqual(
    bob.outgoing.map(({ status }) => status),
    ["sending", "sending", "sending"],
  );
  road.isClosed = false;
  await until(ann, () => texts(ann, chat).length === 3);
  assert.deepEqual(texts(ann, chat), sent);
  await until(bob, () => bob.outgoing.length === 0);
  assert.deepEqual(texts(bob, chat), sent);
});

for (const [when, cuts] of [
  ["before the server has it", "cutsBefore"],
  ["before its answer comes back", "cutsAfter"],
]) {
  test(`a message whose connection is cut ${when} is sent again under the same key`, async (t) => {
    const { road, ann, bob, chat } = await annAndBob(t);
    const keys = [];
    road[cuts] = (text) => {
      const key = text.match(/"send_message".*"client_id":"(\w+)"/)?.[1];
      if (key) keys.push(key);
      return key !== undefined && keys.length <= 2;
    };
    const message = bob.send(chat, "Only once");
    const stored = await inTime(message.sent, "the message");
    assert.equal(stored.client_id, message.client_id);
    assert.ok(keys.length >= 1, "it was on its way when the connection was cut");
    assert.deepEqual(new Set(keys), new Set([message.client_id]));
    await ann.send(chat, "after").sent;
    await until(bob, () => texts(bob, chat).length === 2);
    assert.deepEqual(texts(bob, chat), ["Only once", "after"]);
    assert.deepEqual(texts(ann, chat), ["Only once", "after"]);
    assert.equal((await ann.api.messages(chat)).count, 2);
  });
}

test("a connection that swallows everything is noticed and replaced", async (t) => {
  const { road, ann, bob, chat } = await annAndBob(t, { timing: { pingEvery: 50, pongWithin: 100, openWithin: 200 } });
  road.swallows = true;
  await ann.send(chat, "Hello?").sent;
  bob.send(chat, "Anybody?");
  await untilStatus(bob, "reconnecting");
  road.swallows = false;
  road.cut();
  await until(bob, () => texts(bob, chat).length === 2);
  assert.deepEqual(texts(bob, chat), ["Hello?", "Anybody?"]);
  await until(ann, () => texts(ann, chat).length === 2);
});

test("a quiet connection that answers pings is kept", async (t) => {
  const { road, ann, bob, chat } = await annAndBob(t, { timing: { pingEvery: 10, pongWithin: 5_000 } });
  const statuses = [];
  bob.on("status", ({ status }) => statuses.push(status));
  let pings = 0;
  await inTime(
    new Promise((resolve) => {
      road.cutsBefore = (text) => void (text.includes('"ping"') && ++pings === 10 && resolve());
    }),
    "pings",
  );
  await ann.send(chat, "Still there").sent;
  await until(bob, () => texts(bob, chat).length === 1);
  assert.deepEqual(statuses, []);
});

test("a server that restarts is come back to", async (t) => {
  const { server, ann, bob, chat } = await annAndBob(t);
  await ann.send(chat, "before").sent;
  await server.stop();
  await untilStatus(ann, "reconnecting");
  await untilStatus(bob, "reconnecting");
  const typed = [ann.send(chat, "of ann"), bob.send(chat, "of bob")];
  await server.startAgain();
  await inTime(Promise.all(typed.map(({ sent }) => sent)), "both messages");
  for (const client of [ann, bob]) {
    await until(client, () => client.status === "live" && texts(client, chat).length === 3);
    assert.equal(texts(client, chat)[0], "before");
    assert.deepEqual(texts(client, chat).sort(), ["before", "of ann", "of bob"]);
  }
});

test("a server that dies in the middle of sending loses nothing and doubles nothing", async (t) => {
  const { server, ann, bob, chat } = await annAndBob(t);
  const sent = Array.from({ length: 60 }, (_, number) => `${number}`);
  for (const text of sent) ann.send(chat, text);
  for (const count of [10, 30]) {
    await until(ann, () => ann.state.messages(chat).filter(({ id }) => id !== null).length >= count);
    await server.stop("SIGKILL");
    await server.startAgain();
  }
  await until(ann, () => ann.outgoing.length === 0);
  await until(bob, () => texts(bob, chat).length === 60);
  assert.deepEqual(texts(bob, chat), sent);
  assert.deepEqual(texts(ann, chat), sent);
});

test("after more changes than are replayed the chat is loaded again", async (t) => {
  const { road, ann, bob, chat } = await annAndBob(t);
  const { id: first } = await ann.send(chat, "first").sent;
  await until(bob, () => bob.state.message(first));
  road.isClosed = true;
  road.cut();
  await untilStatus(bob, "reconnecting");
  await ann.edit(first, "first, edited");
  const posts = Array.from({ length: 510 }, (_, number) => `${number}`);
  // Many users take long: each has a deadline of its own.
  for (const text of posts) await inTime(ann.send(chat, text).sent, text);
  road.isClosed = false;
  await until(bob, () => texts(bob, chat).at(-1) === "509");
  assert.deepEqual(texts(bob, chat), posts.slice(-50));
  while (await bob.loadOlder(chat));
  assert.deepEqual(texts(bob, chat), ["first, edited", ...posts]);
  await until(bob, () => bob.state.unread === 511);
  await ann.send(chat, "live").sent;
  await until(bob, () => texts(bob, chat).at(-1) === "live");
});

test("what happened to chats during a break is known after it", async (t) => {
  const { server, people, road, ann, bob, chat } = await annAndBob(t);
  const carol = await server.user("carol");
  const { id: gone } = await ann.api.createChat({ chat_type: "group", title: "Gone", member_ids: [people[1].id] });
  const { id: again } = await ann.api.createChat({ chat_type: "group", title: "Again", member_ids: [people[1].id] });
  await until(bob, () => bob.state.chats.size === 3);
  await bob.open(again);
  road.isClosed = true;
  road.cut();
  await untilStatus(bob, "reconnecting");
  await ann.api.deleteChat(gone);
  await ann.api.removeMember(again, people[1].id);
  const { id: missed } = await ann.api.sendMessage(again, { content: "meanwhile" });
  await ann.api.addMembers(again, [people[1].id]);
  await ann.api.addMembers(chat, [carol.id]);
  await ann.api.changeRole(chat, people[1].id, "admin");
  await ann.api.renameChat(chat, "Crew");
  await ann.api.markAsRead(chat);
  const { id: made } = await ann.api.createChat({ chat_type: "dm", member_ids: [people[1].id] });
  road.isClosed = false;
  await untilStatus(bob, "live");
  await until(bob, () => bob.state.message(missed) && bob.state.chats.has(made));
  assert.ok(!bob.state.chats.has(gone));
  for (const id of [chat, again, made]) assert.deepEqual(bob.state.chats.get(id), await bob.api.chat(id));
});

test("stopping at any moment leaves nothing behind, and starting again goes on from there", async (t) => {
  const { ann, bob, chat } = await annAndBob(t);
  for (let turn = 0; turn < 10; turn++) {
    bob.stop();
    assert.equal(bob.status, "stopped");
    bob.start().catch(() => {});
    for (let tick = 0; tick < turn * 3; tick++) await new Promise(setImmediate);
  }
  bob.stop();
  const waiting = bob.send(chat, "waits");
  await ann.send(chat, "meanwhile").sent;
  assert.equal(bob.status, "stopped");
  await inTime(bob.start(), "the start");
  await inTime(waiting.sent, "the message");
  await until(bob, () => texts(bob, chat).length === 2);
  assert.deepEqual(texts(bob, chat), ["meanwhile", "waits"]);
  await ann.send(chat, "live").sent;
  await until(bob, () => texts(bob, chat).length === 3);
});

test("a start that is stopped is not waited for in vain", async (t) => {
  const server = await Server.start(t);
  const bob = server.client(await server.user("bob"));
  const started = bob.start();
  bob.stop();
  await assert.rejects(inTime(started, "the start"), { name: "GreenroomError", status: 0 });
});
