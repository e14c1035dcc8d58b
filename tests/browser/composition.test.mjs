// Text that is composed with an input method: the pages ignore its keys.

import assert from "node:assert/strict";

import { browserOf, expect, helper, message, onBoth, opens, serverWith, visit, writes } from "./support.mjs";

/** Key events as Safari sends them at the end of a composition, and as other browsers send them during one. */
const WAYS = [{ keyCode: 229 }, { isComposing: true }];

/** Presses keys in a field as parts of a composition. */
async function composes(field, ...keys) {
  for (const of of WAYS) {
    for (const key of keys) {
      await field.evaluate(
        (element, [key, of]) => {
          const event = new KeyboardEvent("keydown", { key, bubbles: true, composed: true, cancelable: true, ...of });
          // Only a browser does this: a key whose default is not prevented submits the form.
          const sends = element.dispatchEvent(event) && key === "Enter" && element.localName === "input";
          if (sends) element.form?.requestSubmit();
        },
        [key, of],
      );
    }
  }
}

const KEYS = ["Enter", "Escape", "ArrowUp", "ArrowDown", "Tab", "Home", "End"];

onBoth("keys of a composition do nothing in any field", async (t, how) => {
  const { server, people } = await serverWith(t, ["ann", "bob"]);
  const [ann, bob] = people;
  const [anns, bobs] = [helper(server, ann), helper(server, bob)];
  const { id } = await anns.createChat({ chat_type: "group", title: "Plans", member_ids: [bob.id] });
  await bobs.sendMessage(id, { content: "plain words" });
  await anns.sendMessage(id, { content: "plain answer" });
  const page = await visit(t, server.url, ann, "/", how);
  const wide = async (field) => {
    await composes(field, ...KEYS);
    await expect(field).toBeFocused();
  };
  // Searching all chats.
  const search = page.locator("#search-input");
  await search.fill("plain");
  await expect(page.locator(".search-result")).toHaveCount(2);
  await wide(search);
  await expect(search).toHaveValue("plain");
  await search.fill("");
  // Writing, and editing.
  await opens(page, "Plans");
  const field = page.locator("#message-input");
  await wide(field);
  await expect(page.getByText("Editing message")).toHaveCount(0);
  await field.fill("half");
  await wide(field);
  await expect(field).toHaveValue("half");
  await field.fill("");
  await field.press("ArrowUp");
  await field.fill("an answer that");
  await wide(field);
  await expect(page.getByText("Editing message")).toBeVisible();
  await field.press("Escape");
  // Searching this chat.
  await page.locator("#chat-menu-btn").click();
  await page.locator("#search-chat-btn").click();
  const here = page.locator("#chat-search-input");
  await here.fill("plain");
  await expect(page.getByText("1 of 2")).toBeVisible();
  await wide(here);
  await expect(page.getByText("1 of 2")).toBeVisible();
  await here.press("Escape");
  // Renaming.
  await page.locator("#current-chat-name").click();
  const title = page.locator(".chat-title-input");
  await title.fill("Half a title");
  await wide(title);
  await title.press("Escape");
  await expect(page.locator("#current-chat-name")).toHaveText("Plans");
  // The emoji picker.
  await page.getByRole("button", { name: "Insert emoji" }).click();
  const picker = page.locator("emoji-picker").getByRole("combobox");
  await picker.fill("rocket");
  await expect(page.locator("emoji-picker").getByRole("option").first()).toBeVisible();
  await wide(picker);
  await expect(picker).toHaveValue("rocket");
  await picker.fill("");
  await page.keyboard.press("Escape");
  await expect(page.locator("emoji-picker")).toHaveCount(0);
  // Dialogs.
  await page.locator("#members-btn").click();
  await wide(page.locator("#user-search-input"));
  await page.keyboard.press("Escape");
  await page.getByRole("button", { name: "Ann: your account" }).click();
  await page.locator("#profile-btn").click();
  const name = page.getByLabel("First name");
  await name.fill("Half");
  await wide(name);
  await expect(page.getByText("Saved.")).toHaveCount(0);
  await page.locator("#close-dialog-btn").click();
  assert.equal((await anns.chat(id)).title, "Plans");
  assert.equal((await anns.messages(id)).count, 2);
  assert.equal((await anns.me()).first_name, "Ann");
  await writes(page, "whole");
  await expect(message(page, "whole")).toContainText("Sent");
});

onBoth("keys of a composition do not sign in", async (t, how) => {
  const { server } = await serverWith(t, ["ann"]);
  const page = await (await browserOf(t, server.url, null, how)).newPage();
  await page.goto("/login/");
  await page.getByLabel("Username").fill("ann");
  await composes(page.getByLabel("Username"), ...KEYS);
  await expect(page.locator("#problem")).toHaveText("");
  await expect(page.getByLabel("Username")).toHaveValue("ann");
});
