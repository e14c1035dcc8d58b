import test from "node:test";

import { browserOf, expect, helper, message, onBoth, opens, serverWith, visit, writes } from "./support.mjs";

test("who opens the address signs in and lands on the messages", async (t) => {
  const { server } = await serverWith(t, ["ann"]);
  const context = await browserOf(t, server.url, null, { allows: ["401", "404"] });
  const page = await context.newPage();
  await page.goto("/messages/?chat=7");
  await expect(page).toHaveURL("/login/?next=%2Fmessages%2F%3Fchat%3D7");
  await page.getByLabel("Username").fill("ann");
  await page.getByLabel("Password", { exact: true }).fill("wrong");
  await page.getByRole("button", { name: "Sign in" }).click();
  await expect(page.getByRole("alert")).toHaveText("This username and password do not match.");
  await page.getByLabel("Password", { exact: true }).fill("correct horse");
  await page.getByRole("button", { name: "Sign in" }).click();
  await expect(page).toHaveURL("/messages/?chat=7");
});

test("too many attempts to sign in are refused in words", async (t) => {
  const { server } = await serverWith(t, ["ann"]);
  const page = await (await browserOf(t, server.url, null, { allows: ["401", "429"] })).newPage();
  await page.goto("/login/");
  await page.getByRole("button", { name: "Sign in" }).click();
  await expect(page.getByRole("alert")).toHaveText("Enter your username and your password.");
  await page.getByLabel("Username").fill("ann");
  for (let attempt = 0; attempt < 5; attempt++) {
    await page.getByLabel("Password", { exact: true }).fill(`wrong ${attempt}`);
    const answered = page.waitForResponse("**/login/");
    await page.getByRole("button", { name: "Sign in" }).click();
    await answered;
  }
  await expect(page.getByRole("alert")).toHaveText("This username and password do not match.");
  await page.getByRole("button", { name: "Sign in" }).click();
  await expect(page.getByRole("alert")).toHaveText(/Too many attempts. Try again in \d+ seconds?\./);
});

onBoth("two people write to each other", async (t, how) => {
  const { server, people } = await serverWith(t, ["ann", "bob"]);
  const [ann, bob] = people;
  await helper(server, ann).createChat({ chat_type: "dm", member_ids: [bob.id] });
  const anns = await visit(t, server.url, ann, "/", how);
  const bobs = await visit(t, server.url, bob, "/", how);
  await opens(anns, "Bob");
  await writes(anns, "Hello, Bob!");
  await expect(message(anns, "Hello, Bob!")).toContainText("Sent");
  const item = bobs.locator(".chat-item").filter({ hasText: "Ann" });
  await expect(item.locator(".unread-indicator")).toContainText("1 unread message");
  await expect(bobs).toHaveTitle("(1) Messages · Greenroom");
  await opens(bobs, "Ann");
  await expect(message(bobs, "Hello, Bob!")).toBeVisible();
  await expect(message(anns, "Hello, Bob!")).toContainText("Read");
  await expect(item.locator(".unread-indicator")).toHaveCount(0);
  await bobs.locator("#message-input").pressSequentially("Hi");
  await expect(anns.getByText("Bob is typing…")).toBeVisible();
  await writes(bobs, "Hi, Ann!\nHow are you?");
  await expect(message(anns, "How are you?")).toBeVisible();
  await expect(anns.getByText("Bob is typing…")).toBeHidden();
});
