import test from "node:test";

import { expect, helper, isAccessible, serverWith, visit } from "./support.mjs";

for (const [history, isShown] of [["members", true], ["off", false]]) {
  test(`the earlier texts of a message are ${isShown ? "shown" : "not offered"} where the history is ${history}`, async (t) => {
    const { server, people } = await serverWith(t, ["ann", "bob"], "--message-history", history);
    const [ann, bob] = people;
    const chat = await helper(server, ann).createChat({ chat_type: "dm", member_ids: [bob.id] });
    const { id } = await helper(server, ann).sendMessage(chat.id, { content: "At nine?" });
    for (const text of ["At ten?", "At eleven, <b>finally</b>"]) await helper(server, ann).editMessage(id, text);
    const page = await visit(t, server.url, bob, `/?chat=${chat.id}`);
    const row = page.locator(`[data-message-id="${id}"]`);
    await row.hover();
    await row.locator(".context-menu-btn").click();
    await expect(row.locator(".reply-btn")).toBeVisible();
    if (!isShown) return expect(row.locator(".history-btn")).toHaveCount(0);
    await row.locator(".history-btn").click();
    const dialog = page.getByRole("dialog", { name: "Edit history" });
    await expect(dialog.getByRole("listitem").locator("p")).toHaveText(["At ten?", "At nine?"]);
    await isAccessible(page, "the history");
    await page.keyboard.press("Escape");
    await expect(dialog).toHaveCount(0);
  });
}
