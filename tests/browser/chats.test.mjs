import assert from "node:assert/strict";
import test from "node:test";

import {
  BROKEN_ROAD,
  expect,
  helper,
  isAccessible,
  message,
  onBoth,
  opens,
  serverWith,
  visit,
  writes,
} from "./support.mjs";

/** Searches for a user in the members dialog, and adds them. */
async function adds(page, name) {
  await page.locator("#user-search-input").fill(name);
  await page.locator("#search-btn").click();
  await page.locator(".add-user-btn").click();
  await expect(page.getByText("In this chat")).toBeVisible();
}

onBoth("a new chat gets a name and people, and everybody sees it happen", async (t, how) => {
  const { server, people } = await serverWith(t, ["ann", "bob", "carol"]);
  const [anns, bobs, carols] = await Promise.all(people.map((user) => visit(t, server.url, user, "/", how)));
  await expect(anns.getByText("No chats yet.")).toBeVisible();
  await anns.locator("#new-chat-btn").click();
  // The dialog to add people opens at once, and a found user is added at once.
  await adds(anns, "bob");
  await anns.locator("#close-dialog-btn").click();
  await anns.locator("#current-chat-name").click();
  await anns.locator(".chat-title-input").fill("Plans");
  await anns.locator(".chat-title-save-btn").click();
  await expect(anns.locator("#current-chat-name")).toHaveText("Plans");
  await expect(anns.locator("#current-chat-name")).toBeFocused();
  await opens(bobs, "Plans");
  await expect(bobs.locator("#current-chat-name")).toHaveText("Plans");
  // Only admins can rename it.
  await expect(bobs.locator("button#current-chat-name")).toHaveCount(0);
  await anns.locator("#members-btn").click();
  await adds(anns, "carol");
  await anns.locator("#manage-members-tab").click();
  await expect(anns.locator(".member-item")).toHaveCount(3);
  await expect(bobs.getByText("3 members")).toBeVisible();
  await opens(carols, "Plans");
  const carol = anns.locator(".member-item").filter({ hasText: "@carol" });
  await carol.getByRole("button", { name: "Options for Carol" }).click();
  await anns.locator(".change-role-btn").click();
  await expect(carol.getByText("Admin")).toBeVisible();
  await carol.locator(".remove-member-btn").click();
  await anns.locator("#confirmation-confirm-btn").click();
  await expect(anns.locator(".member-item")).toHaveCount(2);
  await expect(carols.getByText("This chat does not exist")).toBeVisible();
  await expect(carols.locator(".chat-item")).toHaveCount(0);
});

onBoth("who leaves is out, and the next one becomes admin and deletes the chat", async (t, how) => {
  const { server, people } = await serverWith(t, ["ann", "bob"]);
  const [ann, bob] = people;
  await helper(server, ann).createChat({ chat_type: "group", title: "Plans", member_ids: [bob.id] });
  const anns = await visit(t, server.url, ann, "/", how);
  const bobs = await visit(t, server.url, bob, "/", how);
  await opens(bobs, "Plans");
  await opens(anns, "Plans");
  await anns.locator("#leave-chat-btn").click();
  await anns.locator("#confirmation-cancel-btn").click();
  await expect(anns.locator("#leave-chat-btn")).toBeFocused();
  await anns.locator("#leave-chat-btn").click();
  await anns.locator("#confirmation-confirm-btn").click();
  await expect(anns.locator(".chat-item")).toHaveCount(0);
  await expect(anns.getByText("You left “Plans”.")).toBeVisible();
  await expect(bobs.getByText("1 member", { exact: true })).toBeVisible();
  await bobs.locator("#chat-menu-btn").click();
  await bobs.locator("#delete-chat-btn").click();
  await bobs.locator("#confirmation-confirm-btn").click();
  await expect(bobs.locator(".chat-item")).toHaveCount(0);
  await expect(bobs.getByText("No chats yet.")).toBeVisible();
});

onBoth("a room is found, joined and left", async (t, how) => {
  const { server, people } = await serverWith(t, ["ann", "bob"]);
  const [ann, bob] = people;
  await helper(server, ann).createChat({ chat_type: "room", title: "Garden" });
  await helper(server, ann).createChat({ chat_type: "room", title: "Kitchen" });
  const bobs = await visit(t, server.url, bob, "/", how);
  await bobs.locator("#browse-rooms-btn").click();
  await expect(bobs.locator(".room-item")).toHaveCount(2);
  await bobs.getByLabel("Find a room").fill("gard");
  await expect(bobs.locator(".room-item")).toHaveCount(1);
  await expect(bobs.locator(".room-item")).toContainText("1 member");
  await bobs.locator(".join-room-btn").click();
  await expect(bobs.locator("#current-chat-name")).toHaveText("Garden");
  await expect(bobs.locator("dialog")).toHaveCount(0);
  await writes(bobs, "Good morning");
  await expect(message(bobs, "Good morning")).toContainText("Sent");
  await bobs.locator("#leave-chat-btn").click();
  await bobs.locator("#confirmation-confirm-btn").click();
  await expect(bobs.locator(".chat-item")).toHaveCount(0);
});

onBoth("a direct message begins at a member's name", async (t, how) => {
  const { server, people } = await serverWith(t, ["ann", "bob"]);
  const [ann, bob] = people;
  await helper(server, ann).createChat({ chat_type: "group", title: "Plans", member_ids: [bob.id] });
  const bobs = await visit(t, server.url, bob, "/", how);
  await opens(bobs, "Plans");
  await bobs.locator("#members-btn").click();
  await bobs.locator(".member-item").filter({ hasText: "@ann" }).getByRole("button").click();
  await bobs.getByRole("menuitem", { name: "Write to Ann" }).click();
  await expect(bobs.locator("#current-chat-name")).toHaveText("Ann");
  await expect(bobs.locator("#message-input")).toBeFocused();
});

onBoth("what one may not do is said in words", async (t, how) => {
  const { server, people } = await serverWith(t, ["ann", "bob"]);
  const [ann, bob] = people;
  const { id } = await helper(server, ann).createChat({ chat_type: "group", title: "Garden", member_ids: [bob.id] });
  const anns = await visit(t, server.url, ann, "/", { ...how, allows: ["403", "404"] });
  await opens(anns, "Garden");
  await anns.locator("#current-chat-name").click();
  await anns.locator(".chat-title-input").fill("Orchard");
  // While she types, bob removes her admin role.
  await helper(server, ann).changeRole(id, bob.id, "admin");
  await helper(server, bob).changeRole(id, ann.id, "member");
  await anns.locator(".chat-title-save-btn").click();
  await expect(anns.getByText("You are not allowed to do this.")).toBeVisible();
  await isAccessible(anns, "something that one may not do");
  await anns.goto("/messages/?chat=999");
  await expect(anns.getByText("This chat does not exist")).toBeVisible();
});

onBoth("what the server does not allow is not offered", async (t, how) => {
  const off = ["editing", "deleting", "reactions", "renaming-dms", "renaming-rooms"].flatMap((name) => [
    `--allow-${name}`,
    "false",
  ]);
  const { server, people } = await serverWith(t, ["ann", "bob"], ...off);
  const [ann, bob] = people;
  const room = await helper(server, ann).createChat({ chat_type: "room", title: "Garden" });
  await helper(server, ann).createChat({ chat_type: "dm", member_ids: [bob.id] });
  await helper(server, ann).sendMessage(room.id, { content: "Fixed" });
  const page = await visit(t, server.url, ann, "/", how);
  await opens(page, "Garden");
  await expect(page.locator("button#current-chat-name")).toHaveCount(0);
  await expect(message(page, "Fixed").locator(".emoji-btn")).toHaveCount(0);
  await message(page, "Fixed").locator(".context-menu-btn").click();
  await expect(page.getByRole("menuitem")).toHaveText(["Reply", "Reply in thread", "Copy text", "Forward", "Pin message"]);
  await page.keyboard.press("Escape");
  await page.locator("#message-input").press("ArrowUp");
  await expect(page.locator(".edit-save-btn")).toHaveCount(0);
  await opens(page, "Bob");
  await expect(page.locator("button#current-chat-name")).toHaveCount(0);
});

onBoth("where deleted messages are not to be shown, nothing is left of them", async (t, how) => {
  const { server, people } = await serverWith(t, ["ann", "bob"], "--show-deleted", "false");
  const [ann, bob] = people;
  const chat = await helper(server, ann).createChat({ chat_type: "dm", member_ids: [bob.id] });
  const bobs = helper(server, bob);
  const { id } = await bobs.sendMessage(chat.id, { content: "Oh no" });
  await bobs.sendMessage(chat.id, { content: "Good" });
  const page = await visit(t, server.url, ann, `/?chat=${chat.id}`, how);
  await expect(message(page, "Oh no")).toBeVisible();
  await bobs.deleteMessage(id);
  await expect(message(page, "Oh no")).toHaveCount(0);
  await expect(page.locator(".deleted-indicator")).toHaveCount(0);
  await expect(message(page, "Good")).toBeVisible();
});

onBoth("one's own name and password are changed, and others see the name", async (t, how) => {
  const { server, people } = await serverWith(t, ["ann", "bob"]);
  const [ann, bob] = people;
  await helper(server, ann).createChat({ chat_type: "dm", member_ids: [bob.id] });
  const anns = await visit(t, server.url, ann, "/", { ...how, allows: ["400"] });
  const bobs = await visit(t, server.url, bob, "/", how);
  await anns.getByRole("button", { name: "Ann: your account" }).click();
  await anns.getByRole("menuitem", { name: "Your profile" }).click();
  await anns.getByLabel("Last name").fill("Lee");
  await anns.getByRole("button", { name: "Save" }).click();
  await expect(anns.getByText("Saved.")).toBeVisible();
  await expect(anns.getByRole("dialog").getByText("Ann Lee")).toBeVisible();
  await expect(bobs.locator(".chat-item")).toContainText("Ann Lee");
  await anns.getByLabel("Current password").fill("wrong");
  await anns.getByLabel("New password").fill("another horse");
  await anns.getByRole("button", { name: "Change password" }).click();
  await expect(anns.getByLabel("Current password")).toBeFocused();
  await expect(anns.getByLabel("Current password")).toHaveAccessibleDescription(/not your current password/);
  await anns.getByLabel("Current password").fill("correct horse");
  await anns.getByRole("button", { name: "Change password" }).click();
  await expect(anns.getByText("Saved.")).toBeVisible();
  await isAccessible(anns, "one's profile");
  await anns.locator("#close-dialog-btn").click();
  await expect(anns.getByRole("button", { name: "Ann Lee: your account" })).toBeFocused();
});

test("what is said of the connection moves no chat that one is about to click", async (t) => {
  const { server, people } = await serverWith(t, ["ann", "bob"]);
  const [ann, bob] = people;
  await helper(server, ann).createChat({ chat_type: "group", title: "Plans", member_ids: [bob.id] });
  const page = await visit(t, server.url, ann, "/", { allows: BROKEN_ROAD });
  const item = page.locator(".chat-item");
  await expect(item).toBeVisible();
  await expect(page.locator(".gr-pill")).toHaveCount(0);
  const before = await item.boundingBox();
  await page.context().setOffline(true);
  await expect(page.locator(".gr-pill")).toBeInViewport();
  assert.deepEqual(await item.boundingBox(), before);
});
