// Changes of the device's clock while the client waits.

import assert from "node:assert/strict";
import test from "node:test";

import { Server, inTime, texts, until, untilStatus } from "./support.mjs";

const HOUR = 3_600_000;

/** Sets the clock until the test ends. */
function setClock(t, by) {
  const { now } = Date;
  Date.now = () => now() + by;
  t.after(() => (Date.now = now));
}

async function annAndBob(t) {
  const server = await Server.start(t);
  const people = [await server.user("ann"), await server.user("bob")];
  const road = await server.road();
  const ann = await server.live(people[0]);
  const { id: chat } = await ann.api.createChat({ chat_type: "group", title: "Team", member_ids: [people[1].id] });
  const bob = await server.live(people[1], { baseUrl: road.url, timing: { backoff: 1_000, backoffMax: 2_000 } });
  await ann.open(chat);
  await bob.open(chat);
  return { road, ann, bob, chat };
}

for (const [way, by] of [
  ["back", -HOUR],
  ["forward", HOUR],
]) {
  test(`a clock that steps ${way} does not keep the client from coming back`, async (t) => {
    const { road, ann, bob, chat } = await annAndBob(t);
    road.isClosed = true;
    road.cut();
    await untilStatus(bob, "reconnecting");
    setClock(t, by);
    bob.send(chat, "waits");
    road.isClosed = false;
    await until(bob, () => ["live", "polling"].includes(bob.status));
    await until(ann, () => texts(ann, chat).length === 1);
    await untilStatus(bob, "live");
  });

  test(`a clock that steps ${way} does not keep anybody from being seen to type`, async (t) => {
    const { ann, bob, chat } = await annAndBob(t);
    bob.typing(chat);
    await until(ann, () => ann.state.typing(chat).length === 1);
    setClock(t, by);
    await until(ann, () => ann.state.typing(chat).length === 0);
    bob.typing(chat);
    await until(ann, () => ann.state.typing(chat).length === 1);
  });

  test(`a clock that steps ${way} changes nothing of what goes over the socket, and in which order`, async (t) => {
    const { road, ann, bob, chat } = await annAndBob(t);
    await bob.send(chat, "0").sent;
    setClock(t, by);
    let posts = 0;
    road.cutsBefore = (text) => void (text.startsWith("POST") && posts++);
    const sent = Array.from({ length: 150 }, (_, number) => `${number}`);
    for (const text of sent.slice(1)) await inTime(bob.send(chat, text).sent, text);
    await until(ann, () => texts(ann, chat).length === 150);
    assert.deepEqual(texts(ann, chat), sent);
    return posts;
  });
}
