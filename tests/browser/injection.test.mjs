import assert from "node:assert/strict";
import test from "node:test";

import { expect, helper, serverWith, visit, writes } from "./support.mjs";

/** What would run, or look like something else, if any of it were taken for HTML or for an address to open. */
const SCRIPTS = [
  `<script>window.ran = "script"</script>`,
  `<img src=x onerror="window.ran = 'img'">`,
  `<svg onload="window.ran = 'svg'"></svg>`,
  `<svg><animate onbegin="window.ran = 'animate'" attributeName=x dur=1s></svg>`,
  `<iframe srcdoc="<script>parent.ran = 'srcdoc'</script>"></iframe>`,
  `<details open ontoggle="window.ran = 'toggle'">x</details>`,
  `<input autofocus onfocus="window.ran = 'focus'">`,
  `<a href="javascript:window.ran = 'href'">a link</a>`,
  `javascript:window.ran='bare'`,
  `"><script>window.ran = "quote"</script>`,
  `' onmouseover='window.ran = "attribute"' x='`,
  `\${window.ran = "template"}`,
  `{{constructor.constructor('window.ran = "braces"')()}}`,
  `<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=1 onerror=window.ran='mxss'&gt;">`,
  `<noscript><p title="</noscript><img src=x onerror=window.ran='noscript'>">`,
  `<style>@import "javascript:window.ran='css'"; * { display: none }</style>`,
  `<base href="https://evil.example/"><form action="https://evil.example/"><button>x</button></form>`,
  `https://example.com/"onmouseover="window.ran='link'`,
  `https://example.com/<img/src=x/onerror=window.ran='link2'>`,
  `http://user:pass@example.com\\@evil.example/`,
  `data:text/html,<script>window.ran='data'</script>`,
  `&lt;script&gt;window.ran = "entity"&lt;/script&gt;`,
  `\u202Egnp.exe <b>bold</b> \u0000`.replace("\u0000", "\uFFFD"),
];

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
  for (const title of titles.slice(0, 6)) {
    await page.locator(".gr-chat-title").filter({ hasText: title }).click();
    await expect(page.locator("#current-chat-name")).toHaveText(title);
    await page.locator("#current-chat-name").click();
    await page.locator(".chat-title-input").press("Escape");
  }
  await bobs.typing(room, true);
  await ran("anywhere");
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
