// A reader at the end of a chat stays there, whatever changes its size. After scrolling, a reader keeps their place.

import assert from "node:assert/strict";
import test from "node:test";

import { NARROW, UNLIMITED, expect, fill, helper, message, onBoth, serverWith, visit, writes } from "./support.mjs";

const PHONE = { viewport: NARROW, hasTouch: true, isMobile: true };

/** A group of ann's and bob's that is longer than the screen. */
async function longChat(t, count = 60) {
  const { server, people } = await serverWith(t, ["ann", "bob", "carol"], ...UNLIMITED);
  const [ann, bob] = people;
  const [anns, bobs] = [helper(server, ann), helper(server, bob)];
  const { id } = await anns.createChat({ chat_type: "group", title: "Plans", member_ids: [bob.id] });
  await fill(server, bob, id, count, (number) => `line ${number}.`);
  await anns.markAsRead(id);
  return { server, ann, bob, anns, bobs, id };
}

/** Returns how far a row reaches beyond its scroll container, in pixels, after the next render. */
const outside = (row) =>
  row.evaluate(async (row) => {
    for (let frame = 0; frame < 3; frame++) await new Promise(requestAnimationFrame);
    const box = row.closest(".gr-messages").getBoundingClientRect();
    const { top, bottom } = row.getBoundingClientRect();
    return Math.max(0, box.top - top, bottom - box.bottom);
  });

/** Expects the row to be fully visible, and no sign that there is more below. */
async function isAtEnd(page, row, what) {
  await expect(row).toBeVisible();
  await expect.poll(() => outside(row), what).toBeLessThan(1);
  await expect(page.locator(".gr-jump"), what).toHaveCount(0);
}

const sent = (page, text) => message(page, text).filter({ hasText: "Sent" });

for (const deviceScaleFactor of [1, 1.25, 1.5, 2, 3]) {
  onBoth(`what one sends is seen whole, at a scale of ${deviceScaleFactor}`, async (t, how) => {
    const { server, ann, bobs, id } = await longChat(t);
    for (const look of [{ viewport: { width: 1280, height: 801 } }, PHONE]) {
      const page = await visit(t, server.url, ann, `/?chat=${id}`, { ...how, ...look, deviceScaleFactor });
      await expect(message(page, "line 60.")).toBeVisible();
      for (const [number, text] of ["one line", "two\nlines", "many\n".repeat(9), "the last"].entries()) {
        const mine = `${number} ${look === PHONE} ${text}`;
        await page.locator("#message-input").fill(mine);
        await page.locator(".gr-send").click();
        const row = page.locator(".is-mine").last();
        await expect(row.locator(".message-content")).toHaveText(mine.trim());
        await isAtEnd(page, row, "on its way");
        await expect(row).toContainText("Sent");
        await isAtEnd(page, row, "sent");
      }
      await bobs.sendMessage(id, { content: `an answer ${look === PHONE}` });
      await isAtEnd(page, message(page, `an answer ${look === PHONE}`), "an answer");
      await page.context().close();
    }
  });
}

onBoth("what one sends is seen whole in widgets", async (t, how) => {
  const { server, ann, bob, anns, bobs } = await longChat(t, 1);
  const { id: dm } = await anns.createChat({ chat_type: "dm", member_ids: [bob.id] });
  const { id: room } = await anns.createChat({ chat_type: "room", title: "R", object_type: "film", object_id: "long-takes" });
  await Promise.all([anns, bobs].map((api) => api.joinChat(room)));
  for (const chat of [dm, room]) {
    await fill(server, bob, chat, 40, (number) => `line ${number}.`);
    await anns.markAsRead(chat);
  }
  const page = await visit(t, server.url, ann, "/demo/", { ...how, deviceScaleFactor: 1.25 });
  await page.locator(`greenroom-dm[user="${bob.id}"] .gr-toggle`).click();
  const inbox = page.locator("greenroom-inbox");
  for (const widget of [page.locator(`greenroom-dm[user="${bob.id}"]`), page.locator("greenroom-room")]) {
    await widget.locator("textarea").fill("from a widget");
    await widget.locator("textarea").press("Enter");
    const row = widget.locator(".is-mine", { hasText: "from a widget" });
    await expect(row).toContainText("Sent");
    await expect.poll(() => outside(row)).toBeLessThan(1);
    await expect(widget.locator(".gr-jump")).toHaveCount(0);
  }
  await page.locator(`greenroom-dm[user="${bob.id}"] .gr-close-btn`).click();
  await inbox.locator(".gr-toggle").click();
  await inbox.locator(".chat-item", { hasText: "from a widget" }).first().click();
  await inbox.locator("textarea").fill("from the inbox");
  await inbox.locator("textarea").press("Enter");
  const row = inbox.locator(".is-mine", { hasText: "from the inbox" });
  await expect(row).toContainText("Sent");
  await expect.poll(() => outside(row)).toBeLessThan(1);
  await expect(inbox.locator(".gr-jump")).toHaveCount(0);
});

test("whatever changes the size of what is seen, the end stays the end", async (t) => {
  const { server, ann, anns, bobs, id } = await longChat(t);
  const page = await visit(t, server.url, ann, `/?chat=${id}`, { deviceScaleFactor: 1.5 });
  await writes(page, "mine");
  await expect(sent(page, "mine")).toBeVisible();
  const row = message(page, "mine");
  const mine = Number(await row.getAttribute("data-message-id"));
  for (const [width, height] of [[900, 500], [390, 420], [391, 843], [1280, 333], [1281, 801]]) {
    await page.setViewportSize({ width, height });
    await isAtEnd(page, row, `${width} x ${height}`);
  }
  for (const zoom of [0.9, 1.1, 1.33, 1]) {
    await page.evaluate((zoom) => (document.documentElement.style.zoom = zoom), zoom);
    await isAtEnd(page, row, `zoomed by ${zoom}`);
  }
  await page.evaluate(() => (document.documentElement.style.fontSize = "21.3px"));
  await isAtEnd(page, row, "larger letters");
  await page.evaluate(() => (document.documentElement.style.fontSize = ""));
  await isAtEnd(page, row, "smaller letters");
  await bobs.addReaction(mine, "🎉");
  await expect(row.locator(".reaction")).toBeVisible();
  await isAtEnd(page, row, "a reaction");
  await bobs.removeReaction(mine, "🎉");
  await expect(row.locator(".reaction")).toHaveCount(0);
  await isAtEnd(page, row, "no reaction");
  await anns.editMessage(mine, `mine, and longer ${"and longer ".repeat(60)}`);
  await expect(row).toContainText("longer");
  await isAtEnd(page, row, "an edit");
  await bobs.typing(id, true);
  await expect(page.getByText("Bob is typing…")).toBeVisible();
  await isAtEnd(page, row, "somebody types");
  // A row that grows by itself, as it does when a font or a picture is loaded.
  await row.locator(".message-bubble").evaluate((bubble) => (bubble.style.paddingBottom = "77.7px"));
  await isAtEnd(page, row, "something in it was loaded");
  await row.locator(".message-bubble").evaluate((bubble) => (bubble.style.paddingBottom = ""));
  await isAtEnd(page, row, "something in it is gone");
  // Typing several lines, and deleting them.
  const field = page.locator("#message-input");
  for (const text of ["a\nb\nc\nd\ne\nf\ng\nh\ni\nj\nk", "a\nb", ""]) {
    await field.fill(text);
    await isAtEnd(page, row, `${text.length} characters are typed`);
  }
  assert.equal(await page.locator(".gr-composer").evaluate((box) => box.querySelectorAll("[style]").length), 0);
  // A hidden list cannot be measured.
  const hide = (display) => page.locator(".gr-main").evaluate((box, display) => (box.style.display = display), display);
  await hide("none");
  await bobs.sendMessage(id, { content: "while it is hidden" });
  await expect(message(page, "while it is hidden")).toHaveCount(1);
  await hide("");
  await isAtEnd(page, message(page, "while it is hidden"), "it is shown again");
  await hide("none");
  await page.setViewportSize({ width: 800, height: 610 });
  await hide("");
  await isAtEnd(page, message(page, "while it is hidden"), "it is shown with another width");
});

test("who has scrolled stays where they are, whatever changes the size", async (t) => {
  const { server, ann, bobs, id } = await longChat(t);
  const page = await visit(t, server.url, ann, `/?chat=${id}`, { deviceScaleFactor: 1.25 });
  await expect(message(page, "line 60.")).toBeVisible();
  await page.locator("#message-list").hover();
  await page.mouse.wheel(0, -700);
  await expect(page.locator(".gr-jump")).toBeVisible();
  /** Returns the text of the first row that is fully visible. */
  const first = () =>
    page.locator("#message-list").evaluate(async (box) => {
      for (let frame = 0; frame < 3; frame++) await new Promise(requestAnimationFrame);
      const { top } = box.getBoundingClientRect();
      return [...box.querySelectorAll("[data-message-id]")].find((row) => row.getBoundingClientRect().top >= top - 2).innerText;
    });
  const seen = await first();
  const still = async (what) => {
    await expect.poll(first, what).toBe(seen);
    await expect(page.locator(".gr-jump"), what).toBeVisible();
  };
  await bobs.sendMessage(id, { content: "news" });
  await expect(page.locator(".gr-jump")).toContainText("1");
  await still("something new");
  await page.locator("#message-input").fill("several\nlines\nof\ntext");
  await still("typing");
  await page.locator("#message-input").fill("");
  await still("nothing typed");
  await page.setViewportSize({ width: 1280, height: 640 });
  await page.setViewportSize({ width: 1280, height: 800 });
  await still("another height and back");
  const hide = (display) => page.locator(".gr-main").evaluate((box, display) => (box.style.display = display), display);
  await hide("none");
  await bobs.sendMessage(id, { content: "more news" });
  await expect(page.locator(".gr-jump")).toContainText("2");
  await hide("");
  await still("hidden and shown");
  // Small steps leave the end, too.
  await page.locator(".gr-jump").click();
  await isAtEnd(page, message(page, "more news"), "at the end");
  for (let step = 0; step < 30; step++) await page.locator("#message-list").evaluate((box) => (box.scrollTop -= 3));
  await expect(page.locator(".gr-jump")).toBeVisible();
});
