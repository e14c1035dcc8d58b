// State that belongs to a message or chat which is deleted during use.

import assert from "node:assert/strict";
import test from "node:test";

import { BROKEN_ROAD, expect, helper, message, onBoth, opens, serverWith, visit, writes } from "./support.mjs";

/** Ann and bob in bob's group, with a message of ann's. Ann has it open. */
async function annInPlans(t, options = {}) {
  const { server, people } = await serverWith(t, ["ann", "bob"]);
  const [ann, bob] = people;
  const [anns, bobs] = [helper(server, ann), helper(server, bob)];
  const { id } = await bobs.createChat({ chat_type: "group", title: "Plans", member_ids: [ann.id] });
  const { id: first } = await anns.sendMessage(id, { content: "first of mine" });
  const page = await visit(t, server.url, ann, `/?chat=${id}`, options);
  await expect(message(page, "first of mine")).toBeVisible();
  return { server, ann, bob, anns, bobs, id, first, page };
}

const field = (page) => page.locator("#message-input");
const mode = (page) => page.getByText("Editing message");

onBoth("an edit ends when its message is deleted, and its text becomes a draft", async (t, how) => {
  const { page, anns, first } = await annInPlans(t, how);
  await field(page).fill("begun before");
  await message(page, "first of mine").hover();
  await message(page, "first of mine").locator(".context-menu-btn").click();
  await page.locator(".edit-btn").click();
  await field(page).fill("half of another text");
  await anns.deleteMessage(first);
  await expect(mode(page)).toHaveCount(0);
  await expect(page.getByText("The message you were editing was deleted.")).toBeVisible();
  await expect(field(page)).toHaveValue("begun before\nhalf of another text");
  await page.reload();
  await expect(field(page)).toHaveValue("begun before\nhalf of another text");
  await expect(mode(page)).toHaveCount(0);
});

for (const where of ["among the latest", "far above"]) {
  onBoth(`an edit whose message was deleted while nobody was here ends as well: ${where}`, async (t, how) => {
    const { page, anns, bobs, id, first } = await annInPlans(t, { ...how, allows: ["404"] });
    await field(page).press("ArrowUp");
    await field(page).fill("half of another text");
    const address = page.url();
    await page.goto("about:blank");
    await anns.deleteMessage(first);
    for (let number = 1; where === "far above" && number <= 60; number++) await bobs.sendMessage(id, { content: `${number}.` });
    await anns.markAsRead(id);
    await page.goto(address);
    await expect(field(page)).toHaveValue("half of another text");
    await expect(mode(page)).toHaveCount(0);
  });
}

onBoth("an edit of a message that one deletes oneself ends, and undoing that leaves the message as it was", async (t, how) => {
  const { page } = await annInPlans(t, how);
  await field(page).press("ArrowUp");
  await expect(mode(page)).toBeVisible();
  await message(page, "first of mine").hover();
  await message(page, "first of mine").locator(".context-menu-btn").click();
  await page.locator(".delete-btn").click();
  await expect(mode(page)).toHaveCount(0);
  await expect(field(page)).toHaveValue("");
  await page.locator(".gr-undo-btn").click();
  await expect(message(page, "first of mine")).toBeVisible();
});

onBoth("what is open for a message goes with it", async (t, how) => {
  const { page, anns, bobs, id } = await annInPlans(t, how);
  for (const [opener, open] of [
    [".context-menu-btn", ".context-menu"],
    [".emoji-btn", "emoji-picker"],
  ]) {
    const { id: theirs } = await bobs.sendMessage(id, { content: `with a ${open}` });
    await message(page, `with a ${open}`).hover();
    await message(page, `with a ${open}`).locator(opener).click();
    await expect(page.locator(open)).toBeVisible();
    await bobs.deleteMessage(theirs);
    await expect(page.locator(open)).toHaveCount(0);
  }
  assert.equal((await anns.messages(id)).results.length, 3);
});

onBoth("a question about a chat goes with the chat", async (t, how) => {
  const { page, bobs, id } = await annInPlans(t, { ...how, allows: ["404"] });
  await page.locator("#leave-chat-btn").click();
  await expect(page.getByRole("alertdialog")).toBeVisible();
  await bobs.deleteChat(id);
  await expect(page.getByRole("alertdialog")).toHaveCount(0);
  await expect(page.getByText("This chat does not exist")).toBeVisible();
});

onBoth("who is removed is shown what they were writing", async (t, how) => {
  const { page, bobs, ann, id } = await annInPlans(t, { ...how, allows: ["404", "403"] });
  await field(page).fill("what I was about to say");
  await bobs.removeMember(id, ann.id);
  const box = page.getByRole("alertdialog");
  await expect(box).toContainText("You are no longer in “Plans”. This was not sent:");
  await expect(box).toContainText("what I was about to say");
  await box.getByRole("button", { name: "Close" }).click();
  await expect(box).toHaveCount(0);
  await page.reload();
  await expect(page.getByText("No chats yet.")).toBeVisible();
  await expect(box).toHaveCount(0);
});

for (const when of ["while they look", "while they are away"]) {
  test(`who is removed is shown what could not be sent any more: ${when}`, async (t) => {
    const { server, people } = await serverWith(t, ["ann", "bob"]);
    const [ann, bob] = people;
    const bobs = helper(server, bob);
    const { id } = await bobs.createChat({ chat_type: "group", title: "Plans", member_ids: [ann.id] });
    const road = await server.road();
    const page = await visit(t, road.url, ann, "/", { allows: [...BROKEN_ROAD, "404", "403"] });
    await opens(page, "Plans");
    await expect(page.getByText("No messages yet. Write the first one.")).toBeVisible();
    road.isClosed = true;
    road.cut();
    await writes(page, "too late");
    await expect(page.locator(".gr-receipt", { hasText: "Sending" })).toHaveCount(1);
    if (when === "while they are away") await page.goto("about:blank");
    await bobs.removeMember(id, ann.id);
    road.isClosed = false;
    if (when === "while they are away") await page.goto(`${road.url}/`);
    await expect(page.getByRole("alertdialog")).toContainText("This was not sent:");
    await expect(page.getByRole("alertdialog")).toContainText("too late");
  });
}
