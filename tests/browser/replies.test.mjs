import assert from "node:assert/strict";
import test from "node:test";

import { NARROW, TINY, UNLIMITED, expect, fill, helper, isAccessible, onBoth, serverWith, visit, WIDE, writes } from "./support.mjs";

/** Ann and bob, with their group open. */
async function annAndBob(t, options, count = 0) {
  const { server, people } = await serverWith(t, ["ann", "bob"], ...UNLIMITED);
  const [ann, bob] = people;
  const chat = await helper(server, ann).createChat({ chat_type: "group", title: "Team", member_ids: [bob.id] });
  if (count) await fill(server, ann, chat.id, count, (number) => `Question ${number}.`);
  const anns = await visit(t, server.url, ann, `/?chat=${chat.id}`, options);
  const bobs = await visit(t, server.url, bob, `/?chat=${chat.id}`, options);
  return { server, ann, bob, anns, bobs, chat };
}

/** Returns the locator of a message by its own text, not by what it quotes. */
const row = (page, text) =>
  page.locator("#message-list [data-message-id]").filter({ has: page.locator(".message-content").getByText(text, { exact: true }) });

const quoteIn = (page, text) => row(page, text).locator(".gr-quote");

async function chooses(page, text, item) {
  await row(page, text).hover();
  await row(page, text).locator(".context-menu-btn").click();
  await row(page, text).locator(item).click();
}

onBoth("a reply shows what it answers, and leads there", async (t, how) => {
  const { anns, bobs } = await annAndBob(t, how, 150);
  // An old message, far above the loaded ones.
  await bobs.locator("#message-list").hover();
  await expect(async () => {
    await bobs.mouse.wheel(0, -8_000);
    await expect(row(bobs, "Question 3.")).toBeInViewport({ timeout: 500 });
  }).toPass();
  await chooses(bobs, "Question 3.", ".reply-btn");
  await expect(bobs.locator("#message-input")).toBeFocused();
  await expect(bobs.locator(".gr-composer-reply")).toContainText("In reply to: AnnQuestion 3.");
  await writes(bobs, "Answer three");
  await expect(bobs.locator(".gr-composer-reply")).toHaveCount(0);
  for (const page of [anns, bobs]) {
    await expect(row(page, "Answer three")).toBeInViewport();
    await expect(quoteIn(page, "Answer three")).toContainText("Question 3.");
  }
  await expect(row(anns, "Question 3.")).toHaveCount(0);
  await quoteIn(anns, "Answer three").click();
  await expect(row(anns, "Question 3.")).toBeInViewport();
  await expect(row(anns, "Question 3.")).toBeFocused();
  await anns.getByRole("button", { name: "Latest messages" }).click();
  await expect(row(anns, "Answer three")).toBeInViewport();
});

onBoth("a quote follows the edits and the deletion of its message", async (t, how) => {
  const { anns, bobs } = await annAndBob(t, how);
  await writes(anns, "Where do we meat?");
  await expect(row(bobs, "Where do we meat?")).toBeVisible();
  // By the keyboard alone.
  await row(bobs, "Where do we meat?").focus();
  await bobs.keyboard.press("r");
  await bobs.keyboard.type("At the lake");
  await bobs.keyboard.press("Enter");
  await expect(quoteIn(anns, "At the lake")).toHaveText("In reply to: YouWhere do we meat?");
  // Edited while bob answers it once more.
  await row(bobs, "Where do we meat?").focus();
  await bobs.keyboard.press("r");
  await chooses(anns, "Where do we meat?", ".edit-btn");
  await writes(anns, "Where do we meet?");
  for (const page of [anns, bobs]) await expect(quoteIn(page, "At the lake")).toContainText("Where do we meet?");
  await expect(bobs.locator(".gr-composer-reply")).toContainText("Where do we meet?");
  // It outlives a reload, with its text; Escape ends it and leaves the text.
  await bobs.locator("#message-input").fill("Or at");
  await bobs.reload();
  await expect(bobs.locator(".gr-composer-reply")).toContainText("Where do we meet?");
  await expect(bobs.locator("#message-input")).toHaveValue("Or at");
  await bobs.locator("#message-input").press("Escape");
  await expect(bobs.locator(".gr-composer-reply")).toHaveCount(0);
  await expect(bobs.locator("#message-input")).toHaveValue("Or at");
  await chooses(bobs, "Where do we meet?", ".reply-btn");
  await chooses(anns, "Where do we meet?", ".delete-btn");
  for (const page of [anns, bobs]) {
    await expect(quoteIn(page, "At the lake")).toContainText("This message was deleted");
    await expect(page.getByRole("button", { name: /deleted/ })).toHaveCount(0);
  }
  await expect(bobs.getByText("The message you were replying to was deleted.")).toBeVisible();
  await expect(bobs.locator(".gr-composer-reply")).toHaveCount(0);
  await expect(bobs.locator("#message-input")).toHaveValue("Or at");
  await bobs.locator("#message-input").press("Enter");
  await expect(row(anns, "Or at")).toBeVisible();
  await expect(quoteIn(anns, "Or at")).toHaveCount(0);
});

test("on a phone a swipe replies, and another one scrolls", async (t) => {
  const { anns, bobs } = await annAndBob(t, { viewport: NARROW, hasTouch: true, isMobile: true });
  await writes(anns, "Coffee?");
  await expect(row(bobs, "Coffee?")).toBeVisible();
  const touches = await bobs.context().newCDPSession(bobs);
  const { x, y } = await row(bobs, "Coffee?").boundingBox();
  const swipe = async (dx, dy) => {
    const at = (part) => [{ x: x + 40 + dx * part, y: y + 10 + dy * part }];
    await touches.send("Input.dispatchTouchEvent", { type: "touchStart", touchPoints: at(0) });
    for (const part of [0.25, 0.5, 0.75, 1]) await touches.send("Input.dispatchTouchEvent", { type: "touchMove", touchPoints: at(part) });
    await touches.send("Input.dispatchTouchEvent", { type: "touchEnd", touchPoints: [] });
  };
  await swipe(20, 0);
  await swipe(80, 60);
  await swipe(-80, 0);
  await expect(bobs.locator(".gr-composer-reply")).toHaveCount(0);
  await swipe(80, 4);
  await expect(bobs.locator(".gr-composer-reply")).toContainText("Coffee?");
  await writes(bobs, "Yes");
  await expect(quoteIn(anns, "Yes")).toBeInViewport();
  await bobs.locator(".gr-quote").tap();
  await expect(row(bobs, "Coffee?")).toBeInViewport();
});

/** Ann asks, and bob answers while he is offline. His page shows the quote at once. */
async function answersOffline(anns, bobs) {
  await writes(anns, "Are you there?");
  await expect(row(bobs, "Are you there?")).toBeVisible();
  await bobs.context().setOffline(true);
  await chooses(bobs, "Are you there?", ".reply-btn");
  await writes(bobs, "Nearly");
  const waiting = bobs.locator(".message-item").filter({ hasText: "Nearly" });
  await expect(waiting.locator(".gr-quote")).toContainText("Are you there?");
}

test("a reply to what was deleted meanwhile is sent without a quote", async (t) => {
  const { anns, bobs, server, ann, chat } = await annAndBob(t, { allows: ["ERR_", "WebSocket connection"] });
  await answersOffline(anns, bobs);
  const [{ id }] = (await helper(server, ann).messages(chat.id)).results;
  await helper(server, ann).deleteMessage(id);
  await bobs.context().setOffline(false);
  await expect(row(anns, "Nearly")).toBeVisible();
  await expect(quoteIn(anns, "Nearly")).toHaveCount(0);
  await expect(row(bobs, "Nearly").locator(".gr-quote, .gr-failure")).toHaveCount(0);
});

test("an edit that a reply interrupts is kept as a draft", async (t) => {
  const { anns, bobs } = await annAndBob(t, {});
  await writes(anns, "One");
  await writes(bobs, "Two");
  await chooses(anns, "One", ".edit-btn");
  await anns.locator("#message-input").fill("One, and much more");
  await chooses(anns, "Two", ".reply-btn");
  await expect(anns.locator("#message-input")).toHaveValue("One, and much more");
  await expect(anns.locator(".gr-composer-reply")).toContainText("Two");
  await expect(row(anns, "One")).toBeVisible();
});

test("a reply that cannot be sent yet shows its quote, and is sent once", async (t) => {
  const { server, ann, anns, bobs, chat } = await annAndBob(t, { allows: ["ERR_", "WebSocket connection"] });
  await answersOffline(anns, bobs);
  await bobs.context().setOffline(false);
  await expect(quoteIn(anns, "Nearly")).toContainText("Are you there?");
  const { results } = await helper(server, ann).messages(chat.id);
  assert.deepEqual(
    results.map(({ content, reply_to }) => [content, reply_to?.excerpt ?? null]),
    [
      ["Nearly", "Are you there?"],
      ["Are you there?", null],
    ],
  );
});

test("the chat menu leads to a day", async (t) => {
  const { anns } = await annAndBob(t, {}, 120);
  await expect(row(anns, "Question 120.")).toBeInViewport();
  await anns.getByRole("button", { name: "Chat options" }).click();
  await anns.locator("#go-to-date-item").click();
  const dialog = anns.getByRole("dialog", { name: "Go to a date" });
  await dialog.getByLabel("Date").fill("");
  await dialog.locator("#go-to-date-btn").click();
  await expect(dialog.getByRole("alert")).toHaveText("Choose a date.");
  await isAccessible(anns, "the dialog for a date");
  // A day after the last message leads to that.
  await dialog.getByLabel("Date").fill("2099-02-28");
  await dialog.getByLabel("Date").press("Enter");
  await expect(dialog).toHaveCount(0);
  await expect(row(anns, "Question 120.")).toBeInViewport();
  await anns.getByRole("button", { name: "Chat options" }).click();
  await anns.locator("#go-to-date-item").click();
  await expect(dialog.getByLabel("Date")).toBeFocused();
  await dialog.getByLabel("Date").fill("2020-02-29");
  await dialog.locator("#go-to-date-btn").click();
  await expect(dialog).toHaveCount(0);
  await expect(row(anns, "Question 1.")).toBeInViewport();
});

test("replies are accessible, wide and narrow", async (t) => {
  const { anns, bobs } = await annAndBob(t, {});
  await writes(anns, `Where do we meet? ${"And when, and who brings what? ".repeat(8)}`);
  await chooses(bobs, /^Where do we meet/, ".reply-btn");
  await writes(bobs, "At noon");
  await expect(quoteIn(anns, "At noon")).toBeVisible();
  await chooses(anns, "At noon", ".reply-btn");
  for (const viewport of [WIDE, NARROW, TINY]) {
    await anns.setViewportSize(viewport);
    await isAccessible(anns, `replies at ${viewport.width}`);
    const overflow = await anns.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    assert.ok(overflow <= 0, `${overflow} at ${viewport.width}`);
  }
});
