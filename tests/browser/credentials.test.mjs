// The list of sessions and tokens in the profile, and ending them.

import assert from "node:assert/strict";
import test from "node:test";

import { NARROW, WIDE, expect, isAccessible, serverWith, visit } from "./support.mjs";

const FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0";
const IPHONE =
  "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1";

/** Signs in as a program of that name. Returns a function that requests with the session's cookie. */
async function signsIn(server, name, agent) {
  const headers = { "Content-Type": "application/json", "User-Agent": agent };
  const body = JSON.stringify({ username: name, password: "correct horse" });
  const response = await fetch(`${server.url}/login/`, { method: "POST", headers, body });
  assert.equal(response.status, 200);
  const cookie = response.headers.get("set-cookie").split(";")[0];
  return async () => (await fetch(`${server.url}/messages/api/users/me/`, { headers: { cookie } })).status;
}

async function opensProfile(page) {
  await page.locator(".gr-own-menu-btn").click();
  await page.locator("#profile-btn").click();
}

for (const [how, viewport, colorScheme] of [
  ["wide and light", WIDE, "light"],
  ["narrow and dark", NARROW, "dark"],
]) {
  test(`one sees where one is signed in, and ends it: ${how}`, async (t) => {
    const { server, people } = await serverWith(t, ["ann"]);
    const [ann] = people;
    const firefox = await signsIn(server, "ann", FIREFOX);
    const phone = await signsIn(server, "ann", IPHONE);
    const robot = await signsIn(server, "ann", "Robot/1.0 (nightly)");
    const page = await visit(t, server.url, ann, "/", { viewport, colorScheme });
    await opensProfile(page);
    const sessions = page.getByRole("list", { name: "Where you are signed in" });
    await expect(sessions.getByRole("listitem")).toHaveCount(4);
    const own = sessions.getByRole("listitem").filter({ hasText: "This browser" });
    await expect(own).toContainText("127.0.0.1");
    await expect(own.getByRole("button")).toHaveCount(0);
    await expect(sessions).toContainText("Safari · iPhone");
    await expect(sessions).toContainText("Robot/1.0");
    await isAccessible(page, `one's sessions, ${how}`);
    await sessions.getByRole("listitem").filter({ hasText: "Firefox · Linux" }).getByRole("button", { name: "End" }).click();
    await expect(sessions.getByRole("listitem")).toHaveCount(3);
    await expect(page.getByRole("heading", { name: "Where you are signed in" })).toBeFocused();
    assert.deepEqual([await firefox(), await phone(), await robot()], [401, 200, 200]);
    await page.getByRole("button", { name: "End all others" }).first().click();
    await expect(sessions.getByRole("listitem")).toHaveCount(1);
    assert.deepEqual([await phone(), await robot()], [401, 401]);
    // The token of the person's helper.
    const keys = page.getByRole("list", { name: "Access tokens" });
    await expect(keys.getByRole("listitem")).toHaveCount(1);
    await keys.getByRole("button", { name: "End" }).click();
    await expect(keys).toHaveCount(0);
    await assert.rejects(server.client(ann).api.me(), { status: 401 });
  });
}

test("a password that is easy to guess is refused with the reason", async (t) => {
  const { server, people } = await serverWith(t, ["ann"]);
  const said = { "en-GB": /hard to guess/, "de-DE": /schwer zu erraten/, "es-ES": /difíciles de adivinar/, "lt-LT": /sunkiai atspėjamų/ };
  for (const [locale, words] of Object.entries(said)) {
    const page = await visit(t, server.url, people[0], "/", { locale, allows: ["400"] });
    await opensProfile(page);
    await page.locator("[name=old_password]").fill("correct horse");
    await page.locator("[name=password]").fill("password1");
    await page.locator("[name=password]").press("Enter");
    await expect(page.locator("[name=password]")).toBeFocused();
    await expect(page.locator("[name=password]")).toHaveAccessibleDescription(words);
    await expect(page.locator("[name=old_password]")).toHaveAttribute("aria-invalid", "false");
  }
});
