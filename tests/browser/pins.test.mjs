import assert from "node:assert/strict";
import test from "node:test";

import { NARROW, TINY, UNLIMITED, expect, fill, helper, isAccessible, onBoth, serverWith, visit, WIDE, writes } from "./support.mjs";

async function annAndBob(t, options, { chat_type = "group", count = 0 } = {}) {
  const { server, people } = await serverWith(t, ["ann", "bob"], ...UNLIMITED);
  const [ann, bob] = people;
  const chat = await helper(server, ann).createChat({ chat_type, title: "Team", member_ids: chat_type === "room" ? undefined : [bob.id] });
  if (chat_type === "room") await helper(server, bob).joinChat(chat.id);
  if (count) await fill(server, ann, chat.id, count, (number) => `Rule ${number}.`);
  const anns = await visit(t, server.url, ann, `/?chat=${chat.id}`, options);
  const bobs = await visit(t, server.url, bob, `/?chat=${chat.id}`, options);
  return { server, ann, bob, anns, bobs, chat };
}

const row = (page, text) =>
  page.locator("#message-list [data-message-id]").filter({ has: page.locator(".message-content").getByText(text, { exact: true }) });

async function chooses(page, text, item) {
  await row(page, text).hover();
  await row(page, text).locator(".context-menu-btn").click();
  await row(page, text).locator(item).click();
}

onBoth("what is pinned is above the messages of all, and leads to its message", async (t, how) => {
  const { server, ann, anns, bobs, chat } = await annAndBob(t, how, { count: 150 });
  const first = (await helper(server, ann).messages(chat.id, { after: 0, page_size: 1 })).results[0];
  await helper(server, ann).pin(chat.id, first.id);
  for (const page of [anns, bobs]) await expect(page.locator(".gr-pin-bar")).toContainText("1 pinned messageRule 1.");
  await chooses(bobs, "Rule 2.", ".pin-btn");
  for (const page of [anns, bobs]) await expect(page.locator(".gr-pin-bar")).toContainText("2 pinned messagesRule 2.");
  // The list leads to a message that is far above.
  await anns.locator(".gr-pin-bar").click();
  const list = anns.getByRole("dialog", { name: "Pinned messages" });
  await expect(list.getByRole("listitem")).toHaveText([/Rule 2\./, /Rule 1\./]);
  await list.locator(".gr-quote").filter({ hasText: "Rule 1." }).click();
  await expect(list).toHaveCount(0);
  await expect(row(anns, "Rule 1.")).toBeInViewport();
  // An edit shows there, and a deletion unpins.
  await helper(server, ann).editMessage(first.id, "Rule one.");
  await bobs.locator(".gr-pin-bar").click();
  const bobsList = bobs.getByRole("dialog", { name: "Pinned messages" });
  await expect(bobsList.getByRole("listitem")).toHaveText([/Rule 2\./, /Rule one\./]);
  await bobsList.getByRole("listitem").first().getByRole("button", { name: "Unpin message" }).click();
  await expect(bobsList.getByRole("listitem")).toHaveText([/Rule one\./]);
  await bobs.keyboard.press("Escape");
  for (const page of [anns, bobs]) await expect(page.locator(".gr-pin-bar")).toContainText("1 pinned messageRule one.");
  // The list stays when its last message is unpinned, and does not come back by itself.
  await bobs.locator(".gr-pin-bar").click();
  await bobsList.getByRole("button", { name: "Unpin message" }).click();
  await expect(bobsList.getByText("No message is pinned.")).toBeVisible();
  await bobs.keyboard.press("Escape");
  await expect(bobs.locator("#message-list")).toBeFocused();
  await helper(server, ann).pin(chat.id, first.id);
  await expect(bobs.locator(".gr-pin-bar")).toBeVisible();
  await expect(bobsList).toHaveCount(0);
  await helper(server, ann).deleteMessage(first.id);
  for (const page of [anns, bobs]) await expect(page.locator(".gr-pin-bar")).toHaveCount(0);
});

test("in a room only admins have the menu item, and the bar is accessible", async (t) => {
  const { anns, bobs } = await annAndBob(t, {}, { chat_type: "room" });
  await writes(anns, `Be kind. ${"And patient, and brief, and yourself. ".repeat(6)}`);
  await expect(row(bobs, /^Be kind/)).toBeVisible();
  await row(bobs, /^Be kind/).hover();
  await row(bobs, /^Be kind/).locator(".context-menu-btn").click();
  await expect(bobs.locator(".reply-btn")).toBeVisible();
  await expect(bobs.locator(".pin-btn")).toHaveCount(0);
  await bobs.keyboard.press("Escape");
  await chooses(anns, /^Be kind/, ".pin-btn");
  await expect(bobs.locator(".gr-pin-bar")).toBeVisible();
  await bobs.locator(".gr-pin-bar").click();
  await expect(bobs.getByRole("dialog").getByRole("listitem")).toHaveCount(1);
  await expect(bobs.getByRole("button", { name: "Unpin message" })).toHaveCount(0);
  for (const viewport of [WIDE, NARROW, TINY]) {
    await bobs.setViewportSize(viewport);
    await isAccessible(bobs, `the list of pins at ${viewport.width}`);
  }
  await bobs.keyboard.press("Escape");
  await expect(bobs.locator(".gr-pin-bar")).toBeFocused();
  await isAccessible(bobs, "the bar of pins");
  const overflow = await bobs.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  assert.ok(overflow <= 0, `${overflow}`);
});
