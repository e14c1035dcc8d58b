// Tests of the pages: each person has a browser, and the server is a real one on a free port with a database of its own.
// Tests wait until something is visible, never for time to pass.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import test from "node:test";
import { fileURLToPath } from "node:url";
import { deflateSync } from "node:zlib";

import { DEADLINE, Server, WebSocket, inTime } from "../client/support.mjs";

const require = createRequire(fileURLToPath(new URL("../../target/browser/package.json", import.meta.url)));
const { chromium } = require("playwright");
export const expect = require("playwright/test").expect.configure({ timeout: DEADLINE });
export { Server, inTime };

const PASSWORD = "correct horse";
/** The size of the window, unless a test sets another one. */
export const WIDE = { width: 1280, height: 800 };
export const NARROW = { width: 360, height: 720 };
/** The smallest window that everything fits. */
export const TINY = { width: 320, height: 640 };

/** Names that end in `.test` resolve to this machine: browsers treat localhost itself as secure over any protocol. */
const NAMES = "--host-resolver-rules=MAP *.test 127.0.0.1";

let browser;
test.before(async () => {
  const options = { executablePath: process.env.GREENROOM_CHROMIUM, args: ["--no-sandbox", NAMES] };
  browser = await chromium.launch(options);
});
test.after(() => browser?.close());

/** The browsers of a test, and their console errors. */
const contexts = new WeakMap();
const complaints = new WeakMap();

/** Closes browsers before their server stops, and checks their console errors afterwards. */
async function withBrowsers(t, start) {
  contexts.set(t, []);
  complaints.set(t, []);
  // The hooks run in this order. The first failure is the last hook that runs.
  t.after(() => Promise.all(contexts.get(t).map((context) => context.close())));
  const server = await start();
  t.after(() => assert.deepEqual(complaints.get(t), [], "nothing goes wrong in the browser"));
  return server;
}

/** Starts a server with the demo's people and chats. */
export const demoServer = (t) => withBrowsers(t, () => Server.demo(t));

/** Starts a server with people. */
export async function serverWith(t, names, ...args) {
  const server = await withBrowsers(t, () => Server.start(t, ...args));
  const people = [];
  for (const name of names)
    people.push(await server.user(name, "--first-name", capital(name), "--email", `${name}@example.com`));
  return { server, people };
}

const capital = (name) => name[0].toUpperCase() + name.slice(1);

/**
 * Starts a user's browser, without a page. `at` is the address of the server, or of a proxy before it. `allows`: parts of
 * expected console errors; `isBuilt`: no file is read from the disk; `polls`: the browser has no WebSocket.
 */
export async function browserOf(t, at, user = null, options = {}) {
  const { allows = [], isBuilt = false, polls = false, ...others } = options;
  const context = await browser.newContext({ baseURL: at, viewport: WIDE, locale: "en-GB", ...others });
  context.setDefaultTimeout(DEADLINE);
  if (process.env.GREENROOM_TEST_WEB === "disk" && !isBuilt) await context.route(/\/messages\/static\//, fromDisk);
  if (polls) await context.addInitScript(() => delete globalThis.WebSocket);
  contexts.get(t).push(context);
  const complain = (text) => allows.some((allowed) => text.includes(allowed)) || complaints.get(t).push(text);
  context.on("console", (message) => message.type() === "error" && complain(message.text()));
  context.on("weberror", (error) => complain(error.error().stack));
  if (user) {
    const answer = await context.request.post("/login/", {
      data: { username: user.name, password: user.password ?? PASSWORD },
    });
    assert.equal(answer.status(), 200);
  }
  return context;
}

/** Serves files from the disk, so that a change can be tested without a build. */
async function fromDisk(route) {
  const path = new URL(route.request().url()).pathname.split("/").slice(4).join("/");
  await route.fulfill({
    path: fileURLToPath(new URL(`../../web/${path}`, import.meta.url)),
    headers: { "Access-Control-Allow-Origin": "*" },
  });
}

/** Opens a page as a signed-in user. */
export async function visit(t, at, user, path = "/", options = {}) {
  const context = await browserOf(t, at, user, options);
  const page = await context.newPage();
  await page.goto(path);
  return page;
}

/** Browsers' messages about a connection that is refused or ends. */
export const BROKEN_ROAD = ["ERR_", "WebSocket connection"];

/** Opens a chat from the list. */
export async function opens(page, title) {
  await page.locator("#chat-list .chat-item").filter({ hasText: title }).click();
  await expect(page.locator("#current-chat-name")).toHaveText(title);
}

/** Writes a message in the open chat. It works on touch screens as well, where Enter inserts a new line. */
export async function writes(page, text) {
  await page.locator("#message-input").fill(text);
  await page.locator("#message-input").press("Control+Enter");
}

/** Returns the locator of a message in the open chat. */
export const message = (page, text) => page.locator("#message-list [data-message-id]").filter({ hasText: text });

/** An API client without a browser, for steps that the test is not about. */
export const helper = (server, user) => server.client(user).api;

/** Fills a chat over one socket, as fast as the server accepts it: `text(number)` from 1. The server needs `UNLIMITED`. */
export async function fill(server, user, chatId, count, text) {
  const socket = new WebSocket(`${server.url.replace("http", "ws")}/messages/ws/`, [`greenroom.token.${user.token}`]);
  let [sent, stored] = [0, 0];
  const filled = new Promise((resolve, reject) => {
    const more = () => {
      while (sent < count && sent - stored < 200) {
        socket.send(JSON.stringify({ type: "send_message", id: ++sent, chat_id: chatId, content: text(sent) }));
      }
    };
    socket.onmessage = ({ data }) => {
      const { type } = JSON.parse(data);
      if (type === "hello") more();
      if (type === "ack") stored++ < count - 1 ? more() : resolve();
    };
    socket.onclose = ({ code }) => reject(new Error(`The socket was closed with ${code}.`));
  });
  await filled;
  socket.close();
}
export const UNLIMITED = ["--socket-commands-per-second", "1000000"];

const AXE = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

/** Expects no accessibility violations, in light and in dark. */
export async function isAccessible(page, what) {
  for (const colorScheme of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme });
    await page.evaluate(AXE);
    const { violations } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ["violations"] }));
    const found = violations.map(
      ({ id, nodes }) =>
        `${id}: ${nodes.map(({ target, failureSummary }) => `${target} ${failureSummary}`).join("; ")}`,
    );
    assert.deepEqual(found, [], `${what}, ${colorScheme}`);
  }
  await page.emulateMedia({ colorScheme: null });
}

/** Returns controls that are smaller than they should be, with their labels. Links in a text may be as high as its lines. */
const small = (page) =>
  page.evaluate(() =>
    [...document.querySelectorAll("button, input, textarea, a, [role=tab]")]
      .filter(
        (element) =>
          element.checkVisibility({ visibilityProperty: true }) &&
          !element.closest(".message-content, emoji-picker, .gr-composer-hint, .gr-hidden"),
      )
      .map((element) => [element, (element.closest("label") ?? element).getBoundingClientRect()])
      .filter(([element, { width, height }]) => (width < 43.5 || height < 43.5) && element.id !== "current-chat-name")
      .map(([element, { width, height }]) => `${element.outerHTML.slice(0, 80)} ${width}x${height}`),
  );

/** Returns elements that reach beyond the edge of the window. */
const tooWide = (page) =>
  page.evaluate(() => {
    const { clientWidth, scrollWidth } = document.documentElement;
    const wide = [...document.querySelectorAll(".greenroom *")].filter((element) => {
      const { left, right, width } = element.getBoundingClientRect();
      return (
        width > 1 &&
        element.checkVisibility() &&
        (left < -0.5 || right > clientWidth + 0.5) &&
        !element.closest("pre, .gr-hidden")
      );
    });
    return [
      ...(scrollWidth > clientWidth ? [`${scrollWidth} wide`] : []),
      ...wide.map((element) => element.outerHTML.slice(0, 100)),
    ];
  });

/** Expects that everything is inside the window, and large enough for a finger. */
export async function fits(page, what) {
  await expect.poll(() => tooWide(page), what).toEqual([]);
  assert.deepEqual(await small(page), [], what);
}

/** Opens the menu of a message by the keyboard, and chooses an item of it. */
export async function picks(row, item) {
  await row.press("Enter");
  await row.locator(item).click();
}

/** Declares a test that runs over sockets and again by polling; `how` is for the options of `visit`. */
export function onBoth(name, body) {
  test(`${name}: over sockets`, (t) => body(t, { polls: false }));
  test(`${name}: by polling`, (t) => body(t, { polls: true }));
}

/** Returns a PNG of one colour. */
export function png(width, height, [red, green, blue]) {
  const chunk = (type, data) => {
    const body = Buffer.concat([Buffer.from(type), data]);
    const length = Buffer.alloc(4);
    length.writeUInt32BE(data.length);
    const checksum = Buffer.alloc(4);
    checksum.writeUInt32BE(crc32(body));
    return Buffer.concat([length, body, checksum]);
  };
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 2, 0, 0, 0], 8);
  const line = Buffer.concat([Buffer.from([0]), Buffer.alloc(3 * width, Buffer.from([red, green, blue]))]);
  const pixels = deflateSync(Buffer.concat(Array(height).fill(line)));
  const start = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  return Buffer.concat([start, chunk("IHDR", header), chunk("IDAT", pixels), chunk("IEND", Buffer.alloc(0))]);
}

function crc32(bytes) {
  let crc = -1;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return (crc ^ -1) >>> 0;
}
