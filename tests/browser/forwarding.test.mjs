import test from "node:test";

import { NARROW, expect, helper, isAccessible, onBoth, opens, serverWith, visit } from "./support.mjs";

onBoth("a message is forwarded to a chat that is found by its name, with a comment", async (t, how) => {
  const { server, people } = await serverWith(t, ["ann", "bob", "carol"]);
  const [ann, bob, carol] = people;
  const from = await helper(server, ann).createChat({ chat_type: "dm", member_ids: [bob.id] });
  await helper(server, bob).createChat({ chat_type: "group", title: "Lunch", member_ids: [carol.id] });
  await helper(server, ann).sendMessage(from.id, { content: "The kitchen is closed today." });
  const bobs = await visit(t, server.url, bob, `/?chat=${from.id}`, how);
  const carols = await visit(t, server.url, carol, "/", how);
  const row = bobs.locator("#message-list [data-message-id]").filter({ hasText: "The kitchen" });
  await row.hover();
  await row.locator(".context-menu-btn").click();
  await row.locator(".forward-btn").click();
  const dialog = bobs.getByRole("dialog", { name: "Forward to" });
  await expect(dialog.locator(".forward-search")).toBeFocused();
  await expect(dialog.getByRole("listitem")).toHaveCount(2);
  await dialog.locator(".forward-comment").fill("We go out.");
  await dialog.locator(".forward-search").fill("lun");
  await expect(dialog.getByRole("listitem")).toHaveText([/Lunch/]);
  await isAccessible(bobs, "the dialog for forwarding");
  await bobs.setViewportSize(NARROW);
  await isAccessible(bobs, "the narrow dialog for forwarding");
  await dialog.getByRole("button", { name: "Forward Lunch" }).click();
  await expect(dialog).toHaveCount(0);
  await expect(bobs.getByText("Forwarded to “Lunch”.")).toBeVisible();
  await expect(carols.locator(".chat-item", { hasText: "Lunch" })).toContainText("Bob: We go out.");
  await opens(carols, "Lunch");
  const copy = carols.locator("#message-list [data-message-id]").filter({ hasText: "We go out." });
  await expect(copy.locator(".gr-forwarded")).toHaveText("Forwarded from AnnThe kitchen is closed today.");
  await expect(copy).toBeInViewport();
  await isAccessible(carols, "a forwarded message");
});

test("a message that only forwards shows its text wherever messages are shown", async (t) => {
  const { server, people } = await serverWith(t, ["ann", "bob"]);
  const [ann, bob] = people;
  const chat = await helper(server, ann).createChat({ chat_type: "group", title: "Team", member_ids: [bob.id] });
  const first = await helper(server, ann).sendMessage(chat.id, { content: "The wifi key is on the door." });
  const copy = await helper(server, bob).sendMessage(chat.id, { forward: first.id });
  await helper(server, ann).pin(chat.id, copy.id);
  await helper(server, ann).sendMessage(chat.id, { content: "Thanks", reply_to: copy.id });
  const page = await visit(t, server.url, ann, `/?chat=${chat.id}`);
  await expect(page.locator(".gr-pin-bar")).toContainText("The wifi key");
  await expect(page.locator(".gr-quote")).toHaveText(/In reply to: BobThe wifi key is on the door\./);
  await helper(server, bob).sendMessage(chat.id, { forward: first.id });
  await expect(page.locator(".chat-item", { hasText: "Team" })).toContainText("Bob: The wifi key is on the door.");
});
