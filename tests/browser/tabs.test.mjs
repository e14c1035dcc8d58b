// Several tabs of one browser, with one chat open.

import assert from "node:assert/strict";
import test from "node:test";

import { BROKEN_ROAD, browserOf, expect, helper, message, onBoth, serverWith } from "./support.mjs";

/** Ann with two tabs of her dm with bob, over a proxy that can break. */
async function twoTabs(t, options = {}) {
  const { server, people } = await serverWith(t, ["ann", "bob"]);
  const [ann, bob] = people;
  const { id } = await helper(server, ann).createChat({ chat_type: "dm", member_ids: [bob.id] });
  const road = await server.road();
  const context = await browserOf(t, road.url, ann, { ...options, allows: [...BROKEN_ROAD, ...(options.allows ?? [])] });
  const open = async () => {
    const page = await context.newPage();
    await page.goto(`/?chat=${id}`);
    await expect(page.locator("#message-list")).toBeVisible();
    return page;
  };
  const [one, two] = [await open(), await open()];
  return { server, ann, bob, bobs: helper(server, bob), id, road, context, open, one, two };
}

const field = (page) => page.locator("#message-input");
const contents = async (api, id) => (await api.messages(id)).results.map(({ content }) => content).reverse();

onBoth("a draft is seen in all tabs, and is gone from all once it is sent", async (t, how) => {
  const { one, two, bobs, id } = await twoTabs(t, how);
  await field(one).fill("only once");
  await expect(field(two)).toHaveValue("only once");
  await field(two).press("Enter");
  await expect(field(one)).toHaveValue("");
  await field(one).press("Enter");
  for (const page of [one, two]) await expect(message(page, "only once")).toHaveCount(1);
  assert.deepEqual(await contents(bobs, id), ["only once"]);
  // An edit is shared as well.
  await field(one).press("ArrowUp");
  await field(one).fill("only twice");
  await two.reload();
  await expect(field(two)).toHaveValue("only twice");
  await field(one).press("Enter");
  await expect(field(two)).toHaveValue("");
  await expect(two.getByText("Editing message")).toHaveCount(0);
});

onBoth("what is typed in one tab stays while another one sends something else", async (t, how) => {
  const { one, two, bobs, id } = await twoTabs(t, how);
  for (const [first, second] of [
    [one, two],
    [two, one],
  ]) {
    await field(first).fill("my own");
    await field(second).fill("another thing");
    await expect(field(first)).toHaveValue("my own");
    await field(second).press("Enter");
    await expect(message(first, "another thing").last()).toContainText("Sent");
    await expect(field(first)).toHaveValue("my own");
    await first.reload();
    await expect(field(first)).toHaveValue("my own");
    // The cursor moves behind the text. That must not happen between selecting the text and deleting it.
    await expect(field(first)).toBeFocused();
    await field(first).fill("");
    await expect(field(second)).toHaveValue("");
  }
  // Also when the page is reloaded before the other tab sends.
  await field(one).fill("my own");
  await field(two).fill("a third");
  await one.reload();
  await expect(field(one)).toHaveValue("my own");
  await field(two).press("Enter");
  await expect(message(one, "a third")).toContainText("Sent");
  await expect(field(one)).toHaveValue("my own");
  assert.deepEqual(await contents(bobs, id), ["another thing", "another thing", "a third"]);
});

onBoth("what waits is seen in all tabs, is sent once, and outlives the tab that it was typed in", async (t, how) => {
  const { one, two, bobs, id, road } = await twoTabs(t, how);
  const keys = [];
  road.isClosed = true;
  road.cut();
  for (const text of ["first", "second", "third"]) {
    await field(one).fill(text);
    await field(one).press("Enter");
  }
  for (const page of [one, two]) await expect(page.locator(".gr-receipt", { hasText: "Sending" })).toHaveCount(3);
  road.cutsBefore = (text) => void keys.push(...[...text.matchAll(/"client_id":"(\w+)"/g)].map(([, key]) => key));
  road.isClosed = false;
  await expect.poll(() => contents(bobs, id)).toEqual(["first", "second", "third"]);
  for (const page of [one, two]) {
    await expect(page.locator(".gr-receipt", { hasText: "Sent" })).toHaveCount(3);
    await expect(page.locator("#message-list [data-key]")).toHaveCount(3);
  }
  assert.equal(keys.length, new Set(keys).size, `${keys}`);
  road.isClosed = true;
  road.cut();
  await field(one).fill("last words");
  await field(one).press("Enter");
  await expect(two.getByText("last words")).toBeVisible();
  await one.close();
  road.isClosed = false;
  await expect(message(two, "last words")).toContainText("Sent");
  assert.deepEqual(await contents(bobs, id), ["first", "second", "third", "last words"]);
});

test("what was refused is thrown away in all tabs at once", async (t) => {
  const { one, two, context, id } = await twoTabs(t, { polls: true, allows: ["403"] });
  const refuse = (route) =>
    route.request().method() === "POST" ? route.fulfill({ status: 403, json: { detail: "No." } }) : route.continue();
  await context.route(`**/chats/${id}/messages/`, refuse);
  await field(one).fill("refused");
  await field(one).press("Enter");
  for (const page of [one, two]) await expect(page.locator(".is-failed")).toHaveCount(1);
  await two.getByRole("button", { name: "Discard" }).click();
  for (const page of [one, two]) await expect(page.getByText("refused")).toHaveCount(0);
});

/** Records notifications instead of showing them. */
const spy = () => {
  globalThis.shown = [];
  globalThis.Notification = class {
    static permission = "granted";
    static requestPermission = async () => "granted";
    constructor(title, { body }) {
      globalThis.shown.push(body);
    }
    close() {}
  };
  localStorage.setItem("greenroom-notifications", "yes");
  document.hasFocus = () => globalThis.isLookedAt ?? false;
};

onBoth("of each message one tab notifies, and none while one of them is looked at", async (t, how) => {
  const { one, two, context, bobs, id } = await twoTabs(t, how);
  await context.addInitScript(spy);
  const tabs = [one, two];
  for (const page of tabs) await page.reload();
  for (const page of tabs) await expect(field(page)).toBeVisible();
  const shown = async () => (await Promise.all(tabs.map((page) => page.evaluate(() => globalThis.shown)))).flat();
  const sent = ["one", "two", "three"];
  for (const content of sent) await bobs.sendMessage(id, { content });
  await expect.poll(async () => (await shown()).sort()).toEqual([...sent].sort());
  await one.evaluate(() => {
    globalThis.isLookedAt = true;
    dispatchEvent(new Event("focus"));
  });
  await expect(one.locator(".unread-indicator")).toHaveCount(0);
  await bobs.sendMessage(id, { content: "seen" });
  for (const page of tabs) await expect(message(page, "seen")).toBeVisible();
  await expect.poll(async () => (await bobs.messages(id)).results[0].read_count).toBe(2);
  await one.evaluate(() => {
    globalThis.isLookedAt = false;
    dispatchEvent(new Event("blur"));
  });
  await bobs.sendMessage(id, { content: "unseen" });
  await expect.poll(async () => (await shown()).sort()).toEqual([...sent, "unseen"].sort());
});

onBoth("who signs out in one tab is signed out in all, and leaves nothing behind", async (t, how) => {
  const { one, two, ann, bobs, id } = await twoTabs(t, { ...how, allows: ["401", "403"] });
  // A reaction, one from the picker, which stores favourites, and a refused message.
  const { id: hello } = await bobs.sendMessage(id, { content: "hello" });
  await message(one, "hello").hover();
  await message(one, "hello").locator(".context-menu-btn").click();
  await one.getByRole("menuitemcheckbox", { name: "React with 😮" }).click();
  await message(one, "hello").hover();
  await message(one, "hello").locator(".emoji-btn").click();
  await one.locator("emoji-picker").getByRole("menuitem", { name: "grinning face" }).first().click();
  await expect.poll(async () => (await bobs.message(hello)).reactions.length).toBe(2);
  await bobs.block(ann.id);
  await field(one).fill("a secret message");
  await field(one).press("Enter");
  for (const page of [one, two]) await expect(page.locator(".is-failed")).toHaveCount(1);
  await field(one).fill("a secret draft");
  await expect(field(two)).toHaveValue("a secret draft");
  await field(two).fill("another secret");
  const kept = () => one.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }]));
  const databases = () => one.evaluate(async () => (await indexedDB.databases()).map(({ name }) => name));
  for (const part of ["a secret message", "another secret", "😮"]) assert.ok((await kept()).includes(part), part);
  assert.equal((await databases()).length, 1);
  await one.getByRole("button", { name: "Ann: your account" }).click();
  await one.getByRole("menuitem", { name: "Sign out" }).click();
  await one.locator("#confirmation-confirm-btn").click();
  await expect(one).toHaveURL("/login/");
  await expect(two).toHaveURL(`/login/?next=${encodeURIComponent(`/?chat=${id}`)}`);
  for (const page of [one, two]) {
    const kept = await page.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }]));
    for (const part of ["secret", "😮", "reactions"]) assert.ok(!kept.includes(part), kept);
  }
  await expect.poll(databases).toEqual([]);
});

test("another user who signs in sees nothing of what the first one typed", async (t) => {
  const { one, two, context, id, bobs } = await twoTabs(t, { allows: ["401", "403", "404"] });
  await field(one).fill("typed by ann");
  await expect(field(two)).toHaveValue("typed by ann");
  const answer = await context.request.post("/login/", { data: { username: "bob", password: "correct horse" } });
  assert.equal(answer.status(), 200);
  // A page may have noticed by itself, and be loading.
  const tell = () => localStorage.setItem("greenroom-session", JSON.stringify({ owner: null, at: Math.random() }));
  const isTold = () => two.evaluate(tell).then(() => true, () => false);
  await expect.poll(isTold).toBe(true);
  await expect(one.getByRole("button", { name: "Bob: your account" })).toBeVisible();
  await one.locator(".chat-item", { hasText: "Ann" }).click();
  await expect(field(one)).toHaveValue("");
  await field(one).fill("typed by bob");
  await field(one).press("Enter");
  await expect(message(one, "typed by bob")).toContainText("Sent");
  const { results } = await bobs.messages(id);
  const byBob = results.filter(({ sender }) => sender.username === "bob").map(({ content }) => content);
  assert.deepEqual(byBob, ["typed by bob"]);
});

test("a sign-in page goes on when another tab signs in", async (t) => {
  const { server, people } = await serverWith(t, ["ann"]);
  const context = await browserOf(t, server.url);
  const [one, two] = [await context.newPage(), await context.newPage()];
  for (const page of [one, two]) await page.goto("/");
  await expect(one).toHaveURL("/login/?next=%2F");
  await two.getByLabel("Username").fill(people[0].name);
  await two.getByLabel("Password", { exact: true }).fill("correct horse");
  await two.getByRole("button", { name: "Sign in" }).click();
  for (const page of [one, two]) await expect(page.getByRole("button", { name: "Ann: your account" })).toBeVisible();
});

test("tabs without locks and without storage do what one tab does", async (t) => {
  const { server, people } = await serverWith(t, ["ann", "bob"]);
  const [ann, bob] = people;
  const { id } = await helper(server, ann).createChat({ chat_type: "dm", member_ids: [bob.id] });
  const context = await browserOf(t, server.url, ann, { allows: ["401"] });
  await context.addInitScript(() => {
    for (const name of ["localStorage", "sessionStorage"]) {
      Object.defineProperty(globalThis, name, { get: () => { throw new DOMException("closed", "SecurityError"); } });
    }
    Object.defineProperty(navigator, "locks", { value: undefined });
    delete globalThis.BroadcastChannel;
  });
  const [one, two] = [await context.newPage(), await context.newPage()];
  for (const page of [one, two]) await page.goto(`/?chat=${id}`);
  await field(one).fill("from one");
  await field(two).fill("from two");
  await field(one).press("Enter");
  await expect(message(two, "from one")).toContainText("Sent");
  await expect(field(two)).toHaveValue("from two");
  await one.getByRole("button", { name: "Ann: your account" }).click();
  await one.getByRole("menuitem", { name: "Sign out" }).click();
  await expect(one).toHaveURL("/login/");
});
