// Takes pictures of the pages in their states, wide and narrow, light and dark: all of them into target/screenshots, and
// those that the README shows into docs/screenshots.

import { copyFile, mkdir } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import test from "node:test";

import { demoServer, expect, helper, message, opens, visit } from "./support.mjs";

const path = (name) => fileURLToPath(new URL(`../../${name}`, import.meta.url));
const FOLDER = path("target/screenshots");
const README = path("docs/screenshots");
const SHOWN = [
  "wide-light-chat",
  "wide-dark-chat",
  "narrow-light-chat",
  "narrow-dark-chats",
  "wide-light-widgets",
  "wide-light-found",
];

const LOOKS = [
  ["wide-light", { viewport: { width: 1200, height: 760 }, colorScheme: "light" }],
  ["wide-dark", { viewport: { width: 1200, height: 760 }, colorScheme: "dark" }],
  ["narrow-light", { viewport: { width: 380, height: 760 }, colorScheme: "light", hasTouch: true, isMobile: true }],
  ["narrow-dark", { viewport: { width: 380, height: 760 }, colorScheme: "dark", hasTouch: true, isMobile: true }],
];

/** The demo's people, with more to say. */
async function stage(t) {
  const server = await demoServer(t);
  const people = ["alice", "bob", "carol"].map((name, index) => ({ name, id: index + 1 }));
  for (const person of people) person.token = await server.run("token", "create", person.name);
  const [alice, bob, carol] = people.map((person) => helper(server, person));
  const say = async (who, chat, ...texts) => {
    for (const content of texts) await who.sendMessage(chat, { content });
  };
  const { id: trip } = await alice.createChat({
    chat_type: "group",
    title: "Weekend in the hills",
    member_ids: [2, 3],
  });
  await say(bob, trip, "The hut is free from Friday to Sunday 🏔️");
  await say(carol, trip, "Wonderful! I can bring the stove.", "Who drives?");
  await say(alice, trip, "I do. Three people and a dog fit in.");
  await say(bob, trip, "The route is here: https://example.com/routes/hills-and-lakes");
  await say(carol, trip, "That looks long, but there is a bus back from the lake if it rains.");
  await say(alice, trip, "Then let us meet on Friday at five, at the old mill.");
  const { results } = await alice.messages(trip);
  const [, , , drive, , , hut] = results.map(({ id }) => id);
  await alice.addReaction(hut, "🎉");
  await carol.addReaction(hut, "🎉");
  await bob.addReaction(drive, "👍");
  await carol.addReaction(drive, "👍");
  await bob.markAsRead(trip);
  await carol.markAsRead(trip);
  const room = await carol.createChat({ chat_type: "room", title: "Garden" });
  await carol.createChat({ chat_type: "room", title: "Book club" });
  await alice.joinChat(room.id);
  await say(carol, room.id, "The first tomatoes are red!");
  await alice
    .createChat({ chat_type: "dm", member_ids: [3] })
    .then(({ id }) => say(carol, id, "Do you still have my bicycle pump?"));
  await alice.setMe(trip, { is_pinned: true });
  await alice.setMe(room.id, { muted_until: "9999-01-01T00:00:00Z" });
  const film = await alice.createChat({
    chat_type: "room",
    title: "Discussion",
    object_type: "film",
    object_id: "long-takes",
  });
  for (const who of [alice, bob, carol]) await who.joinChat(film.id);
  await say(bob, film.id, "The walk through the kitchen, of course. I hold my breath each time.");
  await say(carol, film.id, "For me it is the one with the piano: nothing happens, and I cannot look away.");
  await say(alice, film.id, "Nothing happens is the best that can happen.");
  return { server, people, trip, alice, bob, carol };
}

test("pictures of every page and state", async (t) => {
  await mkdir(FOLDER, { recursive: true });
  await mkdir(README, { recursive: true });
  const { server, people, trip, bob } = await stage(t);
  const [alice] = people.map(({ name }) => ({ name, password: "greenroom" }));
  for (const [look, options] of LOOKS) {
    const shoot = async (page, state) => {
      await page.screenshot({ path: `${FOLDER}/${look}-${state}.png`, animations: "disabled", caret: "hide" });
    };
    const given = { ...options, allows: ["401", "404"] };
    const visitor = await visit(t, server.url, null, "/login/", given);
    await expect(visitor.getByLabel("Username")).toBeFocused();
    await shoot(visitor, "sign-in");
    const page = await visit(t, server.url, alice, "/", given);
    await expect(page.locator(".chat-item").first()).toBeVisible();
    await shoot(page, "chats");
    await page.getByLabel("Search", { exact: true }).fill("the");
    await expect(page.locator(".search-result").first()).toBeVisible();
    await shoot(page, "search");
    await page.locator(".search-result", { hasText: "bus back" }).click();
    await expect(message(page, "bus back")).toBeVisible();
    await shoot(page, "found");
    if (options.hasTouch) await page.getByRole("button", { name: "Back to the chats" }).click();
    await page.getByLabel("Clear the search").click();
    await opens(page, "Weekend in the hills");
    await expect(message(page, "old mill")).toBeVisible();
    await bob.typing(trip, true);
    await expect(page.getByText("Bob Brown is typing…")).toBeVisible();
    await shoot(page, "chat");
    await page.locator("#chat-menu-btn").click();
    await shoot(page, "chat-menu");
    await page.locator("#mute-chat-btn").click();
    await shoot(page, "mute");
    await page.keyboard.press("Escape");
    await page.locator("#chat-menu-btn").click();
    await page.locator("#search-chat-btn").click();
    await page.locator("#chat-search-input").fill("the");
    await expect(page.getByText("1 of 5")).toBeVisible();
    await shoot(page, "chat-search");
    await page.keyboard.press("Escape");
    const row = message(page, "Three people and a dog");
    await (options.hasTouch ? row.tap() : row.hover());
    await row.locator(".context-menu-btn").click();
    await shoot(page, "menu");
    await page.keyboard.press("Escape");
    await (options.hasTouch ? row.tap() : row.hover());
    await row.locator(".emoji-btn").click();
    await expect(page.locator("emoji-picker").getByRole("menuitem").first()).toBeVisible();
    await shoot(page, "emoji");
    await page.keyboard.press("Escape");
    await page.locator("#members-btn").click();
    await page.locator("#manage-members-tab").click();
    await shoot(page, "members");
    await page.locator("#close-dialog-btn").click();
    if (options.hasTouch) await page.getByRole("button", { name: "Back to the chats" }).click();
    await page.locator("#browse-rooms-btn").click();
    await expect(page.locator(".room-item").first()).toBeVisible();
    await shoot(page, "rooms");
    await page.locator("#close-dialog-btn").click();
    await page.locator(".gr-own-menu-btn").click();
    await page.locator("#profile-btn").click();
    await expect(page.getByText("Blocked people")).toBeVisible();
    await shoot(page, "profile");
    await page.locator("#close-dialog-btn").click();
    await page.locator('[data-chat-id="1"]').click();
    await page.locator("#chat-menu-btn").click();
    await page.locator("#block-user-btn").click();
    await expect(page.locator(".gr-blocked-note")).toBeVisible();
    await shoot(page, "blocked");
    await page.locator(".unblock-btn").click();
    await expect(page.locator(".gr-blocked-note")).toHaveCount(0);
    const host = await visit(t, server.url, alice, "/demo/", given);
    await expect(host.locator(".message-item").first()).toBeVisible();
    await host.locator("greenroom-dm .gr-toggle").nth(1).click();
    await expect(host.getByRole("dialog").locator(".message-item").first()).toBeVisible();
    await shoot(host, "widgets");
    const reference = await visit(t, server.url, null, "/messages/api/docs/", given);
    await expect(reference.getByRole("heading", { name: "Chats", exact: true })).toBeVisible();
    await shoot(reference, "reference");
    await reference.goto("/messages/api/docs/#createChat");
    await expect(reference.getByText("is there once").or(reference.getByText("are there once"))).toBeVisible();
    await shoot(reference, "reference-operation");
    await reference.goto("/messages/api/");
    await expect(reference.getByRole("link", { name: "/messages/api/rooms/" })).toBeVisible();
    await shoot(reference, "index");
    await Promise.all([visitor, page, host, reference].map((page) => page.context().close()));
  }
  for (const name of SHOWN) await copyFile(`${FOLDER}/${name}.png`, `${README}/${name}.png`);
});
