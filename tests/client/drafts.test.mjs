import assert from "node:assert/strict";
import test from "node:test";

import { Server, until } from "./support.mjs";

for (const [how, options] of [["over sockets", {}], ["by polling", { WebSocket: null }]]) {
  test(`drafts are those of the server, until they are sent: ${how}`, async (t) => {
    const server = await Server.start(t);
    const person = await server.user("ann");
    const [one, two] = [server.client(person, options), server.client(person, options)];
    await Promise.all([one.start(), two.start()]);
    const { id: chat } = await one.api.createChat({ chat_type: "group", title: "Team" });
    const { id: thread } = await one.send(chat, "root").sent;
    await one.saveDraft(chat, { content: "before" });
    await until(two, () => two.state.chats.has(chat));
    assert.equal(two.state.draft(chat), undefined);
    await Promise.all([one.loadDrafts(), two.loadDrafts()]);
    assert.equal(two.state.draft(chat).content, "before");
    assert.equal(two.state.draft(chat, thread), null);
    const heard = [];
    two.on("drafts", ({ chatId }) => heard.push(chatId));
    await one.saveDraft(chat, { content: "in the thread", reply_to: thread }, { thread });
    await until(two, () => two.state.draft(chat, thread)?.reply_to === thread);
    await assert.rejects(one.saveDraft(chat, { content: "of another" }, { user: one.state.me.id + 1 }), { status: 403 });
    await one.saveDraft(chat, { content: "@everyone", mentions: { everyone: true } });
    await until(two, () => two.state.draft(chat)?.mentions.everyone === true);
    assert.deepEqual(new Set(heard), new Set([chat]));
    // The message counts as the draft's at once.
    const message = one.send(chat, "before and after");
    assert.equal(one.state.draft(chat), null);
    await message.sent;
    await until(two, () => two.state.draft(chat) === null);
    assert.equal(two.state.draft(chat, thread).content, "in the thread");
    await one.removeDraft(chat, { thread });
    await until(two, () => two.state.draft(chat, thread) === null);
    assert.equal(await one.saveDraft(chat, { content: "" }), null);
    await one.saveDraft(chat, { content: "last" });
    await until(two, () => two.state.draft(chat) !== null);
    await one.api.leaveChat(chat);
    await until(two, () => two.state.draft(chat) === null);
  });
}

test("a client that was away learns what its drafts are now", async (t) => {
  const server = await Server.start(t);
  const person = await server.user("ann");
  const road = await server.road();
  const away = await server.live(person, { baseUrl: road.url });
  const { api } = await server.live(person);
  const { id: chat } = await api.createChat({ chat_type: "group", title: "Team" });
  const { id: other } = await api.createChat({ chat_type: "group", title: "Other" });
  await away.loadDrafts();
  await until(away, () => away.state.chats.has(other));
  await api.saveDraft(chat, { content: "one" });
  await until(away, () => away.state.draft(chat) !== null);
  road.isClosed = true;
  road.cut();
  await until(away, () => away.status !== "live");
  await api.removeDraft(chat);
  await api.saveDraft(other, { content: "two" });
  road.isClosed = false;
  await until(away, () => away.state.draft(chat) === null && away.state.draft(other)?.content === "two");
});
