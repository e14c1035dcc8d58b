import test from "node:test";

import { expect, packaged, script, siteWith, visit } from "./host.mjs";
import { browserOf, helper, serverWith } from "./support.mjs";

const ROOM = '<greenroom-room token-url="/chat-token" object-type="film" object-id="1" title="Films"></greenroom-room>';
const DM = '<greenroom-dm user="2"></greenroom-dm>';

/** A page of another site with a room that ann has joined, and a direct message button. */
async function filmSite(t, { body = ROOM + DM, head = "", pages = {}, headers = {} } = {}) {
  const all = (server) => ({
    "/": `<!doctype html><title>Host</title><head>${head}</head><body>${body}${script(server)}</body>`,
    ...pages,
  });
  const made = await siteWith(t, ["ann", "bob", "carol"], all, headers);
  const fields = { chat_type: "room", title: "Room of the film", object_type: "film", object_id: "1" };
  const anns = helper(made.server, made.people[0]);
  const { id } = await anns.createChat(fields);
  await anns.joinChat(id);
  return { ...made, id, anns };
}

test("a widget that is moved in the document keeps what is open, what is typed, and where one types", async (t) => {
  const { url } = await filmSite(t, { body: `<div id="one">${DM}</div><div id="two">${ROOM}</div>` });
  const page = await visit(t, url, null, "/");
  await page.locator("#chat-toggle-btn").click();
  const field = page.locator("#widget-message-input");
  await field.pressSequentially("Half");
  await page.evaluate(() => {
    document.querySelector("#two").append(document.querySelector("greenroom-dm"));
    document.querySelector("#one").append(document.querySelector("greenroom-room"));
  });
  await expect(field).toBeFocused();
  await page.keyboard.type(" and");
  await page.evaluate(() => document.querySelector("#one").moveBefore(document.querySelector("greenroom-dm"), null));
  await expect(field).toBeFocused();
  await page.keyboard.type(" half");
  await page.keyboard.press("Enter");
  await expect(page.locator("#widget-message-list .message-item")).toContainText("Half and half");
  await page.keyboard.press("Escape");
  await expect(page.locator("#fixed-chat-widget")).toHaveCount(0);
  await expect(page.locator("#one .room-message-input")).toBeVisible();
});

test("properties count, whether they are assigned before the script is there, before the element is in the page, or later", async (t) => {
  const pages = (server) => ({ "/": `<!doctype html><title>Host</title><main data-script="${server.url}/messages/widgets.js"></main>` });
  const { url, people } = await siteWith(t, ["ann", "bob", "carol"], pages);
  const page = await visit(t, url, null, "/");
  await page.evaluate(async (user) => {
    const main = document.querySelector("main");
    const add = (name, properties) => {
      const element = Object.assign(document.createElement(name), properties);
      main.append(element);
      return element;
    };
    const early = add("greenroom-room", { objectType: "film", objectId: 1, title: "Early", tokenUrl: "/chat-token" });
    await import(main.dataset.script);
    add("greenroom-room", { objectType: "film", objectId: 2, title: "Late", theme: "dark" });
    add("greenroom-dm", { user });
    globalThis.early = early;
  }, people[1].id);
  await expect(page.getByRole("heading", { name: "Early" })).toBeVisible();
  await expect(page.getByRole("heading", { name: "Late" })).toBeVisible();
  await expect(page.locator(".join-room-btn")).toHaveCount(2);
  await page.locator("#chat-toggle-btn").click();
  await expect(page.locator("#fixed-chat-widget").getByRole("heading")).toHaveText("Bob");
  await page.evaluate(() => Object.assign(globalThis.early, { title: "Later", objectId: 3 }));
  await expect(page.getByRole("heading", { name: "Later" })).toBeVisible();
  expect(await page.evaluate(() => [early.getAttribute("object-id"), early.objectId, early.label])).toEqual(["3", "3", ""]);
  await page.evaluate(() => (globalThis.early.title = null));
  await expect(page.locator("greenroom-room").first().getByRole("heading")).toHaveText("Later");
  expect(await page.evaluate(() => globalThis.early.hasAttribute("title"))).toBe(false);
});

for (const [name, morph] of Object.entries({
  Turbo: {
    files: { "/turbo.js": packaged("@hotwired/turbo/dist/turbo.es2017-esm.js") },
    head: '<meta name="turbo-refresh-method" content="morph"><script type="module" src="/turbo.js"></script>',
    refresh: () => import("/turbo.js").then(({ session }) => session.refresh(location.href)),
    done: () => new Promise((resolve) => document.addEventListener("turbo:morph", resolve, { once: true })),
  },
  "htmx with idiomorph": {
    files: { "/htmx.js": packaged("htmx.org/dist/htmx.js"), "/morph.js": packaged("idiomorph/dist/idiomorph-ext.js") },
    head: '<script src="/htmx.js"></script><script src="/morph.js"></script>',
    attributes: 'hx-ext="morph"',
    refresh: () => globalThis.htmx.ajax("GET", "/part", { target: "#part", swap: "morph:innerHTML" }),
    done: () => new Promise((resolve) => document.addEventListener("htmx:afterSettle", resolve, { once: true })),
  },
})) {
  test(`${name} makes a page like the server's: widgets stay, with what is typed in them, and follow their attributes`, async (t) => {
    const { files, head, attributes = "", refresh, done } = morph;
    let count = 0;
    const part = () => `
      <h1>Version ${++count}</h1>${count > 3 ? "<p>Something is loading</p>" : ""}
      <div>${ROOM.replace('title="Films"', `title="Films ${count}"`)}</div><div>${DM}</div>`;
    const whole = (body) => `<!doctype html><html><head><title>Host</title>${head}SCRIPT</head><body ${attributes}>${body}</body></html>`;
    const made = await siteWith(t, ["ann", "bob", "carol"], (server) => ({
      "/": () => whole(`<main id="part">${part()}</main>`).replace("SCRIPT", script(server)),
      "/part": () => part(),
      ...files,
    }));
    // A poll may be in progress when the server stops.
    const page = await visit(t, made.url, null, "/", { allows: ["ERR_CONNECTION_REFUSED"] });
    await page.locator(".join-room-btn").click();
    const field = page.locator(".room-message-input");
    await field.pressSequentially("One");
    for (const word of [" two", " three", " four"]) {
      const before = count;
      const settled = page.evaluate(done);
      await page.evaluate(refresh);
      await settled;
      await expect(page.locator("h1")).toHaveText(`Version ${before + 1}`);
      await expect(page.locator("greenroom-room").getByRole("heading")).toHaveText(`Films ${before + 1}`);
      await expect(field).toBeFocused();
      await page.keyboard.type(word);
    }
    await page.keyboard.press("Enter");
    await expect(page.locator(".message-item")).toContainText("One two three four");
    await expect(page.locator(".message-item")).toContainText("Sent");
    await page.locator("#chat-toggle-btn").click();
    await page.evaluate(refresh);
    await expect(page.locator("h1")).toHaveText(`Version ${count}`);
    await expect(page.locator("#widget-message-input")).toBeVisible();
    await page.locator("#widget-message-input").fill("Hello");
    await page.locator("#widget-message-input").press("Enter");
    await expect(page.locator("#widget-message-list .message-item")).toContainText("Sent");
  });
}

test("in a shadow root the widgets have their styles, their user, their menus and their emoji", async (t) => {
  const body = `<div id="host"></div><script>
    const root = document.querySelector("#host").attachShadow({ mode: "open" });
    setTimeout(() => (root.innerHTML = '${ROOM}${DM}'));
  </script>`;
  const { url } = await filmSite(t, { body });
  const page = await visit(t, url, null, "/");
  const field = page.locator(".room-message-input");
  await field.fill("From the shadow");
  await field.press("Enter");
  const row = page.locator(".message-item");
  await expect(row).toContainText("Sent");
  expect(await page.locator(".gr-room").evaluate((room) => getComputedStyle(room).display)).not.toBe("block");
  await row.hover();
  await row.locator(".emoji-btn").click();
  await page.locator("emoji-picker").getByRole("menuitem", { name: "red heart" }).first().click();
  await expect(row.locator(".reaction-emoji")).toHaveText("❤️");
  await row.hover();
  await row.locator("[aria-haspopup=menu]").click();
  const items = page.locator("[role=menu]").locator(".gr-menu-item");
  await expect(items.first()).toBeFocused();
  await page.keyboard.press("ArrowDown");
  await expect(items.nth(1)).toBeFocused();
  await page.keyboard.press("ArrowDown");
  await expect(items.nth(2)).toBeFocused();
  await page.keyboard.press("Escape");
  await expect(row.locator("[aria-haspopup=menu]")).toBeFocused();
});

test("who signs in without leaving the page is there once a widget is mounted, or connect() is called", async (t) => {
  const { url, site, people } = await filmSite(t, { body: ROOM });
  site.user = null;
  const page = await visit(t, url, null, "/", { allows: ["401"] });
  const link = page.getByRole("link", { name: "Sign in to write" });
  await expect(link).toBeVisible();
  site.user = people[0];
  await page.evaluate(() => {
    const old = document.querySelector("greenroom-room");
    old.replaceWith(old.cloneNode());
  });
  await expect(page.locator(".room-message-input")).toBeVisible();
  // Without mounting anything.
  site.user = null;
  await page.reload();
  await expect(link).toBeVisible();
  site.user = people[0];
  const connect = () =>
    page.evaluate(async () => (await import(document.querySelector("script[type=module]").src)).connect());
  await connect();
  await expect(page.locator(".room-message-input")).toBeVisible();
  // Another user, and none.
  site.user = people[2];
  await connect();
  await expect(page.locator(".join-room-btn")).toBeVisible();
  site.user = null;
  await connect();
  await expect(link).toBeVisible();
});

test("where to get a token, and where to sign in, may be said later, and by another widget", async (t) => {
  const { url } = await filmSite(t, { body: ROOM.replace('token-url="/chat-token"', "") + DM });
  const page = await visit(t, url, null, "/", { allows: ["401"] });
  const link = page.locator("greenroom-room").getByRole("link", { name: "Sign in to write" });
  await expect(link).toBeVisible();
  await page.locator("greenroom-dm").evaluate((dm) => (dm.signInUrl = "/sign-in?from=chat"));
  await expect(link).toHaveAttribute("href", /\/sign-in\?from=chat&next=/);
  await page.locator("greenroom-dm").evaluate((dm) => (dm.tokenUrl = "/chat-token"));
  await expect(page.locator(".room-message-input")).toBeVisible();
  // An attribute stays in effect after its widget is removed.
  await page.locator("greenroom-dm").evaluate((dm) => dm.remove());
  await page.locator("greenroom-room").evaluate((room) => room.setAttribute("object-id", "2"));
  await expect(page.locator(".join-room-btn")).toBeVisible();
});

test("a later connect() is followed: another token, another user, nothing of the one before", async (t) => {
  const { url, server, people } = await filmSite(t, { body: ROOM + DM });
  const page = await visit(t, url, null, "/");
  await page.locator(".room-message-input").fill("Ann's half a message");
  await page.evaluate(
    async (key) => (await import(document.querySelector("script[type=module]").src)).connect({ token: () => key }),
    people[2].token,
  );
  await page.locator(".join-room-btn").click();
  await expect(page.locator(".room-message-input")).toHaveValue("");
  await page.locator(".room-message-input").fill("Carol's");
  await page.locator(".room-message-input").press("Enter");
  await expect(page.locator(".message-item")).toContainText("Sent");
  const [room] = (await helper(server, people[2]).chats()).results;
  const [message] = (await helper(server, people[2]).messages(room.id)).results;
  expect([message.content, message.sender.id]).toEqual(["Carol's", people[2].id]);
});

test("widgets that are taken away leave nothing behind: no listeners, no trees, no rooms that are followed", async (t) => {
  const { server, people } = await serverWith(t, ["ann", "bob", "carol"]);
  const page = await (await browserOf(t, server.url, people[0])).newPage();
  const frames = [];
  page.on("websocket", (socket) => socket.on("framesent", ({ payload }) => frames.push(JSON.parse(payload))));
  await page.goto("/demo/");
  const session = await page.context().newCDPSession(page);
  const counted = async () => {
    await session.send("HeapProfiler.collectGarbage");
    const { metrics } = await session.send("Performance.getMetrics");
    const of = (name) => metrics.find((metric) => metric.name === name).value;
    return { nodes: of("Nodes"), listeners: of("JSEventListeners") };
  };
  const remount = async (times) => {
    for (let time = 0; time < times; time++) {
      await page.evaluate(() => {
        const old = document.querySelector("greenroom-room");
        old.replaceWith(old.cloneNode());
      });
      await expect(page.locator(".join-room-btn")).toBeVisible();
    }
  };
  await session.send("Performance.enable");
  await remount(5);
  const before = await counted();
  await remount(20);
  await expect.poll(async () => (await counted()).nodes - before.nodes).toBeLessThan(100);
  expect((await counted()).listeners - before.listeners).toBeLessThan(20);
  await page.evaluate(() => document.querySelector("greenroom-room").remove());
  const watches = () => {
    const sent = (type) => frames.filter((frame) => frame.type === type).length;
    return [sent("watch") > 0, sent("watch") - sent("unwatch")];
  };
  await expect.poll(watches).toEqual([true, 0]);
});

test("several widgets of one room: one that goes leaves the others as they were", async (t) => {
  const { url, server, people } = await filmSite(t, { body: ROOM + ROOM.replace("Films", "Second") });
  // Requests in flight when the user leaves the room get 404.
  const page = await visit(t, url, null, "/", { allows: ["404"] });
  await expect(page.locator(".room-message-input")).toHaveCount(2);
  await helper(server, people[0]).leaveChat((await helper(server, people[0]).chats()).results[0].id);
  await expect(page.locator(".join-room-btn")).toHaveCount(2);
  await page.locator("greenroom-room").first().evaluate((room) => room.remove());
  const [{ id }] = (await helper(server, people[1]).rooms()).results;
  await helper(server, people[1]).joinChat(id);
  await expect(page.locator(".member-count")).toHaveText("1 member");
});

test("what is typed and edited in one of two widgets of a room is the same in the other, and the focus stays", async (t) => {
  const { server, people } = await serverWith(t, ["ann", "bob", "carol"]);
  const context = await browserOf(t, server.url, people[0]);
  const page = await context.newPage();
  await page.goto("/demo/");
  await page.locator(".join-room-btn").click();
  await page.locator("greenroom-room").evaluate((room) => room.after(room.cloneNode()));
  const fields = page.locator(".room-message-input");
  await expect(fields).toHaveCount(2);
  await fields.nth(0).pressSequentially("Typed in one");
  await expect(fields.nth(1)).toHaveValue("Typed in one");
  await expect(fields.nth(0)).toBeFocused();
  await fields.nth(1).press("Enter");
  for (const at of [0, 1]) {
    await expect(fields.nth(at)).toHaveValue("");
    await expect(page.locator("greenroom-room").nth(at).locator(".message-item")).toContainText("Sent");
  }
  await fields.nth(0).press("ArrowUp");
  await expect(fields.nth(0)).toHaveValue("Typed in one");
  await expect(fields.nth(0)).toBeFocused();
  await fields.nth(0).fill("Edited in one");
  await fields.nth(0).press("Enter");
  await expect(page.locator("greenroom-room").nth(1).locator(".message-item")).toContainText("Edited in one");
  await expect(fields.nth(1)).toHaveValue("");
  await expect(fields.nth(0)).toBeFocused();
});
