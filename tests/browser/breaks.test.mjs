import assert from "node:assert/strict";
import test from "node:test";

import { BROKEN_ROAD, browserOf, expect, helper, message, opens, serverWith, visit, writes } from "./support.mjs";

const texts = (page) => page.locator("#message-list [data-key] .message-content").allTextContents();

/** Ann over a proxy that can break, and bob, with their dm. */
async function annOnARoad(t, allows = []) {
  const { server, people } = await serverWith(t, ["ann", "bob"]);
  const [ann, bob] = people;
  const chat = await helper(server, ann).createChat({ chat_type: "dm", member_ids: [bob.id] });
  const road = await server.road();
  const anns = await visit(t, road.url, ann, `/?chat=${chat.id}`, { allows: [...BROKEN_ROAD, ...allows] });
  const bobs = await visit(t, server.url, bob, `/?chat=${chat.id}`);
  return { server, ann, bob, road, anns, bobs, chat };
}

test("offline and back: nothing is lost, nothing comes twice", async (t) => {
  const { road, anns, bobs } = await annOnARoad(t);
  await writes(anns, "before");
  await expect(message(bobs, "before")).toBeVisible();
  road.isClosed = true;
  road.cut();
  await anns.context().setOffline(true);
  await expect(anns.getByText("You are offline.")).toBeVisible();
  const typed = ["one", "two", "three"];
  for (const text of typed) await writes(anns, text);
  await expect(anns.locator(".gr-receipt", { hasText: "Sending" })).toHaveCount(3);
  for (const text of ["four", "five"]) await writes(bobs, text);
  await expect(message(bobs, "five")).toContainText("Sent");
  await anns.context().setOffline(false);
  await expect(anns.getByText("Reconnecting…")).toBeVisible();
  road.isClosed = false;
  await expect(anns.locator(".gr-pill")).toHaveCount(0);
  await expect(message(bobs, "three")).toBeVisible();
  const all = ["before", "four", "five", ...typed];
  await expect(anns.locator("#message-list [data-message-id]")).toHaveCount(all.length);
  assert.deepEqual(await texts(anns), all);
  assert.deepEqual(await texts(bobs), all);
});

test("what waits outlives a reload", async (t) => {
  const { road, anns, bobs, chat } = await annOnARoad(t);
  await expect(anns.locator("#message-list")).toBeVisible();
  // The page is loaded, but nothing can be sent.
  road.cutsBefore = (text) => text.includes("send_message") || text.startsWith("POST");
  await writes(anns, "stubborn");
  await expect(anns.getByText("stubborn")).toBeVisible();
  await anns.reload();
  await expect(anns.getByText("stubborn")).toBeVisible();
  road.cutsBefore = () => false;
  await expect(message(bobs, "stubborn")).toBeVisible();
  await anns.goto(`/?chat=${chat.id}`);
  await expect(message(anns, "stubborn")).toContainText("Read");
  assert.deepEqual(await texts(anns), ["stubborn"]);
});

test("where sockets are blocked the page polls, and everything works", async (t) => {
  const { server, people } = await serverWith(t, ["ann", "bob"]);
  const [ann, bob] = people;
  const road = await server.road();
  road.refusesSockets = true;
  await helper(server, ann).createChat({ chat_type: "room", title: "Garden" });
  const options = { allows: ["WebSocket"] };
  const anns = await visit(t, road.url, ann, "/", options);
  const bobs = await visit(t, road.url, bob, "/", options);
  await expect(anns.getByText("Slow connection")).toBeVisible();
  await expect(bobs.getByText("Slow connection")).toBeVisible();
  await opens(anns, "Garden");
  await bobs.locator("#browse-rooms-btn").click();
  await bobs.locator(".join-room-btn").click();
  await expect(anns.getByText("2 members")).toBeVisible();
  await bobs.locator("#message-input").pressSequentially("Hello");
  await expect(anns.getByText("Bob is typing…")).toBeVisible();
  await bobs.locator("#message-input").press("Enter");
  await expect(message(anns, "Hello")).toBeVisible();
  await expect(message(bobs, "Hello")).toContainText("Read by 1");
  await message(anns, "Hello").locator(".emoji-btn").click();
  await anns.locator("emoji-picker").getByRole("menuitem", { name: "red heart" }).first().click();
  await message(bobs, "Hello").locator(".reaction").filter({ hasText: "❤️" }).click();
  await expect(message(anns, "Hello").locator(".reaction")).toContainText("2");
  await bobs.locator("#message-input").press("ArrowUp");
  await bobs.locator("#message-input").fill("Hello all");
  await bobs.locator(".edit-save-btn").click();
  await expect(message(anns, "Hello all")).toContainText("Edited");
  await message(bobs, "Hello all").locator(".context-menu-btn").click();
  await message(bobs, "Hello all").locator(".delete-btn").click();
  await expect(anns.locator(".deleted-indicator")).toBeVisible();
  await bobs.locator("#leave-chat-btn").click();
  await bobs.locator("#confirmation-confirm-btn").click();
  await expect(anns.getByText("1 member", { exact: true })).toBeVisible();
});

test("a message that is refused stays, to be sent again or thrown away", async (t) => {
  const { anns, bobs, chat, server, bob } = await annOnARoad(t, ["403"]);
  const refuse = (route) =>
    route.request().method() === "POST"
      ? route.fulfill({ status: 403, json: { detail: "You do not have permission." } })
      : route.continue();
  await expect(anns.locator("#message-list")).toBeVisible();
  await anns.routeWebSocket(/messages\/ws/, (socket) => socket.close());
  await anns.route(`**/chats/${chat.id}/messages/`, refuse);
  await anns.reload();
  await writes(anns, "first");
  await writes(anns, "second");
  await expect(anns.locator(".gr-failure").getByText("You are not allowed to do this.")).toHaveCount(2);
  await anns.unroute(`**/chats/${chat.id}/messages/`, refuse);
  await anns.locator(".is-failed", { hasText: "first" }).getByRole("button", { name: "Retry" }).click();
  await expect(message(bobs, "first")).toBeVisible();
  await anns.locator(".is-failed", { hasText: "second" }).getByRole("button", { name: "Discard" }).click();
  await expect(anns.getByText("second")).toHaveCount(0);
  const { results } = await helper(server, bob).messages(chat.id);
  assert.deepEqual(
    results.map(({ content }) => content),
    ["first"],
  );
});

test("who is signed out elsewhere is led to sign in, and back", async (t) => {
  const { server, people } = await serverWith(t, ["ann"]);
  const anns = await visit(t, server.url, people[0], "/messages/", { allows: ["401"] });
  await expect(anns.getByText("No chats yet.")).toBeVisible();
  await server.run("user", "passwd", "ann", "--password", "another horse");
  await expect(anns).toHaveURL("/login/?next=%2Fmessages%2F");
  await anns.getByLabel("Username").fill("ann");
  await anns.getByLabel("Password", { exact: true }).fill("another horse");
  await anns.getByLabel("Password", { exact: true }).press("Enter");
  await expect(anns).toHaveURL("/messages/");
  await anns.getByRole("button", { name: "Ann: your account" }).click();
  await anns.getByRole("menuitem", { name: "Sign out" }).click();
  await expect(anns).toHaveURL("/login/");
  await anns.goto("/");
  await expect(anns).toHaveURL("/login/?next=%2F");
});

test("a page that comes before its server waits for it", async (t) => {
  const { server, people } = await serverWith(t, ["ann"]);
  const page = await (await browserOf(t, server.url, people[0], { allows: BROKEN_ROAD })).newPage();
  const abort = (route) => route.abort();
  await page.route("**/messages/api/**", abort);
  await page.goto("/");
  await expect(page.getByText("The server cannot be reached. Trying again…")).toBeVisible();
  await page.unroute("**/messages/api/**", abort);
  await expect(page.getByText("No chats yet.")).toBeVisible();
});
