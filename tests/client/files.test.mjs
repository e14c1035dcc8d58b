import assert from "node:assert/strict";
import test from "node:test";

import { Server, inTime, until } from "./support.mjs";

async function annAndBob(t) {
  const server = await Server.start(t);
  const people = [await server.user("ann"), await server.user("bob")];
  const road = await server.road();
  const ann = server.client(people[0], { baseUrl: road.url });
  const bob = server.client(people[1]);
  for (const client of [ann, bob]) await inTime(client.start(), "the start");
  const { id: chat } = await ann.api.createChat({ chat_type: "group", title: "Team", member_ids: [people[1].id] });
  await until(bob, () => bob.state.chats.has(chat));
  for (const client of [ann, bob]) await client.open(chat);
  return { server, road, ann, bob, chat };
}

const minutes = () => new File(["Minutes of the meeting"], "minutes.txt", { type: "text/plain" });

test("an upload goes on after a break, and others fetch the file", async (t) => {
  const { road, ann, bob, chat } = await annAndBob(t);
  let cuts = 0;
  road.cutsBefore = (data) => data.includes("PUT /messages/uploads/") && cuts++ < 2;
  road.cutsAfter = (data) => data.includes("/complete/") && cuts++ < 4;
  const attachment = await inTime(ann.upload(chat, minutes()), "the upload");
  assert.ok(cuts >= 4, `${cuts} breaks`);
  assert.deepEqual([attachment.name, attachment.size, attachment.state], ["minutes.txt", 22, "clean"]);
  const sending = ann.send(chat, "", { attachments: [attachment] });
  assert.deepEqual(ann.state.messages(chat).at(-1).attachments, [attachment]);
  const message = await inTime(sending.sent, "the message");
  await until(bob, () => bob.state.messages(chat).some(({ id }) => id === message.id));
  const [received] = bob.state.message(message.id).attachments;
  assert.equal(await (await bob.api.download(received.url)).text(), "Minutes of the meeting");
  const link = await bob.api.fileLink(received.id);
  assert.equal(await (await fetch(new URL(link.url, bob.api.base))).text(), "Minutes of the meeting");
  assert.deepEqual((await bob.api.files(chat)).results.map(({ id, message }) => [id, message]), [[received.id, message.id]]);
});

test("an upload is cancelled, and one that is refused rejects", async (t) => {
  const { road, ann, chat } = await annAndBob(t);
  const controller = new AbortController();
  road.cutsBefore = (data) => data.includes("PUT /messages/uploads/") && (controller.abort(), true);
  await assert.rejects(inTime(ann.upload(chat, minutes(), { signal: controller.signal }), "the end"), { status: 0 });
  road.cutsBefore = () => false;
  await assert.rejects(inTime(ann.upload(chat, minutes(), { name: "" }), "the refusal"), ({ status, fields }) => status === 400 && "name" in fields);
});
