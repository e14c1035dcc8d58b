// Proxies that pass requests and break sockets, each in its own way.

import assert from "node:assert/strict";
import test from "node:test";

import { Server, WebSocket, inTime, texts, until, untilStatus } from "./support.mjs";

/** The default timing, except for a socket that opens too late: the test would take long. */
const PATIENT = { openWithin: 60_000, answerWithin: 60_000, backoff: 20, backoffMax: 60_000, pingEvery: 60_000 };

/** Ann with a socket, bob over a proxy, and their group. */
async function annAndBob(t, harm = () => {}, options = {}) {
  const server = await Server.start(t);
  const people = [await server.user("ann"), await server.user("bob")];
  const road = await server.road();
  const ann = await server.live(people[0]);
  const { id: chat } = await ann.api.createChat({ chat_type: "group", title: "Team", member_ids: [people[1].id] });
  await ann.open(chat);
  harm(road);
  const bob = server.client(people[1], { baseUrl: road.url, ...options, timing: { ...PATIENT, ...options.timing } });
  await inTime(bob.start(), "the start");
  await bob.open(chat);
  return { server, people, road, ann, bob, chat };
}

for (const what of ["handshake", "greeting", "commands"]) {
  test(`where the ${what} of sockets is swallowed, it polls, and comes back to sockets once they get through`, async (t) => {
    const harm = (road) => (road.swallowsOfSockets = what);
    const { road, ann, bob, chat } = await annAndBob(t, harm, { timing: { openWithin: 200, silence: 200 } });
    await ann.send(chat, "Hello").sent;
    await until(bob, () => texts(bob, chat).length === 1);
    await untilStatus(bob, "polling");
    await bob.send(chat, "Hi").sent;
    await until(ann, () => texts(ann, chat).length === 2);
    road.swallowsOfSockets = null;
    await untilStatus(bob, "live");
    await ann.send(chat, "Over a socket").sent;
    await until(bob, () => texts(bob, chat).length === 3);
    assert.deepEqual(texts(bob, chat), ["Hello", "Hi", "Over a socket"]);
  });
}

test("what is sent does not wait for a socket that neither opens nor fails", async (t) => {
  const timing = { pollAfter: 60_000 };
  const { ann, bob, chat } = await annAndBob(t, (road) => (road.swallowsOfSockets = "handshake"), { timing });
  const sent = ["one", "two", "three"];
  for (const text of sent) bob.send(chat, text);
  await until(ann, () => texts(ann, chat).length === 3);
  await until(bob, () => bob.outgoing.length === 0);
  assert.deepEqual(texts(ann, chat), sent);
  assert.equal(bob.status, "connecting");
});

test("a refused socket is followed by a poll at once", async (t) => {
  const statuses = [];
  const harm = (road) => (road.refusesSockets = true);
  const { bob, road } = await annAndBob(t, harm, { timing: { pollAfter: 60_000, backoff: 60_000, socketAgainEvery: 60_000 } });
  bob.on("status", ({ status }) => statuses.push(status));
  await untilStatus(bob, "polling");
  assert.deepEqual(statuses.filter((status) => status !== "polling"), []);
  road.refusesSockets = false;
});

test("a socket that goes silent is given up as soon as something is sent", async (t) => {
  const { road, ann, bob, chat } = await annAndBob(t, undefined, { timing: { silence: 200 } });
  await untilStatus(bob, "live");
  const { id } = await ann.send(chat, "Hello").sent;
  await until(bob, () => texts(bob, chat).length === 1);
  road.swallowsOfSockets = "everything";
  await inTime(bob.send(chat, "Anybody?").sent, "the message");
  await until(ann, () => texts(ann, chat).length === 2);
  assert.equal(await bob.react(id, "👍"), "added");
  await ann.send(chat, "Me").sent;
  await until(bob, () => texts(bob, chat).length === 3);
  assert.deepEqual(texts(bob, chat), ["Hello", "Anybody?", "Me"]);
  assert.equal((await ann.api.messages(chat)).count, 3);
});

test("sockets that end right after they began do not keep anything up", async (t) => {
  let opened = 0;
  class Short extends WebSocket {
    constructor(...args) {
      super(...args);
      opened++;
      this.addEventListener("message", ({ data }) => data.includes('"ack"') && this.close());
    }
  }
  const timing = { steadyAfter: 60_000, backoff: 200, socketAgainEvery: 60_000 };
  const { ann, bob, chat } = await annAndBob(t, undefined, { WebSocket: Short, timing });
  await untilStatus(bob, "polling");
  const sent = Array.from({ length: 20 }, (_, number) => `${number}`);
  for (const text of sent) await ann.send(chat, text).sent;
  await until(bob, () => texts(bob, chat).length === 20);
  assert.deepEqual(texts(bob, chat), sent);
  await bob.send(chat, "Hi").sent;
  assert.ok(opened < 8, `${opened} sockets`);
});

test("whether polling works well is known once a poll has waited and was answered", async (t) => {
  const { ann, bob, chat } = await annAndBob(t, undefined, { WebSocket: null });
  await untilStatus(bob, "polling");
  assert.equal(bob.isSlow, true);
  const heard = [];
  bob.on("slow", ({ isSlow }) => heard.push(isSlow));
  await ann.send(chat, "Hello").sent;
  await until(bob, () => !bob.isSlow);
  assert.deepEqual(heard, [false]);
  assert.equal(bob.status, "polling");
});
