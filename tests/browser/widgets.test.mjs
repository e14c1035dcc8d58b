import assert from "node:assert/strict";
import http from "node:http";
import test from "node:test";

import { Server, browserOf, expect, helper, isAccessible, message, onBoth, serverWith, visit } from "./support.mjs";

const MEDIA = '<greenroom-room object-type="video" object-id="42" title="Discussion"></greenroom-room>';

/** Another site, with a page that has widgets. `token` answers its requests for a token. */
async function hostSite(t, { body, token = () => null }) {
  let asked = 0;
  const host = http.createServer(async (request, response) => {
    if (request.url === "/chat-token") {
      asked++;
      const key = await token();
      response.writeHead(key ? 200 : 401, { "Content-Type": "application/json" });
      return response.end(JSON.stringify({ key }));
    }
    response.writeHead(200, { "Content-Type": "text/html; charset=utf-8" });
    // Styles that pages often have, and that must not affect the widgets.
    const style =
      "* { letter-spacing: 3px } span, .card span { display: block; color: red } button { position: absolute; top: 0 }";
    return response.end(`<!doctype html><title>Host</title><style>${style}</style><div class="card">${body()}</div>`);
  });
  await new Promise((resolve) => host.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    host.closeAllConnections();
    host.close();
  });
  return { url: `http://localhost:${host.address().port}`, asked: () => asked };
}

test("a visitor gets a link to sign in, and comes back", async (t) => {
  const { server } = await serverWith(t, ["ann", "bob", "carol"]);
  const page = await visit(t, server.url, null, "/demo/", { allows: ["401"] });
  await expect(page.getByText("Sign in to read and write.")).toBeVisible();
  await page.locator("greenroom-dm").first().getByRole("link", { name: "Sign in to write" }).click();
  await expect(page).toHaveURL("/login/?next=%2Fdemo%2F");
  await page.getByLabel("Username").fill("ann");
  await page.getByLabel("Password", { exact: true }).fill("correct horse");
  await page.getByRole("button", { name: "Sign in" }).click();
  await expect(page).toHaveURL("/demo/");
  await expect(page.locator(".join-room-btn")).toBeVisible();
});

onBoth("a direct message button opens the messages with somebody, wherever they read them", async (t, how) => {
  const { server, people } = await serverWith(t, ["ann", "bob", "carol"]);
  const [ann, bob] = people;
  const anns = await visit(t, server.url, ann, "/demo/", how);
  const bobs = await visit(t, server.url, bob, "/", how);
  const button = anns.locator(`greenroom-dm[user="${bob.id}"] .gr-toggle`);
  await button.click();
  const panel = anns.getByRole("dialog", { name: "Write to Bob" });
  await panel.getByLabel("Write a message").fill("Hello from a page");
  await panel.getByLabel("Write a message").press("Enter");
  await bobs.locator(".chat-item", { hasText: "Ann" }).click();
  await expect(message(bobs, "Hello from a page")).toBeVisible();
  await bobs.locator("#message-input").fill("Hello back");
  await bobs.locator("#message-input").press("Enter");
  await expect(anns.getByRole("dialog").getByText("Hello back")).toBeVisible();
  // Bob pins a message. Escape closes the list of pins, and the panel stays.
  await message(bobs, "Hello from a page").hover();
  await message(bobs, "Hello from a page").locator(".context-menu-btn").click();
  await message(bobs, "Hello from a page").locator(".pin-btn").click();
  await panel.locator(".gr-pin-bar").click();
  await expect(anns.getByRole("dialog", { name: "Pinned messages" })).toBeVisible();
  await anns.keyboard.press("Escape");
  await expect(anns.getByRole("dialog", { name: "Pinned messages" })).toHaveCount(0);
  await expect(panel.locator(".gr-pin-bar")).toBeFocused();
  await anns.keyboard.press("Escape");
  await expect(button).toBeFocused();
  await expect(button).toHaveAttribute("aria-expanded", "false");
  // Messages that arrive while it is closed are counted on the button, and emitted to the page.
  await bobs.locator("#message-input").fill("Still there?");
  await bobs.locator("#message-input").press("Enter");
  await expect(button).toContainText("1 unread message");
  await expect(anns.locator("#events")).toContainText("greenroom-dm: message, new: Still there?");
  await expect(anns.locator("#events")).toContainText("greenroom-inbox: unread, 1");
  // Only the first widget has the ids that themes and scripts use.
  assert.equal(await anns.locator("#chat-toggle-btn").count(), 1);
  await anns.locator("#chat-toggle-btn").click();
  await expect(anns.locator("#fixed-chat-widget #widget-message-input")).toBeFocused();
  await expect(anns.locator("#fixed-chat-widget #widget-message-list")).toBeVisible();
});

onBoth(
  "a discussion: its members are counted live, one joins, writes, leaves, and changes one's mind",
  async (t, how) => {
    const { server, people } = await serverWith(t, ["ann", "bob", "carol"]);
    const [anns, bobs] = [
      await visit(t, server.url, people[0], "/demo/", how),
      await visit(t, server.url, people[1], "/demo/", how),
    ];
    await expect(anns.locator(".member-count")).toHaveText("0 members");
    await anns.locator(".join-room-btn").click();
    await expect(anns.locator(".member-count")).toHaveText("1 member");
    await expect(bobs.locator(".member-count")).toHaveText("1 member");
    await bobs.locator(".join-room-btn").click();
    await expect(anns.locator(".member-count")).toHaveText("2 members");
    await anns.locator(".room-message-input").fill("First!");
    await anns.locator(".room-message-input").press("Enter");
    const row = (page) => page.locator(".room-message-list .message-item").filter({ hasText: "First!" });
    await row(bobs).hover();
    await row(bobs).locator(".emoji-btn").click();
    await bobs.locator("emoji-picker").getByRole("menuitem", { name: "red heart" }).first().click();
    await expect(row(anns).locator(".reaction-emoji")).toHaveText("❤️");
    await row(bobs).locator(".reaction-emoji").click();
    await expect(row(anns).locator(".reaction-emoji")).toHaveCount(0);
    await bobs.locator(".leave-room-btn-header").click();
    await expect(bobs.locator(".join-room-btn")).toBeVisible();
    await expect(anns.locator(".member-count")).toHaveText("1 member");
    await bobs.getByRole("button", { name: "Undo" }).click();
    await expect(row(bobs)).toBeVisible();
    await expect(anns.locator(".member-count")).toHaveText("2 members");
    // The message is in the inbox as well.
    await bobs.locator("greenroom-inbox .gr-toggle").click();
    await bobs.getByRole("link", { name: /Discussion/ }).click();
    await bobs.getByRole("dialog").getByLabel("Write a message").fill("From the inbox");
    await bobs.getByRole("dialog").getByLabel("Write a message").press("Enter");
    await expect(anns.locator(".room-message-list").getByText("From the inbox")).toBeVisible();
    await bobs.getByRole("dialog").getByRole("button", { name: "Back to chats" }).click();
    await expect(bobs.getByRole("link", { name: /You: From the inbox/ })).toBeVisible();
  },
);

test("on another site the widgets work with a token of the host's, which is asked for anew when it ends", async (t) => {
  let server;
  let ann;
  let root;
  // A short-lived token: it expires while the page is open.
  const token = async () => (await helper(server, root).createToken(ann.id, { expires_in: 2 })).key;
  const body = () => `
    <script type="module" src="${server.url}/messages/widgets.js"></script>
    <greenroom-inbox token-url="/chat-token"></greenroom-inbox>
    <greenroom-dm user="2"></greenroom-dm> ${MEDIA}`;
  const host = await hostSite(t, { body, token });
  const made = await serverWith(t, ["ann", "bob"], "--allowed-origins", host.url);
  server = made.server;
  ann = made.people[0];
  root = await server.user("root", "--staff");
  const page = await visit(t, host.url, null, "/", { allows: ["401"] });
  const bobs = await visit(t, server.url, made.people[1], "/");
  await page.locator(".join-room-btn").click();
  for (const round of [1, 2, 3]) {
    await page.locator(".room-message-input").fill(`Round ${round}`);
    await page.locator(".room-message-input").press("Enter");
    await expect(page.locator(".message-item").filter({ hasText: `Round ${round}` })).toContainText("Sent");
    const before = host.asked();
    await expect.poll(() => host.asked()).toBeGreaterThan(before);
  }
  await page.locator("#chat-toggle-btn").click();
  await page.locator("#widget-message-input").fill("From another site");
  await page.locator("#widget-message-input").press("Enter");
  await bobs.locator(".chat-item", { hasText: "Ann" }).click();
  await expect(message(bobs, "From another site")).toBeVisible();
  await page.locator("#widget-message-list .message-item").hover();
  await page.locator("#widget-message-list .emoji-btn").click();
  await expect(page.locator("emoji-picker").getByRole("menuitem", { name: "red heart" }).first()).toBeVisible();
  await page.keyboard.press("Escape");
  // The host's styles for its own buttons and spans do not apply.
  const looks = await page
    .locator(".message-bubble .message-content")
    .first()
    .evaluate((span) => {
      const { display, color, letterSpacing } = getComputedStyle(span);
      return { display, color, letterSpacing };
    });
  assert.equal(looks.display, "inline");
  assert.equal(looks.letterSpacing, "normal");
  assert.notEqual(looks.color, "rgb(255, 0, 0)");
  assert.equal(
    await page.locator("#chat-toggle-btn").evaluate((button) => getComputedStyle(button).position),
    "static",
  );
});

test("another site that was not named gets nothing", async (t) => {
  let server;
  const body = () => `<script type="module" src="${server.url}/messages/widgets.js"></script>${MEDIA}`;
  const host = await hostSite(t, { body });
  ({ server } = await serverWith(t, []));
  const page = await visit(t, host.url, null, "/", { allows: ["CORS", "ERR_FAILED", "Access-Control"] });
  await expect(page.locator("greenroom-room").getByRole("button")).toHaveCount(0);
  await expect(page.locator(".join-room-btn")).toHaveCount(0);
});

test("a visitor of another site is led to the host's own sign-in page", async (t) => {
  let server;
  const body = () => `
    <script type="module" src="${server.url}/messages/widgets.js"></script>
    <greenroom-room token-url="/chat-token" sign-in-url="/sign-in" object-type="video" object-id="42"></greenroom-room>`;
  const host = await hostSite(t, { body });
  ({ server } = await serverWith(t, [], "--allowed-origins", host.url));
  const page = await visit(t, host.url, null, "/film?id=42", { allows: ["401"] });
  const link = page.getByRole("link", { name: "Sign in to write" });
  const href = new URL(await link.getAttribute("href"));
  assert.equal(href.origin + href.pathname, `${host.url}/sign-in`);
  assert.equal(href.searchParams.get("next"), `${host.url}/film?id=42`);
});

onBoth("the page hears of messages and of what is unread, and its colours are taken", async (t, how) => {
  const { server, people } = await serverWith(t, ["ann", "bob", "carol"]);
  const [ann, bob] = people;
  const [anns, bobs] = [helper(server, ann), helper(server, bob)];
  const { id: quiet } = await anns.createChat({ chat_type: "group", title: "Quiet", member_ids: [bob.id] });
  await anns.setMe(quiet, { muted_until: "9999-01-01T00:00:00Z" });
  const { id: dm } = await anns.createChat({ chat_type: "dm", member_ids: [bob.id] });
  const page = await visit(t, server.url, ann, "/demo/", how);
  await page.evaluate(() => {
    globalThis.heard = [];
    for (const name of ["greenroom:message", "greenroom:unread"]) {
      document.addEventListener(name, ({ type, target, detail }) => {
        const { chatId, change, message, total, unread } = detail;
        globalThis.heard.push([
          target.localName,
          type.slice(10),
          change ?? null,
          message?.content ?? total ?? unread,
          chatId ?? null,
        ]);
      });
    }
  });
  const heard = () => page.evaluate(() => globalThis.heard);
  const inbox = page.locator("greenroom-inbox");
  // Messages that arrive while the widgets load are included at the start.
  await bobs.sendMessage(dm, { content: "Before" });
  await expect.poll(heard).toContainEqual(["greenroom-inbox", "unread", null, 1, null]);
  await expect.poll(heard).toContainEqual(["greenroom-dm", "unread", null, 1, dm]);
  const { id } = await bobs.sendMessage(dm, { content: "Hello" });
  await expect.poll(heard).toContainEqual(["greenroom-inbox", "unread", null, 2, null]);
  await expect.poll(heard).toContainEqual(["greenroom-inbox", "message", "new", "Hello", dm]);
  await expect.poll(heard).toContainEqual(["greenroom-dm", "message", "new", "Hello", dm]);
  await expect.poll(heard).toContainEqual(["greenroom-dm", "unread", null, 2, dm]);
  await bobs.editMessage(id, "Hello!");
  await expect.poll(heard).toContainEqual(["greenroom-inbox", "message", "updated", "Hello!", dm]);
  // The page receives events of a muted chat, and they are not counted.
  await bobs.sendMessage(quiet, { content: "pssst" });
  await expect.poll(heard).toContainEqual(["greenroom-inbox", "message", "new", "pssst", quiet]);
  await expect(inbox.locator(".gr-toggle .unread-indicator")).toContainText("2 unread messages");
  await inbox.locator(".gr-toggle").click();
  await expect(inbox.locator(".chat-item", { hasText: "Quiet" })).toContainText("Muted");
  await page.evaluate(() => document.body.style.setProperty("--greenroom-accent", "rgb(120, 10, 90)"));
  const background = () =>
    inbox
      .locator(".chat-item .unread-indicator:not(.is-quiet)")
      .evaluate((badge) => getComputedStyle(badge).backgroundColor);
  await expect.poll(background).toBe("rgb(120, 10, 90)");
});

onBoth("the inbox lists threads and mentions, and opens them", async (t, how) => {
  const { server, people } = await serverWith(t, ["ann", "bob", "carol"]);
  const [ann, bob] = people;
  const [anns, bobs] = [helper(server, ann), helper(server, bob)];
  const { id: chat } = await anns.createChat({ chat_type: "group", title: "Team", member_ids: [bob.id] });
  const { id: root } = await anns.sendMessage(chat, { content: "Where do we meet?" });
  const page = await visit(t, server.url, ann, "/demo/", how);
  const inbox = page.locator("greenroom-inbox");
  await inbox.locator(".gr-toggle").click();
  const panel = page.getByRole("dialog");
  const entry = (name) => panel.locator(".gr-side-list", { hasText: name });
  await expect(entry("Threads").locator(".unread-indicator")).toHaveCount(0);
  const mentions = { users: [{ id: ann.id, at: [0, 4] }] };
  await bobs.sendMessage(chat, { content: "@Ann at the lake", thread: root, mentions });
  await bobs.sendMessage(chat, { content: "@Ann or not", mentions });
  await expect(entry("Threads").locator(".unread-indicator")).toHaveText(/^1/);
  await expect(entry("Mentions").locator(".unread-indicator")).toHaveText(/^2/);
  await entry("Threads").click();
  await expect(panel.locator(".thread-item")).toContainText("Where do we meet?");
  await isAccessible(page, "the threads in the inbox");
  await panel.locator(".thread-item").click();
  await expect(panel.locator(".gr-thread-pane").getByText("at the lake")).toBeInViewport();
  await panel.getByRole("button", { name: "Close thread" }).click();
  await expect(panel.locator(".gr-thread-pane")).toHaveCount(0);
  await panel.getByRole("button", { name: "Back to chats" }).click();
  await expect(entry("Threads").locator(".unread-indicator")).toHaveCount(0);
  await entry("Mentions").click();
  await panel.locator(".mention-item", { hasText: "or not" }).click();
  await expect(panel.locator(".message-item", { hasText: "or not" })).toBeInViewport();
  await panel.getByRole("button", { name: "Back to chats" }).click();
  await expect(entry("Mentions").locator(".unread-indicator")).toHaveCount(0);
  await panel.locator(".mention-item", { hasText: "at the lake" }).click();
  await expect(panel.locator(".gr-thread-pane").getByText("at the lake")).toBeInViewport();
});
