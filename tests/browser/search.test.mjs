import assert from "node:assert/strict";
import test from "node:test";

import { expect, helper, serverWith, visit } from "./support.mjs";

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
  await expect(page.locator("[aria-live=polite].gr-hidden")).toContainText("2 hits");
  await page.keyboard.press("ArrowDown");
  await expect(chats.getByRole("button")).toBeFocused();
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  await expect(page.locator("#current-chat-name")).toHaveText("Bob");
  await page.getByLabel("Search", { exact: true }).fill("nobody of this name");
  await expect(page.getByText("Nothing found.").first()).toBeVisible();
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
  // Down from there, page by page, there is no hole.
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
