import assert from "node:assert/strict";
import test from "node:test";

import { Server, inTime, until, untilStatus } from "./support.mjs";

/** Ann, without a room, and bob with a room of his. */
async function annAndBobsRoom(t) {
  const server = await Server.start(t);
  const [ann, bob] = [await server.user("ann"), await server.user("bob")];
  const bobs = server.client(bob).api;
  const room = await bobs.createChat({ chat_type: "room", title: "Garden" });
  return { server, ann, bobs, room: room.id };
}

const members = (client, room) => client.state.rooms.get(room)?.member_count;

test("a room is followed from outside: its title, its members, its end", async (t) => {
  const { server, ann, bobs, room } = await annAndBobsRoom(t);
  const carol = await server.user("carol");
  const client = await server.live(ann);
  const seen = await client.watch(room);
  assert.deepEqual([seen.title, seen.is_member, seen.member_count], ["Garden", false, 1]);
  assert.deepEqual([...client.state.chats.keys()], [], "it is none of her chats");
  await server.client(carol).api.joinChat(room);
  await until(client, () => members(client, room) === 2);
  await bobs.renameChat(room, "Orchard");
  await until(client, () => client.state.rooms.get(room).title === "Orchard");
  await bobs.sendMessage(room, { content: "For members" });
  await server.client(carol).api.leaveChat(room);
  await until(client, () => members(client, room) === 1);
  assert.equal(client.state.rooms.get(room).last_message, null);
  const gone = [];
  client.on("chat", ({ chatId, chat }) => chat === null && gone.push(chatId));
  await bobs.deleteChat(room);
  await until(client, () => !client.state.rooms.has(room));
  assert.deepEqual(gone, [room]);
});

test("who joins a watched room hears all of it, and who leaves looks on again", async (t) => {
  const { server, ann, bobs, room } = await annAndBobsRoom(t);
  const client = await server.live(ann);
  await client.watch(room);
  for (const round of [1, 2]) {
    await client.api.joinChat(room);
    await until(client, () => client.state.chats.has(room));
    assert.equal(client.state.rooms.has(room), false);
    await client.open(room);
    await bobs.sendMessage(room, { content: `Round ${round}` });
    await until(client, () => client.state.messages(room).at(-1)?.content === `Round ${round}`);
    await client.api.leaveChat(room);
    await until(client, () => members(client, room) === 1);
    assert.equal(client.state.chats.has(room), false);
  }
  const carol = server.client(await server.user("carol")).api;
  await carol.joinChat(room);
  await until(client, () => members(client, room) === 2);
});

test("watching goes on after a break, and while polling", async (t) => {
  const { server, ann, bobs, room } = await annAndBobsRoom(t);
  const road = await server.road();
  const client = server.client(ann, { baseUrl: road.url, timing: { lookEvery: 20 } });
  await inTime(client.start(), "the start");
  await untilStatus(client, "live");
  await client.watch(room);
  road.isClosed = true;
  road.cut();
  await until(client, () => client.status !== "live");
  await bobs.renameChat(room, "Missed");
  road.isClosed = false;
  await until(client, () => client.state.rooms.get(room).title === "Missed");
  await bobs.renameChat(room, "Live again");
  await until(client, () => client.state.rooms.get(room).title === "Live again");
  road.refusesSockets = true;
  road.cut();
  await untilStatus(client, "polling");
  await bobs.renameChat(room, "Polled");
  await until(client, () => client.state.rooms.get(room).title === "Polled");
  client.unwatch(room);
  assert.equal(client.state.rooms.size, 0);
});

test("a room that is followed before there is a socket is followed over it", async (t) => {
  const { server, ann, bobs, room } = await annAndBobsRoom(t);
  let release;
  const held = new Promise((resolve) => (release = resolve));
  const asks = { first: true };
  // The first answer about the room arrives after the socket has opened.
  const slow = async (url, init) => {
    const response = await fetch(url, init);
    if (asks.first && url.endsWith(`/chats/${room}/`)) {
      asks.first = false;
      await held;
    }
    return response;
  };
  const client = server.client(ann, { fetch: slow });
  await inTime(client.start(), "the start");
  const watching = client.watch(room);
  await untilStatus(client, "live");
  release();
  await inTime(watching, "the room");
  await bobs.renameChat(room, "Heard");
  await until(client, () => client.state.rooms.get(room).title === "Heard");
});

for (const [order, isAskedFirst] of [["asked for", false], ["answered", true]]) {
  test(`a room that is left before its page is ${order} is seen from outside`, async (t) => {
    const { server, ann, room } = await annAndBobsRoom(t);
    let release;
    const held = new Promise((resolve) => (release = resolve));
    let isAsked;
    const asked = new Promise((resolve) => (isAsked = resolve));
    const others = server.client(ann).api;
    await others.joinChat(room);
    // After the event that the user left, the room is requested; or an earlier answer arrives.
    const late = async (url, init) => {
      if (!url.endsWith(`/chats/${room}/`)) return fetch(url, init);
      const answer = isAskedFirst ? await fetch(url, init) : null;
      isAsked();
      await held;
      return answer ?? fetch(url, init);
    };
    const client = await server.live(ann, { fetch: late });
    const watching = client.watch(room);
    await asked;
    await others.leaveChat(room);
    await until(client, () => !client.state.chats.has(room));
    release();
    await inTime(watching, "the room");
    await until(client, () => members(client, room) === 1);
  });
}

test("a room is followed again after answers that the server owes", async (t) => {
  const { server, ann, bobs, room } = await annAndBobsRoom(t);
  const road = await server.road();
  let busy = 0;
  const fails = (url, init) => {
    if (busy === 0 || !url.endsWith(`/chats/${room}/`)) return fetch(url, init);
    busy--;
    return Promise.resolve(new Response("{}", { status: 503 }));
  };
  const client = server.client(ann, { baseUrl: road.url, fetch: fails });
  await inTime(client.start(), "the start");
  await untilStatus(client, "live");
  await client.watch(room);
  busy = 2;
  road.isClosed = true;
  road.cut();
  await until(client, () => client.status !== "live");
  await bobs.renameChat(room, "Missed");
  road.isClosed = false;
  await until(client, () => client.state.rooms.get(room).title === "Missed");
});

test("a room that is not there cannot be watched", async (t) => {
  const { server, ann, bobs } = await annAndBobsRoom(t);
  const client = await server.live(ann);
  await assert.rejects(client.watch(999), { status: 404 });
  const { id } = await bobs.createChat({ chat_type: "room", title: "Secret", is_public: false });
  await assert.rejects(client.watch(id), { status: 404 });
  assert.equal(client.state.rooms.size, 0);
});
