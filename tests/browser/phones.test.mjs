// Pages on phones: keys, fields, toasts, and names that are longer than the screen.

import assert from "node:assert/strict";
import test from "node:test";

import { DEADLINE } from "../client/support.mjs";
import { NARROW, UNLIMITED, WIDE, expect, helper, message, onBoth, png, serverWith, visit } from "./support.mjs";

const PHONE = { viewport: NARROW, hasTouch: true, isMobile: true };
const LONGEST = "Wolkenkuckucksheim".repeat(15).slice(0, 255);

const boxOf = (locator) => locator.evaluate((element) => element.getBoundingClientRect().toJSON());
const areApart = (a, b) => a.bottom <= b.top || b.bottom <= a.top || a.right <= b.left || b.right <= a.left;

test("where a screen is touched Enter is a new line, and a button sends", async (t) => {
  const { server, people } = await serverWith(t, ["ann"]);
  const { id } = await helper(server, people[0]).createChat({ chat_type: "group", title: "Plans" });
  const page = await visit(t, server.url, people[0], `/?chat=${id}`, PHONE);
  const field = page.locator("#message-input");
  await expect(field).toHaveAttribute("enterkeyhint", "enter");
  await field.tap();
  await page.keyboard.type("one");
  await page.keyboard.press("Enter");
  await page.keyboard.type("two");
  await expect(field).toHaveValue("one\ntwo");
  await expect(page.locator(".is-mine")).toHaveCount(0);
  await page.getByRole("button", { name: "Send", exact: true }).tap();
  await expect(message(page, "one").locator(".message-content")).toHaveText("one\ntwo", { useInnerText: true });
  // An external keyboard has its own keys.
  await page.keyboard.type("three");
  await page.keyboard.press("Control+Enter");
  await expect(message(page, "three")).toBeVisible();
  await page.locator("#message-input").press("ArrowUp");
  await expect(page.locator(".edit-save-btn")).toBeVisible();
  await page.keyboard.press("Enter");
  await page.keyboard.type("four");
  await page.locator(".edit-save-btn").tap();
  await expect(message(page, "four")).toContainText("Edited");
  const desk = await visit(t, server.url, people[0], `/?chat=${id}`);
  await expect(desk.locator("#message-input")).toHaveAttribute("enterkeyhint", "send");
});

test("fields tell a phone what they are for, and are not zoomed in on", async (t) => {
  const { server, people } = await serverWith(t, ["ann", "bob"]);
  const anns = helper(server, people[0]);
  const { id } = await anns.createChat({ chat_type: "group", title: "Plans", member_ids: [people[1].id] });
  const page = await visit(t, server.url, people[0], `/?chat=${id}`, PHONE);
  const seen = new Set();
  const look = async (where, last = "input, textarea") => {
    const fields = page.locator("input:visible:not([aria-hidden]), textarea:visible");
    await expect(page.locator(last).filter({ visible: true }).first()).toBeVisible();
    for (const field of await fields.all()) {
      const [name, size, hint, capital] = await field.evaluate((field) => [
        field.getAttribute("aria-label") ?? field.labels[0].textContent,
        parseFloat(getComputedStyle(field).fontSize),
        field.getAttribute("enterkeyhint"),
        field.getAttribute("autocapitalize"),
      ]);
      seen.add(name);
      assert.ok(size >= 16, `${name} (${where}): ${size} px`);
      assert.notEqual(hint, null, `${name} (${where}) says what Enter does`);
      assert.notEqual(capital, null, `${name} (${where}) says where capitals are`);
    }
  };
  await look("a chat");
  await page.locator(".file-input").setInputFiles({ name: "a.png", mimeType: "image/png", buffer: png(64, 64, [40, 140, 90]) });
  await look("a picture", ".alt-input");
  await page.getByRole("button", { name: "Remove a.png" }).tap();
  await page.locator("#current-chat-name").tap();
  await look("renaming");
  await page.locator(".chat-title-input").press("Escape");
  await page.locator("#members-btn").tap();
  await look("adding people", "#user-search-input");
  await page.locator("#close-dialog-btn").tap();
  await page.locator("#chat-menu-btn").tap();
  await page.locator("#search-chat-btn").tap();
  await look("searching a chat", "#chat-search-input");
  await page.getByRole("button", { name: "Back to chats" }).tap();
  await look("the chats");
  await page.locator("#browse-rooms-btn").tap();
  await look("rooms", "dialog input");
  await page.locator("#close-dialog-btn").tap();
  await page.locator(".gr-own-menu-btn").tap();
  await page.locator("#profile-btn").tap();
  await look("the profile", "dialog input");
  await page.context().clearCookies();
  await page.goto("/login/");
  await look("signing in");
  assert.ok(seen.size >= 13, [...seen].join());
});

onBoth("who leaves a chat is told so once, beside where they type, however long its name", async (t, how) => {
  const { server, people } = await serverWith(t, ["ann", "bob"], ...UNLIMITED);
  const [ann, bob] = people;
  const anns = helper(server, ann);
  for (const look of [{ viewport: WIDE }, PHONE]) {
    const chat = await anns.createChat({ chat_type: "group", title: LONGEST, member_ids: [bob.id] });
    const page = await visit(t, server.url, ann, `/?chat=${chat.id}`, { ...how, ...look });
    await page.locator("#leave-chat-btn").click();
    await page.locator("#confirmation-confirm-btn").click();
    await expect(page.locator(".gr-toast")).toHaveCount(1);
    await expect(page.locator(".gr-toast")).toContainText("You left");
    await expect(page.locator(`.chat-item[data-chat-id="${chat.id}"]`)).toHaveCount(0);
    await expect(page.locator(".gr-toast")).toHaveCount(1);
    const toast = await boxOf(page.locator(".gr-toast"));
    const { width, height } = page.viewportSize();
    assert.ok(toast.left >= 0 && toast.right <= width && toast.bottom <= height, JSON.stringify(toast));
    await page.context().close();
    // A toast while a chat is open.
    const { id } = await anns.createChat({ chat_type: "group", title: "Plans", member_ids: [bob.id] });
    // The first message is above the toast.
    for (const content of ["a word", "another", "a third", "a fourth"]) await anns.sendMessage(id, { content });
    const other = await visit(t, server.url, ann, `/?chat=${id}`, { ...how, ...look, permissions: ["clipboard-write"] });
    const row = message(other, "a word");
    for (const times of [1, 2]) {
      await (look === PHONE ? row.locator(".message-content").tap() : row.hover());
      for (const button of [row.locator(".context-menu-btn"), other.getByRole("menuitem", { name: "Copy text" })]) {
        await (look === PHONE ? button.tap() : button.click());
      }
      await expect(other.locator(".gr-toast"), `${times} times`).toHaveCount(1);
    }
    assert.ok(areApart(await boxOf(other.locator(".gr-toast")), await boxOf(other.locator(".gr-composer-field"))));
    await other.locator("#message-input").fill("one\ntwo\nthree\nfour\nfive");
    await expect
      .poll(async () => areApart(await boxOf(other.locator(".gr-toast")), await boxOf(other.locator(".gr-composer-field"))))
      .toBe(true);
    await other.context().close();
  }
});

test("a text that is too long looks like a mistake, and is said to be one", async (t) => {
  const { server, people } = await serverWith(t, ["ann"]);
  const { id } = await helper(server, people[0]).createChat({ chat_type: "group", title: "Plans" });
  const page = await visit(t, server.url, people[0], `/?chat=${id}`);
  const field = page.locator("#message-input");
  const hint = page.locator(".gr-composer-hint");
  await field.fill("x".repeat(4_800));
  await expect(hint).toHaveText("200 characters left");
  const colour = () => hint.evaluate((hint) => getComputedStyle(hint).color);
  const before = await colour();
  await expect(field).not.toHaveAttribute("aria-invalid", "true");
  await field.fill("x".repeat(5_200));
  await expect(hint).toHaveText("200 characters too many");
  await expect(field).toHaveAttribute("aria-invalid", "true");
  assert.notEqual(await colour(), before);
  assert.equal(await colour(), await page.evaluate(() => {
    const probe = document.querySelector(".gr-composer").appendChild(document.createElement("i"));
    probe.style.color = "var(--gr-danger)";
    return getComputedStyle(probe).color;
  }));
  await expect(page.locator("[aria-live=polite].gr-hidden")).toContainText("200 characters too many");
});

test("names that are longer than their place end in an ellipsis, and widen nothing", async (t) => {
  const { server, people } = await serverWith(t, ["ann", "bob", "carol"]);
  const [ann, bob] = people;
  const [anns, bobs] = [helper(server, ann), helper(server, bob)];
  await bobs.updateMe({ first_name: "Bartholomäus".repeat(8), last_name: "" });
  const group = await anns.createChat({ chat_type: "group", title: LONGEST, member_ids: [bob.id] });
  const room = await anns.createChat({ chat_type: "room", title: LONGEST, object_type: "film", object_id: "long-takes" });
  const dm = await bobs.createChat({ chat_type: "dm", member_ids: [ann.id] });
  await Promise.all([anns, bobs].map((api) => api.joinChat(room.id)));
  for (const { id } of [group, room, dm]) await bobs.sendMessage(id, { content: "Hello" });
  /** Returns elements that are cut off without an ellipsis, or wider than the screen. */
  const cut = (page) =>
    page.evaluate(() => {
      const found = document.documentElement.scrollWidth > innerWidth ? ["the page is wider than the screen"] : [];
      for (const element of document.querySelectorAll(".greenroom *")) {
        if (!element.checkVisibility() || element.closest(".gr-hidden, svg, textarea, input")) continue;
        const { right, left, width } = element.getBoundingClientRect();
        const style = getComputedStyle(element);
        const hasText = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
        const isCut = hasText && element.scrollWidth > element.clientWidth + 1 && element.clientWidth > 0;
        const hasSign = style.textOverflow === "ellipsis" && style.overflowX !== "visible" && !style.display.includes("flex");
        if (isCut && !hasSign) found.push(`${element.className}: cut`);
        if (width > 0 && (right > innerWidth + 1 || left < -1)) found.push(`${element.className}: outside, ${left} to ${right}`);
      }
      return found;
    });
  for (const look of [{ viewport: WIDE }, { viewport: { width: 896, height: 700 } }, PHONE, { ...PHONE, viewport: { width: 320, height: 640 } }]) {
    const page = await visit(t, server.url, ann, "/", look);
    const what = `${look.viewport.width}`;
    await expect(page.locator(".chat-item")).toHaveCount(3);
    assert.deepEqual(await cut(page), [], `the chats, ${what}`);
    for (const { id } of [group, dm]) {
      await page.goto(`/?chat=${id}`);
      await expect(message(page, "Hello")).toBeVisible();
      // The page may not be subscribed yet when it shows the messages.
      await expect(async () => {
        await bobs.typing(id, false);
        await bobs.typing(id, true);
        await expect(page.locator(".gr-typing-text")).toBeVisible({ timeout: 2000 });
      }).toPass({ timeout: DEADLINE });
      assert.deepEqual(await cut(page), [], `chat ${id}, ${what}`);
    }
    await page.goto("/demo/");
    await expect(page.locator("greenroom-room .message-item")).toBeVisible();
    await page.locator(`greenroom-dm[user="${bob.id}"] .gr-toggle`).click();
    await expect(page.getByRole("dialog").locator(".message-item")).toBeVisible();
    assert.deepEqual(await cut(page), [], `widgets, ${what}`);
    await page.context().close();
  }
});
