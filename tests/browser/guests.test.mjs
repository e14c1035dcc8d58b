import assert from "node:assert/strict";
import http from "node:http";
import test from "node:test";

import { NARROW, browserOf, expect, helper, serverWith } from "./support.mjs";

/** A page of another site with a discussion. `state.key` is the token of the signed-in user there. */
async function hostPage(t, state) {
  const host = http.createServer((request, response) => {
    if (request.url === "/chat-token") {
      response.writeHead(state.key ? 200 : 401, { "Content-Type": "application/json" });
      return response.end(JSON.stringify({ key: state.key ?? null }));
    }
    response.writeHead(200, { "Content-Type": "text/html; charset=utf-8" });
    const options = state.allowsGuests === false ? "" : "guests";
    return response.end(
      `<!doctype html><meta name="viewport" content="width=device-width"><title>Host</title>
       <script type="module" src="${state.server}/messages/widgets.js"></script>
       <greenroom-room object-type="page" object-id="help" title="Help" token-url="/chat-token" ${options}></greenroom-room>`,
    );
  });
  await new Promise((resolve) => host.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    host.closeAllConnections();
    host.close();
  });
  return `http://localhost:${host.address().port}`;
}

/** A server that is open to guests, and the page of a host with a room on an object. */
async function open(t, guest_access) {
  const state = {};
  const address = await hostPage(t, state);
  const { server, people } = await serverWith(t, ["ann"], "--guests", "open", "--allowed-origins", address);
  state.server = server.url;
  const root = await server.user("root", "--staff", "--first-name", "Root");
  const fields = { chat_type: "room", title: "Help", object_type: "page", object_id: "help", guest_access };
  const { id } = await helper(server, root).createChat(fields);
  return { state, address, server, root, ann: people[0], id };
}

const allows = ["401", "403"];

test("a visitor continues as a guest, is known again, and keeps everything when signed in", async (t) => {
  const { state, address, server, ann, id } = await open(t, "write");
  const context = await browserOf(t, server.url, null, { allows });
  const page = await context.newPage();
  await page.goto(address);
  await expect(page.getByRole("link", { name: "Sign in to write" })).toBeVisible();
  await page.getByRole("button", { name: "Continue as guest" }).click();
  await page.getByRole("button", { name: "Join the discussion" }).click();
  await page.getByLabel("Write a message").fill("Is anybody there?");
  await page.getByLabel("Write a message").press("Enter");
  await expect(page.getByText("Is anybody there?")).toBeVisible();
  const api = helper(server, ann);
  await api.joinChat(id);
  const { results } = await api.messages(id);
  assert.equal(results[0].sender.is_guest, true);
  await page.reload();
  await expect(page.getByText("Is anybody there?")).toBeVisible();
  await expect(page.getByRole("button", { name: "Continue as guest" })).toHaveCount(0);
  // Later the visitor signs in to the host's site.
  state.key = ann.token;
  await page.reload();
  await expect(page.getByText("Is anybody there?")).toBeVisible();
  await expect.poll(async () => (await api.messages(id)).results[0].sender.id).toBe(ann.id);
  await expect(page.locator(".member-count")).toHaveText("1 member");
  const kept = await page.evaluate(() => Object.keys(localStorage).filter((key) => key.startsWith("greenroom-guest")));
  assert.deepEqual(kept, []);
});

test("a guest reads a room that is open for reading", async (t) => {
  const { address, server, root, id } = await open(t, "read");
  const api = helper(server, root);
  await api.joinChat(id);
  await api.sendMessage(id, { content: "Opening hours: 9 to 5\nhttps://example.com/" });
  const context = await browserOf(t, server.url, null, { allows, viewport: NARROW });
  const page = await context.newPage();
  await page.goto(address);
  await page.getByRole("button", { name: "Continue as guest" }).click();
  await expect(page.getByText("Opening hours: 9 to 5")).toBeVisible();
  await expect(page.getByText("Guests can read here. Sign in to write.")).toBeVisible();
  await expect(page.getByRole("button", { name: "Join the discussion" })).toHaveCount(0);
  await api.sendMessage(id, { content: "Closed today" });
  await expect(page.getByText("Closed today")).toBeVisible();
  if (process.env.GREENROOM_PICTURES) await page.screenshot({ path: `${process.env.GREENROOM_PICTURES}/guest-reading.png` });
});

test("where guests are not allowed, the page offers nothing, or says so", async (t) => {
  const { state, address, server } = await open(t, "write");
  const context = await browserOf(t, server.url, null, { allows });
  state.allowsGuests = false;
  const page = await context.newPage();
  await page.goto(address);
  await expect(page.getByRole("link", { name: "Sign in to write" })).toBeVisible();
  await expect(page.getByRole("button", { name: "Continue as guest" })).toHaveCount(0);
  // A page that offers it on a server that is closed.
  const closedState = {};
  const closedAddress = await hostPage(t, closedState);
  const closed = await serverWith(t, ["bob"], "--allowed-origins", closedAddress);
  closedState.server = closed.server.url;
  const other = await (await browserOf(t, closed.server.url, null, { allows })).newPage();
  await other.goto(closedAddress);
  await other.getByRole("button", { name: "Continue as guest" }).click();
  await expect(other.getByText("Guests are not welcome here at the moment.")).toBeVisible();
});
