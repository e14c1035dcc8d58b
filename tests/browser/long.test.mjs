import assert from "node:assert/strict";
import test from "node:test";

import { UNLIMITED, expect, fill, helper, message, serverWith, visit, writes } from "./support.mjs";

const COUNT = 50_000;
/** The most nodes in the whole document, however long a chat is. */
const MOST_NODES = 6_000;

const countNodes = (page) => page.evaluate(() => document.querySelectorAll("*").length);

/** Returns the numbers of the messages in the document. */
const numbers = (page) =>
  page.evaluate(() =>
    [...document.querySelectorAll("#message-list .message-content")].map(({ textContent }) => parseInt(textContent)),
  );

/** Scrolls by so many pixels. Returns how far the visible rows really moved, after the next render. */
const scrolls = (page, by) =>
  page.evaluate(async (by) => {
    const box = document.querySelector("#message-list");
    const middle = box.getBoundingClientRect().top + box.clientHeight / 2;
    const rows = [...box.querySelectorAll("[data-message-id]")];
    const row = rows.find((row) => row.getBoundingClientRect().bottom > middle);
    const before = row.getBoundingClientRect().top;
    const room = by < 0 ? box.scrollTop : box.scrollHeight - box.clientHeight - box.scrollTop;
    box.scrollTop += by;
    for (let frame = 0; frame < 3; frame++) await new Promise(requestAnimationFrame);
    const after = document.querySelector(`[data-message-id="${row.dataset.messageId}"]`);
    return { wanted: Math.sign(by) * Math.min(Math.abs(by), room), moved: before - after.getBoundingClientRect().top };
  }, by);

test("a chat of 50,000 messages is scrolled without a jump, and with few nodes", async (t) => {
  const { server, people } = await serverWith(t, ["ann", "bob"], ...UNLIMITED);
  const [ann, bob] = people;
  const { id } = await helper(server, ann).createChat({ chat_type: "group", title: "Long", member_ids: [bob.id] });
  const lines = (number) => (number % 7 === 0 ? "\nand another line".repeat(number % 5) : "");
  await fill(server, bob, id, COUNT, (number) => `${number}${lines(number)}`);
  // Else the chat opens at the first unread message.
  await helper(server, ann).markAsRead(id);
  const page = await visit(t, server.url, ann, `/?chat=${id}`);
  await expect(message(page, `${COUNT}`)).toBeVisible();

  const seen = new Set();
  let most = 0;
  const note = async () => {
    const shown = await numbers(page);
    assert.deepEqual(
      shown,
      shown.map((_, index) => shown[0] + index),
      "they are in order, without holes",
    );
    shown.forEach((number) => seen.add(number));
    most = Math.max(most, await countNodes(page));
  };
  // Up through thousands of messages, page after page.
  while (!seen.has(COUNT - 3_000)) {
    const { wanted, moved } = await scrolls(page, -700);
    assert.ok(Math.abs(wanted - moved) <= 2, `it moved by ${moved}, not by ${wanted}`);
    await note();
  }
  // New messages move nothing.
  const held = (await numbers(page))[0];
  await helper(server, bob).sendMessage(id, { content: "50001 is new" });
  await expect(page.getByRole("button", { name: "1 new message" })).toBeVisible();
  assert.equal((await numbers(page))[0], held);
  // Down again.
  for (let step = 0; step < 10; step++) {
    const { wanted, moved } = await scrolls(page, 900);
    assert.ok(Math.abs(wanted - moved) <= 2, `it moved by ${moved}, not by ${wanted}`);
    await note();
  }
  await page.getByRole("button", { name: "1 new message" }).click();
  await expect(message(page, "50001 is new")).toBeInViewport();
  await note();
  assert.ok(most < MOST_NODES, `${most} nodes`);
  assert.equal(seen.size, COUNT + 1 - Math.min(...seen) + 1);
  // The writer sees the new message, wherever they had scrolled.
  await scrolls(page, -3_000);
  await writes(page, "50002 is mine");
  await expect(message(page, "50002 is mine")).toBeInViewport();
});
