import test from "node:test";

import { NARROW, demoServer, expect, isAccessible, visit } from "./support.mjs";

test("the documentation tells of each address, and finds them", async (t) => {
  const server = await demoServer(t);
  const page = await visit(t, server.url, null, "/messages/api/docs/");
  const operation = page.locator("#sendMessage");
  await expect(operation).toContainText("/messages/api/chats/{chat}/messages/");
  await expect(operation.getByText("client_id").first()).toBeHidden();
  await operation.getByRole("heading").click();
  await expect(operation.getByText("0 to 5000 characters")).toBeVisible();
  await expect(operation.getByLabel("An example of an answer with 201")).toContainText('"content": "In the wiki, under Plans."');
  const sender = operation.locator(".fields > div", { has: page.locator("> dt", { hasText: /^sender\b/ }) }).first();
  await sender.getByText("its fields").click();
  await expect(sender.locator(".inner .fields").first()).toContainText("display_name");
  await isAccessible(page, "the documentation");
  await page.getByLabel("Find").fill("leave");
  await expect(page.locator("#leaveChat")).toBeVisible();
  await expect(operation).toBeHidden();
  await page.getByLabel("Find").fill("nothing of the kind");
  await expect(page.getByText("No results")).toBeVisible();
});

test("the documentation tells of sockets, and opens what its address names", async (t) => {
  const server = await demoServer(t);
  const page = await visit(t, server.url, null, "/messages/api/docs/#socket-MembersChangedEvent");
  const event = page.locator("#socket-MembersChangedEvent");
  await expect(event.getByLabel("An example of members_changed")).toContainText('"member_count": 3');
  await expect(event).toBeInViewport();
  await expect(page.locator("#socket-ResumeCommand")).toContainText("Resumes after a disconnect.");
});

test("the documentation and the index keep nobody out, on a phone either", async (t) => {
  const server = await demoServer(t);
  const phone = { viewport: NARROW, hasTouch: true, isMobile: true };
  const page = await visit(t, server.url, null, "/messages/api/docs/#createChat", phone);
  await expect(page.locator("#createChat").getByText("member_ids").first()).toBeVisible();
  await isAccessible(page, "the documentation on a phone");
  const isWithin = () => document.documentElement.scrollWidth <= document.documentElement.clientWidth;
  expect(await page.evaluate(isWithin)).toBe(true);
  await page.goto("/messages/api/");
  await expect(page.getByRole("link", { name: "/messages/api/rooms/" })).toBeVisible();
  await isAccessible(page, "the index");
  expect(await page.evaluate(isWithin)).toBe(true);
  await page.getByRole("link", { name: "/messages/api/rooms/" }).click();
  await expect(page.locator("#listRooms")).toBeInViewport();
});
