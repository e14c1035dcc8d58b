// Pins, forwarding, history, dates and levels without a mouse.

import assert from "node:assert/strict";
import test from "node:test";

import { expect, fill, helper, isAccessible, serverWith, UNLIMITED, visit } from "./support.mjs";

test("messages are pinned, forwarded and looked up by the keyboard alone", async (t) => {
  const { server, people } = await serverWith(t, ["ann", "bob"], "--message-history", "members", ...UNLIMITED);
  const [ann, bob] = people;
  const [anns, bobs] = [helper(server, ann), helper(server, bob)];
  const { id: chat } = await anns.createChat({ chat_type: "group", title: "Team", member_ids: [bob.id] });
  const { id: garden } = await anns.createChat({ chat_type: "group", title: "Garden", member_ids: [bob.id] });
  await fill(server, bob, chat, 100, (number) => `Rule ${number}.`);
  const { id } = await bobs.sendMessage(chat, { content: "At nine" });
  await bobs.editMessage(id, "At ten");
  await anns.markAsRead(chat);
  const page = await visit(t, server.url, ann, `/?chat=${chat}`);
  const row = page.locator(`[data-message-id="${id}"]`);
  await expect(row).toBeInViewport();
  await expect(page.locator("#message-input")).toBeFocused();
  const press = async (...keys) => {
    for (const key of keys) await page.keyboard.press(key);
    assert.notEqual(await page.evaluate(() => document.activeElement?.localName), "body", `after ${keys}`);
  };
  const isFocused = (locator) => locator.evaluate((element) => element === document.activeElement);
  /** Presses a key until an element has the focus. */
  const reach = async (locator, key = "Tab") => {
    for (let step = 0; step < 40; step++) {
      await press(key);
      if (await isFocused(locator)) return;
    }
    assert.fail(`${locator} cannot be reached by ${key}`);
  };
  /** Chooses an item of the message's menu. */
  const chooses = async (item) => {
    await press("Enter");
    await reach(row.locator(item), "ArrowDown");
    await press("Enter");
  };
  await reach(page.locator("#message-list"), "Shift+Tab");
  await press("ArrowUp");
  await expect(row).toBeFocused();

  await chooses(".history-btn");
  const history = page.getByRole("dialog", { name: "Edit history" });
  await expect(history.getByRole("listitem").locator("p")).toHaveText(["At nine"]);
  await press("Escape");
  await expect(history).toHaveCount(0);

  await row.focus();
  await chooses(".forward-btn");
  await expect(page.locator(".forward-search")).toBeFocused();
  await page.keyboard.type("gard");
  await expect(page.getByRole("dialog").getByRole("listitem")).toHaveText([/Garden/]);
  await reach(page.locator(".forward-comment"));
  await page.keyboard.type("For the garden too");
  await reach(page.getByRole("button", { name: "Forward Garden" }));
  await press("Enter");
  await expect(page.getByText("Forwarded to “Garden”.")).toBeVisible();
  const [copy] = (await bobs.messages(garden)).results;
  assert.deepEqual([copy.content, copy.forwarded_from.content], ["For the garden too", "At ten"]);

  await row.focus();
  await chooses(".pin-btn");
  await expect(page.locator(".gr-pin-bar")).toContainText("At ten");
  await expect.poll(async () => (await bobs.pins(chat)).results.map((pinned) => pinned.id)).toEqual([id]);

  // A day long ago leads to the first message, and the pin back to the last one.
  await reach(page.locator("#chat-menu-btn"), "Shift+Tab");
  await press("Enter");
  await reach(page.locator("#go-to-date-item"), "ArrowDown");
  await press("Enter");
  const date = page.getByRole("dialog", { name: "Go to a date" }).getByLabel("Date");
  await expect(date).toBeFocused();
  await page.keyboard.type("01012020");
  await expect(date).toHaveValue("2020-01-01");
  await press("Enter");
  const first = page.locator("#message-list [data-message-id]").filter({ has: page.getByText("Rule 1.", { exact: true }) });
  await expect(first).toBeInViewport();
  await expect(first).toBeFocused();
  await reach(page.locator(".gr-pin-bar"), "Shift+Tab");
  await press("Enter");
  await reach(page.getByRole("dialog", { name: "Pinned messages" }).locator(".gr-quote"));
  await press("Enter");
  await expect(row).toBeInViewport();
  await expect(row).toBeFocused();

  await reach(page.locator("#chat-menu-btn"), "Shift+Tab");
  await press("Enter");
  await reach(page.locator("#notify-chat-btn"), "ArrowDown");
  await press("Enter");
  await expect(page.getByRole("menuitemradio", { name: "All messages" })).toBeFocused();
  await press("ArrowDown", "Enter");
  await expect(page.locator("#chat-menu-btn")).toBeFocused();
  await expect.poll(async () => (await anns.chat(chat)).me.notify).toBe("mentions");
  await isAccessible(page, "a chat with a pin, where one notifies of mentions only");
});
