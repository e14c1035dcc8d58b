import assert from "node:assert/strict";
import test from "node:test";

import { NARROW, browserOf, expect, helper, message, onBoth, opens, serverWith, visit } from "./support.mjs";

/** Ann and bob in a group, with so many messages of bob's that ann has not read. */
async function unreadFor(t, count, options) {
  const { server, people } = await serverWith(t, ["ann", "bob"]);
  const [ann, bob] = people;
  const { id } = await helper(server, ann).createChat({ chat_type: "group", title: "Plans", member_ids: [bob.id] });
  const bobs = helper(server, bob);
  const ids = [];
  for (let number = 1; number <= count; number++)
    ids.push((await bobs.sendMessage(id, { content: `line ${number}.` })).id);
  const page = await visit(t, server.url, ann, "/", options);
  return { server, ann, bob, bobs, page, id, ids };
}

const unread = async (server, user) => (await helper(server, user).unread()).total;

onBoth("what is new is marked, and read as far as it is seen", async (t, how) => {
  const { server, ann, page, id, bobs, ids } = await unreadFor(t, 80, how);
  await helper(server, ann).markAsRead(id, ids[39]);
  await page.reload();
  await expect(page.locator(".unread-indicator")).toContainText("40 unread messages");
  await opens(page, "Plans");
  // It opens at the first new message, and those below are still unread.
  await expect(page.locator(".gr-new")).toBeInViewport();
  await expect(page.locator(".gr-new + .gr-row")).toContainText("line 41.");
  await expect(page.locator(".chat-item .unread-indicator")).not.toContainText("40");
  const left = await unread(server, ann);
  assert.ok(left > 0 && left < 40, `${left} left`);
  await page.getByRole("button", { name: /new messages/ }).click();
  await expect(message(page, "line 80.")).toBeInViewport();
  await expect(page.locator(".unread-indicator")).toHaveCount(0);
  // At the end, new messages are read as they arrive.
  const { id: last } = await bobs.sendMessage(id, { content: "line 81." });
  await expect(message(page, "line 81.")).toBeInViewport();
  await expect.poll(async () => (await bobs.message(last)).read_count).toBe(2);
});

onBoth("many new messages are read from the first of them on, and none is skipped", async (t, how) => {
  const { server, ann, page, id, ids } = await unreadFor(t, 150, how);
  await helper(server, ann).markAsRead(id, ids[9]);
  await page.reload();
  await expect(page.locator(".unread-indicator")).toContainText("140 unread messages");
  await opens(page, "Plans");
  await expect(page.locator(".gr-new")).toBeInViewport();
  await expect(page.locator(".gr-new + .gr-row")).toContainText("line 11.");
  const lines = new Set();
  while (!lines.has("line 150.")) {
    for (const text of await page.locator("#message-list .message-content").allTextContents()) lines.add(text);
    await page.locator("#message-list").evaluate((box) => (box.scrollTop += 500));
  }
  assert.equal(lines.size, 150);
  await page.locator("#message-list").press("End");
  await expect(page.locator(".unread-indicator")).toHaveCount(0);
});

onBoth("nothing is read while nobody looks", async (t, how) => {
  const { page, bobs, id } = await unreadFor(t, 3, how);
  await opens(page, "Plans");
  await expect(page.locator(".unread-indicator")).toHaveCount(0);
  await page.evaluate(() => {
    document.hasFocus = () => false;
  });
  const { id: last } = await bobs.sendMessage(id, { content: "are you there?" });
  await expect(message(page, "are you there?")).toBeInViewport();
  await expect(page.locator(".gr-new + .gr-row")).toContainText("are you there?");
  await expect(page).toHaveTitle("(1) Plans · Greenroom");
  await expect(page.locator("link[rel=icon]")).toHaveAttribute("href", /^data:image/);
  assert.equal((await bobs.message(last)).read_count, 1);
  await page.evaluate(() => {
    document.hasFocus = () => true;
    window.dispatchEvent(new Event("focus"));
  });
  await expect(page).toHaveTitle("Plans · Greenroom");
  await expect.poll(async () => (await bobs.message(last)).read_count).toBe(2);
});

onBoth("the list of chats is ordered by what happened last, and goes on as one scrolls", async (t, how) => {
  const { server, people } = await serverWith(t, ["ann"]);
  const anns = helper(server, people[0]);
  for (let number = 1; number <= 75; number++) await anns.createChat({ chat_type: "group", title: `Chat ${number}.` });
  const page = await visit(t, server.url, people[0], "/", how);
  const items = page.locator(".chat-item");
  await expect(items.first()).toContainText("Chat 75.");
  while ((await items.count()) < 75) await items.last().scrollIntoViewIfNeeded();
  await expect(items.last()).toContainText("Chat 1.");
  await items.last().click();
  await page.locator("#message-input").fill("to the top");
  await page.locator("#message-input").press("Enter");
  await expect(items.first()).toContainText("You: to the top");
});

test("on a phone there is one thing at a time, and a way back", async (t) => {
  const { page } = await unreadFor(t, 3, { viewport: NARROW, hasTouch: true });
  await expect(page.locator("#current-chat-name")).toBeHidden();
  await page.locator(".chat-item").tap();
  await expect(page.locator("#chat-list")).toBeHidden();
  await expect(message(page, "line 3.")).toBeInViewport();
  await page.getByRole("button", { name: "Back to chats" }).tap();
  await expect(page.locator(".chat-item")).toBeFocused();
  await page.goBack();
  await expect(message(page, "line 3.")).toBeInViewport();
  await page.goBack();
  await expect(page.locator(".chat-item")).toBeVisible();
});

onBoth("who has asked for it is notified while they are elsewhere", async (t, how) => {
  const { server, ann, page, bobs, id } = await unreadFor(t, 1, how);
  await page.context().grantPermissions(["notifications"]);
  // Notifications are recorded instead of shown.
  const spy = () => {
    globalThis.shown = [];
    globalThis.Notification = class {
      static permission = "granted";
      static requestPermission = async () => "granted";
      constructor(title, { body }) {
        globalThis.shown.push([title, body]);
        globalThis.latest = this;
      }
      close() {}
    };
  };
  await page.addInitScript(spy);
  await page.reload();
  await page.getByRole("button", { name: "Ann: your account" }).click();
  await page.getByRole("menuitemcheckbox", { name: "Notify me of messages" }).click();
  await page.getByRole("button", { name: "Ann: your account" }).click();
  await expect(page.getByRole("menuitemcheckbox", { name: "Notify me of messages" })).toHaveAttribute(
    "aria-checked",
    "true",
  );
  await page.keyboard.press("Escape");
  await bobs.sendMessage(id, { content: "while she looks" });
  await expect(page.locator(".chat-item")).toContainText("while she looks");
  await page.evaluate(() => {
    document.hasFocus = () => false;
  });
  await bobs.sendMessage(id, { content: "while she does not" });
  await expect.poll(() => page.evaluate(() => globalThis.shown)).toEqual([["Bob", "while she does not"]]);
  await page.evaluate(() => globalThis.latest.onclick());
  await expect(page.locator("#current-chat-name")).toHaveText("Plans");
  // No notification of a muted chat.
  await helper(server, ann).setMe(id, { muted_until: "9999-01-01T00:00:00Z" });
  await expect(page.locator(".chat-item")).toContainText("Muted");
  await bobs.sendMessage(id, { content: "while it is muted" });
  await expect(page.locator(".chat-item")).toContainText("while it is muted");
  assert.equal(await page.evaluate(() => globalThis.shown.length), 1);
});

onBoth("messages that come are announced, once and politely", async (t, how) => {
  const { page, bobs, id } = await unreadFor(t, 1, how);
  const voice = page.locator("[aria-live=polite].gr-hidden");
  await expect(page.locator(".unread-indicator")).toContainText("1 unread message");
  await bobs.sendMessage(id, { content: "elsewhere" });
  await expect(voice).toContainText("New message from Bob in Plans");
  await opens(page, "Plans");
  await expect(message(page, "line 1.")).toBeVisible();
  await bobs.sendMessage(id, { content: "right here" });
  await expect(voice.getByText("Bob: right here")).toHaveCount(1);
  assert.equal(await page.locator("#message-list").getAttribute("role"), "log");
});

onBoth("a page that wakes up does not notify of what was read elsewhere", async (t, how) => {
  const { server, people } = await serverWith(t, ["ann", "bob"]);
  const [ann, bob] = people;
  const [anns, bobs] = [helper(server, ann), helper(server, bob)];
  const { id } = await bobs.createChat({ chat_type: "group", title: "Plans", member_ids: [ann.id] });
  const road = await server.road();
  const context = await browserOf(t, road.url, ann, how);
  await context.addInitScript(() => {
    globalThis.shown = [];
    globalThis.Notification = class {
      static permission = "granted";
      constructor(_, { body }) {
        globalThis.shown.push(body);
      }
      close() {}
    };
    if (location.protocol !== "about:") localStorage.setItem("greenroom-notifications", "yes");
    document.hasFocus = () => false;
  });
  const page = await context.newPage();
  await page.goto("/");
  await expect(page.locator(".chat-item")).toContainText("Plans");
  let wake;
  const asleep = new Promise((resolve) => (wake = resolve));
  road.holds = () => asleep;
  for (const content of ["one", "two", "three"]) await bobs.sendMessage(id, { content });
  await anns.markAsRead(id);
  road.holds = () => undefined;
  wake();
  await expect(page.locator(".chat-item")).toContainText("three");
  await bobs.sendMessage(id, { content: "four" });
  await expect.poll(() => page.evaluate(() => globalThis.shown)).toEqual(["four"]);
});

for (const [browser, permission, options] of [
  ["on a phone", "granted", { userAgent: "Mozilla/5.0 (Linux; Android 14) Chrome/130 Mobile", hasTouch: true, isMobile: true }],
  ["that was not asked yet", "default", {}],
  ["that allowed them", "granted", {}],
]) {
  test(`a browser ${browser}, which cannot make notifications, is not offered any`, async (t) => {
    const { server, people } = await serverWith(t, ["ann", "bob"]);
    const [ann, bob] = people;
    const bobs = helper(server, bob);
    const { id } = await bobs.createChat({ chat_type: "group", title: "Plans", member_ids: [ann.id] });
    const context = await browserOf(t, server.url, ann, options);
    await context.addInitScript((permission) => {
      globalThis.Notification = class {
        static permission = permission;
        static requestPermission = async () => "granted";
        constructor() {
          globalThis.attempts = (globalThis.attempts ?? 0) + 1;
          throw new TypeError("Illegal constructor. Use ServiceWorkerRegistration.showNotification() instead.");
        }
      };
      if (location.protocol !== "about:") localStorage.setItem("greenroom-notifications", "yes");
      document.hasFocus = () => false;
    }, permission);
    const page = await context.newPage();
    await page.goto("/");
    await expect(page.locator(".chat-item")).toContainText("Plans");
    await bobs.sendMessage(id, { content: "news" });
    await expect(page.locator(".chat-item")).toContainText("news");
    if (permission === "granted" && browser === "that allowed them") {
      await expect.poll(() => page.evaluate(() => globalThis.attempts)).toBe(1);
    }
    await page.getByRole("button", { name: "Ann: your account" }).click();
    await expect(page.getByRole("menuitem", { name: "Your profile" })).toBeVisible();
    await expect(page.getByRole("menuitemcheckbox")).toHaveCount(0);
  });
}

onBoth("what is new is marked in a chat that was never read before, too", async (t, how) => {
  const { server, people } = await serverWith(t, ["ann", "bob"]);
  const [ann, bob] = people;
  const bobs = helper(server, bob);
  const make = async (title, before, after) => {
    const { id } = await bobs.createChat({ chat_type: "group", title });
    for (let number = 1; number <= before; number++) await bobs.sendMessage(id, { content: `old ${number}.` });
    await bobs.addMembers(id, [ann.id]);
    for (let number = 1; number <= after; number++) await bobs.sendMessage(id, { content: `new ${number}.` });
  };
  await make("All new", 0, 3);
  await make("Few", 5, 3);
  await make("Many", 5, 120);
  await make("Plenty", 0, 120);
  const page = await visit(t, server.url, ann, "/", how);
  for (const title of ["All new", "Few", "Many", "Plenty"]) {
    await opens(page, title);
    await expect(page.locator(".gr-new + .gr-row"), title).toContainText("new 1.");
    await expect(page.locator(".gr-new"), title).toBeInViewport();
  }
});

onBoth("the line before what is new does not go with its message", async (t, how) => {
  const { page, bobs, ids } = await unreadFor(t, 3, how);
  await opens(page, "Plans");
  await expect(page.locator(".gr-new + .gr-row")).toContainText("line 1.");
  await bobs.deleteMessage(ids[0]);
  await expect(page.locator(".gr-new + .gr-row")).toContainText("line 2.");
  await bobs.deleteMessage(ids[1]);
  await bobs.deleteMessage(ids[2]);
  await expect(page.locator(".gr-new")).toHaveCount(0);
});

onBoth("what is sent while a chat with new messages is loaded is seen on its way, and once it is there", async (t, how) => {
  const { page } = await unreadFor(t, 2, how);
  const held = [];
  await page.route("**/messages/?page_size=*", (route) => void held.push(route));
  const posts = [];
  await page.route(/\/chats\/\d+\/messages\/$/, (route) => void posts.push(route));
  await opens(page, "Plans");
  await expect.poll(() => held.length).toBe(1);
  const before = await held[0].fetch();
  await page.locator("#message-input").fill("here already");
  await page.locator("#message-input").press("Enter");
  await held[0].fulfill({ response: before });
  await expect(page.locator(".gr-new + .gr-row")).toContainText("line 1.");
  const row = page.locator(".message-item", { hasText: "here already" });
  if (how.polls) {
    await expect(row).toContainText("Sending");
    await expect.poll(() => posts.length).toBe(1);
    await posts[0].continue();
  }
  await expect(row).toContainText("Sent");
  await expect(row).toBeInViewport();
});

onBoth("who scrolls down from the first new message gets to what came meanwhile", async (t, how) => {
  const { page, bobs, id } = await unreadFor(t, 25, { ...how, viewport: { width: 1280, height: 500 } });
  await opens(page, "Plans");
  await expect(page.locator(".gr-new")).toBeInViewport();
  await bobs.sendMessage(id, { content: "line 26." });
  await expect(page.locator(".gr-jump")).toBeVisible();
  await expect(page.locator("#chat-list")).toContainText("line 26.");
  const down = () => page.locator("#message-list").evaluate((box) => (box.scrollTop = box.scrollHeight));
  const isSeen = async () => (await down(), await message(page, "line 26.").isVisible());
  await expect.poll(isSeen).toBe(true);
  await down();
  await expect(message(page, "line 26.")).toBeInViewport();
  await expect(page.locator(".gr-jump")).toHaveCount(0);
});
