import assert from "node:assert/strict";
import test from "node:test";

import { Server, inTime, texts, until } from "./support.mjs";

/** Ann, live, in a group with so many messages. */
async function annWith(t, count, options) {
  const server = await Server.start(t);
  const person = await server.user("ann");
  const ann = await server.live(person, options);
  const { id: chat } = await ann.api.createChat({ chat_type: "group", title: "Long" });
  const posted = Array.from({ length: count }, (_, number) => `${number}`);
  for (const content of posted) await ann.api.sendMessage(chat, { content });
  return { server, person, ann, chat, posted };
}

test("pages of older messages join without holes while new ones arrive", async (t) => {
  const { server, person, ann, chat, posted } = await annWith(t, 180);
  const reader = await server.live(person);
  await reader.open(chat);
  assert.deepEqual(texts(reader, chat), posted.slice(-50));
  const sent = [];
  while (reader.state.hasOlder(chat)) {
    const content = `new ${sent.length}`;
    sent.push(content);
    const shared = [reader.loadOlder(chat), reader.loadOlder(chat)];
    ann.send(chat, content);
    await inTime(Promise.all(shared), "a page");
  }
  await until(reader, () => texts(reader, chat).at(-1) === sent.at(-1));
  assert.deepEqual(texts(reader, chat), [...posted, ...sent]);
  const ids = reader.state.messages(chat).map(({ id }) => id);
  assert.deepEqual(
    ids,
    [...new Set(ids)].sort((a, b) => a - b),
  );
  assert.equal(await reader.loadOlder(chat), false);
});

test("what changes while its page is on its way is shown as it is now", async (t) => {
  const { server, person, ann, chat } = await annWith(t, 120);
  const road = await server.road();
  const reader = await server.live(person, { baseUrl: road.url });
  await reader.open(chat);
  const { results } = await ann.api.messages(chat, { page_size: 100 });
  const [edited, deleted, liked] = results.slice(60).map(({ id }) => id);
  // The page is delayed until all events have arrived.
  let letGo;
  const held = new Promise((resolve) => (letGo = resolve));
  road.holds = (data) => (data.includes("HTTP/1.1 200") ? held : undefined);
  const heard = [];
  reader.on("message", ({ change }) => heard.push(change));
  const asked = road.carries("before=");
  const loaded = reader.loadOlder(chat);
  await asked;
  await ann.edit(edited, "edited");
  await ann.delete(deleted);
  await ann.react(liked, "👍");
  await ann.send(chat, "newest").sent;
  await until(reader, () => texts(reader, chat).at(-1) === "newest");
  letGo();
  await inTime(loaded, "the page");
  assert.equal(reader.state.message(edited).content, "edited");
  assert.equal(reader.state.message(deleted).is_deleted, true);
  assert.equal(reader.state.message(liked).reactions[0].emoji, "👍");
  assert.equal(reader.state.messages(chat).length, 101);
  assert.deepEqual(heard, ["updated", "deleted", "new"]);
});

test("a long chat keeps the newest messages, and older ones for who has asked for them", async (t) => {
  const { ann, chat, posted } = await annWith(t, 90, { maxMessages: 100 });
  await ann.open(chat);
  while (await ann.loadOlder(chat));
  const sent = Array.from({ length: 30 }, (_, number) => `new ${number}`);
  for (const text of sent) ann.send(chat, text);
  await until(ann, () => ann.outgoing.length === 0);
  const all = [...posted, ...sent];
  assert.deepEqual(texts(ann, chat), all.slice(-100));
  assert.equal(await ann.loadOlder(chat), false);
  assert.deepEqual(texts(ann, chat), all);
  await ann.send(chat, "last").sent;
  assert.deepEqual(texts(ann, chat), [...all, "last"].slice(-120));
  ann.close(chat);
  assert.deepEqual(texts(ann, chat), []);
  await ann.send(chat, "unseen").sent;
  assert.deepEqual(texts(ann, chat), []);
  await ann.open(chat);
  assert.deepEqual(texts(ann, chat).slice(-2), ["last", "unseen"]);
});

test("chats come page by page, and by themselves when something happens in them", async (t) => {
  const server = await Server.start(t, "--rate-limit", "off");
  const people = [await server.user("ann"), await server.user("bob")];
  const ann = server.client(people[0]);
  const chats = [];
  for (let number = 0; number < 120; number++) {
    const fields = { chat_type: "group", title: `Chat ${number}`, member_ids: [people[1].id] };
    chats.push((await ann.api.createChat(fields)).id);
  }
  const bob = await server.live(people[1]);
  const loaded = bob.state.chatList.length;
  assert.ok(loaded > 0 && loaded < 120 && bob.state.hasMoreChats, `${loaded} are loaded`);
  assert.deepEqual(
    bob.state.chatList.map(({ id }) => id),
    chats.slice(-loaded).reverse(),
  );
  await ann.api.sendMessage(chats[0], { content: "Hello" });
  await until(bob, () => bob.state.chatList[0].id === chats[0]);
  await until(bob, () => bob.state.unread === 1);
  assert.equal(bob.state.chats.get(chats[0]).last_message.content, "Hello");
  await ann.api.deleteChat(chats[119]);
  while (await bob.loadMoreChats());
  await until(bob, () => bob.state.chats.size === 119);
  assert.deepEqual(
    bob.state.chatList.map(({ id }) => id),
    [chats[0], ...chats.slice(1, -1).reverse()],
  );
});

test("chats with unread messages are loaded from far down the list, and leave no holes in it", async (t) => {
  const server = await Server.start(t, "--rate-limit", "off");
  const [ann, bob] = [await server.user("ann"), await server.user("bob")];
  const anns = server.client(ann).api;
  const chats = [];
  for (let number = 0; number < 170; number++) {
    const fields = { chat_type: "group", title: `Chat ${number}`, member_ids: [bob.id] };
    chats.push((await anns.createChat(fields)).id);
  }
  // More than a page of chats, all below the second page.
  const unread = chats.slice(0, 60);
  for (const id of unread) await anns.sendMessage(id, { content: "Hello" });
  for (const id of chats.slice(60)) await anns.sendMessage(id, { content: "Hello" });
  const bobs = server.client(bob).api;
  for (const id of chats.slice(60)) await bobs.markAsRead(id);
  const client = await server.live(bob);
  assert.deepEqual([...client.state.unreadElsewhere].sort(), [...unread].sort());
  await client.loadUnread();
  await until(client, () => client.state.unreadElsewhere.length === 0);
  assert.equal(client.state.unread, 60);
  while (await client.loadMoreChats());
  assert.deepEqual(
    client.state.chatList.map(({ id }) => id),
    [...chats].reverse(),
  );
});

const idsOf = (client, chat) => client.state.messages(chat).map(({ id }) => id);

/** A chat with so many messages, a reader, and a writer. */
async function longChat(t, count) {
  const { server, person, ann: writer, chat } = await annWith(t, count);
  while (await writer.loadOlder(chat));
  return { reader: await server.live(person), writer, chat, ids: idsOf(writer, chat) };
}

test("a chat is opened at a message far back, and read on to its end", async (t) => {
  const { reader, writer, chat, ids } = await longChat(t, 230);
  await reader.openAt(chat, ids[100]);
  assert.deepEqual([reader.state.hasOlder(chat), reader.state.hasNewer(chat)], [true, true]);
  assert.deepEqual(idsOf(reader, chat), ids.slice(51, 151));
  // New messages are far from the loaded range, and so are sent ones.
  const { id } = await writer.send(chat, "news").sent;
  await until(reader, () => reader.state.chats.get(chat).last_message.id === id);
  const sent = await reader.send(chat, "mine").sent;
  assert.deepEqual(idsOf(reader, chat), ids.slice(51, 151));
  await reader.edit(sent.id, "still mine");
  while (await reader.loadNewer(chat));
  assert.deepEqual(idsOf(reader, chat), [...ids.slice(51), id, sent.id]);
  assert.equal(reader.state.messages(chat).at(-1).content, "still mine");
  const { id: last } = await writer.send(chat, "more news").sent;
  await until(reader, () => idsOf(reader, chat).at(-1) === last);
  while (await reader.loadOlder(chat));
  assert.deepEqual(idsOf(reader, chat), [...ids, id, sent.id, last]);
});

test("from a message far back it is one step to the newest", async (t) => {
  const { reader, chat, ids } = await longChat(t, 130);
  await reader.openAt(chat, ids[5]);
  assert.deepEqual([reader.state.hasOlder(chat), reader.state.hasNewer(chat)], [false, true]);
  assert.deepEqual(idsOf(reader, chat), ids.slice(0, 56));
  assert.equal(reader.send(chat, "on its way").status, "sending");
  assert.equal(reader.state.messages(chat).at(-1).id, ids[55]);
  await reader.openNewest(chat);
  assert.equal(reader.state.hasNewer(chat), false);
  await until(
    reader,
    () => reader.state.messages(chat).at(-1).content === "on its way" && reader.outgoing.length === 0,
  );
  // The message is loaded already.
  const before = reader.state.messages(chat);
  assert.equal(await reader.openAt(chat, before.at(-10).id), before);
});
