import assert from "node:assert/strict";
import test from "node:test";

import { UNLIMITED, expect, helper, isAccessible, message, onBoth, serverWith, visit, writes } from "./support.mjs";

/** Ann and bob, with their group open; carl is a member too. */
async function annAndBob(t, options, { paths = ["", ""] } = {}) {
  const { server, people } = await serverWith(t, ["ann", "bob", "carl"], ...UNLIMITED);
  const [ann, bob, carl] = people;
  const chat = await helper(server, ann).createChat({ chat_type: "group", title: "Team", member_ids: [bob.id, carl.id] });
  const [anns, bobs] = await Promise.all(
    [ann, bob].map((person, index) => visit(t, server.url, person, paths[index] || `/?chat=${chat.id}`, options)),
  );
  return { server, ann, bob, carl, anns, bobs, chat };
}

const field = (page) => page.locator("#message-input");
const options = (page) => page.getByRole("listbox", { name: "People to mention" }).getByRole("option");
const chips = (page, text) => message(page, text).locator(".gr-mention");

onBoth("a member is mentioned by an @, and sees that", async (t, how) => {
  const { server, bob, anns, bobs, chat } = await annAndBob(t, how, { paths: ["", "/"] });
  await expect(field(anns)).toBeVisible();
  await field(anns).pressSequentially("Hello @b");
  await expect(options(anns)).toHaveText([/Bob/]);
  await anns.keyboard.press("Enter");
  await expect(field(anns)).toHaveValue("Hello @Bob ");
  await anns.keyboard.type("and all");
  await anns.keyboard.press("Enter");
  await expect(message(anns, "Hello @Bob and all")).toBeInViewport();
  await expect(chips(anns, "Hello @Bob")).toHaveText(["@Bob"]);
  const [stored] = (await helper(server, bob).messages(chat.id)).results;
  assert.deepEqual(stored.mentions, { users: [{ id: bob.id, at: [6, 10] }], everyone: false, here: false });
  // In the list of chats, and beside the threads.
  const item = bobs.locator(".chat-item").filter({ hasText: "Team" });
  await expect(item.locator(".mention-indicator")).toContainText("@");
  await expect(bobs.locator("#mentions-btn .unread-indicator")).toHaveText(/^1/);
  await bobs.locator("#mentions-btn").click();
  await expect(bobs.locator(".mention-item")).toHaveText([/Ann.*Hello @Bob and all.*Team/s]);
  await isAccessible(bobs, "the list of mentions");
  await bobs.locator(".mention-item").click();
  await expect(message(bobs, "Hello @Bob and all")).toBeInViewport();
  await expect(bobs.locator("#message-list .gr-mention.is-me")).toHaveText(["@Bob"]);
  await expect(message(bobs, "Hello @Bob and all")).toContainText("Mentions you.");
  await expect(bobs.locator("#mentions-btn .unread-indicator")).toHaveCount(0);
  // A message that was gone to is marked for a moment.
  await bobs.waitForFunction(() => document.getAnimations().every((animation) => animation.animationName !== "gr-point"));
  await isAccessible(bobs, "a mention");
  await bobs.locator("#mentions-btn").click();
  await expect(item.locator(".mention-indicator")).toHaveCount(0);
});

test("the picker is used by the keyboard, and closes", async (t) => {
  const { anns } = await annAndBob(t, {});
  await expect(field(anns)).toBeVisible();
  await field(anns).pressSequentially("@");
  await expect(options(anns)).toHaveText([/Bob/, /Carl/, /@everyone/, /@here/]);
  await expect(options(anns).first()).toHaveAttribute("aria-selected", "true");
  const active = () => field(anns).evaluate((field) => document.getElementById(field.getAttribute("aria-activedescendant"))?.textContent);
  await anns.keyboard.press("ArrowDown");
  assert.match(await active(), /Carl/);
  await anns.keyboard.press("ArrowUp");
  await anns.keyboard.press("ArrowUp");
  assert.match(await active(), /@here/);
  await isAccessible(anns, "the list of people to mention");
  await anns.keyboard.press("Escape");
  await expect(options(anns)).toHaveCount(0);
  await anns.keyboard.type("ca");
  await expect(options(anns)).toHaveCount(0);
  await anns.keyboard.type(" @ca");
  await expect(options(anns)).toHaveText([/Carl/]);
  await anns.keyboard.press("Tab");
  await expect(field(anns)).toHaveValue("@ca @Carl ");
  await expect(field(anns)).toBeFocused();
  // An address is no mention.
  await anns.keyboard.type("ann@b");
  await expect(options(anns)).toHaveCount(0);
  // By the mouse.
  await field(anns).fill("@");
  await options(anns).filter({ hasText: "Bob" }).click();
  await expect(field(anns)).toHaveValue("@Bob ");
});

test("mentions move with the text, and end when they are typed into", async (t) => {
  const { server, ann, bob, carl, anns, chat } = await annAndBob(t, {});
  await expect(field(anns)).toBeVisible();
  await field(anns).pressSequentially("@bo");
  await options(anns).first().click();
  await field(anns).pressSequentially("and @carl");
  await options(anns).first().click();
  await field(anns).press("Home");
  // It takes two UTF-16 units, and is one code point.
  await anns.keyboard.insertText("😀 ");
  await field(anns).press("End");
  await field(anns).press("Enter");
  const stored = async () => (await helper(server, ann).messages(chat.id)).results[0];
  await expect.poll(async () => (await stored())?.content).toBe("😀 @Bob and @Carl");
  const at = { bob: { id: bob.id, at: [2, 6] }, carl: { id: carl.id, at: [11, 16] } };
  assert.deepEqual((await stored()).mentions.users, [at.bob, at.carl]);
  await expect(chips(anns, "😀 @Bob and @Carl")).toHaveText(["@Bob", "@Carl"]);
  // An edit keeps those that it does not change.
  await field(anns).press("ArrowUp");
  await expect(field(anns)).toHaveValue("😀 @Bob and @Carl");
  await field(anns).press("End");
  await field(anns).press("Backspace");
  // What is left of the name asks for it again.
  await expect(options(anns)).toHaveText([/Carl/]);
  await field(anns).press("Escape");
  await field(anns).press("Enter");
  await expect.poll(async () => (await stored()).content).toBe("😀 @Bob and @Car");
  assert.deepEqual((await stored()).mentions.users, [at.bob]);
  await expect(chips(anns, "😀 @Bob and @Car")).toHaveText(["@Bob"]);
});

onBoth("everyone is mentioned, also in a thread, and an edit takes it back", async (t, how) => {
  const { server, ann, chat, anns, bobs } = await annAndBob(t, how);
  const root = await helper(server, ann).sendMessage(chat.id, { content: "Lunch?" });
  await expect(message(bobs, "Lunch?")).toBeVisible();
  await message(anns, "Lunch?").focus();
  await anns.keyboard.press("t");
  const reply = anns.locator(".gr-thread-pane").getByRole("textbox", { name: "Write a reply" });
  await expect(reply).toBeFocused();
  await anns.keyboard.type("At noon, @bob");
  await expect(options(anns)).toHaveText([/Bob/]);
  await anns.keyboard.press("Enter");
  await anns.keyboard.press("Enter");
  // Whoever is mentioned by name follows the thread.
  await expect(bobs.locator("#threads-btn .unread-indicator")).toHaveText(/^1/);
  await expect(bobs.locator("#mentions-btn .unread-indicator")).toHaveText(/^1/);
  await bobs.locator("#mentions-btn").click();
  await bobs.locator(".mention-item").click();
  await expect(bobs.locator(".gr-thread-pane").locator(".gr-mention.is-me")).toBeInViewport();
  await expect(bobs.locator("#mentions-btn .unread-indicator")).toHaveCount(0);
  const sent = await helper(server, ann).sendMessage(chat.id, { content: "@everyone: come", thread: null, mentions: { everyone: true } });
  await expect(chips(bobs, "@everyone: come")).toHaveText(["@everyone"]);
  await helper(server, ann).editMessage(sent.id, "You may come", { everyone: false });
  await expect(message(bobs, "You may come").locator(".gr-mention")).toHaveCount(0);
  await expect(bobs.locator(".mention-item")).toHaveCount(1);
  assert.equal((await helper(server, ann).thread(root.id)).root.thread_info.reply_count, 1);
});

test("in a large room the server finds the members, and only admins may mention all", async (t) => {
  const { server, people } = await serverWith(t, ["ann", "bob"], ...UNLIMITED);
  const [ann, bob] = people;
  const chat = await helper(server, ann).createChat({ chat_type: "room", title: "Hall" });
  await helper(server, bob).joinChat(chat.id);
  const staff = helper(server, await server.user("staff", "--staff"));
  const others = Array.from({ length: 105 }, (_, number) => ({ username: `person${number}`, first_name: number === 104 ? "Zoe" : `Person${number}` }));
  const ids = [];
  for (const fields of others) ids.push((await staff.createUser(fields)).id);
  await helper(server, ann).addMembers(chat.id, ids);
  const bobs = await visit(t, server.url, bob, `/?chat=${chat.id}`);
  await expect(field(bobs)).toBeVisible();
  await field(bobs).pressSequentially("@zo");
  await expect(options(bobs)).toHaveText([/Zoe/]);
  await field(bobs).fill("");
  await field(bobs).pressSequentially("@ever");
  await expect(options(bobs)).toHaveCount(0);
  const anns = await visit(t, server.url, ann, `/?chat=${chat.id}`);
  await expect(field(anns)).toBeVisible();
  await field(anns).pressSequentially("@ever");
  await expect(options(anns)).toHaveText([/@everyone/]);
  await anns.keyboard.press("Enter");
  await writes(anns, `${await field(anns).inputValue()}hello`);
  await expect(bobs.locator("#message-list .gr-mention")).toHaveText(["@everyone"]);
});

onBoth("a group that is mentioned is called what it is, and only a name is the user", async (t, how) => {
  const { server, ann, bob, chat, bobs } = await annAndBob(t, how);
  const anns = helper(server, ann);
  const at = { users: [{ id: bob.id, at: [0, 4] }] };
  for (const [text, mentions] of [
    ["@everyone: lunch", { everyone: true }],
    ["@here: coffee", { here: true }],
    ["@Bob and @everyone", { ...at, everyone: true }],
  ]) await anns.sendMessage(chat.id, { content: text, mentions });
  for (const [text, group, said, other] of [
    ["@everyone: lunch", "@everyone", "Mentions everyone.", "online"],
    ["@here: coffee", "@here", "Mentions members who are online.", "everyone."],
  ]) {
    await expect(chips(bobs, text)).toHaveText([group]);
    await expect(chips(bobs, text)).toBeInViewport();
    await expect(message(bobs, text)).toContainText(said);
    await expect(message(bobs, text)).not.toContainText(other);
    await expect(message(bobs, text)).not.toContainText("Mentions you");
    await expect(message(bobs, text).locator(".is-me")).toHaveCount(0);
    await expect(message(bobs, text)).not.toHaveClass(/is-mention/);
  }
  await expect(chips(bobs, "@Bob and")).toHaveText(["@Bob", "@everyone"]);
  await expect(message(bobs, "@Bob and").locator(".gr-mention.is-me")).toHaveText(["@Bob"]);
  await expect(message(bobs, "@Bob and")).toContainText("Mentions you. Mentions everyone.");
  if (!how.polls) await isAccessible(bobs, "mentions of groups");
});

/** Records the notifications of a page that is not looked at. */
async function records(page) {
  await page.context().addInitScript(() => {
    globalThis.shown = [];
    globalThis.Notification = class {
      static permission = "granted";
      static requestPermission = async () => "granted";
      constructor(title, { body }) {
        globalThis.shown.push([title, body]);
        globalThis.latest = this;
      }
      close() {}
    };
    localStorage.setItem("greenroom-notifications", "yes");
    document.hasFocus = () => false;
  });
  await page.goto("/");
  await expect(page.locator("#chat-list")).toBeVisible();
  return () => page.evaluate(() => globalThis.shown);
}

onBoth("where only mentions notify, a mention of all does, except by people with a block", async (t, how) => {
  const { server, ann, bob, carl, chat, bobs } = await annAndBob(t, how);
  const [anns, carls] = [helper(server, ann), helper(server, carl)];
  await helper(server, bob).setMe(chat.id, { notify: "mentions" });
  await helper(server, bob).block(carl.id);
  const shown = await records(bobs);
  const at = { users: [{ id: bob.id, at: [0, 4] }] };
  await carls.sendMessage(chat.id, { content: "@everyone: no", mentions: { everyone: true } });
  await carls.sendMessage(chat.id, { content: "@here: no", mentions: { here: true } });
  await carls.sendMessage(chat.id, { content: "@Bob, no", mentions: at });
  await anns.sendMessage(chat.id, { content: "no mention" });
  await anns.sendMessage(chat.id, { content: "@everyone: lunch", mentions: { everyone: true } });
  await expect.poll(shown).toEqual([["Ann mentioned everyone", "@everyone: lunch"]]);
  await anns.sendMessage(chat.id, { content: "@here: coffee", mentions: { here: true } });
  await expect.poll(shown).toHaveLength(2);
  await anns.sendMessage(chat.id, { content: "@Bob, too", mentions: at });
  await expect.poll(shown).toEqual([
    ["Ann mentioned everyone", "@everyone: lunch"],
    ["Ann mentioned members who are online", "@here: coffee"],
    ["Ann mentioned you", "@Bob, too"],
  ]);
});

onBoth("a notification says who mentioned the user, and leads there", async (t, how) => {
  const { server, ann, bob, chat, bobs } = await annAndBob(t, how);
  const shown = await records(bobs);
  const root = await helper(server, ann).sendMessage(chat.id, { content: "Lunch?" });
  const quiet = await helper(server, ann).sendMessage(chat.id, { content: "Nobody follows this", thread: root.id });
  const mentions = { users: [{ id: bob.id, at: [0, 4] }] };
  const sent = await helper(server, ann).sendMessage(chat.id, { content: "@Bob, at noon?", thread: root.id, mentions });
  await expect.poll(shown).toEqual([["Ann", "Lunch?"], ["Ann mentioned you", "@Bob, at noon?"]]);
  await bobs.evaluate(() => globalThis.latest.onclick());
  await expect(bobs.locator(`.gr-thread-pane [data-message-id="${sent.id}"]`)).toBeInViewport();
  await expect(bobs.locator(`.gr-thread-pane [data-message-id="${quiet.id}"]`)).toBeVisible();
});
