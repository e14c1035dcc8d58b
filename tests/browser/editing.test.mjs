import assert from "node:assert/strict";
import test from "node:test";

import { NARROW, expect, helper, message, onBoth, opens, serverWith, visit, writes } from "./support.mjs";

/** Ann and bob, with their dm open. */
async function annAndBob(t, options) {
  const { server, people } = await serverWith(t, ["ann", "bob"]);
  const [ann, bob] = people;
  const chat = await helper(server, ann).createChat({ chat_type: "dm", member_ids: [bob.id] });
  const anns = await visit(t, server.url, ann, `/?chat=${chat.id}`, options);
  const bobs = await visit(t, server.url, bob, `/?chat=${chat.id}`, options);
  return { server, ann, bob, anns, bobs, chat };
}

/** Opens a message's menu and selects an item. */
async function chooses(page, text, item) {
  await message(page, text).hover();
  await message(page, text).locator(".context-menu-btn").click();
  await message(page, text).locator(item).click();
}

onBoth("edits happen in the composer, and what was typed before comes back", async (t, how) => {
  const { anns, bobs } = await annAndBob(t, how);
  const field = anns.locator("#message-input");
  await writes(anns, "Helo");
  await expect(message(bobs, "Helo")).toBeVisible();
  await field.fill("half a thought");
  await chooses(anns, "Helo", ".edit-btn");
  await expect(field).toHaveValue("Helo");
  await expect(field).toBeFocused();
  await field.fill("Hello");
  await anns.locator(".edit-save-btn").click();
  await expect(message(anns, "Hello").locator(".message-timestamp")).toContainText("Edited");
  await expect(message(bobs, "Hello").locator(".message-timestamp")).toContainText("Edited");
  await expect(field).toHaveValue("half a thought");
  // Escape discards the edit, and Arrow Up edits the user's latest message.
  await writes(bobs, "Hi");
  await expect(message(anns, "Hi")).toBeVisible();
  await field.fill("");
  await field.press("ArrowUp");
  await expect(field).toHaveValue("Hello");
  await field.fill("Goodbye");
  await field.press("Escape");
  await expect(field).toHaveValue("");
  await expect(message(anns, "Hello")).toBeVisible();
  await field.press("ArrowUp");
  await field.fill("Hello again");
  await field.press("Enter");
  await expect(message(bobs, "Hello again")).toBeVisible();
});

onBoth("a deletion can be undone for a while, and then everybody sees it", async (t, how) => {
  const { anns, bobs, chat, server, bob } = await annAndBob(t, how);
  await writes(anns, "One");
  await writes(anns, "Two");
  await expect(message(anns, "Two")).toBeVisible();
  // In the page itself, so that a slow machine does not use up the time to undo.
  const shown = await message(anns, "One").evaluate(async (row) => {
    row.querySelector(".context-menu-btn").click();
    row.querySelector(".delete-btn").click();
    let undo;
    while (!(undo = row.querySelector(".gr-undo-btn"))) await new Promise(requestAnimationFrame);
    const text = row.querySelector(".deleted-indicator").textContent;
    undo.click();
    return text;
  });
  assert.equal(shown, "This message was deleted");
  await expect(message(anns, "One")).toBeVisible();
  await chooses(anns, "Two", ".delete-btn");
  await expect(bobs.locator(".deleted-indicator")).toBeVisible();
  await expect(message(bobs, "Two")).toHaveCount(0);
  await expect(message(bobs, "One")).toBeVisible();
  // A user who leaves the page does not undo.
  await chooses(anns, "One", ".delete-btn");
  await anns.evaluate(() => dispatchEvent(new PageTransitionEvent("pagehide")));
  await expect(bobs.locator(".deleted-indicator")).toHaveCount(2);
  const { results } = await helper(server, bob).messages(chat.id);
  assert.deepEqual(
    results.map(({ is_deleted }) => is_deleted),
    [true, true],
  );
});

onBoth("a deletion that the page's end came before is done when one is back", async (t, how) => {
  const { server, anns, bobs, chat } = await annAndBob(t, { ...how, allows: ["ERR_"] });
  for (const text of ["One", "Two"]) await writes(anns, text);
  await expect(message(bobs, "Two")).toBeVisible();
  await expect(message(anns, "Two").locator(".context-menu-btn")).toHaveCount(1);
  await anns.context().setOffline(true);
  await chooses(anns, "One", ".delete-btn");
  await expect(anns.locator(".deleted-indicator")).toBeVisible();
  await anns.evaluate(() => dispatchEvent(new PageTransitionEvent("pagehide")));
  await anns.close();
  await expect(message(bobs, "One")).toBeVisible();
  await anns.context().setOffline(false);
  const again = await anns.context().newPage();
  await again.goto(`${server.url}/?chat=${chat.id}`);
  await expect(bobs.locator(".deleted-indicator")).toHaveCount(1);
  await expect(message(bobs, "Two")).toBeVisible();
});

test("who is at the end stays there when the last message is deleted, on a phone too", async (t) => {
  const { anns, bobs } = await annAndBob(t, { viewport: NARROW, hasTouch: true, isMobile: true });
  for (let number = 1; number <= 12; number++) await writes(bobs, `Idea ${number}: what about the lake?`);
  await expect(message(anns, "Idea 12")).toBeInViewport();
  await writes(anns, "The lake it is, and then the old mill, and on the way back the tower");
  const row = message(anns, "The lake it is");
  await expect(row.locator(".context-menu-btn")).toHaveCount(1);
  await row.tap();
  await row.locator(".context-menu-btn").tap();
  await row.locator(".delete-btn").tap();
  await expect(anns.locator(".gr-undo-btn")).toBeInViewport({ ratio: 1 });
  await expect(anns.getByRole("button", { name: "Latest messages" })).toHaveCount(0);
});

onBoth("reactions are picked, joined and taken back", async (t, how) => {
  const { anns, bobs } = await annAndBob(t, how);
  await writes(anns, "Cake?");
  await message(bobs, "Cake?").hover();
  await message(bobs, "Cake?").locator(".emoji-btn").click();
  const picker = bobs.locator("emoji-picker");
  await picker.getByRole("menuitem", { name: "thumbs up" }).first().click();
  await expect(picker).toHaveCount(0);
  const reaction = (page) => message(page, "Cake?").locator(".reaction").filter({ hasText: "👍" });
  await expect(reaction(anns)).toHaveAccessibleName("👍, 1 reaction: Bob");
  await expect(reaction(bobs)).toHaveAttribute("aria-pressed", "true");
  await reaction(anns).click();
  await expect(reaction(bobs)).toHaveAccessibleName("👍, 2 reactions: You and Ann");
  await reaction(bobs).click();
  await expect(reaction(anns)).toHaveAccessibleName("👍, 1 reaction: You");
  await reaction(anns).click();
  await expect(reaction(bobs)).toHaveCount(0);
});

onBoth("emoji go into the text where the cursor is", async (t, how) => {
  const { anns } = await annAndBob(t, how);
  const field = anns.locator("#message-input");
  await field.fill("ab");
  await field.press("ArrowLeft");
  await anns.getByRole("button", { name: "Insert emoji" }).click();
  await anns.locator("emoji-picker").getByRole("combobox").fill("rocket");
  await anns.locator("emoji-picker").getByRole("option", { name: "rocket" }).first().click();
  await expect(field).toHaveValue("a🚀b");
  await expect(field).toBeFocused();
});

onBoth("Enter sends, Shift and Enter begin a line, and too much is not sent", async (t, how) => {
  const { anns, bobs } = await annAndBob(t, how);
  const field = anns.locator("#message-input");
  await field.pressSequentially("one");
  await field.press("Shift+Enter");
  await field.pressSequentially("two");
  await field.press("Enter");
  await expect(field).toHaveValue("");
  await expect(message(bobs, "one")).toBeVisible();
  assert.equal(await message(bobs, "one").locator(".message-content").textContent(), "one\ntwo");
  await field.fill("🚀".repeat(4_999));
  await expect(anns.getByText("1 character left")).toBeVisible();
  await field.fill("🚀".repeat(5_002));
  await expect(anns.locator(".gr-composer-hint")).toHaveText("2 characters too many");
  await field.press("Enter");
  await expect(anns.getByRole("button", { name: "Send" })).toBeDisabled();
  assert.equal((await field.inputValue()).length, 10_004);
  await field.fill("🚀".repeat(5_000));
  await field.press("Enter");
  await expect(anns.locator("[data-message-id]")).toHaveCount(2);
  await field.fill("   ");
  await field.press("Enter");
  await expect(anns.getByRole("button", { name: "Send" })).toBeDisabled();
});

onBoth("drafts stay with their chats, over a reload too", async (t, how) => {
  const { server, ann, anns, chat } = await annAndBob(t, how);
  await helper(server, ann).createChat({ chat_type: "group", title: "Plans" });
  const field = anns.locator("#message-input");
  await field.fill("for Bob");
  await opens(anns, "Plans");
  await expect(field).toHaveValue("");
  await field.fill("for the group");
  await opens(anns, "Bob");
  await expect(field).toHaveValue("for Bob");
  await anns.reload();
  await expect(field).toHaveValue("for Bob");
  await anns.goto(`/?chat=${chat.id + 1}`);
  await expect(field).toHaveValue("for the group");
});

onBoth("an edit that was begun outlives a reload", async (t, how) => {
  const { anns, bobs } = await annAndBob(t, how);
  const field = anns.locator("#message-input");
  await writes(anns, "Helo");
  await expect(message(bobs, "Helo")).toBeVisible();
  await field.fill("later");
  await chooses(anns, "Helo", ".edit-btn");
  await field.fill("Hello, ");
  await anns.reload();
  await expect(field).toHaveValue("Hello, ");
  await expect(anns.getByText("Editing message")).toBeVisible();
  await field.pressSequentially("Bob");
  await field.press("Enter");
  await expect(message(bobs, "Hello, Bob")).toBeVisible();
  await expect(field).toHaveValue("later");
  await anns.reload();
  await expect(field).toHaveValue("later");
  await expect(anns.getByText("Editing message")).toHaveCount(0);
});

onBoth("the menu of a message is there as soon as its button is pressed", async (t, how) => {
  const { anns, bobs } = await annAndBob(t, how);
  await writes(anns, "Hooked");
  await expect(message(anns, "Hooked")).toBeVisible();
  const chosen = await anns.evaluate(() => {
    const row = document.querySelector("#message-list [data-message-id]");
    const button = row.querySelector(".context-menu-btn");
    button.click();
    button.parentElement.querySelector(".context-menu").querySelector(".edit-btn").click();
    return button.offsetParent !== null && row.querySelector(".emoji-btn").offsetParent !== null;
  });
  assert.ok(chosen);
  await anns.locator("#message-input").fill("Unhooked");
  await anns.locator(".edit-save-btn").click();
  await expect(message(bobs, "Unhooked")).toBeVisible();
});
