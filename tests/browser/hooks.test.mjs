// The ids and classes that themes and scripts rely on: each exists where it is documented.

import test from "node:test";

import { expect, helper, message, opens, serverWith, visit, writes } from "./support.mjs";

async function has(page, ...selectors) {
  for (const selector of selectors) await expect(page.locator(selector).first(), selector).toBeAttached();
}

test("themes and scripts find on the messages page what they look for", async (t) => {
  const { server, people } = await serverWith(t, ["ann", "bob"]);
  const [ann, bob] = people;
  const [anns, bobs] = [helper(server, ann), helper(server, bob)];
  const { id } = await anns.createChat({ chat_type: "group", title: "Plans", member_ids: [bob.id] });
  const { id: other } = await anns.createChat({ chat_type: "group", title: "Garden", member_ids: [bob.id] });
  await anns.createChat({ chat_type: "room", title: "Hall" }).then((room) => anns.leaveChat(room.id));
  const { id: theirs } = await bobs.sendMessage(id, { content: "Hello" });
  await bobs.addReaction(theirs, "👍");
  await bobs.sendMessage(other, { content: "Unread" });
  const { id: gone } = await bobs.sendMessage(id, { content: "Gone" });
  await bobs.deleteMessage(gone);
  const page = await visit(t, server.url, ann);
  await has(page, "#new-chat-btn", "#browse-rooms-btn", "#chat-list .chat-item", ".unread-indicator");
  await opens(page, "Plans");
  await writes(page, "Mine");
  const mine = message(page, "Mine");
  await has(page, "#message-input", "#message-list [data-message-id]", ".message-bubble", ".message-timestamp");
  await has(page, ".reaction .reaction-emoji", ".deleted-indicator", ".emoji-btn", ".message-item");
  await has(page, "#current-chat-name", "#members-btn", "#leave-chat-btn", "#chat-menu-btn");
  await mine.hover();
  await mine.locator(".context-menu-btn").click();
  await has(page, ".context-menu .edit-btn", ".context-menu .delete-btn");
  await page.locator(".context-menu .edit-btn").click();
  await has(page, ".edit-save-btn");
  await page.keyboard.press("Escape");
  await mine.hover();
  await mine.locator(".emoji-btn").click();
  await has(page, "emoji-picker");
  await page.keyboard.press("Escape");
  await page.locator("#current-chat-name").click();
  await has(page, ".chat-title-input", ".chat-title-save-btn");
  await page.locator(".chat-title-input").press("Escape");
  await expect(page.locator("#current-chat-name")).toBeFocused();
  await page.locator("#chat-menu-btn").click();
  await has(page, "#delete-chat-btn");
  await page.locator("#delete-chat-btn").click();
  await has(page, "#confirmation-confirm-btn");
  await page.locator("#confirmation-cancel-btn").click();
  await page.locator("#browse-rooms-btn").click();
  await has(page, "#close-dialog-btn", ".room-item .join-room-btn");
  await page.locator("#close-dialog-btn").click();
  await page.locator("#members-btn").click();
  await page.locator("#manage-members-tab").click();
  await has(page, ".member-item .remove-member-btn");
  await page.locator("#close-dialog-btn").click();
  // A new chat has only its creator, and people are added at once.
  await page.locator("#new-chat-btn").click();
  await page.locator("#user-search-input").fill("bob");
  await page.locator("#search-btn").click();
  await has(page, ".add-user-btn");
});

test("themes and scripts find in the widgets what they look for, once on a page", async (t) => {
  const { server, people } = await serverWith(t, ["ann", "bob", "carol"]);
  const page = await visit(t, server.url, people[0], "/demo/");
  await has(page, "#chat-toggle-btn", ".member-count", ".join-room-btn");
  await page.locator(".join-room-btn").click();
  await page.locator(".room-message-input").fill("Hello");
  await page.locator(".room-message-input").press("Enter");
  await has(page, ".room-message-list .message-item", ".leave-room-btn-header", "greenroom-room .chat-menu-btn");
  await page.locator("#chat-toggle-btn").click();
  await has(page, "#fixed-chat-widget #widget-message-list", "#fixed-chat-widget #widget-message-input");
  for (const id of ["chat-toggle-btn", "fixed-chat-widget", "widget-message-input"])
    await expect(page.locator(`[id="${id}"]`)).toHaveCount(1);
});
