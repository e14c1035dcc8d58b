// Rate limits: their texts on the page, and the retries afterwards.

import assert from "node:assert/strict";

import {
  BROKEN_ROAD,
  NARROW,
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

onBoth("who sends too much is told, and nothing is lost", async (t, how) => {
  const { server, people } = await serverWith(t, ["ann", "bob"], "--rate-limit", "send=12/m:2");
  const [ann, bob] = people;
  await helper(server, ann).createChat({ chat_type: "dm", member_ids: [bob.id] });
  const anns = await visit(t, server.url, ann, "/", { ...how, allows: ["429"] });
  const bobs = await visit(t, server.url, bob, "/", how);
  await opens(anns, "Bob");
  await opens(bobs, "Ann");
  for (const text of ["one", "two", "three"]) await writes(anns, text);
  await expect(anns.getByText(/You are sending very fast. Your messages will be sent in [1-6] second/)).toBeVisible();
  await expect(message(bobs, "two")).toBeVisible();
  await expect(message(bobs, "three")).toHaveCount(0);
  await isAccessible(anns, "too much was sent");
  await expect(message(bobs, "three")).toBeVisible();
  await expect(anns.locator(".gr-pill-held")).toHaveCount(0);
  await expect(message(anns, "three")).toHaveCount(1);
});

onBoth("who searches too much is told, and it is done a little later", async (t, how) => {
  const { server, people } = await serverWith(t, ["ann", "bob"], "--rate-limit", "search=20/m:2");
  const page = await visit(t, server.url, people[0], "/", { ...how, allows: ["429"] });
  const field = page.getByLabel("Search", { exact: true });
  await expect(field).toBeVisible();
  const anns = helper(server, people[0]);
  const isRefused = async () =>
    (await anns.searchUsers("bob").then(
      () => 200,
      ({ status }) => status,
    )) === 429;
  while (!(await isRefused()));
  await field.fill("bob");
  await expect(page.getByRole("alert")).toContainText(/Retrying in \d+ second/);
  await isAccessible(page, "too much was searched for");
  await expect(page.getByRole("region", { name: "People" }).getByRole("button")).toBeVisible();
});

/** Sends requests until the limit is reached and an element appears. */
async function drains(api, locator) {
  const ask = () => api.chats().catch((error) => assert.equal(error.status, 429));
  await Promise.all([
    expect(locator).toBeVisible(),
    (async () => {
      while (!(await locator.isVisible())) await ask();
    })(),
  ]);
}

onBoth("a chat that could not be opened for now opens by itself", async (t, how) => {
  const { server, people } = await serverWith(t, ["ann", "bob"], "--rate-limit", "other=30/m:10");
  const [ann, bob] = people;
  const [anns, bobs] = [helper(server, ann), helper(server, bob)];
  const { id } = await bobs.createChat({ chat_type: "group", title: "Plans", member_ids: [ann.id] });
  await bobs.sendMessage(id, { content: "Hello" });
  const page = await visit(t, server.url, ann, "/", { ...how, allows: ["429"] });
  const item = page.locator(".chat-item", { hasText: "Plans" });
  await expect(item).toBeVisible();
  const isRefused = async () =>
    (await anns.chats().then(
      () => 200,
      ({ status }) => status,
    )) === 429;
  while (!(await isRefused()));
  await item.click();
  await drains(anns, page.getByText(/Retrying in \d+ seconds?\./));
  await expect(page.getByRole("button", { name: "Retry" })).toBeVisible();
  await isAccessible(page, "a chat that could not be opened");
  await expect(message(page, "Hello")).toBeVisible();
});

onBoth("other requests that are too many are refused in words", async (t, how) => {
  const { server, people } = await serverWith(t, ["ann", "bob"], "--rate-limit", "other=1/m:60");
  const anns = helper(server, people[0]);
  const { id } = await anns.createChat({ chat_type: "group", title: "Plans" });
  const page = await visit(t, server.url, people[0], `/?chat=${id}`, { ...how, allows: ["429"] });
  await expect(page.getByText("No messages yet. Write the first one.")).toBeVisible();
  const isRefused = async () =>
    (await anns.chats().then(
      () => 200,
      ({ status }) => status,
    )) === 429;
  while (!(await isRefused()));
  await page.locator("#current-chat-name").click();
  await page.locator(".chat-title-input").fill("Other plans");
  await page.locator(".chat-title-save-btn").click();
  await expect(page.getByText(/That was too fast. Try again in \d+ seconds?\./)).toBeVisible();
  // The typed text stays in the field.
  await expect(page.locator(".chat-title-input")).toHaveValue("Other plans");
});

onBoth("on a phone an open chat tells how it is connected", async (t, how) => {
  const { server, people } = await serverWith(t, ["ann"]);
  const { id } = await helper(server, people[0]).createChat({ chat_type: "group", title: "Plans" });
  const road = await server.road();
  const page = await visit(t, road.url, people[0], `/?chat=${id}`, { ...how, viewport: NARROW, allows: BROKEN_ROAD });
  await expect(page.getByText("No messages yet. Write the first one.")).toBeVisible();
  road.isClosed = true;
  // A waiting poll over a connection that still holds is aborted as well.
  if (!how.polls) road.cut();
  await page.context().setOffline(true);
  await expect(page.getByText("You are offline.")).toBeVisible();
  road.cut();
  await page.context().setOffline(false);
  await expect(page.getByText("Reconnecting…")).toBeVisible();
  road.isClosed = false;
  await expect(page.getByText("Reconnecting…")).toHaveCount(0);
  await expect(page.getByText("You are offline.")).toHaveCount(0);
});
