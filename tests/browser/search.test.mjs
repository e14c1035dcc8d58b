import assert from "node:assert/strict";
import test from "node:test";

import { NARROW, expect, helper, isAccessible, message, onBoth, opens, serverWith, visit } from "./support.mjs";

test("chats and people are found by name, with the keyboard alone", async (t) => {
  const { server, people } = await serverWith(t, ["ann", "bob", "carol"]);
  const [ann, bob] = people;
  const anns = helper(server, ann);
  await anns.createChat({ chat_type: "group", title: "Bobsleigh plans", member_ids: [bob.id] });
  await anns.createChat({ chat_type: "group", title: "Garden" });
  const page = await visit(t, server.url, ann);
  await page.getByLabel("Search", { exact: true }).fill("bob");
  const chats = page.getByRole("region", { name: "Chats" });
  await expect(chats.getByRole("button")).toHaveCount(1);
  assert.equal(await chats.locator("mark").first().textContent(), "Bob");
  await expect(page.getByRole("region", { name: "People" }).getByRole("button")).toHaveCount(1);
  await expect(page.locator("[aria-live=polite].gr-hidden")).toContainText("2 results");
  await page.keyboard.press("ArrowDown");
  await expect(chats.getByRole("button")).toBeFocused();
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  await expect(page.locator("#current-chat-name")).toHaveText("Bob");
  await page.getByLabel("Search", { exact: true }).fill("nobody of this name");
  await expect(page.getByText("No results").first()).toBeVisible();
  await page.getByLabel("Search", { exact: true }).press("Escape");
  await expect(page.locator("#chat-list .chat-item")).toHaveCount(3);
});

test("a message far back is shown in its place, and from there one gets to the end", async (t) => {
  const { server, people } = await serverWith(t, ["ann"]);
  const anns = helper(server, people[0]);
  const { id: chat } = await anns.createChat({ chat_type: "group", title: "Garden" });
  const ids = [];
  for (let number = 1; number <= 220; number++)
    ids.push((await anns.sendMessage(chat, { content: `line ${number}.` })).id);
  const page = await visit(t, server.url, people[0], `/?chat=${chat}&message=${ids[49]}`);
  const row = page.locator(`[data-message-id="${ids[49]}"]`);
  await expect(row).toBeInViewport();
  await expect(row).toBeFocused();
  await page.getByRole("button", { name: "Latest messages" }).click();
  await expect(page.getByText("line 220.").last()).toBeInViewport();
  await page.goBack();
  await page.goForward();
  await page.goto(`/?chat=${chat}&message=${ids[99]}`);
  await expect(page.locator(`[data-message-id="${ids[99]}"]`)).toBeInViewport();
  // Further down, page by page, there is no gap.
  const shown = () => page.locator("#message-list .message-content").allTextContents();
  while (!(await shown()).includes("line 220.")) {
    await page.locator("#message-list").evaluate((box) => (box.scrollTop += 800));
    const numbers = (await shown()).map((text) => parseInt(text.slice(5)));
    assert.deepEqual(
      numbers,
      numbers.map((_, index) => numbers[0] + index),
    );
  }
});

const field = (page) => page.getByLabel("Search", { exact: true });
const found = (page) => page.getByRole("region", { name: "Messages" });

/** Returns the highlighted texts in the visible messages. */
const painted = (page) =>
  page.evaluate(() => [...(CSS.highlights.get("greenroom-found") ?? [])].map((range) => range.toString()));

/** Ann and bob in a group with so many lines of bob's, every tenth about a heron. */
async function herons(t, count, options) {
  const { server, people } = await serverWith(t, ["ann", "bob"]);
  const [ann, bob] = people;
  const { id } = await helper(server, ann).createChat({ chat_type: "group", title: "Pond", member_ids: [bob.id] });
  const bobs = helper(server, bob);
  const ids = [];
  for (let number = 1; number <= count; number++) {
    const content = number % 10 === 0 ? `line ${number}: 🐟 a Grey HERON, 🐸` : `line ${number}.`;
    ids.push((await bobs.sendMessage(id, { content })).id);
  }
  await helper(server, ann).createChat({ chat_type: "group", title: "Garden" });
  const page = await visit(t, server.url, ann, "/", options);
  return { server, ann, bob, bobs, page, id, ids };
}

onBoth("a message is found by its words, marked, and shown in its place", async (t, how) => {
  const { page, bobs, id, ids } = await herons(t, 150, how);
  await field(page).fill("heron grey");
  const hits = found(page).getByRole("button");
  await expect(hits).toHaveCount(15);
  await expect(found(page)).toContainText("Messages15");
  await expect(page.locator("[aria-live=polite].gr-hidden")).toContainText("15 results");
  // The newest first. Highlights are right behind characters of two UTF-16 units.
  assert.deepEqual(await hits.first().locator("mark").allTextContents(), ["Grey", "HERON"]);
  await expect(hits.first().locator(".gr-found-title")).toContainText(/Bob\s*· Pond/);
  await isAccessible(page, "messages that were found");
  await field(page).press("ArrowDown");
  await expect(hits.first()).toBeFocused();
  await hits.nth(10).click();
  const row = page.locator(`[data-message-id="${ids[49]}"]`);
  await expect(row).toBeFocused();
  await expect(row).toBeInViewport();
  await expect(message(page, "line 49.")).toBeInViewport();
  await expect(hits.nth(10)).toHaveAttribute("aria-current", "true");
  await expect.poll(() => painted(page)).toEqual(["Grey", "HERON"]);
  await isAccessible(page, "a message that was found");
  // A new message is not at the end of the visible range.
  await bobs.sendMessage(id, { content: "just now" });
  await page.getByRole("button", { name: /new message|Latest messages/ }).click();
  await expect(message(page, "just now")).toBeInViewport();
  // Back in the history: to the message, and to the chat before any.
  await page.goBack();
  await expect(page.locator("#current-chat-name")).toHaveCount(0);
  await page.goForward();
  await expect(row).toBeInViewport();
  await field(page).fill("heron unicorn");
  await expect(page.getByText("No results").first()).toBeVisible();
});

test("what is found begins with what was typed, or is of a script without spaces", async (t) => {
  const { server, people } = await serverWith(t, ["ann", "bob"]);
  const [ann, bob] = people;
  const anns = helper(server, ann);
  const { id } = await anns.createChat({ chat_type: "group", title: "Startup arts", member_ids: [bob.id] });
  await anns.createChat({ chat_type: "group", title: "Party" });
  for (const content of ["let us start", "modern art, no party", "我们在北京见面"]) await anns.sendMessage(id, { content });
  const page = await visit(t, server.url, ann);
  await field(page).fill("art");
  await expect(found(page).getByRole("button")).toHaveCount(1);
  await expect(found(page).locator("mark")).toHaveText(["art"]);
  const chats = page.getByRole("region", { name: "Chats" });
  await expect(chats.getByRole("button")).toHaveCount(1);
  await expect(chats.locator("mark")).toHaveText(["art"]);
  await expect(chats.locator(".gr-chat-title").first()).toHaveJSProperty("innerHTML", "Startup <mark>art</mark>s");
  await field(page).fill("北京");
  await expect(found(page).getByRole("button")).toHaveCount(1);
  await expect(found(page).locator("mark")).toHaveText(["北京"]);
  await field(page).press("Escape");
  await opens(page, "Startup arts");
  await page.locator("#chat-menu-btn").click();
  await page.getByRole("menuitem", { name: "Search in this chat" }).click();
  await page.locator("#chat-search-input").fill("art");
  await expect(page.getByText("1 of 1")).toBeVisible();
});

test("more is found page by page, with the focus on what comes next", async (t) => {
  const { page } = await herons(t, 450);
  await field(page).fill("heron");
  const hits = found(page).locator(".gr-hit");
  await expect(hits).toHaveCount(20);
  await hits.last().focus();
  await page.keyboard.press("ArrowDown");
  await expect(found(page).locator(".gr-more-btn")).toBeFocused();
  await page.keyboard.press("Enter");
  await expect(hits).toHaveCount(40);
  await expect(hits.nth(20)).toBeFocused();
  await found(page).locator(".gr-more-btn").click();
  await expect(hits).toHaveCount(45);
  await expect(found(page).locator(".gr-more-btn")).toHaveCount(0);
  const lines = (await hits.locator(".gr-found-text").allTextContents()).map((text) => parseInt(text.match(/\d+/)[0]));
  assert.deepEqual(
    lines,
    lines.map((_, index) => 450 - 10 * index),
  );
});

test("on a phone one comes back from a message to what was found", async (t) => {
  const { page } = await herons(t, 30, { viewport: NARROW, hasTouch: true });
  await field(page).fill("heron");
  const second = found(page).locator(".gr-hit").nth(1);
  await second.tap();
  await expect(message(page, "line 20:")).toBeInViewport();
  await expect(second).toBeHidden();
  await page.getByRole("button", { name: "Back to chats" }).tap();
  await expect(second).toBeFocused();
  await expect(field(page)).toHaveValue("heron");
});

onBoth("in a chat one goes from hit to hit, without leaving the keyboard", async (t, how) => {
  const { server, ann, page, ids } = await herons(t, 150, how);
  const { id: other } = await helper(server, ann).createChat({ chat_type: "group", title: "Lake" });
  await helper(server, ann).sendMessage(other, { content: "a heron elsewhere" });
  await opens(page, "Pond");
  await page.locator("#chat-menu-btn").click();
  await page.getByRole("menuitem", { name: "Search in this chat" }).click();
  const search = page.locator("#chat-search-input");
  await expect(search).toBeFocused();
  await search.fill("heron");
  const row = (number) => page.locator(`[data-message-id="${ids[number - 1]}"]`);
  await expect(page.getByText("1 of 15")).toBeVisible();
  await expect(row(150)).toBeInViewport();
  for (let hit = 2; hit <= 15; hit++) {
    await search.press("Enter");
    await expect(page.getByText(`${hit} of 15`)).toBeVisible();
    await expect(row(160 - 10 * hit)).toBeInViewport();
  }
  await expect.poll(() => painted(page)).toEqual(["HERON"]);
  await expect(search).toBeFocused();
  await isAccessible(page, "searching in a chat");
  await search.press("Shift+Enter");
  await expect(page.getByText("14 of 15")).toBeVisible();
  await expect(row(20)).toBeInViewport();
  await page.getByRole("button", { name: "Newer result" }).click();
  await expect(row(30)).toBeInViewport();
  await search.fill("nobody says this");
  await expect(page.locator(".gr-chat-search-note")).toHaveText("No results");
  await search.fill("line 30:");
  await expect(page.getByText("1 of 2")).toBeVisible();
  await search.press("ArrowUp");
  await expect(page.getByText("2 of 2")).toBeVisible();
  await search.press("Escape");
  await expect(search).toHaveCount(0);
  await expect(row(30)).toBeFocused();
});
