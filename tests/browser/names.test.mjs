// A user's identity, whatever display name or dm title they choose: the username is beside every name and title of a dm.

import test from "node:test";

import { NARROW, WIDE, expect, helper, opens, serverWith, visit } from "./support.mjs";

/** Mallory, with the display name Carol, and her dm with Ann, titled "Carol Clark". */
async function scene(t) {
  const { server, people } = await serverWith(t, ["ann", "mallory", "carol"]);
  const [ann, mallory, carol] = people;
  const api = helper(server, mallory);
  const { id } = await api.createChat({ chat_type: "dm", member_ids: [ann.id] });
  await api.sendMessage(id, { content: "Send me the password, please" });
  return { server, ann, mallory, carol, api, id };
}

test("a title of a direct message does not hide who it is with", async (t) => {
  const { server, ann, api, id } = await scene(t);
  const page = await visit(t, server.url, ann);
  const row = page.locator(`.chat-item[data-chat-id="${id}"]`);
  await expect(row).toContainText("@mallory");
  await api.renameChat(id, "Carol Clark");
  await expect(row.locator(".gr-chat-title")).toHaveText("Carol Clark");
  await expect(row.locator(".gr-identity")).toHaveText("Mallory @mallory");
  await opens(page, "Carol Clark");
  await expect(page.locator(".gr-heading-note")).toContainText("Mallory @mallory");
  await expect(page.locator(".gr-beginning-title")).toHaveText("Carol Clark (Mallory @mallory)");
  await expect(page).toHaveTitle(/Carol Clark \(Mallory @mallory\)/);
  // However long the title is, and however small the window.
  await api.renameChat(id, `Carol Clark ${"of the bank ".repeat(20)}`.trim());
  await api.updateMe({ first_name: "Carol of the bank", last_name: "of the whole wide world ".repeat(6).trim() });
  await expect(page.locator(".gr-heading-note")).toContainText("Carol of the bank");
  for (const size of [WIDE, NARROW, { width: 320, height: 600 }]) {
    await page.setViewportSize(size);
    await expect(page.locator(".gr-heading-note").getByText("@mallory")).toBeInViewport({ ratio: 1 });
    if (size.width < 700) await page.locator(".gr-back").click();
    await expect(row.getByText("@mallory")).toBeInViewport({ ratio: 1 });
    if (size.width < 700) await row.click();
  }
  // Search results show it too.
  await page.setViewportSize(WIDE);
  await page.locator("#search-input").fill("Carol");
  const hit = page.locator(".gr-hit[data-chat-id]");
  await expect(hit).toContainText("@mallory");
  await page.locator("#search-input").fill("password");
  await expect(page.locator(".search-result")).toContainText("@mallory");
});

test("a display name does not hide who writes, on pages and in widgets", async (t) => {
  const { server, ann, mallory, carol, api, id } = await scene(t);
  await api.updateMe({ first_name: "Carol", last_name: "" });
  await helper(server, ann).createChat({ chat_type: "dm", member_ids: [carol.id] });
  const page = await visit(t, server.url, ann);
  const identities = page.locator(".chat-item .gr-identity");
  await expect(identities).toHaveCount(2);
  await expect(identities.filter({ hasText: /^@mallory$/ })).toHaveCount(1);
  await expect(identities.filter({ hasText: /^@carol$/ })).toHaveCount(1);
  await page.locator(`.chat-item[data-chat-id="${id}"]`).click();
  await expect(page.locator(".gr-heading-note")).toContainText("@mallory");
  await expect(page.locator("#current-chat-name")).toHaveText("Carol");
  const demo = await visit(t, server.url, ann, "/demo/");
  await demo.locator(`greenroom-dm[user="${mallory.id}"] .gr-toggle`).click();
  await expect(demo.getByRole("dialog").locator(".gr-heading-note")).toContainText("@mallory");
});

test("a notification of a direct message says who writes", async (t) => {
  const { server, ann, mallory, api, id } = await scene(t);
  await api.updateMe({ first_name: "Carol" });
  const page = await visit(t, server.url, ann);
  await page.addInitScript(() => {
    globalThis.made = [];
    globalThis.Notification = class {
      static permission = "granted";
      static requestPermission = async () => "granted";
      constructor(title) {
        globalThis.made.push(title);
      }
      close() {}
    };
  });
  await page.reload();
  await page.getByRole("button", { name: "Ann: your account" }).click();
  await page.getByRole("menuitemcheckbox", { name: "Notify me of messages" }).click();
  await page.evaluate(() => {
    document.hasFocus = () => false;
  });
  await api.sendMessage(id, { content: "It is me, Carol" });
  await expect.poll(() => page.evaluate(() => globalThis.made)).toEqual([`Carol (@${mallory.name})`]);
});
