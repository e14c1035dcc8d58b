// What people do with messages in the widgets: mentions, quotes, history, forwarding, drafts, dates and levels.

import assert from "node:assert/strict";
import test from "node:test";

import { TINY, UNLIMITED, WIDE, expect, fill, fits, helper, isAccessible, message, onBoth, opens, picks, serverWith, visit } from "./support.mjs";

const rowIn = (box, text) => box.locator("[data-message-id]").filter({ has: box.page().locator(".message-content").getByText(text, { exact: true }) });

/** Opens the inbox, and a chat in it. */
async function opensInbox(page, title) {
  await page.locator("greenroom-inbox .gr-toggle").click();
  await page.getByRole("dialog").locator(".chat-item", { hasText: title }).click();
}

onBoth("in the inbox one mentions, quotes, forwards and looks up earlier texts", async (t, how) => {
  const { server, people } = await serverWith(t, ["ann", "bob", "carol"], "--message-history", "members");
  const [ann, bob, carol] = people;
  const [anns, bobs] = [helper(server, ann), helper(server, bob)];
  const { id: chat } = await anns.createChat({ chat_type: "group", title: "Team", member_ids: [bob.id, carol.id] });
  const { id: garden } = await anns.createChat({ chat_type: "group", title: "Garden", member_ids: [bob.id] });
  const { id: question } = await bobs.sendMessage(chat, { content: "Where do we meat?" });
  await bobs.editMessage(question, "Where do we meet?");
  const page = await visit(t, server.url, ann, "/demo/", how);
  const bobsPage = await visit(t, server.url, bob, `/?chat=${chat}`, how);
  await opensInbox(page, "Team");
  const panel = page.getByRole("dialog", { name: "Messages" });
  const field = panel.getByRole("textbox", { name: "Write a message" });
  await expect(field).toBeFocused();
  await field.pressSequentially("Ask @bo");
  const options = page.getByRole("listbox", { name: "People to mention" });
  await expect(options.getByRole("option")).toHaveText([/Bob/]);
  await expect(options).toBeInViewport({ ratio: 1 });
  if (!how.polls) await isAccessible(page, "people to mention in a widget");
  await page.keyboard.press("Enter");
  await expect(field).toHaveValue("Ask @Bob ");
  await page.keyboard.press("Enter");
  await expect(rowIn(panel, "Ask @Bob").locator(".gr-mention")).toBeInViewport();
  await expect(message(bobsPage, "Ask @Bob").locator(".gr-mention.is-me")).toBeInViewport();

  await rowIn(panel, "Where do we meet?").focus();
  await page.keyboard.press("r");
  await expect(panel.locator(".gr-composer-reply")).toContainText("Where do we meet?");
  await field.fill("At the lake");
  await page.keyboard.press("Enter");
  await expect(rowIn(panel, "At the lake").locator(".gr-quote")).toBeInViewport();
  await expect(message(bobsPage, "At the lake").locator(".gr-quote")).toContainText("Where do we meet?");
  await rowIn(panel, "At the lake").locator(".gr-quote").click();
  await expect(rowIn(panel, "Where do we meet?")).toBeFocused();

  await picks(rowIn(panel, "Where do we meet?"), ".history-btn");
  const history = page.getByRole("dialog", { name: "Edit history" });
  await expect(history.getByText("Where do we meat?")).toBeInViewport();
  if (!how.polls) await isAccessible(page, "the history in a widget");
  await page.keyboard.press("Escape");
  await expect(history).toHaveCount(0);
  await expect(panel).toBeVisible();

  await picks(rowIn(panel, "Where do we meet?"), ".forward-btn");
  await page.getByRole("dialog", { name: "Forward to" }).getByRole("button", { name: "Forward Garden" }).click();
  await expect(page.getByText("Forwarded to “Garden”.")).toBeInViewport();
  await panel.getByRole("button", { name: "Back to chats" }).click();
  await panel.locator(".chat-item", { hasText: "Garden" }).click();
  await expect(panel.locator(".gr-forwarded")).toContainText("Where do we meet?");
  await expect(panel.locator(".gr-forwarded")).toBeInViewport();
  assert.equal((await bobs.messages(garden)).results[0].forwarded_from.content, "Where do we meet?");
});

onBoth("a draft that was begun in a widget is marked there, and finished on the page", async (t, how) => {
  const { server, people } = await serverWith(t, ["ann", "bob", "carol"]);
  const [ann, bob] = people;
  const anns = helper(server, ann);
  const { id: chat } = await anns.createChat({ chat_type: "group", title: "Team", member_ids: [bob.id] });
  const { id: root } = await anns.sendMessage(chat, { content: "Where do we meet?" });
  const page = await visit(t, server.url, ann, "/demo/", how);
  const other = await visit(t, server.url, ann, "/", how);
  await opensInbox(page, "Team");
  const panel = page.getByRole("dialog", { name: "Messages" });
  const mark = panel.locator(".chat-item", { hasText: "Team" }).locator(".draft-indicator");
  await panel.getByRole("textbox", { name: "Write a message" }).fill("I will ");
  await panel.getByRole("button", { name: "Back to chats" }).click();
  await expect(mark).toHaveText("Draft: I will");
  await expect(mark).toBeInViewport();
  await opens(other, "Team");
  await expect(other.locator("#message-input")).toHaveValue("I will ");
  await other.locator("#message-input").pressSequentially("ask");
  await other.locator("#message-input").press("Control+Enter");
  await expect(mark).toHaveCount(0);
  // The same in a thread.
  await picks(message(other, "Where do we meet?"), ".thread-btn");
  await other.locator(".gr-thread-pane").getByRole("textbox", { name: "Write a reply" }).fill("At the lake");
  await expect(mark).toHaveText("Draft in a thread: At the lake");
  await anns.followThread(root);
  await panel.locator(".gr-side-list", { hasText: "Threads" }).click();
  await expect(panel.locator(".thread-item .draft-indicator")).toHaveText("Draft: At the lake");
  await expect(panel.locator(".thread-item .draft-indicator")).toBeInViewport();
  if (!how.polls) await isAccessible(page, "a draft of a thread in the inbox");
  await panel.locator(".thread-item").click();
  const field = panel.locator(".gr-thread-pane").getByRole("textbox", { name: "Write a reply" });
  await expect(field).toHaveValue("At the lake");
  await field.press("Control+Enter");
  await expect(panel.locator(".gr-thread-pane [data-message-id]", { hasText: "At the lake" })).toBeInViewport();
  await expect(other.locator(".gr-thread-pane").getByRole("textbox", { name: "Write a reply" })).toHaveValue("");
});

test("the menu of a chat in a widget leads to a date, and has the levels of notifications", async (t) => {
  const { server, people } = await serverWith(t, ["ann", "bob", "carol"], ...UNLIMITED);
  const [ann, bob] = people;
  const [anns, bobs] = [helper(server, ann), helper(server, bob)];
  const { id: dm } = await anns.createChat({ chat_type: "dm", member_ids: [bob.id] });
  await fill(server, bob, dm, 100, (number) => `Idea ${number}.`);
  await anns.markAsRead(dm);
  const page = await visit(t, server.url, ann, "/demo/");
  const button = page.locator(`greenroom-dm[user="${bob.id}"] .gr-toggle`);
  const total = page.locator("greenroom-inbox .gr-toggle .unread-indicator");
  const panel = page.getByRole("dialog", { name: "Write to Bob" });
  const menu = page.getByRole("menu", { name: "Chat options" });
  const opensMenu = (box) => box.getByRole("button", { name: "Chat options" }).press("Enter");
  await button.click();
  await expect(rowIn(panel, "Idea 100.")).toBeInViewport();

  // By the keyboard, as the menu and the dialog of the page.
  await opensMenu(panel);
  await expect(menu.getByRole("menuitem", { name: "Go to a date" })).toBeFocused();
  await isAccessible(page, "the menu of a chat in a widget");
  await page.keyboard.press("Enter");
  const dialog = page.getByRole("dialog", { name: "Go to a date" });
  await expect(dialog.getByLabel("Date")).toBeFocused();
  await isAccessible(page, "the dialog for a date in a widget");
  await dialog.getByLabel("Date").fill("2020-02-29");
  await page.keyboard.press("Enter");
  await expect(dialog).toHaveCount(0);
  await expect(rowIn(panel, "Idea 1.")).toBeInViewport();
  await expect(rowIn(panel, "Idea 1.")).toBeFocused();
  await opensMenu(panel);
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  await expect(menu.getByRole("menuitemradio", { name: "All messages" })).toBeFocused();
  await page.keyboard.press("End");
  await page.keyboard.press("Enter");
  await expect.poll(async () => (await anns.chat(dm)).me.notify).toBe("none");
  await expect(panel.getByRole("button", { name: "Chat options" })).toBeFocused();
  await page.keyboard.press("Escape");
  await expect(panel).toHaveCount(0);
  await bobs.sendMessage(dm, { content: "Quiet" });
  await expect(button.locator(".unread-indicator")).toHaveClass(/is-quiet/);
  await expect(total).toHaveCount(0);

  // In the inbox and in a room too, in a small window.
  await page.setViewportSize(TINY);
  await opensInbox(page, "Bob");
  const inbox = page.getByRole("dialog", { name: "Messages" });
  await opensMenu(inbox);
  await expect(menu).toBeInViewport({ ratio: 1 });
  await fits(page, "the menu in the inbox");
  await page.keyboard.press("Enter");
  await dialog.getByLabel("Date").fill("2020-02-29");
  await page.keyboard.press("Enter");
  await expect(rowIn(inbox, "Idea 1.")).toBeInViewport();
  await page.keyboard.press("Escape");
  await page.locator(".join-room-btn").click();
  const room = page.locator("greenroom-room");
  await room.locator(".room-message-input").fill("First!");
  await room.locator(".room-message-input").press("Control+Enter");
  await expect(rowIn(room, "First!")).toBeInViewport();
  await opensMenu(room);
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  await expect(menu.getByRole("menuitemradio", { name: "Only mentions" })).toHaveAttribute("aria-checked", "true");
  await expect(menu).toBeInViewport({ ratio: 1 });
  await fits(page, "the levels in a room");
  await menu.getByRole("menuitemradio", { name: "All messages" }).click();
  await opensMenu(room);
  await page.keyboard.press("Enter");
  await expect(dialog).toBeInViewport({ ratio: 1 });
  await fits(page, "the dialog for a date in a room");
  await dialog.getByRole("button", { name: "Go", exact: true }).click();
  await expect(rowIn(room, "First!")).toBeFocused();
  await page.setViewportSize(WIDE);
  await isAccessible(page, "a room with its menu");
});
