import assert from "node:assert/strict";
import test from "node:test";

import { Server, inTime, texts, until } from "./support.mjs";

/** Ann and bob, live, with their dm open. */
async function annAndBob(t, options) {
  const server = await Server.start(t);
  const people = [await server.user("ann"), await server.user("bob")];
  const ann = await server.live(people[0], options);
  const bob = await server.live(people[1], options);
  const { id: chat } = await ann.api.createChat({ chat_type: "dm", member_ids: [people[1].id] });
  await ann.open(chat);
  await until(bob, () => bob.state.chats.has(chat));
  await bob.open(chat);
  return { server, people, ann, bob, chat };
}

test("a message is shown at once, sent, and heard by the others", async (t) => {
  const { ann, bob, chat, people } = await annAndBob(t);
  const heard = [];
  bob.on("message", ({ message, change }) => heard.push([change, message.content]));
  const message = ann.send(chat, "Hello, Bob!");
  assert.deepEqual([message.id, message.status, message.content], [null, "sending", "Hello, Bob!"]);
  assert.deepEqual(ann.state.messages(chat), [message]);
  const stored = await inTime(message.sent, "the message");
  assert.deepEqual([stored.sender.id, stored.client_id], [people[0].id, message.client_id]);
  assert.deepEqual(
    ann.state.messages(chat).map(({ id }) => id),
    [stored.id],
  );
  assert.deepEqual(ann.outgoing, []);
  await until(bob, () => heard.length > 0);
  assert.deepEqual(heard, [["new", "Hello, Bob!"]]);
  assert.deepEqual(texts(bob, chat), ["Hello, Bob!"]);
  assert.equal(bob.state.chats.get(chat).last_message.id, stored.id);
});

test("what is sent in a chat keeps its order", async (t) => {
  const { ann, bob, chat } = await annAndBob(t);
  const sent = Array.from({ length: 100 }, (_, number) => `${number}`);
  for (const text of sent) ann.send(chat, text);
  assert.deepEqual(texts(ann, chat), sent);
  await until(bob, () => texts(bob, chat).length === 100);
  assert.deepEqual(texts(bob, chat), sent);
  await until(ann, () => ann.outgoing.length === 0);
  assert.deepEqual(texts(ann, chat), sent);
});

test("custom data is sent with a message, and its changes are seen by all", async (t) => {
  const { ann, bob, chat } = await annAndBob(t);
  const message = ann.send(chat, "Hello", { custom: { order: 17 } });
  assert.deepEqual(message.custom, { order: 17 });
  const { id } = await message.sent;
  await until(bob, () => bob.state.message(id)?.custom.order === 17);
  await ann.api.setMessageCustom(id, { order: null, paid: true });
  await until(bob, () => bob.state.message(id).custom.paid);
  assert.deepEqual(bob.state.message(id).custom, { paid: true });
  assert.equal(bob.state.message(id).is_edited, false);
  await ann.api.setChatCustom(chat, { topic: "orders" });
  await until(bob, () => bob.state.chats.get(chat).custom.topic === "orders");
});

test("quotes follow the message that they are of, in chats of all", async (t) => {
  const { ann, bob, chat } = await annAndBob(t);
  const question = await ann.send(chat, "Where do we meat?").sent;
  await until(bob, () => bob.state.message(question.id));
  const waiting = bob.send(chat, "At the lake", { replyTo: bob.state.message(question.id) });
  const quoted = { id: question.id, sender: question.sender, excerpt: "Where do we meat?", is_deleted: false };
  assert.deepEqual(waiting.reply_to, quoted);
  const { id } = await waiting.sent;
  await until(ann, () => ann.state.message(id));
  const quoteIn = (client) => client.state.message(id).reply_to;
  for (const client of [ann, bob]) assert.deepEqual(quoteIn(client), quoted);
  assert.deepEqual(ann.state.chats.get(chat).last_message.reply_to, quoted);
  const text = "😀".repeat(300);
  await ann.edit(question.id, text);
  for (const client of [ann, bob]) await until(client, () => quoteIn(client).excerpt === "😀".repeat(200));
  assert.deepEqual(await ann.api.message(id), ann.state.message(id));
  await ann.updateMe({ first_name: "Anna" });
  for (const client of [ann, bob]) await until(client, () => quoteIn(client).sender.display_name === "Anna");
  await ann.delete(question.id);
  for (const client of [ann, bob]) await until(client, () => quoteIn(client).is_deleted);
  assert.equal(quoteIn(bob).excerpt, "");
  assert.deepEqual(bob.state.chats.get(chat).last_message.reply_to, quoteIn(bob));
});

test("edits, reactions and deletions are seen by all", async (t) => {
  const { ann, bob, chat, people } = await annAndBob(t);
  const { id } = await ann.send(chat, "Helo").sent;
  await until(bob, () => bob.state.message(id));
  const edited = await ann.edit(id, "Hello");
  assert.deepEqual([edited.content, edited.is_edited], ["Hello", true]);
  await until(bob, () => bob.state.message(id).content === "Hello");
  assert.equal(await bob.react(id, "👍"), "added");
  await until(ann, () => ann.state.message(id).reactions.length === 1);
  assert.deepEqual(ann.state.message(id).reactions, [{ emoji: "👍", count: 1, users: [people[1].id] }]);
  await until(bob, () => bob.state.message(id).reactions.length === 1);
  assert.equal(await bob.react(id, "👍"), "removed");
  await until(ann, () => ann.state.message(id).reactions.length === 0);
  await ann.delete(id);
  await until(bob, () => bob.state.message(id).is_deleted);
  assert.equal(bob.state.messages(chat)[0].content, "");
  assert.equal(bob.state.chats.get(chat).last_message, null);
  await assert.rejects(ann.delete(id), { name: "GreenroomError", status: 404, isFinal: true });
  await assert.rejects(bob.edit(id, "Mine"), { status: 404 });
});

test("unread counts and read receipts follow who reads", async (t) => {
  const { ann, bob, chat, people } = await annAndBob(t);
  const totals = [];
  const read = [];
  bob.on("unread", ({ total }) => totals.push(total));
  ann.on("read", (event) => read.push(event));
  const { id: first } = await ann.send(chat, "One").sent;
  const { id: second } = await ann.send(chat, "Two").sent;
  await until(bob, () => bob.state.unread === 2);
  assert.equal(bob.state.chats.get(chat).unread_count, 2);
  assert.equal(await bob.markAsRead(chat, first), 1);
  await until(bob, () => bob.state.unread === 1);
  await until(ann, () => ann.state.message(first).read_by.length === 2);
  assert.deepEqual(ann.state.message(second).read_by, [people[0].id]);
  assert.equal(await bob.markAsRead(chat), 1);
  await until(ann, () => ann.state.message(second).read_by.length === 2);
  assert.equal(await bob.markAsRead(chat), 0);
  assert.deepEqual(totals.slice(-2), [1, 0]);
  assert.deepEqual(
    read,
    [first, second].map((messageId) => ({ chatId: chat, userId: people[1].id, messageId })),
  );
  await ann.send(chat, "Three").sent;
  await until(bob, () => bob.state.unread === 1);
  await ann.delete((await ann.send(chat, "Four").sent).id);
  await until(bob, () => texts(bob, chat).at(-1) === "" && bob.state.unread === 1);
});

test("what one sets for oneself is known on all of one's screens, and to nobody else", async (t) => {
  const { server, ann, bob, chat, people } = await annAndBob(t);
  const other = await server.live(people[1]);
  const { id: first } = await ann.send(chat, "One").sent;
  await ann.send(chat, "Two").sent;
  await until(bob, () => bob.state.unread === 2);
  await bob.markAsRead(chat);
  const { id: newer } = await bob.api.createChat({ chat_type: "group", title: "Newer" });
  await until(bob, () => bob.state.chatList[0]?.id === newer);
  const muted_until = "2031-05-01T10:00:00Z";
  await bob.api.setMe(chat, { is_pinned: true, muted_until, unread_from: first });
  for (const screen of [bob, other]) {
    await until(screen, () => screen.state.unread === 2 && screen.state.chatList[0].id === chat);
    assert.deepEqual(screen.state.chats.get(chat).me, { is_pinned: true, muted_until, unread_from: first, notify: "all" });
  }
  await ann.delete((await ann.send(chat, "Three").sent).id);
  await until(bob, () => texts(bob, chat).at(-1) === "" && bob.state.unread === 2);
  await ann.delete(first);
  await until(bob, () => bob.state.unread === 1);
  assert.equal(await bob.markAsRead(chat), 0);
  await until(other, () => other.state.unread === 0 && other.state.chats.get(chat).me.unread_from === null);
  assert.deepEqual(ann.state.chats.get(chat).me, { is_pinned: false, muted_until: null, unread_from: null, notify: "all" });
  // A chat marked as unread is read again, though the read marker is already past it.
  const { id: last } = bob.state.messages(chat).findLast(({ is_deleted }) => !is_deleted);
  await bob.api.setMe(chat, { unread_from: last });
  await until(bob, () => bob.state.unread === 1);
  await bob.markAsRead(chat);
  await until(bob, () => bob.state.unread === 0 && bob.state.chats.get(chat).me.unread_from === null);
});

test("who types is seen until they send", async (t) => {
  const { ann, bob, chat, people } = await annAndBob(t);
  const typing = [];
  bob.on("typing", ({ users }) => typing.push(users));
  for (let keys = 0; keys < 50; keys++) ann.typing(chat);
  await until(bob, () => typing.length === 1);
  assert.deepEqual(bob.state.typing(chat), [people[0].id]);
  ann.send(chat, "There.");
  await until(bob, () => texts(bob, chat).length === 1);
  assert.deepEqual(bob.state.typing(chat), []);
  ann.typing(chat);
  await until(bob, () => bob.state.typing(chat).length === 1);
  ann.typing(chat, false);
  await until(bob, () => bob.state.typing(chat).length === 0);
  assert.deepEqual(typing, [[people[0].id], [], [people[0].id], []]);
});

test("who is there, and under which name, is seen by those who share a dm with them", async (t) => {
  const { server, people, ann, bob, chat } = await annAndBob(t);
  const [annId, bobId] = people.map(({ id }) => id);
  await until(ann, () => ann.state.presence.get(bobId)?.is_online);
  const staff = await server.live(await server.user("root", "--staff"));
  await bob.send(chat, "Hello").sent;
  await staff.api.updateUser(bobId, { first_name: "Bob", last_name: "Brown" });
  await until(ann, () => ann.state.chats.get(chat).title === "Bob Brown");
  await until(ann, () => ann.state.messages(chat)[0].sender.display_name === "Bob Brown");
  bob.stop();
  await until(ann, () => ann.state.presence.get(bobId).is_online === false);
  assert.ok(ann.state.presence.get(bobId).last_seen);
  await inTime(bob.start(), "the start");
  await until(bob, () => bob.state.presence.get(annId)?.is_online);
  await until(ann, () => ann.state.presence.get(bobId).is_online);
});

test("a message that is refused waits for its user, and holds nothing back", async (t) => {
  const { ann, bob, chat } = await annAndBob(t);
  const refused = ann.send(chat, "   ");
  const next = ann.send(chat, "next");
  await assert.rejects(refused.sent, { status: 400, fields: { content: ["This field may not be blank."] } });
  await next.sent;
  const [failed] = ann.outgoing;
  assert.deepEqual([failed.client_id, failed.status, failed.error.status], [refused.client_id, "failed", 400]);
  assert.deepEqual(texts(ann, chat), ["next", "   "]);
  const again = failed.retry();
  assert.equal(again.status, "sending");
  await assert.rejects(again.sent, { status: 400 });
  ann.outgoing[0].discard();
  assert.deepEqual(texts(ann, chat), ["next"]);
  assert.deepEqual(ann.outgoing, []);
  await until(bob, () => texts(bob, chat).length === 1);
});

test("what is too large for a socket is refused over REST, and the socket lives", async (t) => {
  const { ann, chat } = await annAndBob(t);
  await assert.rejects(ann.send(chat, "x".repeat(5_001)).sent, { status: 400 });
  await assert.rejects(ann.send(chat, "x".repeat(70_000)).sent, { status: 413 });
  await ann.send(chat, "\u{1f642}".repeat(5_000)).sent;
  assert.equal(ann.status, "live");
});

test("a removed member knows nothing of the chat any more, and comes back to all of it", async (t) => {
  const { server, ann, bob, people } = await annAndBob(t);
  const { id: group } = await ann.api.createChat({ chat_type: "group", title: "Team", member_ids: [people[1].id] });
  await until(bob, () => bob.state.chats.has(group));
  await bob.open(group);
  await ann.send(group, "before").sent;
  await until(bob, () => texts(bob, group).length === 1);
  await ann.api.removeMember(group, people[1].id);
  await until(bob, () => !bob.state.chats.has(group));
  assert.deepEqual([bob.state.messages(group), bob.state.unread], [[], 0]);
  await assert.rejects(bob.send(group, "hello?").sent, { status: 404 });
  await ann.send(group, "meanwhile").sent;
  await ann.api.addMembers(group, [people[1].id]);
  await until(bob, () => bob.state.chats.has(group));
  await bob.open(group);
  assert.deepEqual(texts(bob, group).slice(0, 2), ["before", "meanwhile"]);
  const { id: mine } = await ann.api.createChat({ chat_type: "group", member_ids: [people[1].id] });
  await until(bob, () => bob.state.chats.get(mine)?.title === "ann");
  const carol = await server.user("carol", "--first-name", "Carol", "--last-name", "Clark");
  await ann.api.addMembers(mine, [carol.id]);
  await until(bob, () => bob.state.chats.get(mine).title === "ann, Carol Clark");
  await ann.api.renameChat(mine, "Plans");
  await until(bob, () => bob.state.chats.get(mine).title === "Plans");
  await ann.api.renameChat(mine, "");
  await until(bob, () => bob.state.chats.get(mine).title === "ann, Carol Clark");
  await ann.api.deleteChat(mine);
  await until(bob, () => !bob.state.chats.has(mine));
});

test("lists are the same object until they change, and each change is told once", async (t) => {
  const { ann, bob, chat } = await annAndBob(t);
  const { id } = await ann.send(chat, "One").sent;
  await until(bob, () => bob.state.message(id));
  const [list, chats, message] = [bob.state.messages(chat), bob.state.chatList, bob.state.message(id)];
  assert.equal(bob.state.messages(chat), list);
  assert.equal(bob.state.chatList, chats);
  let told = 0;
  const stop = bob.on("messages", () => told++);
  await ann.send(chat, "Two").sent;
  await until(bob, () => bob.state.messages(chat).length === 2);
  assert.equal(told, 1);
  assert.notEqual(bob.state.messages(chat), list);
  assert.equal(bob.state.messages(chat)[0], message);
  assert.equal(list.length, 1);
  stop();
  await ann.send(chat, "Three").sent;
  await until(bob, () => bob.state.messages(chat).length === 3);
  assert.equal(told, 1);
});

test("one's own new name is known at once, in every window, and to others", async (t) => {
  const { server, people, ann, bob, chat } = await annAndBob(t);
  const window = await server.live(people[0]);
  const told = [];
  ann.on("me", ({ me }) => told.push(me.display_name));
  const me = await ann.updateMe({ first_name: "Ann", last_name: "Lee" });
  assert.equal(me.display_name, "Ann Lee");
  assert.equal(ann.state.me.display_name, "Ann Lee");
  await until(window, () => window.state.me.display_name === "Ann Lee");
  await until(bob, () => bob.state.chats.get(chat).title === "Ann Lee");
  await until(ann, () => told.length > 0);
  await assert.rejects(ann.updateMe({ password: "long enough", old_password: "wrong" }), { status: 400 });
  assert.equal((await ann.api.settings()).allow_editing, true);
});
