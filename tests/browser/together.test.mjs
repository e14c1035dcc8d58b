// Three people in one chat: threads, quotes and pins.

import { expect, helper, message, onBoth, picks, serverWith, visit, writes } from "./support.mjs";

const pane = (page) => page.locator(".gr-thread-pane");
const line = (page) => page.locator("#message-list .gr-thread-line");
const bar = (page) => page.locator(".gr-pin-bar");

/** Returns the locator of a message of a list by its own text, not by what it quotes. */
const rowIn = (list, text) =>
  list.locator("[data-message-id]").filter({ has: list.page().locator(".message-content").getByText(text, { exact: true }) });
const reply = (page, text) => rowIn(pane(page), text);
const row = (page, text) => rowIn(page.locator("#message-list"), text);

async function replies(page, text) {
  const field = pane(page).getByRole("textbox", { name: "Write a reply" });
  await field.fill(text);
  await field.press("Control+Enter");
}

async function quotes(page, row, write, text) {
  await row.focus();
  await page.keyboard.press("r");
  await write(page, text);
}

onBoth("three people answer in a thread, quote each other and pin, and all of them see it", async (t, how) => {
  const { server, people } = await serverWith(t, ["ann", "bob", "carl"]);
  const [ann, bob, carl] = people;
  const chat = await helper(server, ann).createChat({ chat_type: "group", title: "Team", member_ids: [bob.id, carl.id] });
  await helper(server, ann).sendMessage(chat.id, { content: "Where do we meet?" });
  const pages = await Promise.all(people.map((person) => visit(t, server.url, person, `/?chat=${chat.id}`, how)));
  const [anns, bobs, carls] = pages;
  for (const page of [bobs, carls]) {
    await picks(message(page, "Where do we meet?"), ".thread-btn");
    await expect(pane(page).getByRole("textbox", { name: "Write a reply" })).toBeFocused();
  }
  await replies(bobs, "At the lake");
  await expect(reply(carls, "At the lake")).toBeInViewport();
  await quotes(carls, reply(carls, "At the lake"), replies, "The big one?");
  for (const page of [bobs, carls]) {
    await expect(reply(page, "The big one?")).toBeInViewport();
    await expect(reply(page, "The big one?").locator(".gr-quote")).toContainText("At the lake");
  }
  // Ann is not in the thread, but it is hers.
  await expect(line(anns)).toContainText("2 replies");
  await expect(line(anns).locator(".unread-indicator")).toHaveText(/^2/);
  await expect(anns.locator("#threads-btn .unread-indicator")).toHaveText(/^1/);
  await line(anns).click();
  for (const text of ["At the lake", "The big one?"]) await expect(reply(anns, text)).toBeInViewport();
  await expect(anns.locator("#threads-btn .unread-indicator")).toHaveCount(0);
  // What is also sent to the chat is in both places for everyone, and a quote of it in the chat.
  await pane(anns).getByRole("checkbox", { name: "Also send to the chat" }).check();
  await replies(anns, "Yes, that one");
  for (const page of pages) await expect(row(page, "Yes, that one")).toBeInViewport();
  await quotes(carls, row(carls, "Yes, that one"), writes, "See you there");
  for (const page of pages) {
    await expect(row(page, "See you there")).toBeInViewport();
    await expect(row(page, "See you there").locator(".gr-quote")).toContainText("Yes, that one");
    await expect(line(page)).toContainText("3 replies");
  }
  // A reply is pinned in the thread. From the bar it leads back into the thread.
  await picks(reply(anns, "At the lake"), ".pin-btn");
  for (const page of pages) await expect(bar(page)).toContainText("1 pinned messageAt the lake");
  await pane(carls).getByRole("button", { name: "Close thread" }).click();
  await expect(pane(carls)).toHaveCount(0);
  await bar(carls).click();
  await carls.getByRole("dialog", { name: "Pinned messages" }).locator(".gr-quote").click();
  await expect(reply(carls, "At the lake")).toBeInViewport();
  await expect(reply(carls, "At the lake")).toBeFocused();
  await picks(row(bobs, "See you there"), ".pin-btn");
  for (const page of pages) await expect(bar(page)).toContainText("2 pinned messagesSee you there");
  // A deletion shows in the quote, the pins and the number of replies of all.
  await helper(server, bob).deleteMessage(Number(await reply(bobs, "At the lake").getAttribute("data-message-id")));
  for (const page of pages) {
    await expect(reply(page, "The big one?").locator(".gr-quote")).toContainText("This message was deleted");
    await expect(bar(page)).toContainText("1 pinned messageSee you there");
    await expect(line(page)).toContainText("2 replies");
  }
});
