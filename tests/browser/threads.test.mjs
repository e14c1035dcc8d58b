import assert from "node:assert/strict";
import test from "node:test";

import { NARROW, TINY, UNLIMITED, demoServer, expect, helper, isAccessible, message, onBoth, opens, serverWith, visit, writes } from "./support.mjs";

/** Ann and bob, with their group open and a question of ann's in it. */
async function annAndBob(t, options) {
  const { server, people } = await serverWith(t, ["ann", "bob"], ...UNLIMITED);
  const [ann, bob] = people;
  const chat = await helper(server, ann).createChat({ chat_type: "group", title: "Team", member_ids: [bob.id] });
  const root = await helper(server, ann).sendMessage(chat.id, { content: "Where do we meet?" });
  const anns = await visit(t, server.url, ann, `/?chat=${chat.id}`, options);
  const bobs = await visit(t, server.url, bob, `/?chat=${chat.id}`, options);
  for (const page of [anns, bobs]) await expect(message(page, "Where do we meet?")).toBeVisible();
  return { server, ann, bob, anns, bobs, chat, root };
}

const pane = (page) => page.locator(".gr-thread-pane");
/** Returns the locator of a reply in the open thread. */
const reply = (page, text) => pane(page).locator("[data-message-id]").filter({ has: page.locator(".message-content").getByText(text, { exact: true }) });
const line = (page) => page.locator("#message-list .gr-thread-line");

async function replies(page, text) {
  const field = pane(page).getByRole("textbox", { name: "Write a reply" });
  await field.fill(text);
  await field.press("Control+Enter");
}

async function opensThread(page, text) {
  await message(page, text).hover();
  await message(page, text).locator(".context-menu-btn").click();
  await message(page, text).locator(".thread-btn").click();
  await expect(pane(page).getByRole("textbox", { name: "Write a reply" })).toBeVisible();
}

onBoth("a reply is in its thread, and the chat shows a line that opens it", async (t, how) => {
  const { anns, bobs } = await annAndBob(t, how);
  await opensThread(bobs, "Where do we meet?");
  await expect(pane(bobs).getByRole("textbox", { name: "Write a reply" })).toBeFocused();
  await expect(pane(bobs).getByText("No replies yet")).toBeVisible();
  await replies(bobs, "At the lake");
  await expect(reply(bobs, "At the lake")).toBeInViewport();
  // Beside the chat, which does not have it.
  await expect(message(bobs, "Where do we meet?")).toBeInViewport();
  await expect(message(bobs, "At the lake")).toHaveCount(0);
  await expect(line(anns)).toContainText("1 reply");
  await expect(anns.locator("#threads-btn .unread-indicator")).toHaveText(/^1/);
  await line(anns).click();
  await expect(reply(anns, "At the lake")).toBeInViewport();
  // It is in view, so it is read.
  await expect(anns.locator("#threads-btn .unread-indicator")).toHaveCount(0);
  await replies(anns, "See you there");
  await expect(reply(bobs, "See you there")).toBeInViewport();
  for (const page of [anns, bobs]) await expect(line(page)).toContainText("2 replies");
});

onBoth("a reply that is also sent to the chat is in both, and leads to its thread", async (t, how) => {
  const { anns, bobs } = await annAndBob(t, how);
  await opensThread(bobs, "Where do we meet?");
  await pane(bobs).getByRole("checkbox", { name: "Also send to the chat" }).check();
  await replies(bobs, "To all: at the lake");
  await expect(pane(bobs).getByRole("checkbox", { name: "Also send to the chat" })).not.toBeChecked();
  await expect(reply(bobs, "To all: at the lake")).toContainText("Also sent to the chat");
  await expect(message(anns, "To all: at the lake")).toBeInViewport();
  await message(anns, "To all: at the lake").getByRole("button", { name: "Replied in a thread" }).click();
  await expect(reply(anns, "To all: at the lake")).toBeInViewport();
  await expect(reply(anns, "To all: at the lake")).toBeFocused();
});

onBoth("replies are edited, deleted, quoted and reacted to in the thread", async (t, how) => {
  const { server, bob, chat, root, anns, bobs } = await annAndBob(t, how);
  await helper(server, bob).sendMessage(chat.id, { content: "At the leak", thread: root.id });
  for (const page of [anns, bobs]) await line(page).click();
  await reply(bobs, "At the leak").hover();
  await reply(bobs, "At the leak").locator(".context-menu-btn").click();
  await reply(bobs, "At the leak").locator(".edit-btn").click();
  const field = pane(bobs).getByRole("textbox", { name: "Write a reply" });
  await expect(field).toHaveValue("At the leak");
  await replies(bobs, "At the lake");
  await expect(reply(anns, "At the lake")).toBeInViewport();
  await reply(anns, "At the lake").hover();
  await reply(anns, "At the lake").locator(".context-menu-btn").click();
  await reply(anns, "At the lake").getByRole("menuitemcheckbox").first().click();
  await expect(reply(bobs, "At the lake").locator(".reaction")).toBeVisible();
  // A quote stays in the thread.
  await reply(anns, "At the lake").focus();
  await anns.keyboard.press("r");
  await replies(anns, "The big one?");
  await expect(reply(bobs, "The big one?").locator(".gr-quote")).toContainText("At the lake");
  await helper(server, bob).deleteMessage((await helper(server, bob).replies(root.id)).results[1].id);
  await expect(pane(anns).locator(".message-deleted")).toBeVisible();
  await expect(line(anns)).toContainText("1 reply");
});

onBoth("the list of threads has the newest first, with what is unread", async (t, how) => {
  const { server, ann, bob, chat, root, anns, bobs } = await annAndBob(t, how);
  const second = await helper(server, ann).sendMessage(chat.id, { content: "And when?" });
  await helper(server, bob).sendMessage(chat.id, { content: "At the lake", thread: root.id });
  await helper(server, bob).sendMessage(chat.id, { content: "At noon", thread: second.id });
  await expect(anns.locator("#threads-btn .unread-indicator")).toHaveText(/^2/);
  await anns.locator("#threads-btn").click();
  const items = anns.locator("#thread-list .thread-item");
  await expect(items).toHaveText([/And when\?.*Bob: At noon/s, /Where do we meet\?.*Bob: At the lake/s]);
  await helper(server, bob).sendMessage(chat.id, { content: "Which lake?", thread: root.id });
  await expect(items).toHaveText([/Where do we meet\?.*Bob: Which lake\?.*2/s, /And when\?.*Bob: At noon.*1/s]);
  await items.first().click();
  await expect(reply(anns, "Which lake?")).toBeInViewport();
  await expect(items.first().locator(".unread-indicator")).toHaveCount(0);
  await expect(anns.locator("#threads-btn .unread-indicator")).toHaveText(/^1/);
  // Whoever no longer follows a thread does not have it in the list.
  await pane(anns).getByRole("button", { name: "Unfollow" }).click();
  await expect(items).toHaveText([/And when\?/]);
  await pane(anns).getByRole("button", { name: "Follow" }).click();
  await expect(items).toHaveCount(2);
  await anns.locator("#back-to-chats-btn").click();
  await expect(anns.locator("#chat-list")).toBeVisible();
  await expect(anns.locator("#threads-btn")).toBeFocused();
  await bobs.locator("#threads-btn").click();
  await expect(bobs.locator("#thread-list .thread-item")).toHaveCount(2);
});

test("a thread is over the chat on a phone, and the browser's back closes it", async (t) => {
  const { anns, bobs } = await annAndBob(t, { viewport: NARROW });
  await opensThread(bobs, "Where do we meet?");
  await expect(bobs.locator("#message-list")).toBeHidden();
  await replies(bobs, "At the lake");
  await expect(reply(bobs, "At the lake")).toBeInViewport();
  await bobs.goBack();
  await expect(pane(bobs)).toHaveCount(0);
  await expect(message(bobs, "Where do we meet?")).toBeInViewport();
  await bobs.goForward();
  await expect(reply(bobs, "At the lake")).toBeInViewport();
  await pane(bobs).getByRole("button", { name: "Close thread" }).click();
  await expect(line(bobs)).toBeInViewport();
  // A reload keeps it open.
  await line(anns).click();
  await anns.reload();
  await expect(reply(anns, "At the lake")).toBeInViewport();
  for (const viewport of [NARROW, TINY]) {
    await anns.setViewportSize(viewport);
    await isAccessible(anns, `a thread at ${viewport.width}`);
    const overflow = await anns.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    assert.ok(overflow <= 0, `${overflow} at ${viewport.width}`);
  }
});

test("a thread is used by the keyboard alone", async (t) => {
  const { anns, bobs } = await annAndBob(t, {});
  await message(bobs, "Where do we meet?").focus();
  await bobs.keyboard.press("t");
  await expect(pane(bobs).getByRole("textbox", { name: "Write a reply" })).toBeFocused();
  await bobs.keyboard.type("At the lake");
  await bobs.keyboard.press("Enter");
  await expect(reply(bobs, "At the lake")).toBeInViewport();
  await bobs.keyboard.press("Escape");
  await expect(pane(bobs)).toHaveCount(0);
  await expect(line(bobs)).toBeFocused();
  await bobs.keyboard.press("Enter");
  await expect(reply(bobs, "At the lake")).toBeInViewport();
  await isAccessible(bobs, "a thread beside its chat");
  await expect(line(anns)).toBeVisible();
  await isAccessible(anns, "the line of a thread");
  await anns.locator("#threads-btn").click();
  await expect(anns.locator(".thread-item")).toBeVisible();
  await isAccessible(anns, "the list of threads");
});

test("a quote of a reply, and a reply that a search finds, open the thread", async (t) => {
  const { server, ann, bob, chat, root, anns } = await annAndBob(t, {});
  const { id } = await helper(server, bob).sendMessage(chat.id, { content: "At the lake", thread: root.id });
  await helper(server, ann).sendMessage(chat.id, { content: "As Bob said", reply_to: id });
  await message(anns, "As Bob said").locator(".gr-quote").click();
  await expect(reply(anns, "At the lake")).toBeInViewport();
  await expect(reply(anns, "At the lake")).toBeFocused();
  await anns.keyboard.press("Escape");
  await expect(pane(anns)).toHaveCount(0);
  await anns.locator("#search-input").fill("lake");
  await anns.locator(".search-result").click();
  await expect(reply(anns, "At the lake")).toBeInViewport();
  await expect(anns).toHaveURL(new RegExp(`chat=${chat.id}&thread=${root.id}&message=${id}`));
});

test("a reply that was written offline waits, and is sent", async (t) => {
  const { server, ann, bob, root, chat } = await annAndBob(t, {});
  const road = await server.road();
  const allows = ["ERR_", "WebSocket connection"];
  const bobs = await visit(t, road.url, bob, `/?chat=${chat.id}&thread=${root.id}`, { allows });
  await expect(pane(bobs).getByRole("textbox", { name: "Write a reply" })).toBeVisible();
  road.isClosed = true;
  road.cut();
  await replies(bobs, "Written offline");
  // It has no id yet.
  await expect(pane(bobs).locator("[data-key]").filter({ hasText: "Written offline" })).toContainText("Sending");
  road.isClosed = false;
  await expect(reply(bobs, "Written offline")).toContainText("Sent");
  assert.equal((await helper(server, ann).replies(root.id)).results[0].content, "Written offline");
});

test("the widgets open threads over their chats", async (t) => {
  const server = await demoServer(t);
  const alice = { name: "alice", password: "greenroom" };
  const page = await visit(t, server.url, alice, "/demo/");
  const room = page.locator("greenroom-room").first();
  await room.getByRole("button", { name: "Join the discussion" }).click();
  const field = room.locator(".room-message-input");
  await field.fill("Where do we meet?");
  await field.press("Control+Enter");
  const row = room.locator("[data-message-id]").filter({ hasText: "Where do we meet?" });
  await row.hover();
  await row.locator(".context-menu-btn").click();
  await row.locator(".thread-btn").click();
  const thread = room.locator(".gr-thread-pane");
  await thread.getByRole("textbox", { name: "Write a reply" }).fill("At the lake");
  await thread.getByRole("textbox", { name: "Write a reply" }).press("Control+Enter");
  await expect(thread.locator("[data-message-id]").filter({ hasText: "At the lake" })).toBeVisible();
  await expect(room.locator(".room-message-list")).toBeHidden();
  await thread.getByRole("button", { name: "Close thread" }).click();
  await expect(room.locator(".gr-thread-line")).toContainText("1 reply");
  await expect(room.locator(".room-message-list")).toBeVisible();
});

test("who is typing in a thread is shown there, and not in the chat", async (t) => {
  const { anns, bobs } = await annAndBob(t, {});
  for (const page of [anns, bobs]) await opensThread(page, "Where do we meet?");
  await pane(bobs).getByRole("textbox", { name: "Write a reply" }).pressSequentially("At the");
  await expect(pane(anns).getByText("Bob is typing…")).toBeVisible();
  await expect(anns.getByText("Bob is typing…")).toHaveCount(1);
  await replies(bobs, "At the lake");
  await expect(reply(anns, "At the lake")).toBeInViewport();
  await expect(pane(anns).getByText("Bob is typing…")).toHaveCount(0);
});
