import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";

import { expect, helper, serverWith, visit, writes } from "./support.mjs";

/** Texts that would run, or change the page, if any of them were parsed as HTML or opened as a URL. */
const SCRIPTS = JSON.parse(readFileSync(new URL("../support/payloads.json", import.meta.url), "utf8"));

test("nothing that somebody writes ever runs, wherever it is shown", async (t) => {
  const { server, people } = await serverWith(t, ["ann", "bob"]);
  const [ann, bob] = people;
  const [anns, bobs] = [helper(server, ann), helper(server, bob)];
  const staff = await server.user("root", "--staff");
  const name = `<img src=x onerror="window.ran = 'name'">`;
  await helper(server, staff).updateUser(bob.id, {
    first_name: name,
    last_name: `"><svg onload=window.ran='last'>`,
    avatar_url: `https://example.invalid/"onerror="window.ran='avatar'`,
  });
  // The browser reports scripts that the Content-Security-Policy blocks, which also fails the test.
  const page = await visit(t, server.url, ann, "/", { allows: ["ERR_"] });
  const titles = SCRIPTS.filter((text) => !/[\u202E\uFFFD]/.test(text));
  for (const title of titles) await anns.createChat({ chat_type: "group", title, member_ids: [bob.id] });
  const { id: room } = await anns.createChat({ chat_type: "room", title: `<script>window.ran = "room"</script>` });
  await bobs.joinChat(room);
  for (const content of SCRIPTS) await bobs.sendMessage(room, { content });
  const ran = async (where) => assert.equal(await page.evaluate(() => window.ran), undefined, where);

  await page.locator(".chat-item", { hasText: "room" }).click();
  await expect(page.locator("#message-list [data-message-id]")).toHaveCount(SCRIPTS.length);
  const shown = await page.locator("#message-list .message-content").allTextContents();
  assert.deepEqual(shown, SCRIPTS, "everything is shown as it was typed");
  await ran("in a thread");
  for (const link of await page.locator("#message-list .message-content a").all()) {
    const { protocol, href, text, rel } = await link.evaluate((a) => ({
      protocol: a.protocol,
      href: a.getAttribute("href"),
      text: a.textContent,
      rel: a.rel,
    }));
    assert.match(protocol, /^https?:$/);
    assert.equal(href, text, "a link leads where it says");
    assert.match(rel, /noopener/);
    await link.hover();
  }
  for (const text of SCRIPTS.slice(0, 4)) await writes(page, text);
  await page.locator("#message-input").press("ArrowUp");
  await ran("in the composer");
  await page.locator("#members-btn").click();
  await page.locator("#user-search-input").fill(name);
  await page.locator("#search-btn").click();
  await expect(page.locator(".gr-person", { hasText: name }).first()).toBeVisible();
  await page.locator("#manage-members-tab").click();
  await expect(page.locator(".member-item", { hasText: name })).toBeVisible();
  await ran("among the members");
  await page.locator("#close-dialog-btn").click();
  await page.locator("#browse-rooms-btn").click();
  await expect(page.locator(".room-item", { hasText: "room" })).toBeVisible();
  await page.locator("#close-dialog-btn").click();
  await page.locator("#leave-chat-btn").click();
  await page.locator("#confirmation-cancel-btn").click();
  // The newest ones are in the list, whether they arrived as events or were loaded.
  for (const title of titles.slice(-6)) {
    await page.locator(".gr-chat-title").filter({ hasText: title }).click();
    await expect(page.locator("#current-chat-name")).toHaveText(title);
    await page.locator("#current-chat-name").click();
    await page.locator(".chat-title-input").press("Escape");
  }
  await bobs.typing(room, true);
  await ran("anywhere");

  await page.locator(".chat-item", { hasText: `window.ran = "room"` }).click();
  await page.locator("#chat-menu-btn").click();
  await page.locator("#search-chat-btn").click();
  for (const words of ["ran", "<", '"']) {
    await page.locator("#chat-search-input").fill(words);
    await expect(page.locator(".gr-chat-search-note")).toContainText(/^1 of/);
    await page.getByLabel("Search", { exact: true }).fill(words);
    await expect(page.getByRole("region", { name: "Messages" }).locator("mark").first()).toHaveText(words);
    await expect(page.getByRole("region", { name: "Chats" }).locator("mark").first()).toHaveText(words);
  }
  await ran("in what was found");
  await page.getByLabel("Search", { exact: true }).press("Escape");

  await anns.createChat({ chat_type: "dm", member_ids: [bob.id] });
  for (const last_name of titles) {
    await helper(server, staff).updateUser(bob.id, { first_name: "", last_name });
    // The newest chat is above the chats with such titles.
    await expect(page.locator(".gr-chat-title").first()).toContainText(last_name);
  }
  await page.locator(".gr-chat-title").first().click();
  await page.locator("#chat-menu-btn").click();
  await page.locator("#block-user-btn").click();
  await expect(page.locator(".gr-blocked-note")).toContainText(titles.at(-1));
  await page.locator(".gr-own-menu-btn").click();
  await page.locator("#profile-btn").click();
  await expect(page.getByRole("list", { name: "Blocked people" })).toContainText(titles.at(-1));
  await ran("as a name");
});

test("an address cannot lead from the sign-in page to another site", async (t) => {
  const { server, people } = await serverWith(t, ["ann"]);
  for (const next of [
    "//evil.example",
    "/\\evil.example",
    "https://evil.example/",
    "javascript:alert(1)",
    "/\t/evil.example",
  ]) {
    const page = await visit(t, server.url, null, `/login/?next=${encodeURIComponent(next)}`);
    await page.getByLabel("Username").fill(people[0].name);
    await page.getByLabel("Password", { exact: true }).fill("correct horse");
    await page.getByRole("button", { name: "Sign in" }).click();
    await expect(page).toHaveURL("/");
    await page.context().close();
  }
});
