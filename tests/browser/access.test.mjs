import assert from "node:assert/strict";
import test from "node:test";

import { NARROW, TINY, expect, fits, helper, isAccessible, message, opens, serverWith, visit, writes } from "./support.mjs";

/** Ann, bob and carol, with a group that has many messages. */
async function busyGroup(t) {
  const { server, people } = await serverWith(t, ["ann", "bob", "carol"]);
  const [ann, bob, carol] = people;
  const [anns, bobs] = [helper(server, ann), helper(server, bob)];
  await anns.createChat({ chat_type: "dm", member_ids: [bob.id] });
  const { id: chat } = await anns.createChat({ chat_type: "group", title: "Plans", member_ids: [bob.id, carol.id] });
  await anns.createChat({ chat_type: "room", title: "Garden" });
  const first = await anns.sendMessage(chat, { content: "Where do we meet? https://example.com/map" });
  const gone = await anns.sendMessage(chat, { content: "Nowhere" });
  await anns.deleteMessage(gone.id);
  await bobs.addReaction(first.id, "👍");
  await anns.addReaction(first.id, "🎉");
  const mine = await anns.sendMessage(chat, { content: "Edit me" });
  await anns.editMessage(mine.id, "Edited already");
  await bobs.markAsRead(chat);
  await bobs.sendMessage(chat, { content: "In the garden" });
  return { server, ann, bob, carol, anns, bobs, chat };
}

test("no page and no state of one keeps anybody out", async (t) => {
  const { server, ann, bobs, chat } = await busyGroup(t);
  const visitor = await visit(t, server.url, null, "/login/", { allows: ["401"] });
  await expect(visitor.getByLabel("Username")).toBeFocused();
  await isAccessible(visitor, "the sign-in page");
  await visitor.getByLabel("Username").fill("ann");
  await visitor.getByLabel("Password", { exact: true }).fill("wrong");
  await visitor.getByRole("button", { name: "Sign in" }).click();
  await expect(visitor.getByRole("alert")).toContainText("do not match");
  await isAccessible(visitor, "a sign-in that failed");

  const page = await visit(t, server.url, ann);
  await expect(page.locator(".chat-item").first()).toBeVisible();
  await isAccessible(page, "the list of chats");
  await opens(page, "Plans");
  await expect(message(page, "In the garden")).toBeVisible();
  await bobs.typing(chat, true);
  await expect(page.getByText("Bob is typing…")).toBeVisible();
  await isAccessible(page, "a chat");
  await message(page, "Edited already").locator(".context-menu-btn").click();
  await isAccessible(page, "a message's menu");
  await page.locator(".context-menu .edit-btn").click();
  await isAccessible(page, "editing");
  await page.keyboard.press("Escape");
  await message(page, "Edited already").locator(".context-menu-btn").click();
  await page.locator(".context-menu .delete-btn").click();
  await isAccessible(page, "a deletion that can be undone");
  await page.locator(".gr-undo-btn").click();
  await page.locator("#current-chat-name").click();
  await isAccessible(page, "renaming");
  await page.locator(".chat-title-input").press("Escape");
  await expect(page.locator("#current-chat-name")).toBeFocused();
  await page.locator("#chat-menu-btn").click();
  await isAccessible(page, "the chat's menu");
  await page.keyboard.press("Escape");
  await page.locator("#members-btn").click();
  await page.locator("#user-search-input").fill("c");
  await expect(page.locator(".gr-person")).not.toHaveCount(0);
  await isAccessible(page, "adding people");
  await page.locator("#manage-members-tab").click();
  await isAccessible(page, "the members");
  await page.locator(".remove-member-btn").first().click();
  await isAccessible(page, "a question");
  await page.locator("#confirmation-cancel-btn").click();
  await page.locator("#close-dialog-btn").click();
  await page.locator("#browse-rooms-btn").click();
  await expect(page.locator(".room-item")).toBeVisible();
  await isAccessible(page, "the rooms");
  await page.locator("#close-dialog-btn").click();
  await page.getByRole("button", { name: "Ann: your account" }).click();
  await isAccessible(page, "one's own menu");
  await page.keyboard.press("Escape");
  await page.getByLabel("Search", { exact: true }).fill("b");
  await expect(page.getByRole("region", { name: "People" })).toBeVisible();
  await isAccessible(page, "what was found");
  await page.getByLabel("Search", { exact: true }).fill("nothing at all");
  await expect(page.getByText("No results").first()).toBeVisible();
  await isAccessible(page, "nothing found");
  await page.goto("/");
  await message(page, "x").count();
  await opens(page, "Plans");
  await message(page, "Where do we meet?").locator(".emoji-btn").click();
  await expect(page.locator("emoji-picker").getByRole("menuitem").first()).toBeVisible();
  await isAccessible(page, "the emoji picker");
});

test("a first visit, a missing chat and a phone keep nobody out", async (t) => {
  const { server, people } = await serverWith(t, ["ann", "bob"]);
  const page = await visit(t, server.url, people[0], "/", { allows: ["404"] });
  await expect(page.getByText("No chats yet.")).toBeVisible();
  await isAccessible(page, "the first visit");
  await page.locator("#new-chat-btn").click();
  await expect(page.locator("#user-search-input")).toBeFocused();
  await isAccessible(page, "a new chat");
  await page.goto("/?chat=999");
  await expect(page.getByText("This chat does not exist")).toBeVisible();
  await isAccessible(page, "a chat that is not there");
  const phone = await visit(t, server.url, people[0], "/", { viewport: NARROW, hasTouch: true, isMobile: true });
  await expect(phone.locator(".chat-item")).toBeVisible();
  await isAccessible(phone, "the list on a phone");
  await phone.locator(".chat-item").tap();
  await writes(phone, "Hello");
  await expect(message(phone, "Hello")).toBeVisible();
  await isAccessible(phone, "a chat on a phone");
});

test("the widgets keep nobody out", async (t) => {
  const { server, people } = await serverWith(t, ["ann", "bob", "carol"]);
  const visitor = await visit(t, server.url, null, "/demo/", { allows: ["401"] });
  await expect(visitor.getByText("Sign in to read and write.")).toBeVisible();
  await isAccessible(visitor, "the widgets for a visitor");
  const page = await visit(t, server.url, people[0], "/demo/");
  await expect(page.locator(".join-room-btn")).toBeVisible();
  await isAccessible(page, "the widgets");
  await page.locator(".join-room-btn").click();
  await page.locator(".room-message-input").fill("Hello");
  await page.locator(".room-message-input").press("Enter");
  await expect(page.locator(".room-message-list").getByText("Hello")).toBeVisible();
  await isAccessible(page, "the discussion");
  await page.locator(".gr-toggle").nth(1).click();
  await expect(page.locator("#widget-message-input")).toBeFocused();
  await isAccessible(page, "the direct messages");
  await page.keyboard.press("Escape");
  await page.locator("greenroom-inbox .gr-toggle").click();
  await expect(page.getByRole("dialog").locator(".chat-item").first()).toBeVisible();
  await isAccessible(page, "the inbox");
});

test("everything can be done with the keyboard alone, and the focus is never lost", async (t) => {
  const { server, ann, bob } = await busyGroup(t);
  const page = await visit(t, server.url, ann);
  const bobs = await visit(t, server.url, bob);
  await opens(bobs, "Plans");
  await expect(page.locator(".chat-item").first()).toBeVisible();
  const press = async (...keys) => {
    for (const key of keys) await page.keyboard.press(key);
    assert.notEqual(await page.evaluate(() => document.activeElement?.localName), "body", `after ${keys}`);
  };
  /** Presses Tab until an element has the focus. */
  const reach = async (locator, key = "Tab") => {
    for (let step = 0; step < 60; step++) {
      await page.keyboard.press(key);
      if (await locator.evaluate((element) => element === document.activeElement)) return;
    }
    assert.fail(`${locator} cannot be reached`);
  };
  await reach(page.locator(".chat-item", { hasText: "Plans" }));
  await press("Enter");
  await expect(page.locator("#message-input")).toBeFocused();
  await page.keyboard.type("From the keyboard");
  await press("Enter");
  await expect(message(bobs, "From the keyboard")).toBeVisible();
  await expect(page.locator("#message-input")).toBeFocused();
  // To the messages, and into the menu of the last one.
  await reach(page.locator("#message-list"), "Shift+Tab");
  await press("ArrowUp");
  await expect(message(page, "From the keyboard")).toBeFocused();
  await press("Enter");
  await expect(page.getByRole("menuitem", { name: "Reply", exact: true })).toBeFocused();
  await press(...Array(5).fill("ArrowDown"));
  await expect(page.getByRole("menuitem", { name: "Edit" })).toBeFocused();
  await press("Enter");
  await expect(page.locator("#message-input")).toBeFocused();
  await page.keyboard.type("!");
  await press("Enter");
  await expect(message(bobs, "From the keyboard!")).toBeVisible();
  // Reacting to another message.
  await reach(page.locator("#message-list"), "Shift+Tab");
  await press("ArrowUp", "ArrowUp");
  await expect(message(page, "In the garden")).toBeFocused();
  await press("Tab");
  await expect(message(page, "In the garden").locator(".emoji-btn")).toBeFocused();
  await page.keyboard.press("Enter");
  await expect(page.locator("emoji-picker").getByRole("combobox")).toBeFocused();
  await page.keyboard.type("tulip");
  await expect(page.locator("emoji-picker").getByRole("option", { name: "tulip" })).toBeVisible();
  await press("ArrowDown", "Enter");
  await expect(message(bobs, "In the garden").locator(".reaction")).toContainText("🌷");
  await expect(message(page, "In the garden").locator(".emoji-btn")).toBeFocused();
  // Deleting, and undoing it.
  await press("Shift+Tab", "ArrowDown", "Enter", "End");
  await expect(page.getByRole("menuitem", { name: "Delete" })).toBeFocused();
  await press("Enter", "Tab");
  await expect(page.locator(".gr-undo-btn")).toBeFocused();
  await press("Enter");
  await expect(message(page, "From the keyboard!")).toBeVisible();
  // A dialog keeps the focus, and restores it.
  await reach(page.locator("#members-btn"), "Shift+Tab");
  await press("Enter");
  await expect(page.locator("#user-search-input")).toBeFocused();
  await reach(page.locator("#add-members-tab"), "Shift+Tab");
  await press("ArrowRight");
  await expect(page.locator("#manage-members-tab")).toHaveAttribute("aria-selected", "true");
  await press("Escape");
  await expect(page.locator("#members-btn")).toBeFocused();
});

test("it fits 320 pixels, a zoom of 200 %, large letters, and right to left", async (t) => {
  const { server, ann, anns, chat } = await busyGroup(t);
  await anns.renameChat(chat, "A title that is a good deal longer than any window on a phone is wide, and then some");
  await anns.sendMessage(chat, {
    content: `${"word ".repeat(60)}${"x".repeat(200)} https://example.com/${"path/".repeat(40)}`,
  });
  const cases = [
    ["320 pixels", { viewport: TINY, hasTouch: true }, ""],
    ["200 %", { viewport: { width: 640, height: 400 } }, ""],
    ["large letters", { viewport: { width: 480, height: 800 } }, "document.documentElement.style.fontSize = '200%'"],
    ["right to left", {}, "document.documentElement.dir = 'rtl'"],
    [
      "right to left on a phone",
      { viewport: TINY, hasTouch: true },
      "document.documentElement.dir = 'rtl'",
    ],
  ];
  for (const [name, options, change] of cases) {
    const page = await visit(t, server.url, ann, "/", options);
    const check = async (state) => {
      await page.evaluate(change);
      await fits(page, `${name}: ${state}`);
    };
    await expect(page.locator(".chat-item").first()).toBeVisible();
    await check("the list");
    await page.locator(".chat-item", { hasText: "A title" }).click();
    await expect(message(page, "word")).toBeVisible();
    await check("a chat");
    await page.locator("#members-btn").click();
    await page.locator("#manage-members-tab").click();
    await check("the members");
    await page.locator("#close-dialog-btn").click();
    await page.locator("#current-chat-name").click();
    await check("renaming");
    const room = await page.locator(".chat-title-input").evaluate((field) => field.clientWidth);
    assert.ok(room > 140, `${name}: ${room} pixels for the title`);
    await page.locator(".chat-title-input").press("Escape");
    // The title gets the focus back a moment later.
    await expect(page.locator("#current-chat-name")).toBeFocused();
    await page.locator("#message-input").press("ArrowUp");
    await expect(page.getByText("Editing message")).toBeVisible();
    await check("editing");
    await page.keyboard.press("Escape");
    if (name.startsWith("right")) {
      const edges = await page.evaluate(() => {
        const list = document.querySelector("#message-list").getBoundingClientRect();
        const mine = document.querySelector(".is-mine .message-bubble").getBoundingClientRect();
        const others = document.querySelector(".is-others .message-bubble").getBoundingClientRect();
        return { mine: mine.left - list.left, others: list.right - others.right };
      });
      const sides = await page.locator(".gr-chat-title, .gr-heading-title").evaluateAll((titles) =>
        titles.map((title) => {
          const words = document.createRange();
          words.selectNodeContents(title);
          return title.getBoundingClientRect().right - words.getBoundingClientRect().right;
        }),
      );
      assert.ok(sides.length > 1 && sides.every((space) => space < 8), `titles begin at the right: ${sides}`);
      assert.ok(
        edges.mine < 60 && edges.others < 80,
        `own messages are at the end of a line: ${JSON.stringify(edges)}`,
      );
    }
    await page.locator("#chat-menu-btn").click();
    await check("the chat's menu");
    await page.locator("#mute-chat-btn").click();
    await check("for how long it is muted");
    await page.keyboard.press("Escape");
    await page.locator("#chat-menu-btn").click();
    await page.locator("#search-chat-btn").click();
    await page.locator("#chat-search-input").fill("word");
    await expect(page.getByText("1 of 1", { exact: true })).toBeVisible();
    await check("searching in the chat");
    await page.keyboard.press("Escape");
    const back = page.getByRole("button", { name: "Back to chats" });
    if (await back.isVisible()) await back.click();
    await page.getByLabel("Search", { exact: true }).fill("word");
    await expect(page.locator(".search-result")).toBeVisible();
    await check("what was found");
    await page.getByLabel("Clear search").click();
    await page.locator("#browse-rooms-btn").click();
    await expect(page.locator(".room-item")).toBeVisible();
    await check("the rooms");
    await page.locator("#close-dialog-btn").click();
    await page.locator(".gr-own-menu-btn").click();
    await check("one's own menu");
    await page.locator("#profile-btn").click();
    await expect(page.getByText("You have not blocked anyone.")).toBeVisible();
    await check("one's profile");
    await page.locator("#close-dialog-btn").click();
    await page.locator("[data-chat-id]").filter({ hasText: "Bob" }).last().click();
    await page.locator("#chat-menu-btn").click();
    await page.locator("#block-user-btn").click();
    await expect(page.locator(".gr-blocked-note")).toBeVisible();
    await check("somebody is blocked");
    await page.locator(".unblock-btn").click();
    await expect(page.locator(".gr-blocked-note")).toHaveCount(0);
    await page.context().close();
  }
});

test("who wants less motion gets none, and colours may be the system's", async (t) => {
  const { server, ann } = await busyGroup(t);
  const page = await visit(t, server.url, ann, "/", { reducedMotion: "reduce", forcedColors: "active" });
  await opens(page, "Plans");
  await expect(message(page, "In the garden")).toBeVisible();
  const moving = await page.evaluate(() => document.getAnimations().length);
  assert.equal(moving, 0);
  const border = await page
    .locator(".message-bubble")
    .first()
    .evaluate((bubble) => getComputedStyle(bubble).borderTopStyle);
  assert.equal(border, "solid");
});

test("the language is the browser's, and what people write may have another direction", async (t) => {
  const { server, ann, anns, chat } = await busyGroup(t);
  await anns.sendMessage(chat, { content: "שלום לכולם" });
  for (const [locale, newChat, typed] of [
    ["de-DE", "Neuer Chat", "Nachricht schreiben"],
    ["es-MX", "Nuevo chat", "Escribe un mensaje"],
    ["lt-LT", "Naujas pokalbis", "Rašykite žinutę"],
  ]) {
    const page = await visit(t, server.url, ann, "/", { locale });
    await expect(page.locator("#new-chat-btn")).toHaveAccessibleName(newChat);
    await expect(page.locator("html")).toHaveAttribute("lang", locale.slice(0, 2));
    await opens(page, "Plans");
    await expect(page.locator("#message-input")).toHaveAttribute("placeholder", typed);
    const direction = await message(page, "שלום")
      .locator(".message-content")
      .evaluate((span) => span.matches(":dir(rtl)"));
    assert.ok(direction);
    await page.context().close();
  }
});
