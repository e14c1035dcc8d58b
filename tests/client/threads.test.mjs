import assert from "node:assert/strict";
import test from "node:test";

import { Server, inTime, texts, until } from "./support.mjs";

const repliesIn = (client, root) => client.state.thread(root)?.messages.map(({ content }) => content);

/** Ann and bob, live, with their group open and a message of ann's in it. `how`: options of their clients. */
async function annAndBob(t, how = {}) {
  const server = await Server.start(t);
  const people = [await server.user("ann"), await server.user("bob")];
  const [ann, bob] = people.map((person) => server.client(person, how));
  for (const client of [ann, bob]) await inTime(client.start(), "the start");
  const { id: chat } = await ann.api.createChat({ chat_type: "group", title: "Team", member_ids: [people[1].id] });
  await until(ann, () => ann.state.chats.has(chat));
  await until(bob, () => bob.state.chats.has(chat));
  for (const client of [ann, bob]) await client.open(chat);
  const { id: root } = await ann.send(chat, "Where do we meet?").sent;
  for (const client of [ann, bob]) await until(client, () => client.state.chats.get(chat).last_message?.id === root);
  return { server, people, ann, bob, chat, root };
}

for (const [name, how] of [["over sockets", {}], ["by polling", { WebSocket: null }]]) {
  test(`a reply is in its thread at once, and the chat stays as it is: ${name}`, async (t) => {
    const { ann, bob, chat, root, people } = await annAndBob(t, how);
    const before = ann.state.chats.get(chat);
    await ann.openThread(root);
    assert.deepEqual(ann.state.thread(root).messages, []);
    const heard = [];
    ann.on("message", ({ message, change }) => heard.push([change, message.content, message.thread]));
    await bob.openThread(root);
    const sending = bob.send(chat, "At the lake", { thread: root });
    assert.deepEqual([sending.thread, sending.also_in_chat], [root, false]);
    assert.deepEqual(bob.state.thread(root).messages, [sending]);
    assert.deepEqual(texts(bob, chat), ["Where do we meet?"]);
    const reply = await inTime(sending.sent, "the reply");
    await until(ann, () => repliesIn(ann, root).length === 1 && ann.state.thread(root).unread === 1);
    assert.deepEqual(repliesIn(ann, root), ["At the lake"]);
    assert.deepEqual(heard.filter(([change]) => change === "new"), [["new", "At the lake", root]]);
    for (const client of [ann, bob]) {
      await until(client, () => client.state.message(root).thread_info?.reply_count === 1);
      assert.deepEqual(client.state.message(root).thread_info.participants, [people[1].id]);
      assert.deepEqual(texts(client, chat), ["Where do we meet?"]);
    }
    // Neither the order of the chats nor their counts change.
    const after = ann.state.chats.get(chat);
    assert.deepEqual([after.updated_at, after.unread_count, after.last_message.id], [before.updated_at, 0, root]);
    assert.equal(ann.state.unreadThreads, 1);
    assert.equal(ann.state.thread(root).is_followed, true);
    assert.equal(await ann.markThreadAsRead(root), 1);
    await until(ann, () => ann.state.unreadThreads === 0);
    assert.equal(ann.state.thread(root).last_read_message_id, reply.id);
    assert.deepEqual(await ann.api.message(root), ann.state.message(root));
  });

  test(`a reply that is also in the chat is in both, and is read in each: ${name}`, async (t) => {
    const { ann, bob, chat, root } = await annAndBob(t, how);
    await ann.openThread(root);
    const reply = await bob.send(chat, "To all: at the lake", { thread: root, also_in_chat: true }).sent;
    await until(ann, () => repliesIn(ann, root).length === 1 && ann.state.chats.get(chat).unread_count === 1);
    assert.deepEqual(texts(ann, chat), ["Where do we meet?", "To all: at the lake"]);
    assert.equal(ann.state.chats.get(chat).last_message.id, reply.id);
    await until(ann, () => ann.state.thread(root).unread === 1);
    await ann.markAsRead(chat);
    await until(ann, () => ann.state.chats.get(chat).unread_count === 0);
    assert.equal(ann.state.thread(root).unread, 1);
    // What is edited or deleted changes in both.
    await bob.edit(reply.id, "To all: at the station");
    await until(ann, () => texts(ann, chat)[1] === "To all: at the station" && repliesIn(ann, root)[0] === texts(ann, chat)[1]);
    await bob.delete(reply.id);
    await until(ann, () => ann.state.thread(root).unread === 0);
    assert.ok(ann.state.messages(chat)[1].is_deleted && ann.state.thread(root).messages[0].is_deleted);
    await until(ann, () => ann.state.message(root).thread_info === null);
    assert.deepEqual(await ann.api.message(root), ann.state.message(root));
  });
}

test("a reply that was written offline is sent later, also after a reload", async (t) => {
  const { server, people, ann, chat, root } = await annAndBob(t);
  const items = new Map();
  const storage = {
    get length() {
      return items.size;
    },
    key: (index) => [...items.keys()][index],
    getItem: (key) => items.get(key) ?? null,
    setItem: (key, value) => void items.set(key, value),
    removeItem: (key) => void items.delete(key),
  };
  const road = await server.road();
  const before = await server.live(people[1], { baseUrl: road.url, storage });
  road.isClosed = true;
  road.cut();
  before.send(chat, "Written offline", { thread: root, also_in_chat: true });
  before.stop();
  road.isClosed = false;
  const key = [...items.keys()][0];
  items.set(key.replace(road.url, server.url), items.get(key));
  const after = await server.live(people[1], { storage });
  await until(after, () => after.outgoing.length === 0);
  await ann.openThread(root);
  await until(ann, () => repliesIn(ann, root)[0] === "Written offline");
  assert.ok(texts(ann, chat).includes("Written offline"));
});

test("threads are listed with the newest reply first, and are followed or not", async (t) => {
  const { server, people, ann, bob, chat, root } = await annAndBob(t);
  const { id: second } = await ann.send(chat, "And when?").sent;
  await bob.send(chat, "At the lake", { thread: root }).sent;
  await bob.send(chat, "At noon", { thread: second }).sent;
  const listed = (client) => client.state.threads.map(({ id, last_reply }) => [id, last_reply?.content]);
  await ann.loadThreads();
  assert.deepEqual(listed(ann), [[second, "At noon"], [root, "At the lake"]]);
  assert.deepEqual(ann.state.threads.map(({ title, unread }) => [title, unread]), [["Team", 1], ["Team", 1]]);
  assert.equal(ann.state.hasMoreThreads, false);
  await bob.send(chat, "No, at the station", { thread: root }).sent;
  await until(ann, () => listed(ann)[0][1] === "No, at the station");
  assert.deepEqual(listed(ann), [[root, "No, at the station"], [second, "At noon"]]);
  await ann.followThread(second, false);
  assert.deepEqual(listed(ann).map(([id]) => id), [root]);
  assert.equal(ann.state.unreadThreads, 1);
  await bob.send(chat, "At one", { thread: second }).sent;
  await until(ann, () => ann.state.thread(second)?.last_reply?.content === "At one");
  assert.equal(ann.state.thread(second).unread, 0);
  // Another of ann's clients begins to follow it again.
  const other = await server.live(people[0]);
  assert.equal(other.state.unreadThreads, 1);
  await other.followThread(second);
  await until(ann, () => ann.state.threads.length === 2);
  assert.deepEqual(listed(ann), [[second, "At one"], [root, "No, at the station"]]);
  // Whoever replies follows.
  await bob.loadThreads();
  assert.deepEqual(listed(bob), [[second, "At one"], [root, "No, at the station"]]);
});

test("the replies of a thread are paged in both directions", async (t) => {
  const { ann, bob, chat, root } = await annAndBob(t);
  const all = Array.from({ length: 130 }, (_, number) => `Reply ${number}`);
  for (const text of all) bob.send(chat, text, { thread: root });
  await until(bob, () => bob.outgoing.length === 0);
  await ann.openThread(root);
  assert.deepEqual(repliesIn(ann, root), all.slice(-50));
  assert.equal(await ann.loadOlderReplies(root), true);
  assert.equal(await ann.loadOlderReplies(root), false);
  assert.deepEqual(repliesIn(ann, root), all);
  const early = ann.state.thread(root).messages[10].id;
  ann.closeThread(root);
  assert.deepEqual([ann.state.thread(root).isOpen, ann.state.thread(root).messages.length], [false, 0]);
  await ann.openThreadAt(root, early);
  assert.deepEqual([repliesIn(ann, root).at(0), ann.state.thread(root).hasNewer], ["Reply 0", true]);
  while (await ann.loadNewerReplies(root));
  assert.deepEqual(repliesIn(ann, root), all);
  await bob.send(chat, "One more", { thread: root }).sent;
  await until(ann, () => repliesIn(ann, root).at(-1) === "One more");
});

test("what was missed of a thread arrives with the next connection", async (t) => {
  const { server, people, bob, chat, root } = await annAndBob(t);
  const road = await server.road();
  const ann = await server.live(people[0], { baseUrl: road.url });
  await ann.open(chat);
  await ann.openThread(root);
  const first = await bob.send(chat, "One", { thread: root }).sent;
  await until(ann, () => ann.state.thread(root).unread === 1);
  road.isClosed = true;
  road.cut();
  await bob.send(chat, "Two", { thread: root }).sent;
  await bob.send(chat, "Three", { thread: root, also_in_chat: true }).sent;
  await bob.delete(first.id);
  road.isClosed = false;
  await until(ann, () => ann.state.thread(root).messages.length === 3 && ann.state.thread(root).unread === 2);
  await until(ann, () => ann.state.chats.get(chat).last_message.content === "Three");
  assert.equal(ann.state.message(root).thread_info.reply_count, 2);
  assert.equal(ann.state.chats.get(chat).unread_count, 1);
});

test("who is typing in a thread is told where it is open", async (t) => {
  const { server, people, bob, chat, root } = await annAndBob(t);
  const road = await server.road();
  const ann = await server.live(people[0], { baseUrl: road.url });
  await ann.openThread(root);
  const bobsId = people[1].id;
  const types = () => {
    bob.typing(chat, false, root);
    bob.typing(chat, true, root);
  };
  // The server may hear of the open thread after the first key.
  const keys = setInterval(types, 100);
  t.after(() => clearInterval(keys));
  await until(ann, () => ann.state.typing(chat, root).includes(bobsId));
  assert.deepEqual(ann.state.typing(chat), []);
  // The next socket is told too.
  road.cut();
  await until(ann, () => ann.status !== "live" && ann.state.typing(chat, root).length === 0);
  await until(ann, () => ann.state.typing(chat, root).includes(bobsId));
  clearInterval(keys);
  await bob.send(chat, "At the lake", { thread: root }).sent;
  await until(ann, () => ann.state.typing(chat, root).length === 0);
});

test("what a broken catch-up did not bring of a thread, the next one brings", async (t) => {
  const { server, people, bob, chat, root } = await annAndBob(t);
  const road = await server.road();
  const away = await server.live(people[0], { baseUrl: road.url, timing: { socketAgainEvery: 50, backoff: 50, backoffMax: 100 } });
  await away.openThread(root);
  away.closeThread(root);
  assert.equal(away.state.thread(root).is_followed, false);
  road.isClosed = true;
  road.cut();
  await until(away, () => away.status !== "live");
  await server.client(people[0]).api.followThread(root);
  for (const text of ["one", "two"]) await bob.send(chat, text).sent;
  // Catches up over sockets only.
  road.holds = (data) => (/^HTTP.*"heads":/s.test(data) ? new Promise(() => {}) : undefined);
  let isCut = false;
  // The follow comes after the messages.
  road.passesOf = (data) => {
    const at = data.indexOf('"type":"thread_followed"');
    if (at < 0 || isCut || /^HTTP/.test(data)) return undefined;
    isCut = true;
    return at;
  };
  road.isClosed = false;
  await until(away, () => away.state.thread(root)?.is_followed === true);
  assert.ok(isCut);
  assert.equal(away.state.chats.get(chat).last_message.content, "two");
});
