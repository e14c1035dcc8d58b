import assert from "node:assert/strict";
import test from "node:test";

import { Api, GreenroomError } from "../../web/greenroom.js";
import { Server } from "./support.mjs";

async function annAndBob(t, ...settings) {
  const server = await Server.start(t, ...settings);
  const people = [await server.user("ann", "--staff"), await server.user("bob")];
  const [ann, bob] = people.map(({ token }) => new Api({ baseUrl: server.url, token }));
  return { server, people, ann, bob };
}

test("each endpoint has its method", async (t) => {
  const { people, ann, bob } = await annAndBob(t, "--registration", "open");
  const [annId, bobId] = people.map(({ id }) => id);

  assert.equal((await ann.me()).id, annId);
  assert.deepEqual(
    (await ann.searchUsers("bo")).results.map(({ id }) => id),
    [bobId],
  );
  const carol = await ann.register({ username: "carol", password: "long enough" });
  assert.equal((await ann.createUser({ username: "dave", first_name: "Dave" })).display_name, "Dave");
  assert.equal((await ann.updateUser(carol.id, { last_name: "Clark" })).last_name, "Clark");
  assert.ok((await ann.createToken(carol.id, { expires_in: 60 })).key);
  assert.equal(await ann.deleteTokens(carol.id), null);
  const eve = await ann.createUser({ username: "eve", external_id: "host-7" });
  assert.deepEqual(
    (await ann.users({ external_id: "host-7" })).results.map(({ id, external_id }) => [id, external_id]),
    [[eve.id, "host-7"]],
  );
  assert.equal(await ann.revokeUser(eve.id, { before: "2026-01-01T00:00:00Z" }), null);

  const chat = await ann.createChat({ chat_type: "group", title: "Team", member_ids: [bobId] });
  assert.equal((await ann.chats({ search: "team", chat_type: "group" })).count, 1);
  assert.equal((await bob.chat(chat.id)).my_role, "member");
  assert.equal((await ann.renameChat(chat.id, "Crew")).title, "Crew");
  assert.equal((await ann.addMembers(chat.id, [carol.id])).added_count, 1);
  assert.equal((await ann.members(chat.id, { page_size: 2 })).count, 3);
  assert.equal((await ann.changeRole(chat.id, bobId, "admin")).role, "admin");
  assert.equal(await ann.removeMember(chat.id, carol.id), null);

  const message = await ann.sendMessage(chat.id, { content: "Hello", client_id: "c-1" });
  assert.equal((await ann.sendMessage(chat.id, { content: "Hello", client_id: "c-1" })).id, message.id);
  assert.equal((await bob.message(message.id)).content, "Hello");
  assert.equal((await ann.editMessage(message.id, "Hi")).content, "Hi");
  assert.deepEqual(
    (await bob.messages(chat.id, { after: 0, page_size: 1 })).results.map(({ id }) => id),
    [message.id],
  );
  assert.equal((await bob.toggleReaction(message.id, "👍")).action, "added");
  assert.equal((await bob.addReaction(message.id, "❤️")).action, "added");
  assert.equal(await bob.removeReaction(message.id, "❤️"), null);
  assert.deepEqual(await bob.unread(), { total: 1, mentions: 0, chats: { [chat.id]: 1 }, chat_mentions: {}, threads: {}, threads_total: 0 });
  assert.equal((await bob.typing(chat.id, true)).status, "success");
  assert.equal((await bob.markAsRead(chat.id, message.id)).marked_count, 1);
  assert.equal((await bob.markAsRead(chat.id)).marked_count, 0);
  assert.equal(await ann.deleteMessage(message.id), null);

  const snapshot = await bob.sync();
  assert.deepEqual(
    snapshot.chats.map(({ id }) => id),
    [chat.id],
  );
  const { events, heads } = await bob.syncSince({ chats: { [chat.id]: 1 } });
  assert.ok(events.some(({ type }) => type === "message_deleted"));
  assert.deepEqual(heads, snapshot.heads);
  assert.equal(await bob.leaveChat(chat.id), null);
  assert.equal(await ann.deleteChat(chat.id), null);

  const room = await ann.createChat({ chat_type: "room", title: "Help", is_public: true });
  assert.deepEqual(
    (await bob.rooms({ search: "help" })).results.map(({ id }) => id),
    [room.id],
  );
  assert.equal((await bob.joinChat(room.id)).is_member, true);
});

test("what is refused says why", async (t) => {
  const { server, ann } = await annAndBob(t);
  const invalid = await ann.createChat({ chat_type: "dm", member_ids: [99] }).catch((error) => error);
  assert.ok(invalid instanceof GreenroomError && invalid instanceof Error);
  const sentence = 'Invalid pk "99" - object does not exist.';
  assert.deepEqual([invalid.status, invalid.fields, invalid.isFinal], [400, { member_ids: [sentence] }, true]);
  assert.equal(invalid.message, `member_ids: ${sentence}`);
  await assert.rejects(ann.chat(99), { status: 404, message: "Not found.", isFinal: true });
  await assert.rejects(new Api({ baseUrl: server.url }).chats(), { status: 401, isFinal: false });
  for (let attempt = 0; attempt < 5; attempt++) await assert.rejects(ann.login("bob", "wrong"), { status: 401 });
  const limited = await ann.login("bob", "wrong").catch((error) => error);
  assert.deepEqual([limited.status, limited.isFinal], [429, false]);
  assert.ok(limited.retryAfter > 0 && limited.retryAfter <= 60);
  await server.stop();
  await assert.rejects(ann.me(), { status: 0, isFinal: false });
});
