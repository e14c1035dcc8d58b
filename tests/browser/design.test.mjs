// The design of the pages, as far as it can be measured: nothing covers a text, and each action has an icon of its own.

import assert from "node:assert/strict";
import test from "node:test";

import { NARROW, UNLIMITED, expect, fill, helper, isAccessible, message, onBoth, opens, serverWith, visit, writes } from "./support.mjs";

const PHONE = { viewport: NARROW, hasTouch: true, isMobile: true };

const boxOf = (locator) => locator.evaluate((element) => element.getBoundingClientRect().toJSON());
const overlap = (a, b) =>
  Math.max(0, Math.min(a.right, b.right) - Math.max(a.left, b.left)) *
  Math.max(0, Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top));

async function group(t, count = 0) {
  const { server, people } = await serverWith(t, ["ann", "bob", "carol"], ...UNLIMITED);
  const [ann, bob, carol] = people;
  const [anns, bobs, carols] = people.map((person) => helper(server, person));
  const { id } = await anns.createChat({ chat_type: "group", title: "Plans", member_ids: [bob.id, carol.id] });
  if (count > 0) await fill(server, bob, id, count, (number) => `line ${number}.`);
  return { server, ann, bob, carol, anns, bobs, carols, id };
}

test("in every width there is room for a chat, with faces where it is not a phone", async (t) => {
  const { server, ann, bobs, id } = await group(t);
  await bobs.sendMessage(id, { content: "Hello" });
  for (const [width, least] of [[736, 0.6], [896, 0.66], [1024, 0.66], [1280, 0.7], [1920, 0.75]]) {
    const page = await visit(t, server.url, ann, `/?chat=${id}`, { viewport: { width, height: 700 } });
    await expect(message(page, "Hello")).toBeVisible();
    const { width: wide } = await boxOf(page.locator(".gr-main"));
    assert.ok(wide / width >= least, `the chat has ${wide} of ${width}`);
    await expect(message(page, "Hello").locator(".gr-avatar"), `${width}`).toBeVisible();
    await page.context().close();
  }
});

test("what can be done with a message covers neither it nor a name, and its menu shows it still", async (t) => {
  const { server, ann, anns, bobs, carols, id } = await group(t, 30);
  await carols.sendMessage(id, { content: `A long one: ${"and on and on ".repeat(12)}` });
  await bobs.sendMessage(id, { content: "Short" });
  await anns.sendMessage(id, { content: `Mine: ${"and on and on ".repeat(12)}` });
  for (const look of [{}, { viewport: { width: 896, height: 700 } }, { viewport: { width: 500, height: 700 } }, PHONE, { ...PHONE, viewport: { width: 320, height: 640 } }]) {
    const page = await visit(t, server.url, ann, `/?chat=${id}`, look);
    for (const text of ["A long one", "Short", "Mine"]) {
      const what = `${text}, ${look.viewport?.width}`;
      const row = message(page, text);
      await (look.hasTouch ? row.tap() : row.hover());
      await expect(row.locator(".context-menu-btn")).toBeVisible();
      const actions = await boxOf(row.locator(".gr-actions"));
      for (const covered of [".message-content", ".gr-row-name, .gr-hidden"])
        assert.equal(overlap(actions, await boxOf(row.locator(covered).first())), 0, `${what}: ${covered}`);
      await row.locator(".context-menu-btn").click();
      const menu = row.getByRole("menu");
      await expect(menu).toBeVisible();
      const isPhone = look.hasTouch;
      if (isPhone) {
        const edges = async () => (({ left, right, bottom }) => [left, right, bottom])(await boxOf(menu));
        await expect.poll(edges, "a sheet from the lower edge").toEqual([0, look.viewport.width, look.viewport.height]);
      }
      if (isPhone || !look.viewport || look.viewport.width > 800)
        await expect.poll(async () => overlap(await boxOf(menu), await boxOf(row.locator(".message-bubble"))), what).toBe(0);
      if (isPhone && text === "Mine") await isAccessible(page, "a sheet");
      await page.keyboard.press("Escape");
      await expect(menu).toHaveCount(0);
    }
    await expect(page.locator(".gr-jump")).toHaveCount(0);
    await page.context().close();
  }
});

onBoth("the usual reactions are at hand, those used last first", async (t, how) => {
  const { server, ann, bobs, id } = await group(t);
  await bobs.sendMessage(id, { content: "Cake?" });
  const page = await visit(t, server.url, ann, `/?chat=${id}`, how);
  const row = message(page, "Cake?");
  const open = async () => {
    await row.hover();
    await row.locator(".context-menu-btn").click();
    await expect(row.getByRole("menuitem", { name: "Reply", exact: true })).toBeFocused();
  };
  await open();
  await expect(row.getByRole("menuitemcheckbox")).toHaveText(["👍", "❤️", "😂", "😮", "😢", "🙏"]);
  await isAccessible(page, "a message's menu");
  for (const key of ["Home", "ArrowRight", "ArrowRight"]) await page.keyboard.press(key);
  await page.keyboard.press("Enter");
  const reaction = (emoji) => row.locator(".reaction").filter({ hasText: emoji });
  await expect(reaction("😂")).toHaveAttribute("aria-pressed", "true");
  await open();
  await expect(row.getByRole("menuitemcheckbox")).toHaveText(["😂", "👍", "❤️", "😮", "😢", "🙏"]);
  await expect(row.getByRole("menuitemcheckbox", { name: "React with 😂" })).toHaveAttribute("aria-checked", "true");
  await row.getByRole("menuitem", { name: "More reactions" }).click();
  await page.locator("emoji-picker").getByRole("menuitem", { name: "grinning face" }).first().click();
  await expect(reaction("😀")).toHaveCount(1);
  await page.reload();
  await open();
  await expect(row.getByRole("menuitemcheckbox").first()).toHaveText("😀");
  // An existing reaction is removed.
  await row.getByRole("menuitemcheckbox", { name: "React with 😂" }).click();
  await expect(reaction("😂")).toHaveCount(0);
});

test("each chat has a picture of its own", async (t) => {
  const { server, ann, bob, anns } = await group(t);
  await anns.createChat({ chat_type: "group", title: "Garden", member_ids: [bob.id] });
  await anns.createChat({ chat_type: "group", title: "Kitchen", member_ids: [bob.id] });
  const page = await visit(t, server.url, ann, "/");
  const picture = (title) =>
    page.locator(".chat-item", { hasText: title }).locator(".gr-avatar").first().evaluate((sign) => [
      sign.textContent.trim(),
      getComputedStyle(sign).backgroundColor,
      [...sign.querySelectorAll("img")].map(({ src }) => new URL(src).pathname),
    ]);
  await expect(page.locator(".chat-item")).toHaveCount(3);
  const [plans, garden, kitchen] = await Promise.all(["Plans", "Garden", "Kitchen"].map(picture));
  assert.equal(plans[2].length, 2, "two of the members");
  assert.deepEqual([garden[0], kitchen[0]], ["G", "K"]);
  assert.notEqual(garden[1], kitchen[1]);
});

test("a new chat is called one, and who leaves is told what becomes of it", async (t) => {
  const { server, ann, bobs, id } = await group(t);
  const page = await visit(t, server.url, ann, "/");
  await page.locator("#new-chat-btn").click();
  await page.locator("#close-dialog-btn").click();
  await expect(page.locator("#current-chat-name")).toHaveText("New chat");
  await expect(page.locator(".chat-item").first()).toContainText("New chat");
  const question = page.getByRole("alertdialog");
  const asks = async (text) => {
    await page.locator("#leave-chat-btn").click();
    await (text instanceof RegExp ? expect(question).not.toContainText(text) : expect(question).toContainText(text));
    await page.locator("#confirmation-cancel-btn").click();
  };
  await asks("You are its last member: the chat and all its messages will be deleted");
  await opens(page, "Plans");
  await asks("the longest-standing member will become admin");
  const bob = await bobs.me();
  await helper(server, ann).changeRole(id, bob.id, "admin");
  await page.locator("#members-btn").click();
  await page.locator("#manage-members-tab").click();
  await expect(page.locator(".member-item .gr-badge", { hasText: "Admin" })).toHaveCount(2);
  await page.locator("#close-dialog-btn").click();
  await asks(/will become admin/);
  // Its icon differs from that of signing out.
  const sign = (button) => button.locator("svg").evaluate((svg) => svg.innerHTML);
  const leave = await sign(page.locator("#leave-chat-btn"));
  await page.locator(".gr-own-menu-btn").click();
  assert.notEqual(leave, await sign(page.locator("#sign-out-btn")));
});

test("the way to the newest messages is round, and counts what is new", async (t) => {
  const { server, ann, anns, bobs, id } = await group(t, 60);
  await anns.markAsRead(id);
  for (const look of [{}, PHONE]) {
    const page = await visit(t, server.url, ann, `/?chat=${id}`, look);
    await expect(page.locator("#message-list .is-others").last()).toBeVisible();
    await page.locator("#message-list").evaluate((box) => (box.scrollTop -= 900));
    const jump = page.locator(".gr-jump");
    await expect(jump).toHaveAccessibleName("Latest messages");
    const { width, height } = await boxOf(jump);
    assert.equal(width, height);
    assert.equal(await jump.evaluate((button) => getComputedStyle(button).borderRadius), "50%");
    await bobs.sendMessage(id, { content: `news for ${look === PHONE}` });
    await expect(jump).toHaveAccessibleName("1 new message");
    await expect(jump.locator(".unread-indicator")).toHaveText("1");
    await isAccessible(page, "the way to the newest messages");
    await jump.click();
    await expect(message(page, `news for ${look === PHONE}`)).toBeInViewport();
    await page.context().close();
  }
});

test("while a message is edited it is marked", async (t) => {
  const { server, ann, id } = await group(t);
  const page = await visit(t, server.url, ann, `/?chat=${id}`);
  await writes(page, "one");
  await writes(page, "two");
  await expect(message(page, "two")).toContainText("Sent");
  await page.locator("#message-input").press("ArrowUp");
  await expect(message(page, "two")).toHaveClass(/is-edited-now/);
  await expect(message(page, "one")).not.toHaveClass(/is-edited-now/);
  await expect(page.locator(".gr-composer")).toContainText("Editing message");
  await page.keyboard.press("Escape");
  await expect(message(page, "two")).not.toHaveClass(/is-edited-now/);
});

test("what is found says who wrote it, once", async (t) => {
  const { server, ann, bob, anns, bobs, id } = await group(t);
  const { id: dm } = await anns.createChat({ chat_type: "dm", member_ids: [bob.id] });
  await bobs.sendMessage(dm, { content: "a heron, theirs" });
  await anns.sendMessage(dm, { content: "a heron, mine" });
  await bobs.sendMessage(id, { content: "a heron, for all" });
  const page = await visit(t, server.url, ann, "/");
  await page.getByLabel("Search", { exact: true }).fill("heron");
  const title = (text) => page.locator(".search-result", { hasText: text }).locator(".gr-found-title");
  await expect(title("theirs")).toHaveText("Bob");
  await expect(title("mine")).toHaveText(/^\s*You\s*·\s*Bob\s*$/);
  await expect(title("for all")).toHaveText(/^\s*Bob\s*·\s*Plans\s*$/);
});

test("how long ago it was is said as people say it", async (t) => {
  const { server, ann, bobs, id } = await group(t);
  await bobs.sendMessage(id, { content: "Hello" });
  for (const [locale, text] of [["en-GB", "5 min ago"], ["de-DE", "vor 5 Min."], ["es-ES", "hace 5 min"], ["lt-LT", "prieš 5 min."]]) {
    const page = await visit(t, server.url, ann, "/", { locale });
    await page.clock.install({ time: Date.now() + 5 * 60_000 + 20_000 });
    await page.reload();
    await expect(page.locator(".gr-chat-time")).toHaveText(text);
    await page.context().close();
  }
});
