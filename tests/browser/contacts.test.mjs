// Blocking, and the setting for contacts.

import { expect, helper, isAccessible, message, onBoth, opens, serverWith, visit, writes } from "./support.mjs";

onBoth("who is blocked cannot write, until they are unblocked", async (t, how) => {
  const { server, people } = await serverWith(t, ["ann", "bob"]);
  const [ann, bob] = people;
  await helper(server, ann).createChat({ chat_type: "dm", member_ids: [bob.id] });
  const anns = await visit(t, server.url, ann, "/", how);
  const bobs = await visit(t, server.url, bob, "/", { ...how, allows: ["403"] });
  await opens(anns, "Bob");
  await opens(bobs, "Ann");
  await anns.locator("#chat-menu-btn").click();
  await anns.getByRole("menuitem", { name: "Block" }).click();
  await expect(anns.getByText("You have blocked Bob (@bob): they cannot write to you.")).toBeVisible();
  await isAccessible(anns, "somebody is blocked");
  await writes(bobs, "Are you there?");
  await expect(message(anns, "Are you there?")).toHaveCount(0);
  await expect(bobs.locator(".gr-failure")).toContainText("You are not allowed to do this.");
  // Ann can still write.
  await writes(anns, "I need a break");
  await expect(message(bobs, "I need a break")).toBeVisible();
  // The block outlives a reload, and is removed in the profile.
  await anns.reload();
  await expect(anns.locator(".gr-blocked-note")).toBeVisible();
  await anns.getByRole("button", { name: "Ann: your account" }).click();
  await anns.getByRole("menuitem", { name: "Your profile" }).click();
  const list = anns.getByRole("list", { name: "Blocked people" });
  await expect(list.getByRole("listitem")).toHaveCount(1);
  await isAccessible(anns, "whom one has blocked");
  await list.getByRole("button", { name: "Unblock Bob" }).click();
  await expect(anns.getByText("You have not blocked anyone.")).toBeVisible();
  await anns.locator("#close-dialog-btn").click();
  await expect(anns.locator(".gr-blocked-note")).toHaveCount(0);
  await bobs.locator(".gr-retry-btn").click();
  await expect(message(anns, "Are you there?")).toBeVisible();
  // A mistake can be undone at once.
  await anns.locator("#chat-menu-btn").click();
  await anns.getByRole("menuitem", { name: "Block" }).click();
  await anns.getByRole("button", { name: "Unblock" }).click();
  await expect(anns.locator(".gr-blocked-note")).toHaveCount(0);
  await expect(anns.locator("#chat-menu-btn")).toBeFocused();
});

onBoth("where only staff may begin chats, others are not offered to", async (t, how) => {
  const { server, people } = await serverWith(t, ["ann", "bob", "carol"], "--contacts", "staff-only-start");
  const [ann, bob] = people;
  const page = await visit(t, server.url, ann, "/", how);
  await expect(page.getByText("No chats yet. Browse the public rooms.")).toBeVisible();
  await expect(page.getByRole("button", { name: "New chat" })).toHaveCount(0);
  const room = await helper(server, ann).createChat({ chat_type: "room", title: "Garden" });
  await helper(server, bob).joinChat(room.id);
  await opens(page, "Garden");
  await page.locator("#members-btn").click();
  await expect(page.getByRole("tab")).toHaveText(["2 members"]);
  await page.getByRole("button", { name: "Options for Bob" }).click();
  await expect(page.getByRole("menuitem", { name: "Make admin" })).toBeVisible();
  await expect(page.getByRole("menuitem", { name: "Write to Bob" })).toHaveCount(0);
  await page.keyboard.press("Escape");
  await page.locator("#close-dialog-btn").click();
  await writes(page, "Rooms are open to all");
  await expect(message(page, "Rooms are open to all")).toContainText("Sent");
});

onBoth("where only staff may begin chats, others find those with whom it has begun", async (t, how) => {
  const { server, people } = await serverWith(t, ["ann", "bob"], "--contacts", "staff-only-start");
  const [ann, bob] = people;
  const boss = await server.user("boss", "--staff", "--first-name", "Bonnie");
  const room = await helper(server, ann).createChat({ chat_type: "room", title: "Garden" });
  await helper(server, bob).joinChat(room.id);
  const { id } = await helper(server, boss).createChat({ chat_type: "dm", member_ids: [ann.id] });
  await helper(server, boss).sendMessage(id, { content: "How are you?" });
  const page = await visit(t, server.url, ann, "/", how);
  await page.getByLabel("Search", { exact: true }).fill("bo");
  const found = page.getByRole("region", { name: "People" }).getByRole("button");
  await expect(found).toHaveCount(1);
  await expect(found).toContainText("@boss");
  await found.click();
  await expect(page.locator("#current-chat-name")).toHaveText("Bonnie");
  await expect(message(page, "How are you?")).toBeVisible();
});
