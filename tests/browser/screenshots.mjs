// Takes screenshots of the pages in all states, wide and narrow, light and dark. All of them are written to
// target/screenshots, and those of the README also to docs/screenshots.

import { copyFile, mkdir } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import test from "node:test";

import { BROKEN_ROAD, demoServer, expect, helper, message, opens, png, serverWith, visit, writes } from "./support.mjs";

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
  "wide-light-thread",
  "narrow-dark-thread",
];

const LOOKS = [
  ["wide-light", { viewport: { width: 1200, height: 760 }, colorScheme: "light" }],
  ["wide-dark", { viewport: { width: 1200, height: 760 }, colorScheme: "dark" }],
  ["middle-light", { viewport: { width: 896, height: 760 }, colorScheme: "light" }],
  ["narrow-light", { viewport: { width: 380, height: 760 }, colorScheme: "light", hasTouch: true, isMobile: true }],
  ["narrow-dark", { viewport: { width: 380, height: 760 }, colorScheme: "dark", hasTouch: true, isMobile: true }],
];

/** The demo's people and chats, with more messages. */
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
  await bob.sendMessage(trip, { content: "May my dog sit in front?", thread: drive });
  await carol.sendMessage(trip, { content: "Only on a lap.", thread: drive });
  const mentions = { users: [{ id: 1, at: [0, 12] }], everyone: false, here: false };
  await bob.sendMessage(trip, { content: "@Alice Adams, do you have a blanket for him?", thread: drive, mentions });
  await alice.pin(trip, results[0].id);
  await alice.pin(trip, drive);
  await alice.saveDraft(trip, { content: "I have two, and a bone" }, { thread: drive });
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

test.before(() => Promise.all([FOLDER, README].map((folder) => mkdir(folder, { recursive: true }))));

/** Takes a screenshot of a page in a state. */
const camera = (look) => async (page, state) => {
  await page.waitForFunction(() =>
    [...document.images].every((image) => image.complete || !image.checkVisibility() || image.getBoundingClientRect().top > innerHeight),
  );
  await page.screenshot({ path: `${FOLDER}/${look}-${state}.png`, animations: "disabled", caret: "hide" });
};

test("pictures of every page", async (t) => {
  const { server, people, trip, bob } = await stage(t);
  const [alice] = people.map(({ name }) => ({ name, password: "greenroom" }));
  for (const [look, options] of LOOKS) {
    const shoot = camera(look);
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
    if (options.hasTouch) await page.getByRole("button", { name: "Back to chats" }).click();
    await page.getByLabel("Clear search").click();
    await opens(page, "Weekend in the hills");
    await expect(message(page, "old mill")).toBeVisible();
    await bob.typing(trip, true);
    await expect(page.getByText("Bob Brown is typing…")).toBeVisible();
    await shoot(page, "chat");
    await page.locator("#message-list .gr-thread-line").click();
    const thread = page.locator(".gr-thread-pane");
    await expect(thread.getByText("a blanket for him")).toBeVisible();
    await shoot(page, "thread");
    await thread.getByRole("textbox", { name: "Write a reply" }).fill("@");
    await expect(page.locator(".gr-mention-list")).toBeVisible();
    await shoot(page, "mention");
    await thread.getByRole("textbox", { name: "Write a reply" }).fill("I have two, and a bone");
    await thread.getByRole("button", { name: "Close thread" }).click();
    await expect(page.locator("#message-list")).toBeVisible();
    await page.locator("#chat-menu-btn").click();
    await shoot(page, "chat-menu");
    await page.locator("#mute-chat-btn").click();
    await shoot(page, "mute");
    await page.keyboard.press("Escape");
    await page.locator("#chat-menu-btn").click();
    await page.locator("#notify-chat-btn").click();
    await shoot(page, "levels");
    await page.keyboard.press("Escape");
    await page.locator("#chat-menu-btn").click();
    await page.locator("#go-to-date-item").click();
    await expect(page.locator("#go-to-date-btn")).toBeVisible();
    await shoot(page, "date");
    await page.keyboard.press("Escape");
    await page.locator(".gr-pin-bar").click();
    await expect(page.locator(".gr-pins li")).toHaveCount(2);
    await shoot(page, "pins");
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
    await row.locator(".forward-btn").click();
    await expect(page.locator(".forward-to-btn").first()).toBeVisible();
    await shoot(page, "forward");
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
    await page.locator("#leave-chat-btn").click();
    await expect(page.locator("#confirmation-confirm-btn")).toBeVisible();
    await shoot(page, "leave");
    await page.locator("#confirmation-cancel-btn").click();
    if (options.hasTouch) await page.getByRole("button", { name: "Back to chats" }).click();
    for (const list of ["threads", "mentions"]) {
      await page.locator(`#${list}-btn`).click();
      await expect(page.locator(`.${list.slice(0, -1)}-item`).first()).toBeVisible();
      await shoot(page, list);
      await page.locator(`#${list}-btn`).click();
    }
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
    await host.getByRole("dialog").locator(".chat-menu-btn").click();
    await shoot(host, "widget-menu");
    await host.keyboard.press("Escape");
    await host.getByRole("dialog").getByRole("button", { name: "Close", exact: true }).first().click();
    await host.locator("greenroom-inbox .gr-toggle").click();
    const inbox = host.getByRole("dialog");
    await expect(inbox.locator(".chat-item").first()).toBeVisible();
    await shoot(host, "widget-inbox");
    await inbox.locator(".gr-side-list", { hasText: "Threads" }).click();
    await expect(inbox.locator(".thread-item").first()).toBeVisible();
    await shoot(host, "widget-threads");
    const reference = await visit(t, server.url, null, "/messages/api/docs/", given);
    await expect(reference.getByRole("heading", { name: "Chats", exact: true })).toBeVisible();
    await shoot(reference, "reference");
    await reference.goto("/messages/api/docs/#createChat");
    await expect(reference.locator("#createChat").getByText("member_ids").first()).toBeVisible();
    await shoot(reference, "reference-operation");
    await reference.goto("/messages/api/");
    await expect(reference.getByRole("link", { name: "/messages/api/rooms/" })).toBeVisible();
    await shoot(reference, "index");
    await Promise.all([visitor, page, host, reference].map((page) => page.context().close()));
  }
  for (const name of SHOWN) await copyFile(`${FOLDER}/${name}.png`, `${README}/${name}.png`);
});

/** The looks above, the narrowest one, and one from right to left. */
const MORE_LOOKS = [
  ...LOOKS,
  ["tiny-light", { viewport: { width: 320, height: 640 }, colorScheme: "light", hasTouch: true, isMobile: true }],
  ["rtl-light", { viewport: { width: 1200, height: 760 }, colorScheme: "light" }, "rtl"],
];

test("pictures of what is shown where there is little, one waits, or something went wrong", async (t) => {
  const { server, people } = await serverWith(t, ["ann", "bob"], "--rate-limit", "search=1/m:8", "--message-history", "members");
  const [ann, bob] = people;
  const [anns, bobs] = [helper(server, ann), helper(server, bob)];
  const fresh = await Promise.all(MORE_LOOKS.map((_, number) => server.user(`fresh${number}`, "--first-name", "Fay")));
  const boss = await server.user("boss", "--staff");
  const { id } = await anns.createChat({ chat_type: "group", title: "Plans for a long weekend", member_ids: [bob.id] });
  const hands = helper(server, boss);
  for (let number = 1; number <= 20; number++) {
    const user = await hands.createUser({ username: `guest${number}`, first_name: "Guest", last_name: String(number) });
    await anns.addMembers(id, [user.id]);
  }
  const { id: dm } = await anns.createChat({ chat_type: "dm", member_ids: [bob.id] });
  for (let number = 1; number <= 30; number++)
    await bobs.sendMessage(id, { content: `Idea ${number}: what about the lake?` });
  const { id: edited } = await bobs.sendMessage(id, { content: "Idea 31: what about the see?" });
  await bobs.editMessage(edited, "Idea 31: what about the sea?");
  await bobs.editMessage(edited, "Idea 31: what about the sea, and three days of it instead of two?");
  for (const [number, [look, options, direction]] of MORE_LOOKS.entries()) {
    const shot = camera(look);
    const shoot = async (page, state) => {
      if (direction) await page.evaluate((dir) => Object.assign(document.documentElement, { dir }), direction);
      await shot(page, state);
    };
    const allows = [...BROKEN_ROAD, "400", "401", "403", "404", "429"];
    const given = { ...options, allows };
    const toList = (page) =>
      options.hasTouch ? page.getByRole("button", { name: "Back to chats" }).click() : null;

    const visitor = await visit(t, server.url, null, "/login/", given);
    await visitor.getByLabel("Username").fill(`nobody${number}`);
    await visitor.getByLabel("Password", { exact: true }).fill("wrong");
    await visitor.getByRole("button", { name: "Sign in" }).click();
    await expect(visitor.getByRole("alert")).toContainText("do not match");
    await shoot(visitor, "sign-in-failed");
    await visitor.goto("/demo/");
    await expect(visitor.getByText("Sign in to read and write.")).toBeVisible();
    await shoot(visitor, "widgets-visitor");

    const first = await visit(t, server.url, fresh[number], "/", given);
    await expect(first.getByText("No chats yet.")).toBeVisible();
    await shoot(first, "first-run");
    await first.locator("#browse-rooms-btn").click();
    await first.getByLabel("Find a room").fill("kitchen");
    await expect(first.getByRole("dialog").getByText("No results")).toBeVisible();
    await shoot(first, "rooms-none");
    await first.locator("#close-dialog-btn").click();
    await first.goto("/demo/");
    await expect(first.locator(".join-room-btn")).toBeVisible();
    await shoot(first, "widgets-join");
    await first.locator("greenroom-inbox .gr-toggle").click();
    await shoot(first, "widgets-inbox");
    await first.goto("/?chat=9999");
    await expect(first.getByText("This chat does not exist")).toBeVisible();
    await shoot(first, "not-there");
    if (options.hasTouch) await first.getByRole("button", { name: "Back to chats" }).click();
    await first.locator("#new-chat-btn").click();
    await first.locator("#user-search-input").fill("bo");
    await expect(first.locator(".add-user-btn").first()).toBeVisible();
    await shoot(first, "new-chat");
    await first.locator("#close-dialog-btn").click();
    await expect(first.getByText("No messages yet. Write the first one.")).toBeVisible();
    await shoot(first, "no-messages");
    await toList(first);
    await first.getByLabel("Search", { exact: true }).fill("nothing at all");
    await expect(first.getByText("No results").first()).toBeVisible();
    await shoot(first, "no-hits");
    for (let times = 0; times < 10; times++)
      await helper(server, fresh[number])
        .search("x")
        .catch(() => {});
    await first.getByLabel("Search", { exact: true }).fill("something");
    await expect(first.getByRole("alert")).toContainText("Retrying in");
    await shoot(first, "too-much");

    const road = await server.road();
    const page = await visit(t, road.url, ann, "/", { ...given, polls: look === "tiny-light" });
    await expect(page.locator(".chat-item").first()).toBeVisible();
    let release;
    const released = new Promise((resolve) => (release = resolve));
    await page.route("**/messages/?page_size=*", async (route) => (await released, await route.continue()));
    await page.locator(".chat-item", { hasText: "Plans" }).click();
    await expect(page.locator(".gr-thread .gr-skeleton").first()).toBeVisible();
    await shoot(page, "loading");
    release();
    await expect(message(page, "Idea 30")).toBeVisible();
    await page.unroute("**/messages/?page_size=*");
    await writes(page, `Taken ${number}: the lake it is, and then the old mill`);
    await expect(message(page, `Taken ${number}`)).toContainText("Sent");
    await page.locator("#message-list").evaluate((box) => (box.scrollTop = 0));
    await bobs.sendMessage(id, { content: "Or the sea?" });
    await expect(page.locator(".gr-jump")).toContainText("new message");
    await shoot(page, "latest");
    await page.locator(".gr-jump").click();
    await page.locator(`[data-message-id="${edited}"]`).press("Enter");
    await page.locator(".context-menu .history-btn").click();
    await expect(page.locator(".gr-history li")).toHaveCount(2);
    await shoot(page, "history");
    await page.keyboard.press("Escape");
    const row = message(page, `Taken ${number}`);
    await (options.hasTouch ? row.tap() : row.hover());
    await row.locator(".context-menu-btn").click();
    await page.locator(".context-menu .edit-btn").click();
    await shoot(page, "editing");
    await page.locator(".edit-cancel-btn").click();
    await (options.hasTouch ? row.tap() : row.hover());
    await row.locator(".context-menu-btn").click();
    await page.locator(".context-menu .delete-btn").click();
    await expect(page.locator(".gr-undo-btn")).toBeVisible();
    await shoot(page, "deleted");
    await page.locator(".gr-undo-btn").click();
    await page.locator("#current-chat-name").click();
    await shoot(page, "renaming");
    await page.locator(".chat-title-input").press("Escape");
    await page.locator("#members-btn").click();
    await page.locator("#manage-members-tab").click();
    await shoot(page, "many-members");
    await page.getByLabel("Find a member").fill("guest 1");
    await expect(page.locator(".member-item")).toHaveCount(11);
    await page.locator(".remove-member-btn").first().click();
    await shoot(page, "question");
    await page.locator("#confirmation-cancel-btn").click();
    await page.locator("#close-dialog-btn").click();
    await bobs.block(ann.id);
    await page.goto(`/?chat=${dm}`);
    await writes(page, "Are you there?");
    await expect(page.locator(".gr-failure")).toBeVisible();
    road.isClosed = true;
    if (look !== "tiny-light") road.cut();
    await page.context().setOffline(true);
    await expect(page.getByText("You are offline.")).toBeVisible();
    await shoot(page, "offline-and-refused");
    await bobs.unblock(ann.id);
    await Promise.all([visitor, first, page].map((page) => page.context().close()));
  }
});

test("pictures of files", async (t) => {
  const { server, people } = await serverWith(t, ["ann", "bob"]);
  const [ann, bob] = people;
  const { id: chat } = await helper(server, ann).createChat({ chat_type: "group", title: "The hut", member_ids: [bob.id] });
  const picture = (name, colour, size) => ({ name, mimeType: "image/png", buffer: png(...size, colour) });
  const files = [
    picture("meadow.png", [96, 160, 84], [1_600, 1_000]),
    picture("lake.png", [60, 120, 170], [900, 1_400]),
    { name: "The way to the hut, with the bus times.txt", mimeType: "text/plain", buffer: Buffer.from("Bus 7, at a quarter past. ".repeat(40)) },
  ];
  for (const [look, options] of LOOKS) {
    const shoot = camera(look);
    const page = await visit(t, server.url, ann, `/?chat=${chat}`, options);
    const isReady = () => expect(page.getByRole("button", { name: "Send", exact: true })).toBeEnabled();
    await page.locator(".file-input").first().setInputFiles(files);
    await isReady();
    await shoot(page, "files-pending");
    await page.locator("#message-input").fill("From last year");
    await page.getByRole("button", { name: "Send", exact: true }).click();
    await expect(page.locator(".gr-pending-file")).toHaveCount(0);
    await page.locator(".file-input").first().setInputFiles(files.slice(0, 1));
    await isReady();
    await page.getByRole("button", { name: "Send", exact: true }).click();
    await expect(page.locator(".gr-pictures.is-single img").last()).toBeVisible();
    await shoot(page, "files");
    await page.locator(".gr-picture").last().click();
    await expect(page.locator(".gr-gallery-picture img")).toBeVisible();
    await shoot(page, "gallery");
    await page.keyboard.press("Escape");
    await page.locator("#chat-menu-btn").click();
    await page.locator("#chat-files-btn").click();
    await expect(page.locator(".gr-chat-file").first()).toBeVisible();
    await shoot(page, "chat-files");
  }
});
