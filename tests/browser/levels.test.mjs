// The messages of a chat that notify the user.

import test from "node:test";

import { expect, helper, isAccessible, onBoth, opens, serverWith, visit } from "./support.mjs";

const item = (page, title) => page.locator("#chat-list .chat-item").filter({ hasText: title });
const count = (page, title) => item(page, title).locator(".unread-indicator");

async function chooses(page, name) {
  await page.locator("#chat-menu-btn").click();
  await page.getByRole("menuitem", { name: "Notifications" }).click();
  await page.getByRole("menuitemradio", { name }).click();
}

onBoth("a chat notifies of all messages, or of mentions, or of none", async (t, how) => {
  const { server, people } = await serverWith(t, ["ann", "bob"]);
  const [ann, bob] = people;
  const [anns, bobs] = [helper(server, ann), helper(server, bob)];
  const plans = (await anns.createChat({ chat_type: "group", title: "Plans", member_ids: [bob.id] })).id;
  const garden = (await anns.createChat({ chat_type: "group", title: "Garden", member_ids: [bob.id] })).id;
  const page = await visit(t, server.url, ann, "/", how);
  const voice = page.locator("[aria-live=polite].gr-hidden");
  await opens(page, "Plans");
  await page.locator("#chat-menu-btn").click();
  await page.getByRole("menuitem", { name: "Notifications" }).click();
  await expect(page.getByRole("menuitemradio", { name: "All messages" })).toBeFocused();
  await expect(page.getByRole("menuitemradio", { name: "All messages" })).toHaveAttribute("aria-checked", "true");
  await isAccessible(page, "the levels of a chat");
  await page.keyboard.press("End");
  await page.keyboard.press("Enter");
  await expect(page.locator("#chat-menu-btn")).toBeFocused();
  await expect(voice).toContainText("Notifications: None.");
  await opens(page, "Garden");
  for (const [number, level] of [[1, "None"], [2, "Only mentions"]]) {
    await bobs.sendMessage(plans, { content: `quiet ${number}` });
    await expect(count(page, "Plans")).toContainText(`${number} unread message`);
    await expect(count(page, "Plans")).toHaveClass(/is-quiet/);
    await expect(page).toHaveTitle("Garden · Greenroom");
    await expect(page.locator("link[rel=icon]")).not.toHaveAttribute("href", /^data:/);
    await expect(voice).not.toContainText("in Plans");
    if (level === "None") await anns.setMe(plans, { notify: "mentions" });
  }
  // A change on another device shows here, and counts what is unread.
  await anns.setMe(plans, { notify: "all" });
  await expect(page).toHaveTitle("(2) Garden · Greenroom");
  await expect(count(page, "Plans")).not.toHaveClass(/is-quiet/);
  await bobs.sendMessage(plans, { content: "loud" });
  await expect(voice).toContainText("New message from Bob in Plans");
  // A muted chat gives no sign at any level.
  await anns.setMe(plans, { muted_until: "9999-01-01T00:00:00Z" });
  await expect(page).toHaveTitle("Garden · Greenroom");
  await chooses(page, "Only mentions");
  await expect.poll(async () => (await anns.chat(garden)).me.notify).toBe("mentions");
});

onBoth("rooms notify of mentions only, unless the user wants more", async (t, how) => {
  const { server, people } = await serverWith(t, ["ann", "bob"]);
  const [ann, bob] = people;
  const [anns, bobs] = [helper(server, ann), helper(server, bob)];
  const room = (await bobs.createChat({ chat_type: "room", title: "Lobby" })).id;
  await anns.joinChat(room);
  const page = await visit(t, server.url, ann, "/", how);
  await expect(item(page, "Lobby")).toBeVisible();
  await bobs.sendMessage(room, { content: "hello" });
  await expect(count(page, "Lobby")).toContainText("1 unread message");
  await expect(page).toHaveTitle("Messages · Greenroom");
  await anns.setMe(room, { notify: "all" });
  await expect(page).toHaveTitle("(1) Messages · Greenroom");
});

test("chats far down the list count by their levels, however many they are", async (t) => {
  const { server, people } = await serverWith(t, ["ann", "bob", "carol"], "--rate-limit", "off");
  const [ann, bob] = people;
  const [anns, bobs] = [helper(server, ann), helper(server, bob)];
  const numbers = Array.from({ length: 170 }, (_, number) => number);
  const ids = [];
  for (const number of numbers) ids.push((await anns.createChat({ chat_type: "group", title: `Chat ${number}`, member_ids: [bob.id] })).id);
  // In the oldest chats, which come last, two messages count: of the others of them none does.
  const loud = ids.slice(0, 2);
  await Promise.all(ids.slice(2).map((id, number) => anns.setMe(id, number % 2 ? { notify: "none" } : { muted_until: "9999-01-01T00:00:00Z" })));
  for (const id of ids) await bobs.sendMessage(id, { content: "Hello" });
  const page = await visit(t, server.url, ann, "/");
  await expect(page).toHaveTitle("(2) Messages · Greenroom");
  await expect(page.locator("link[rel=icon]")).toHaveAttribute("href", /%3E2%3C/);
  await anns.setMe(loud[0], { notify: "mentions" });
  await expect(page).toHaveTitle("(1) Messages · Greenroom");
  await page.goto("/demo/");
  await expect(page.locator("greenroom-inbox .gr-toggle .unread-indicator")).toHaveText(/^1/);
});
