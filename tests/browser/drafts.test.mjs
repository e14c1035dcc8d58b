// Drafts of other devices.

import assert from "node:assert/strict";
import test from "node:test";

import { BROKEN_ROAD, expect, helper, isAccessible, message, onBoth, opens, picks, serverWith, visit, writes } from "./support.mjs";

/** Ann on two devices, with her chats "Plans" and "Garden" with bob. */
async function twoDevices(t, options) {
  const { server, people } = await serverWith(t, ["ann", "bob"]);
  const [ann, bob] = people;
  const [anns, bobs] = [helper(server, ann), helper(server, bob)];
  const make = async (title) => (await anns.createChat({ chat_type: "group", title, member_ids: [bob.id] })).id;
  const chats = { Plans: await make("Plans"), Garden: await make("Garden") };
  const road = await server.road();
  const desk = await visit(t, road.url, ann, "/", { ...options, allows: BROKEN_ROAD });
  const phone = await visit(t, server.url, ann, "/", options);
  return { server, road, ann, anns, bobs, chats, desk, phone };
}

const field = (page) => page.locator("#message-input");
const item = (page, title) => page.locator("#chat-list .chat-item").filter({ hasText: title });
const mark = (page, title) => item(page, title).locator(".draft-indicator");
const saved = async (api) => (await api.drafts()).results.map(({ content }) => content);

onBoth("what was begun on one device is finished on another", async (t, how) => {
  const { anns, bobs, chats, desk, phone } = await twoDevices(t, how);
  await opens(desk, "Plans");
  await field(desk).fill("I will ");
  // It is marked in the list, but not beside the field itself.
  await expect(mark(phone, "Plans")).toHaveText("Draft: I will");
  await expect(mark(desk, "Plans")).toHaveCount(0);
  await isAccessible(phone, "a draft in the list");
  await opens(phone, "Plans");
  await expect(field(phone)).toHaveValue("I will ");
  await field(phone).pressSequentially("bring cake");
  await expect.poll(() => saved(anns)).toEqual(["I will bring cake"]);
  // The first device follows once it is idle.
  await expect(field(desk)).toHaveValue("I will bring cake");
  await field(phone).press("Control+Enter");
  await expect(message(desk, "I will bring cake")).toBeVisible();
  await expect(field(desk)).toHaveValue("");
  assert.deepEqual(await saved(anns), []);
  assert.equal((await bobs.messages(chats.Plans)).results.length, 1);
});

onBoth("leaving a chat saves its draft at once, and clearing it removes the mark", async (t, how) => {
  const { anns, desk, phone } = await twoDevices(t, how);
  await opens(desk, "Plans");
  await field(desk).fill("later");
  await opens(desk, "Garden");
  await expect(mark(desk, "Plans")).toHaveText("Draft: later");
  await expect(mark(phone, "Plans")).toHaveText("Draft: later");
  await opens(desk, "Plans");
  await expect(field(desk)).toHaveValue("later");
  await field(desk).fill("");
  await expect(mark(phone, "Plans")).toHaveCount(0);
  assert.deepEqual(await saved(anns), []);
  // Leaving the page saves it too.
  await field(desk).fill("on the way");
  await desk.goto("about:blank");
  await expect(mark(phone, "Plans")).toHaveText("Draft: on the way");
});

onBoth("another device replaces nothing that one is typing", async (t, how) => {
  const { anns, chats, desk } = await twoDevices(t, how);
  await opens(desk, "Plans");
  await field(desk).fill("mine");
  await anns.saveDraft(chats.Plans, { content: "theirs" });
  await expect.poll(() => saved(anns)).toEqual(["mine"]);
  await expect(field(desk)).toHaveValue("mine");
  // An edit of a message is no draft, and ends with the draft of the other device.
  await field(desk).fill("");
  await writes(desk, "Sent");
  await expect(message(desk, "Sent")).toBeVisible();
  await field(desk).press("ArrowUp");
  await field(desk).fill("Sent, and edited");
  await anns.saveDraft(chats.Plans, { content: "theirs again" });
  await expect(field(desk)).toHaveValue("Sent, and edited");
  await field(desk).press("Escape");
  await expect(field(desk)).toHaveValue("theirs again");
});

onBoth("what is typed without a connection is saved later", async (t, how) => {
  const { road, anns, desk, phone } = await twoDevices(t, how);
  await opens(desk, "Plans");
  await field(desk).fill("before");
  await expect(mark(phone, "Plans")).toHaveText("Draft: before");
  road.isClosed = true;
  road.cut();
  await field(desk).fill("before and after");
  await opens(desk, "Garden");
  await opens(desk, "Plans");
  await expect(field(desk)).toHaveValue("before and after");
  assert.deepEqual(await saved(anns), ["before"]);
  road.isClosed = false;
  await expect(mark(phone, "Plans")).toHaveText("Draft: before and after");
});

test("a draft of a reply comes with its quote", async (t) => {
  const { anns, bobs, chats, desk, phone } = await twoDevices(t, {});
  const { id } = await bobs.sendMessage(chats.Plans, { content: "Who brings cake?" });
  await opens(desk, "Plans");
  const row = message(desk, "Who brings cake?");
  await row.hover();
  await row.locator(".context-menu-btn").click();
  await row.locator(".reply-btn").click();
  await expect.poll(async () => (await anns.drafts()).results[0]?.reply_to).toBe(id);
  await field(desk).fill("I do");
  await expect(mark(phone, "Plans")).toHaveText("Draft: I do");
  await opens(phone, "Plans");
  await expect(phone.locator(".gr-composer-reply")).toContainText("Who brings cake?");
  await phone.locator(".reply-cancel-btn").click();
  await expect(desk.locator(".gr-composer-reply")).toHaveCount(0);
  await expect(field(desk)).toHaveValue("I do");
});

test("a draft in a thread comes with its mention, apart from the chat's", async (t) => {
  const { anns, bobs, chats, desk, phone } = await twoDevices(t, {});
  const { id: root } = await bobs.sendMessage(chats.Plans, { content: "Who brings cake?" });
  const reply = (page) => page.locator(".gr-thread-pane").getByRole("textbox", { name: "Write a reply" });
  const opensThread = async (page) => {
    await opens(page, "Plans");
    const row = message(page, "Who brings cake?");
    await row.hover();
    await row.locator(".context-menu-btn").click();
    await row.locator(".thread-btn").click();
    await expect(reply(page)).toBeVisible();
  };
  await opensThread(desk);
  await reply(desk).pressSequentially("Maybe @b");
  await expect(desk.getByRole("listbox", { name: "People to mention" }).getByRole("option")).toHaveText([/Bob/]);
  await desk.keyboard.press("Enter");
  await expect(reply(desk)).toHaveValue("Maybe @Bob ");
  await expect.poll(() => saved(anns)).toEqual(["Maybe @Bob "]);
  await opensThread(phone);
  await expect(reply(phone)).toHaveValue("Maybe @Bob ");
  await expect(field(phone)).toHaveValue("");
  await field(phone).fill("in the chat");
  await expect.poll(() => saved(anns)).toEqual(["in the chat", "Maybe @Bob "]);
  await reply(phone).press("Control+Enter");
  await expect.poll(() => saved(anns)).toEqual(["in the chat"]);
  await expect(reply(desk)).toHaveValue("");
  const [sent] = (await bobs.replies(root)).results;
  assert.equal(sent.content, "Maybe @Bob");
  assert.deepEqual(sent.mentions.users.map(({ at }) => at), [[6, 10]]);
});

onBoth("a draft in a thread is marked in the lists of chats and threads, but not beside its own field", async (t, how) => {
  const { anns, bobs, chats, desk, phone } = await twoDevices(t, how);
  const { id: root } = await bobs.sendMessage(chats.Plans, { content: "Who brings cake?" });
  await anns.followThread(root);
  await opens(desk, "Plans");
  await picks(message(desk, "Who brings cake?"), ".thread-btn");
  const reply = desk.locator(".gr-thread-pane").getByRole("textbox", { name: "Write a reply" });
  await reply.fill("I do");
  await expect(mark(phone, "Plans")).toHaveText("Draft in a thread: I do");
  await expect(mark(phone, "Plans")).toBeInViewport();
  await expect(mark(desk, "Plans")).toHaveCount(0);
  if (!how.polls) await isAccessible(phone, "a draft of a thread in the list of chats");
  // The chat's own draft comes first.
  await anns.saveDraft(chats.Plans, { content: "to all" });
  await expect(mark(phone, "Plans")).toHaveText("Draft: to all");
  await anns.removeDraft(chats.Plans);
  await expect(mark(phone, "Plans")).toHaveText("Draft in a thread: I do");
  for (const page of [desk, phone]) await page.locator("#threads-btn").click();
  const inThreads = (page) => page.locator("#thread-list .thread-item").filter({ hasText: "Who brings cake?" }).locator(".draft-indicator");
  await expect(inThreads(phone)).toHaveText("Draft: I do");
  await expect(inThreads(phone)).toBeInViewport();
  await expect(inThreads(desk)).toHaveCount(0);
  // Once the thread is closed, there is no field beside the list any more.
  await desk.locator(".gr-thread-pane").getByRole("button", { name: "Close thread" }).click();
  await expect(inThreads(desk)).toHaveText("Draft: I do");
  await desk.locator("#threads-btn").click();
  await expect(mark(desk, "Plans")).toHaveText("Draft in a thread: I do");
  await picks(message(desk, "Who brings cake?"), ".thread-btn");
  await expect(mark(desk, "Plans")).toHaveCount(0);
  await reply.press("Control+Enter");
  await expect(inThreads(phone)).toHaveCount(0);
  await phone.locator("#threads-btn").click();
  await expect(mark(phone, "Plans")).toHaveCount(0);
});
