// The pages while content loads, without content, and after errors.

import assert from "node:assert/strict";
import test from "node:test";

import {
  BROKEN_ROAD,
  NARROW,
  browserOf,
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

/** Delays requests until the returned function is called. */
async function holdsBack(context, address) {
  let release;
  const released = new Promise((resolve) => (release = resolve));
  await context.route(address, async (route) => {
    await released;
    await route.fallback();
  });
  return release;
}

const skeletons = (within) => within.locator(".gr-skeleton").first();

onBoth("what is being loaded has a shape before it is there", async (t, how) => {
  const { server, people } = await serverWith(t, ["ann", "bob"]);
  const [ann, bob] = people;
  const [anns, bobs] = [helper(server, ann), helper(server, bob)];
  for (let number = 1; number <= 60; number++) await anns.createChat({ chat_type: "group", title: `Chat ${number}.` });
  const { id } = await anns.createChat({ chat_type: "group", title: "Plans", member_ids: [bob.id] });
  for (let number = 1; number <= 70; number++) await bobs.sendMessage(id, { content: `line ${number}.` });
  await anns.markAsRead(id);
  const context = await browserOf(t, server.url, ann, how);
  const page = await context.newPage();

  let release = await holdsBack(context, "**/messages/api/sync/");
  await page.goto("/");
  await expect(page.getByRole("main", { name: "Loading" })).toHaveAttribute("aria-busy", "true");
  await expect(skeletons(page.locator(".gr-chats"))).toBeVisible();
  await isAccessible(page, "before the chats are there");
  release();
  await expect(page.locator(".chat-item").first()).toContainText("Plans");
  await expect(page.getByRole("main", { name: "Loading" })).toHaveCount(0);

  release = await holdsBack(context, "**/messages/api/chats/?*");
  await page.locator(".chat-item").last().scrollIntoViewIfNeeded();
  await expect(skeletons(page.locator(".gr-more"))).toBeVisible();
  await isAccessible(page, "before further chats are there");
  release();
  while ((await page.locator(".chat-item").count()) < 61)
    await page.locator(".chat-item").last().scrollIntoViewIfNeeded();
  await expect(page.locator(".gr-more")).toHaveCount(0);

  release = await holdsBack(context, `**/messages/api/chats/${id}/messages/?*`);
  await page.locator(".chat-item", { hasText: "Plans" }).click();
  await expect(skeletons(page.locator(".gr-thread"))).toBeVisible();
  await expect(page.locator("#current-chat-name")).toHaveText("Plans");
  await isAccessible(page, "before the messages are there");
  // The user can write during that time, and no text is lost.
  await page.locator("#message-input").fill("meanwhile");
  const releaseOlder = await holdsBack(context, /\/messages\/\?before=/);
  release();
  await expect(message(page, "line 70.")).toBeVisible();
  await expect(page.locator("#message-input")).toHaveValue("meanwhile");

  await page.locator("#message-list").evaluate((box) => (box.scrollTop = 0));
  await expect(page.locator(".gr-older .gr-skeleton").first()).toBeVisible();
  await isAccessible(page, "before older messages are there");
  releaseOlder();
  await expect(message(page, "line 1.")).toHaveCount(1);
  await expect(page.locator(".gr-older")).toHaveCount(0);

  release = await holdsBack(context, "**/messages/api/search/?*");
  await page.getByLabel("Search", { exact: true }).fill("line");
  await expect(skeletons(page.locator(".gr-side"))).toBeVisible();
  await isAccessible(page, "before something is found");
  release();
  await expect(page.locator(".search-result").first()).toBeVisible();

  release = await holdsBack(context, "**/messages/api/rooms/?*");
  await page.locator("#browse-rooms-btn").click();
  await expect(skeletons(page.getByRole("dialog"))).toBeVisible();
  await isAccessible(page, "before the rooms are there");
  release();
  await expect(page.getByText("There are no public rooms yet.")).toBeVisible();
  await expect(page.getByRole("dialog").locator(".gr-skeleton")).toHaveCount(0);
});

onBoth("where there is nothing it is said", async (t, how) => {
  const { server, people } = await serverWith(t, ["ann", "bob"]);
  const page = await visit(t, server.url, people[0], "/", how);
  await expect(page.getByText("No chats yet.")).toBeVisible();
  await expect(page.getByRole("heading", { name: "Welcome" })).toBeVisible();
  await page.locator(".gr-first-run").getByRole("button", { name: "Browse rooms" }).click();
  await expect(page.getByText("There are no public rooms yet.")).toBeVisible();
  await isAccessible(page, "no rooms");
  await helper(server, people[0]).createChat({ chat_type: "room", title: "Garden" });
  await page.getByLabel("Find a room").fill("kitchen");
  await expect(page.getByText("No results")).toBeVisible();
  await isAccessible(page, "no such room");
  await page.locator("#close-dialog-btn").click();
  await opens(page, "Garden");
  await expect(page.getByText("No messages yet. Write the first one.")).toBeVisible();
  await isAccessible(page, "no messages");
  await page.locator("#members-btn").click();
  await page.locator("#user-search-input").fill("nobody at all");
  await expect(page.getByText("No one found.")).toBeVisible();
  await isAccessible(page, "nobody found");
  await page.locator("#close-dialog-btn").click();
  await page.locator("#chat-menu-btn").click();
  await page.locator("#search-chat-btn").click();
  await page.locator("#chat-search-input").fill("nothing at all");
  await expect(page.locator(".gr-chat-search").getByText("No results")).toBeVisible();
  await isAccessible(page, "nothing found in a chat");
});

onBoth("how one is connected keeps nobody out", async (t, how) => {
  const { server, people } = await serverWith(t, ["ann"]);
  const { id } = await helper(server, people[0]).createChat({ chat_type: "group", title: "Plans" });
  const road = await server.road();
  const page = await visit(t, road.url, people[0], `/?chat=${id}`, { ...how, allows: BROKEN_ROAD });
  await expect(page.getByText("No messages yet. Write the first one.")).toBeVisible();
  if (how.polls) {
    await expect(page.getByRole("status").filter({ hasText: "Slow connection" })).toBeVisible();
    await isAccessible(page, "polling");
  }
  road.isClosed = true;
  if (!how.polls) road.cut();
  await page.context().setOffline(true);
  await expect(page.getByRole("status").filter({ hasText: "You are offline." })).toBeVisible();
  await writes(page, "Waiting");
  await expect(message(page, "Waiting").or(page.locator("[data-key]", { hasText: "Waiting" }))).toBeVisible();
  await isAccessible(page, "offline");
  road.cut();
  await page.context().setOffline(false);
  await expect(page.getByRole("status").filter({ hasText: "Reconnecting…" })).toBeVisible();
  await isAccessible(page, "reconnecting");
  road.isClosed = false;
  await expect(message(page, "Waiting")).toBeVisible();
});

onBoth("a chat that could not be reached opens once there is a connection again", async (t, how) => {
  const { server, people } = await serverWith(t, ["ann", "bob"]);
  const [ann, bob] = people;
  const { id } = await helper(server, ann).createChat({ chat_type: "group", title: "Plans", member_ids: [bob.id] });
  await helper(server, bob).sendMessage(id, { content: "Hello" });
  const road = await server.road();
  const page = await visit(t, road.url, ann, "/", { ...how, allows: BROKEN_ROAD });
  const item = page.locator(".chat-item", { hasText: "Plans" });
  await expect(item).toContainText("Hello");
  road.isClosed = true;
  road.cut();
  await page.context().setOffline(true);
  await item.click();
  await expect(page.getByRole("alert")).toContainText("The server cannot be reached.");
  await isAccessible(page, "a chat that could not be reached");
  road.isClosed = false;
  await page.context().setOffline(false);
  await expect(message(page, "Hello")).toBeVisible();
});

onBoth("a message tells how far it has come, in words", async (t, how) => {
  const { server, people } = await serverWith(t, ["ann", "bob", "carol"]);
  const [ann, bob, carol] = people;
  const anns = helper(server, ann);
  const { id: dm } = await anns.createChat({ chat_type: "dm", member_ids: [bob.id] });
  const { id: group } = await anns.createChat({ chat_type: "group", title: "Plans", member_ids: [bob.id, carol.id] });
  const road = await server.road();
  const page = await visit(t, road.url, ann, `/?chat=${dm}`, { ...how, allows: [...BROKEN_ROAD, "403"] });
  const voice = page.locator("[aria-live=polite].gr-hidden");
  const receipt = page.locator(".is-mine").last().locator(".gr-receipt");
  await expect(page.getByText("No messages yet. Write the first one.")).toBeVisible();
  road.isClosed = true;
  if (!how.polls) road.cut();
  await page.context().setOffline(true);
  await writes(page, "Hello");
  await expect(receipt).toHaveText("Sending");
  road.cut();
  road.isClosed = false;
  await page.context().setOffline(false);
  await expect(receipt).toHaveText("Sent, delivered to the server");
  await helper(server, bob).markAsRead(dm);
  await expect(receipt).toHaveText("Read");
  await expect(receipt).toHaveAttribute("title", "Read");
  // In a group, readers are counted and named.
  await opens(page, "Plans");
  await writes(page, "Hello all");
  await expect(receipt).toHaveText("Sent, delivered to the server");
  await helper(server, bob).markAsRead(group);
  await expect(receipt).toHaveText("Read by 1");
  await helper(server, carol).markAsRead(group);
  await expect(receipt).toHaveText("Read by 2");
  await message(page, "Hello all").locator(".context-menu-btn").click();
  await expect(page.getByText("Read by Bob and Carol")).toBeVisible();
  await page.keyboard.press("Escape");
  // A refused message says so, also to screen readers.
  await helper(server, bob).block(ann.id);
  await opens(page, "Bob");
  await writes(page, "Still there?");
  await expect(receipt).toHaveText("Not sent");
  await expect(page.locator(".gr-failure")).toContainText("You are not allowed to do this.");
  await expect(voice.getByText("Not sent. You are not allowed to do this.")).toHaveCount(1);
  await isAccessible(page, "a message that was refused");
  await page.getByRole("button", { name: "Discard" }).click();
  await expect(page.locator(".gr-failure")).toHaveCount(0);
  await expect(voice.getByText("Not sent.")).toHaveCount(1);
});

test("on a phone one comes back from a chat that is not there", async (t) => {
  const { server, people } = await serverWith(t, ["ann"]);
  await helper(server, people[0]).createChat({ chat_type: "group", title: "Plans" });
  const phone = { viewport: NARROW, hasTouch: true, isMobile: true, allows: ["404"] };
  const page = await visit(t, server.url, people[0], "/?chat=999", phone);
  await expect(page.getByRole("alert")).toContainText("This chat does not exist");
  await isAccessible(page, "a chat that is not there, on a phone");
  await page.getByRole("button", { name: "Back to chats" }).tap();
  await expect(page.locator(".chat-item", { hasText: "Plans" })).toBeVisible();
});

test("what is wrong with a form is said where it is, and keeps nobody out", async (t) => {
  const { server, people } = await serverWith(t, ["ann"]);
  const page = await visit(t, server.url, people[0], "/", { allows: ["400"] });
  await page.getByRole("button", { name: "Ann: your account" }).click();
  await page.getByRole("menuitem", { name: "Your profile" }).click();
  await page.getByLabel("Picture URL").fill("no address");
  await page.getByRole("button", { name: "Save" }).click();
  const field = page.getByLabel("Picture URL");
  await expect(field).toBeFocused();
  await expect(field).toHaveAttribute("aria-invalid", "true");
  assert.notEqual(await field.evaluate(({ ariaDescribedByElements: [note] }) => note.textContent), "");
  await isAccessible(page, "a profile with a mistake");
  // Too many attempts to sign in.
  const visitor = await visit(t, server.url, null, "/login/", { allows: ["401", "429"] });
  for (let attempt = 0; attempt < 6; attempt++) {
    await visitor.getByLabel("Username").fill("ann");
    await visitor.getByLabel("Password", { exact: true }).fill(`wrong ${attempt}`);
    const answered = visitor.waitForResponse((response) => response.url().endsWith("/login/"));
    await visitor.getByRole("button", { name: "Sign in" }).click();
    await answered;
  }
  await expect(visitor.getByRole("alert")).toContainText("Too many attempts.");
  await isAccessible(visitor, "too many attempts to sign in");
});
