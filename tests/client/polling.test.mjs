import assert from "node:assert/strict";
import test from "node:test";

import { Server, inTime, texts, until, untilStatus } from "./support.mjs";

/** Ann with a socket, and bob behind a proxy that refuses sockets. */
async function annAndBob(t, options) {
  const server = await Server.start(t);
  const people = [await server.user("ann"), await server.user("bob")];
  const road = await server.road();
  road.refusesSockets = true;
  const ann = await server.live(people[0]);
  const { id: chat } = await ann.api.createChat({ chat_type: "group", title: "Team", member_ids: [people[1].id] });
  const bob = server.client(people[1], { baseUrl: road.url, ...options });
  await inTime(bob.start(), "the start");
  await untilStatus(bob, "polling");
  await ann.open(chat);
  await bob.open(chat);
  return { server, people, road, ann, bob, chat };
}

test("where sockets are refused it polls, and everything works", async (t) => {
  const { people, ann, bob, chat } = await annAndBob(t);
  const heard = [];
  bob.on("message", ({ message, change }) => heard.push([change, message.content]));
  const { id } = await ann.send(chat, "Hello").sent;
  await until(bob, () => texts(bob, chat).length === 1);
  await until(bob, () => bob.state.unread === 1);
  assert.equal(await bob.markAsRead(chat), 1);
  await until(ann, () => ann.state.message(id).read_by.includes(people[1].id));
  await until(bob, () => bob.state.unread === 0);
  const stored = await bob.send(chat, "Hi").sent;
  assert.equal((await bob.edit(stored.id, "Hi!")).content, "Hi!");
  await until(ann, () => ann.state.message(stored.id)?.content === "Hi!");
  assert.equal(await bob.react(id, "👍"), "added");
  await until(bob, () => bob.state.message(id).reactions.length === 1);
  assert.equal(await bob.react(id, "👍"), "removed");
  await bob.delete(stored.id);
  await until(bob, () => bob.state.message(stored.id).is_deleted);
  bob.typing(chat);
  await until(ann, () => ann.state.typing(chat).length === 1);
  await ann.api.removeMember(chat, people[1].id);
  await until(bob, () => !bob.state.chats.has(chat));
  const { id: next } = await ann.api.createChat({ chat_type: "dm", member_ids: [people[1].id] });
  await until(bob, () => bob.state.chats.has(next));
  assert.deepEqual(heard[0], ["new", "Hello"]);
  assert.equal(bob.status, "polling");
});

test("nothing is missed and nothing comes twice while it polls over a road that breaks", async (t) => {
  const { road, ann, bob, chat } = await annAndBob(t);
  const heard = [];
  bob.on("message", ({ message, change }) => change === "new" && heard.push(message.content));
  const sent = Array.from({ length: 60 }, (_, number) => `${number}`);
  for (const text of sent) ann.send(chat, text);
  for (const count of [5, 20, 40]) {
    await until(bob, () => heard.length >= count);
    road.cut();
  }
  await until(bob, () => texts(bob, chat).length === 60);
  assert.deepEqual(texts(bob, chat), sent);
  assert.deepEqual(heard, sent);
  await until(bob, () => bob.state.unread === 60);
});

test("a message whose answer is lost while it polls is stored once", async (t) => {
  const { road, ann, bob, chat } = await annAndBob(t);
  let cuts = 0;
  road.cutsAfter = (text) => text.includes('"client_id"') && ++cuts <= 2;
  await inTime(bob.send(chat, "Only once").sent, "the message");
  assert.equal(cuts >= 1, true);
  await ann.send(chat, "after").sent;
  await until(bob, () => texts(bob, chat).length === 2);
  assert.deepEqual(texts(bob, chat), ["Only once", "after"]);
  assert.equal((await ann.api.messages(chat)).count, 2);
});

test("once sockets get through it goes on over one, without a gap", async (t) => {
  const { road, ann, bob, chat } = await annAndBob(t, { timing: { socketAgainEvery: 100 } });
  const heard = [];
  bob.on("message", ({ message }) => heard.push(message.content));
  await ann.send(chat, "polled").sent;
  await until(bob, () => heard.length === 1);
  road.refusesSockets = false;
  const sent = Array.from({ length: 30 }, (_, number) => `${number}`);
  for (const text of sent) ann.send(chat, text);
  await until(bob, () => heard.length === 31 && bob.status === "live");
  await ann.send(chat, "live").sent;
  await until(bob, () => heard.at(-1) === "live");
  assert.deepEqual(heard, ["polled", ...sent, "live"]);
  assert.deepEqual(texts(bob, chat), heard);
});

test("where there is no WebSocket at all it polls from the beginning, and stops at once", async (t) => {
  const server = await Server.start(t);
  const bob = server.client(await server.user("bob"), { WebSocket: null });
  await inTime(bob.start(), "the start");
  await untilStatus(bob, "polling");
  bob.stop();
  assert.equal(bob.status, "stopped");
  await inTime(bob.start(), "the start");
  await untilStatus(bob, "polling");
});
