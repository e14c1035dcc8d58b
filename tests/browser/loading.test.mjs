import assert from "node:assert/strict";
import test from "node:test";

import { browserOf, expect, helper, opens, serverWith } from "./support.mjs";

const MOST = 150 * 1024;

/** Opens a page with an empty cache. Returns what was loaded until the page could be used. */
async function firstLoad(t, server, user, path, isReady) {
  const context = await browserOf(t, server.url, user, { isBuilt: true });
  const page = await context.newPage();
  const cdp = await context.newCDPSession(page);
  await cdp.send("Network.enable");
  let bytes = 0;
  const addresses = [];
  cdp.on("Network.loadingFinished", ({ encodedDataLength }) => (bytes += encodedDataLength));
  page.on("request", (request) => addresses.push(request.url()));
  await page.goto(path);
  await isReady(page);
  await page.waitForLoadState("load");
  for (const address of addresses) {
    assert.ok(address.startsWith(server.url) || address.startsWith("data:"), `${address} is asked for`);
  }
  return { page, bytes, requests: addresses.length };
}

test("the first load is small, and nothing is asked of another host", async (t) => {
  const { server, people } = await serverWith(t, ["ann", "bob", "carol"]);
  const [ann, bob] = people;
  const chat = await helper(server, ann).createChat({ chat_type: "dm", member_ids: [bob.id] });
  await helper(server, bob).sendMessage(chat.id, { content: "Hello" });
  const signIn = await firstLoad(t, server, null, "/login/", (page) =>
    expect(page.getByLabel("Username")).toBeFocused(),
  );
  const messages = await firstLoad(t, server, ann, "/", (page) => opens(page, "Bob"));
  const widgets = await firstLoad(t, server, ann, "/demo/", (page) =>
    expect(page.locator(".gr-toggle").first()).toBeVisible(),
  );
  t.diagnostic(`sign-in ${signIn.bytes} bytes, messages ${messages.bytes}, widgets ${widgets.bytes}`);
  for (const { bytes } of [signIn, messages, widgets]) assert.ok(bytes > 1_000 && bytes < MOST, `${bytes} bytes`);
});

test("what was loaded once is not loaded again", async (t) => {
  const { server, people } = await serverWith(t, ["ann"]);
  const { page } = await firstLoad(t, server, people[0], "/", (page) =>
    expect(page.getByText("No chats yet.")).toBeVisible(),
  );
  await page.goto("/messages/");
  await expect(page.getByText("No chats yet.")).toBeVisible();
  const transferred = await page.evaluate(() =>
    performance
      .getEntriesByType("resource")
      .filter(({ name }) => name.includes("/static/"))
      .map(({ transferSize }) => transferSize),
  );
  assert.ok(transferred.length > 20);
  assert.deepEqual(
    transferred.filter((size) => size > 0),
    [],
  );
});
