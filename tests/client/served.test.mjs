// The client as the server serves it: one file, bundled by the build.

import assert from "node:assert/strict";
import test from "node:test";

import * as onDisk from "../../web/greenroom.js";
import { DEADLINE, Server, WebSocket, inTime, texts, until, untilStatus } from "./support.mjs";

/** Loads the client that a server serves. */
async function servedBy(server) {
  const response = await fetch(`${server.url}/messages/greenroom.js`, { signal: AbortSignal.timeout(DEADLINE) });
  const text = await response.text();
  return { text, ...(await import(`data:text/javascript,${encodeURIComponent(text)}`)) };
}

test("the served file has all parts of the client, and loads no other file", async (t) => {
  const { text, ...served } = await servedBy(await Server.start(t));
  assert.deepEqual(Object.keys(served), Object.keys(onDisk));
  assert.doesNotMatch(text, /^\s*(import|export .* from)\b/m);
});

test("the served client talks over a socket, and by polling", async (t) => {
  const server = await Server.start(t);
  const { Greenroom, GreenroomError } = await servedBy(server);
  const [ann, bob] = [await server.user("ann"), await server.user("bob")];
  const clientOf = ({ token }, options) => new Greenroom({ baseUrl: server.url, token, WebSocket, ...options });
  const [anns, bobs] = [clientOf(ann), clientOf(bob, { WebSocket: null })];
  t.after(() => (anns.stop(), bobs.stop()));
  await inTime(Promise.all([anns.start(), bobs.start()]), "the start");
  await Promise.all([untilStatus(anns, "live"), untilStatus(bobs, "polling")]);
  const { id } = await anns.api.createChat({ chat_type: "group", title: "Plans", member_ids: [bob.id] });
  await until(bobs, () => bobs.state.chats.has(id));
  await Promise.all([anns.open(id), bobs.open(id)]);
  const sent = await inTime(anns.send(id, "over the socket").sent, "the message");
  await inTime(bobs.send(id, "over REST").sent, "the answer");
  await until(anns, () => texts(anns, id).join() === "over the socket,over REST");
  assert.equal(await anns.react(sent.id, "👍"), "added");
  assert.equal(await bobs.markAsRead(id), 1);
  await until(bobs, () => bobs.state.message(sent.id).reactions.length === 1);
  await assert.rejects(anns.edit(0, "nothing"), (error) => error instanceof GreenroomError && error.status === 404);
  await assert.rejects(anns.api.chat(0), GreenroomError);
});
