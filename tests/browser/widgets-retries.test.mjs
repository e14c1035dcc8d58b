import test from "node:test";

import { browserOf, expect, helper, serverWith } from "./support.mjs";

const CHATS = "**/messages/api/chats/";

/** Refuses requests to an address until it is reset. Counts them. */
async function refuses(context, address, refuse) {
  let count = 0;
  const onRequest = (route) => {
    count++;
    return refuse(route);
  };
  await context.route(address, onRequest);
  return { asked: () => count, end: () => context.unroute(address, onRequest) };
}

const busy = (status, headers = {}) => (route) =>
  route.fulfill({ status, headers, contentType: "application/json", body: '{"error": "Busy."}' });
const lost = (route) => route.abort("connectionfailed");

const troubles = {
  "503": busy(503),
  "502 of a proxy": (route) => route.fulfill({ status: 502, contentType: "text/html", body: "<h1>Bad gateway</h1>" }),
  "429": busy(429, { "Retry-After": "1" }),
  "no network": lost,
};

for (const [name, refuse] of Object.entries(troubles)) {
  const options = { allows: ["503", "502", "429", "ERR_", "Failed to load"] };

  test(`a room that met ${name} when it was loaded comes by itself`, async (t) => {
    const { server, people } = await serverWith(t, ["ann", "bob", "carol"]);
    const context = await browserOf(t, server.url, people[0], options);
    const { asked, end } = await refuses(context, CHATS, refuse);
    const page = await context.newPage();
    await page.goto("/demo/");
    await expect.poll(asked).toBeGreaterThan(1);
    await expect(page.locator("greenroom-room").getByRole("alert")).toBeVisible();
    await end();
    await expect(page.locator(".join-room-btn")).toBeVisible();
    await expect(page.locator("greenroom-room").getByRole("alert")).toHaveCount(0);
    // The room is watched from then on.
    const [room] = (await helper(server, people[1]).rooms()).results;
    await helper(server, people[1]).joinChat(room.id);
    await expect(page.locator(".member-count")).toHaveText("1 member");
  });

  test(`direct messages that met ${name} when they were opened come by themselves`, async (t) => {
    const { server, people } = await serverWith(t, ["ann", "bob", "carol"]);
    const context = await browserOf(t, server.url, people[0], options);
    const page = await context.newPage();
    await page.goto("/demo/");
    await expect(page.locator(".join-room-btn")).toBeVisible();
    const { asked, end } = await refuses(context, CHATS, refuse);
    await page.locator("#chat-toggle-btn").click();
    await expect.poll(asked).toBeGreaterThan(1);
    await expect(page.locator("#fixed-chat-widget").getByRole("alert")).toBeVisible();
    await end();
    await page.locator("#widget-message-input").fill("Here at last");
    await page.locator("#widget-message-input").press("Enter");
    await expect(page.locator("#widget-message-list .message-item")).toContainText("Sent");
  });

  test(`all widgets that met ${name} at the very beginning come by themselves`, async (t) => {
    const { server, people } = await serverWith(t, ["ann", "bob", "carol"]);
    const context = await browserOf(t, server.url, people[0], options);
    const { asked, end } = await refuses(context, /\/messages\/api\/(users\/me|sync|settings)\//, refuse);
    const page = await context.newPage();
    await page.goto("/demo/");
    await expect.poll(asked).toBeGreaterThan(2);
    await end();
    await expect(page.locator(".join-room-btn")).toBeVisible();
    await expect(page.locator("greenroom-inbox .gr-toggle")).toBeVisible();
  });
}

test("what the server does not allow is not offered, though it did not say so the first time", async (t) => {
  const { server, people } = await serverWith(t, ["ann", "bob", "carol"], "--allow-reactions", "false");
  const context = await browserOf(t, server.url, people[0], { allows: ["503"] });
  const { asked, end } = await refuses(context, "**/messages/api/settings/", busy(503));
  const page = await context.newPage();
  await page.goto("/demo/");
  await expect.poll(asked).toBeGreaterThan(1);
  await end();
  await page.locator(".join-room-btn").click();
  await page.locator(".room-message-input").fill("Hello");
  await page.locator(".room-message-input").press("Enter");
  const row = page.locator(".room-message-list .message-item");
  await expect(row).toContainText("Sent");
  await row.hover();
  await expect(row.locator("[aria-haspopup=menu]")).toBeVisible();
  await expect(row.locator(".emoji-btn")).toHaveCount(0);
});

test("texts and styles that did not come the first time come by themselves", async (t) => {
  const { server, people } = await serverWith(t, ["ann", "bob", "carol"]);
  const context = await browserOf(t, server.url, people[0], { allows: ["ERR_", "Failed to load", "dynamically imported"] });
  const texts = await refuses(context, "**/texts/en.js", lost);
  const page = await context.newPage();
  await page.route("**/demo/", async (route) => {
    // As on another site, which has no preloads and no stylesheet link.
    const response = await route.fetch();
    await route.fulfill({ response, body: (await response.text()).replaceAll(/<link[^>]*(style\.css|modulepreload)[^>]*>/g, "") });
  });
  const styles = await refuses(context, "**/style.css", lost);
  await page.goto("/demo/");
  await expect.poll(texts.asked).toBeGreaterThan(1);
  await texts.end();
  await expect(page.locator(".join-room-btn")).toBeVisible();
  await expect.poll(styles.asked).toBeGreaterThan(1);
  await styles.end();
  const corner = () => page.locator(".join-room-btn").evaluate((button) => getComputedStyle(button).borderRadius);
  await expect.poll(corner).toBe("12px");
});

test("what is refused for good is said in the visitor's language, and to the page's author in the console", async (t) => {
  const { server, people } = await serverWith(t, ["ann", "bob", "carol"]);
  const context = await browserOf(t, server.url, people[0], { allows: ["400", "404"] });
  const page = await context.newPage();
  const warnings = [];
  page.on("console", (message) => message.type() === "warning" && warnings.push(message.text()));
  await page.goto("/demo/");
  await page.evaluate(() => {
    document.documentElement.lang = "de";
    document.querySelector("greenroom-dm").user = "nobody";
    document.querySelector("greenroom-room").objectType = "x".repeat(300);
  });
  await page.locator("#chat-toggle-btn").click();
  await expect(page.locator("#fixed-chat-widget").getByRole("alert")).toHaveText("Nachrichten an diese Person sind nicht möglich.");
  await expect(page.locator("greenroom-room").getByRole("alert")).toHaveText("Diese Diskussion kann nicht angezeigt werden.");
  await expect.poll(() => warnings.filter((text) => text.includes("<greenroom-")).length).toBe(2);
});

test("a room widget without an object makes no room", async (t) => {
  const { server, people } = await serverWith(t, ["ann", "bob", "carol"]);
  const context = await browserOf(t, server.url, people[0]);
  const page = await context.newPage();
  await page.goto("/demo/");
  await expect(page.locator(".join-room-btn")).toBeVisible();
  const posts = await refuses(context, CHATS, (route) => route.continue());
  await page.evaluate(() => document.querySelector("greenroom-room").removeAttribute("object-id"));
  await expect(page.locator(".join-room-btn")).toHaveCount(0);
  await page.evaluate(() => document.querySelector("greenroom-room").setAttribute("object-id", "7"));
  await expect(page.locator(".join-room-btn")).toBeVisible();
  expect(posts.asked()).toBe(1);
});
