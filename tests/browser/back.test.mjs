// Pages in the back-forward cache. Playwright turns that cache off, so these tests start a browser of their own.

import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import test from "node:test";
import { fileURLToPath } from "node:url";

import { expect, script, siteWith } from "./host.mjs";
import { browserOf, helper, serverWith } from "./support.mjs";

const require = createRequire(fileURLToPath(new URL("../../target/browser/package.json", import.meta.url)));
const { chromium } = require("playwright");

/** Chromium without a window system has no such cache. */
const FULL = "/usr/bin/chromium";
const executablePath = existsSync(FULL) ? FULL : process.env.GREENROOM_CHROMIUM;

test("a page with widgets is kept for going back, and goes on where it was", async (t) => {
  const pages = (server) => ({
    "/": `<!doctype html><title>Host</title><a href="/other">Elsewhere</a>
      <script>
        globalThis.shown = [];
        addEventListener("pageshow", ({ persisted }) => shown.push(persisted));
      </script>
      <greenroom-room token-url="/chat-token" object-type="film" object-id="1" title="Films"></greenroom-room>
      ${script(server)}`,
    "/other": "<!doctype html><title>Elsewhere</title><p>Elsewhere</p>",
  });
  const { url, server, people } = await siteWith(t, ["ann", "bob"], pages);
  const browser = await chromium.launch({
    executablePath,
    args: ["--no-sandbox"],
    ignoreDefaultArgs: ["--disable-back-forward-cache"],
  });
  t.after(() => browser.close());
  const page = await browser.newPage({ locale: "en-GB" });
  await page.goto(url);
  await page.locator(".join-room-btn").click();
  const field = page.locator(".room-message-input");
  await field.fill("Half");
  const bobs = helper(server, people[1]);
  const [{ id }] = (await bobs.rooms()).results;
  await bobs.joinChat(id);
  for (const round of ["first", "second"]) {
    await bobs.sendMessage(id, { content: `Before the ${round}` });
    await expect(page.locator(".message-item").last()).toContainText(`Before the ${round}`);
    await page.getByRole("link", { name: "Elsewhere" }).click();
    await expect(page.getByText("Elsewhere")).toBeVisible();
    await bobs.sendMessage(id, { content: `Missed the ${round}` });
    await page.evaluate(() => void setTimeout(() => history.back()));
    await expect(page.getByRole("link", { name: "Elsewhere" })).toBeVisible();
    expect(await page.evaluate(() => globalThis.shown.at(-1))).toBe(true);
    await expect(page.locator(".message-item").last()).toContainText(`Missed the ${round}`);
    await bobs.sendMessage(id, { content: `After the ${round}` });
    await expect(page.locator(".message-item").last()).toContainText(`After the ${round}`);
    await expect(field).toHaveValue("Half");
  }
});

test("sockets end when a page is left, as browsers want it that keep no page with one, and come back with it", async (t) => {
  const { server, people } = await serverWith(t, ["ann", "bob", "carol"]);
  const page = await (await browserOf(t, server.url, people[0])).newPage();
  const sockets = [];
  page.on("websocket", (socket) => sockets.push(socket));
  await page.goto("/demo/");
  await expect(page.locator(".join-room-btn")).toBeVisible();
  const open = () => sockets.filter((socket) => !socket.isClosed()).length;
  const turn = (type) =>
    page.evaluate((type) => void dispatchEvent(new PageTransitionEvent(type, { persisted: true })), type);
  const bobs = helper(server, people[1]);
  const [{ id }] = (await bobs.rooms()).results;
  for (const count of [1, 2]) {
    await expect.poll(open).toBe(1);
    await turn("pagehide");
    await expect.poll(open).toBe(0);
    if (count === 1) await bobs.joinChat(id);
    else await bobs.leaveChat(id);
    await turn("pageshow");
    await expect(page.locator(".member-count")).toHaveText(count === 1 ? "1 member" : "0 members");
  }
  expect(sockets.length).toBe(3);
});
