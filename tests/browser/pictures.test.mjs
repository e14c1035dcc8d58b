// Pictures of another host, which the server fetches: browsers request them from the server only.

import assert from "node:assert/strict";
import { createServer } from "node:http";
import test from "node:test";

import { NARROW, WIDE, expect, helper, serverWith, visit } from "./support.mjs";

/** A picture of one pixel. */
const PNG = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGP4z8DwHwAFAAH/iZk9HQAAAABJRU5ErkJggg==",
  "base64",
);

/** A host of pictures. `asked` lists the requests that it got. */
async function pictureHost(t) {
  const asked = [];
  const host = createServer((request, response) => {
    asked.push(request);
    response.setHeader("Content-Type", "image/png").end(PNG);
  });
  await new Promise((resolve) => host.listen(0, "127.0.0.1", resolve));
  t.after(() => host.close());
  return { name: `127.0.0.1:${host.address().port}`, asked };
}

test("pictures of other hosts are seen, wide and narrow, and only the server asks for them", async (t) => {
  const host = await pictureHost(t);
  const allow = ["--picture-proxy-allow", "127.0.0.1"];
  const { server, people } = await serverWith(t, ["ann", "bob"], "--picture-proxy", "on", "--picture-hosts", host.name, ...allow);
  const [ann, bob] = people;
  const [anns, bobs] = [helper(server, ann), helper(server, bob)];
  const source = `http://${host.name}/ann.png`;
  await anns.updateMe({ avatar_url: source });
  const chat = await anns.createChat({ chat_type: "dm", member_ids: [bob.id] });
  await anns.sendMessage(chat.id, { content: "Hello" });
  for (const viewport of [WIDE, NARROW]) {
    const page = await visit(t, server.url, bob, "/", { viewport });
    const hosts = new Set();
    page.on("request", (request) => hosts.add(new URL(request.url()).host));
    await page.reload();
    const picture = page.locator(".chat-item", { hasText: "Ann" }).locator("img.gr-avatar");
    await expect(picture).toHaveAttribute("src", new RegExp(`^${server.url}/messages/pictures/${ann.id}/`));
    await expect.poll(() => picture.evaluate((image) => image.naturalWidth)).toBe(1);
    assert.deepEqual([...hosts], [new URL(server.url).host]);
  }
  assert.equal(host.asked.length, 1);
  assert.equal((await bobs.user(ann.id)).avatar_source, undefined);
});

test("one sees where one's picture comes from, saves one's name without a change of it, and takes it away", async (t) => {
  const host = await pictureHost(t);
  const allow = ["--picture-proxy-allow", "127.0.0.1"];
  const { server, people } = await serverWith(t, ["ann"], "--picture-proxy", "on", "--picture-hosts", host.name, ...allow);
  const anns = helper(server, people[0]);
  const source = `http://${host.name}/ann.png`;
  await anns.updateMe({ avatar_url: source });
  const page = await visit(t, server.url, people[0]);
  await page.getByRole("button", { name: "Ann: your account" }).click();
  await page.getByRole("menuitem", { name: "Your profile" }).click();
  const field = page.getByLabel("Picture URL");
  const portrait = page.getByRole("dialog").locator(".gr-person img.gr-avatar").first();
  await expect(field).toHaveValue(source);
  await expect.poll(() => portrait.evaluate((image) => image.naturalWidth)).toBe(1);
  const saves = async () => {
    await page.getByRole("button", { name: "Save" }).click();
    await expect(page.getByRole("dialog").getByText("Saved.")).toBeVisible();
  };
  await page.getByLabel("First name").fill("Anna");
  await saves();
  await expect(page.getByRole("dialog")).toContainText("Anna");
  assert.equal((await anns.me()).avatar_source, source);
  await expect(field).toHaveValue(source);
  // After a change elsewhere, the known URL can be saved as well.
  await anns.updateMe({ avatar_url: `${source}?2` });
  await expect(field).not.toHaveValue(source);
  await page.getByLabel("First name").fill("Ann");
  await page.getByRole("button", { name: "Save" }).click();
  await expect(page.getByRole("dialog").locator(".gr-person-name").first()).toHaveText("Ann");
  assert.equal((await anns.me()).avatar_source, `${source}?2`);
  await expect(field).toHaveValue(`${source}?2`);
  await field.fill("");
  await page.getByRole("button", { name: "Save" }).click();
  await expect(portrait).toHaveAttribute("src", /\/messages\/avatars\/\d+\.svg$/);
  await expect(field).toHaveValue("");
  const me = await anns.me();
  assert.match(me.avatar_url, /\/messages\/avatars\/\d+\.svg$/);
  assert.equal(me.avatar_source, undefined);
});
