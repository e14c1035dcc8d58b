// A user's own settings of a chat: pinned, muted, marked as unread.

import assert from "node:assert/strict";
import test from "node:test";

import { expect, helper, isAccessible, message, onBoth, opens, serverWith, visit } from "./support.mjs";

/** Ann's two chats with bob, "Garden" above "Plans". In each bob has written. */
async function twoChats(t, options) {
  const { server, people } = await serverWith(t, ["ann", "bob"]);
  const [ann, bob] = people;
  const [anns, bobs] = [helper(server, ann), helper(server, bob)];
  const chats = {};
  for (const title of ["Plans", "Garden"]) {
    chats[title] = (await anns.createChat({ chat_type: "group", title, member_ids: [bob.id] })).id;
    await bobs.sendMessage(chats[title], { content: `first in ${title}` });
    await bobs.sendMessage(chats[title], { content: `second in ${title}` });
    await anns.markAsRead(chats[title]);
  }
  const page = await visit(t, server.url, ann, "/", options);
  return { server, ann, bob, anns, bobs, chats, page };
}

const titles = (page) => page.locator("#chat-list .gr-chat-title");
const item = (page, title) => page.locator("#chat-list .chat-item").filter({ hasText: title });

async function chooses(page, name) {
  await page.locator("#chat-menu-btn").click();
  await page.getByRole("menuitem", { name, exact: true }).click();
}

onBoth("a pinned chat stays above the others, on all of one's screens", async (t, how) => {
  const { server, ann, bobs, chats, page } = await twoChats(t, how);
  const other = await visit(t, server.url, ann, "/", how);
  await expect(titles(page)).toHaveText(["Garden", "Plans"]);
  await opens(page, "Plans");
  await chooses(page, "Pin");
  for (const screen of [page, other]) {
    await expect(titles(screen)).toHaveText(["Plans", "Garden"]);
    await expect(item(screen, "Plans")).toContainText("Pinned");
  }
  await expect(page.locator("#chat-menu-btn")).toBeFocused();
  await bobs.sendMessage(chats.Garden, { content: "news" });
  await expect(item(page, "Garden")).toContainText("news");
  await expect(titles(page)).toHaveText(["Plans", "Garden"]);
  await isAccessible(page, "a pinned chat");
  await chooses(page, "Unpin");
  for (const screen of [page, other]) await expect(titles(screen)).toHaveText(["Garden", "Plans"]);
});

onBoth("a muted chat keeps quiet, until it is not muted any more", async (t, how) => {
  const { bobs, chats, page } = await twoChats(t, how);
  const voice = page.locator("[aria-live=polite].gr-hidden");
  await opens(page, "Plans");
  await page.locator("#chat-menu-btn").click();
  await page.getByRole("menuitem", { name: "Mute" }).click();
  await expect(page.getByRole("menuitem", { name: "For 1 hour" })).toBeFocused();
  await isAccessible(page, "for how long a chat is muted");
  await page.keyboard.press("End");
  await page.keyboard.press("Enter");
  await expect(page.locator("#chat-menu-btn")).toBeFocused();
  await expect(page.locator(".gr-heading-note")).toContainText("Muted");
  await expect(item(page, "Plans")).toContainText("Muted");
  await opens(page, "Garden");
  await bobs.sendMessage(chats.Plans, { content: "pssst" });
  await expect(item(page, "Plans").locator(".unread-indicator")).toContainText("1 unread message");
  await isAccessible(page, "a muted chat");
  await expect(page).toHaveTitle("Garden · Greenroom");
  await expect(page.locator("link[rel=icon]")).not.toHaveAttribute("href", /^data:/);
  await expect(voice).not.toContainText("New message from Bob in Plans");
  await opens(page, "Plans");
  await chooses(page, "Unmute");
  await expect(item(page, "Plans")).not.toContainText("Muted");
  await opens(page, "Garden");
  await bobs.sendMessage(chats.Plans, { content: "hello" });
  await expect(page).toHaveTitle("(1) Garden · Greenroom");
  await expect(voice).toContainText("New message from Bob in Plans");
});

onBoth("a muted chat that was not loaded yet keeps quiet too", async (t, how) => {
  const { server, people } = await serverWith(t, ["ann", "bob"]);
  const [ann, bob] = people;
  const [anns, bobs] = [helper(server, ann), helper(server, bob)];
  const make = async (title) => (await anns.createChat({ chat_type: "group", title, member_ids: [bob.id] })).id;
  const [quiet, loud] = [await make("Quiet"), await make("Loud")];
  await anns.setMe(quiet, { muted_until: "9999-01-01T00:00:00Z" });
  for (let number = 1; number <= 55; number++) await make(`Chat ${number}.`);
  const page = await visit(t, server.url, ann, "/", how);
  await expect(item(page, "Chat 55.")).toBeVisible();
  await expect(item(page, "Quiet")).toHaveCount(0);
  await bobs.sendMessage(quiet, { content: "pssst" });
  await expect(item(page, "Quiet").locator(".unread-indicator")).toContainText("1 unread message");
  await bobs.sendMessage(loud, { content: "hello" });
  const voice = page.locator("[aria-live=polite].gr-hidden");
  await expect(voice).toContainText("New message from Bob in Loud");
  await expect(voice).not.toContainText("Quiet");
  await expect(page).toHaveTitle("(1) Messages · Greenroom");
});

onBoth("the total leaves muted chats out, however far down the list they are", async (t, how) => {
  const { server, people } = await serverWith(t, ["ann", "bob"]);
  const [ann, bob] = people;
  const [anns, bobs] = [helper(server, ann), helper(server, bob)];
  const make = async (title) => (await anns.createChat({ chat_type: "group", title, member_ids: [bob.id] })).id;
  const [quiet, loud] = [await make("Quiet"), await make("Loud")];
  for (const text of ["one", "two"]) await bobs.sendMessage(quiet, { content: text });
  await bobs.sendMessage(loud, { content: "three" });
  await anns.setMe(quiet, { muted_until: "9999-01-01T00:00:00Z" });
  const far = await make("Far");
  for (let number = 1; number <= 55; number++) await make(`Chat ${number}.`);
  const page = await visit(t, server.url, ann, "/", how);
  await expect(page).toHaveTitle("(1) Messages · Greenroom");
  await expect(page.locator("link[rel=icon]")).toHaveAttribute("href", /^data:image/);
  await expect(item(page, "Quiet").locator(".unread-indicator")).toContainText("2 unread messages");
  await expect(page).toHaveTitle("(1) Messages · Greenroom");
  // Scrolling shows all others, each once.
  while ((await titles(page).count()) < 58) await titles(page).last().scrollIntoViewIfNeeded();
  await expect(item(page, "Chat 3.")).toHaveCount(1);
  // A change on another device appears here.
  await anns.setMe(loud, { muted_until: "9999-01-01T00:00:00Z" });
  await expect(page).toHaveTitle("Messages · Greenroom");
  await expect(page.locator("link[rel=icon]")).not.toHaveAttribute("href", /^data:/);
  await anns.setMe(far, { is_pinned: true });
  await expect(titles(page).first()).toHaveText("Far");
});

onBoth("a chat far down the list that is pinned elsewhere comes to the top", async (t, how) => {
  const { server, people } = await serverWith(t, ["ann"]);
  const anns = helper(server, people[0]);
  const make = async (title) => (await anns.createChat({ chat_type: "group", title })).id;
  const far = await make("Far");
  for (let number = 1; number <= 55; number++) await make(`Chat ${number}.`);
  const page = await visit(t, server.url, people[0], "/", how);
  await expect(titles(page).first()).toHaveText("Chat 55.");
  await anns.setMe(far, { is_pinned: true });
  await expect(titles(page).first()).toHaveText("Far");
});

onBoth("a chat is muted for an hour, and says until when", async (t, how) => {
  const { anns, chats, page } = await twoChats(t, how);
  await opens(page, "Plans");
  await page.locator("#chat-menu-btn").click();
  await page.getByRole("menuitem", { name: "Mute" }).click();
  const before = Date.now();
  await page.getByRole("menuitem", { name: "For 1 hour" }).click();
  await expect(page.locator(".gr-heading-note")).toContainText(/Muted until \d{1,2}:\d\d/);
  const { me } = await anns.chat(chats.Plans);
  const left = Date.parse(me.muted_until) - before;
  assert.ok(left >= 3_600_000 && left < 3_660_000, `${left} ms`);
  // It ends by the server's clock, not the device's.
  await anns.setMe(chats.Plans, { muted_until: new Date(anns.now() + 3_000).toISOString() });
  await expect(async () => {
    await page.reload();
    await expect(page.locator(".gr-heading-note")).toHaveText("2 members", { timeout: 1_000 });
  }).toPass();
  await expect(item(page, "Plans")).not.toContainText("Muted");
});

for (const hours of [-12, -1, 1, 12]) {
  test(`a chat is muted for an hour where the device's clock is ${hours} hours ahead`, async (t) => {
    const { anns, chats, page } = await twoChats(t);
    await page.clock.install({ time: Date.now() + hours * 3_600_000 });
    await page.reload();
    await opens(page, "Plans");
    await page.locator("#chat-menu-btn").click();
    await page.getByRole("menuitem", { name: "Mute" }).click();
    const before = Date.now();
    await page.getByRole("menuitem", { name: "For 1 hour" }).click();
    await expect(page.locator(".gr-heading-note")).toContainText(/Muted until \d{1,2}:\d\d/);
    await expect(item(page, "Plans")).toContainText("Muted");
    const { me } = await anns.chat(chats.Plans);
    const left = Date.parse(me.muted_until) - before;
    assert.ok(left >= 3_600_000 && left < 3_660_000, `${left} ms`);
    await page.locator("#chat-menu-btn").click();
    await expect(page.getByRole("menuitem", { name: "Unmute" })).toBeVisible();
  });
}

onBoth("a chat is made unread, stays so, and is read when it is opened again", async (t, how) => {
  const { server, ann, bobs, chats, page } = await twoChats(t, how);
  const other = await visit(t, server.url, ann, "/", how);
  await opens(page, "Plans");
  await chooses(page, "Mark as unread");
  await expect(item(page, "Plans")).toBeFocused();
  for (const screen of [page, other]) {
    await expect(item(screen, "Plans").locator(".unread-indicator")).toContainText("1 unread message");
  }
  await expect(page).toHaveTitle("(1) Messages · Greenroom");
  // For bob it is still read.
  assert.equal((await bobs.messages(chats.Plans)).results[0].read_count, 2);
  await opens(page, "Plans");
  await expect(page.locator(".gr-new + .gr-row")).toContainText("second in Plans");
  for (const screen of [page, other]) await expect(screen.locator(".unread-indicator")).toHaveCount(0);
});

onBoth("from a message on all is unread, while one goes on looking at it", async (t, how) => {
  const { bobs, chats, page } = await twoChats(t, how);
  await opens(page, "Plans");
  const first = message(page, "first in Plans");
  await first.hover();
  await first.locator(".context-menu-btn").click();
  await page.getByRole("menuitem", { name: "Mark as unread" }).click();
  await expect(item(page, "Plans").locator(".unread-indicator")).toContainText("2 unread messages");
  await expect(page.locator(".gr-new + .gr-row")).toContainText("first in Plans");
  await bobs.sendMessage(chats.Plans, { content: "third in Plans" });
  await expect(message(page, "third in Plans")).toBeInViewport();
  await expect(item(page, "Plans").locator(".unread-indicator")).toContainText("3 unread messages");
  await opens(page, "Garden");
  await opens(page, "Plans");
  await expect(page.locator(".unread-indicator")).toHaveCount(0);
});
