// Days and times on the pages, while time passes.

import { expect, helper, message, onBoth, serverWith, visit } from "./support.mjs";

async function annWithNews(t, options) {
  const { server, people } = await serverWith(t, ["ann", "bob"]);
  const [ann, bob] = people;
  const bobs = helper(server, bob);
  const { id } = await bobs.createChat({ chat_type: "group", title: "Plans", member_ids: [ann.id] });
  await bobs.sendMessage(id, { content: "news" });
  const page = await visit(t, server.url, ann, "/", { timezoneId: whereItIsNoon(), ...options });
  return { server, ann, page, id };
}

/** Returns a time zone in which midnight is not near. */
function whereItIsNoon() {
  const ahead = 12 - new Date().getUTCHours();
  return `Etc/GMT${ahead > 0 ? "-" : "+"}${Math.abs(ahead)}`;
}

onBoth("Today is Yesterday a minute after midnight", async (t, how) => {
  const { page, id } = await annWithNews(t, how);
  await page.clock.install({ time: Date.now() });
  await page.goto(`/?chat=${id}`);
  await expect(page.locator(".gr-day")).toHaveText("Today");
  await expect(page.locator(".gr-chat-time")).toHaveText("just now");
  for (const [day, ago] of [
    ["Yesterday", "yesterday"],
    [/^\w+day,? \d+ \w+/, /^\w{3}$/],
  ]) {
    const left = await page.evaluate(() => new Date().setHours(24, 0, 0, 0) - Date.now());
    await page.clock.fastForward(left + 59_000);
    await expect(page.locator(".gr-day")).toHaveText(day);
    await expect(page.locator(".gr-chat-time")).toHaveText(ago);
  }
});

onBoth("a clock that is set is followed, and one that is behind does not make news of what is old", async (t, how) => {
  const { page, id } = await annWithNews(t, how);
  await page.clock.install({ time: Date.now() - 3 * 3_600_000 });
  await page.goto(`/?chat=${id}`);
  await expect(page.locator(".gr-day")).toBeVisible();
  await expect(page.locator(".gr-chat-time")).not.toHaveText("just now");
  await page.clock.setSystemTime(Date.now());
  await page.clock.runFor(31_000);
  await expect(page.locator(".gr-day")).toHaveText("Today");
  await expect(page.locator(".gr-chat-time")).toHaveText(/now|min/);
});

onBoth("days and times follow to another time zone", async (t, how) => {
  const { page, id } = await annWithNews(t, { ...how, timezoneId: undefined });
  await page.goto(`/?chat=${id}`);
  const time = message(page, "news").locator("time");
  const before = await time.textContent();
  const devtools = await page.context().newCDPSession(page);
  await devtools.send("Emulation.setTimezoneOverride", { timezoneId: "Asia/Kathmandu" });
  await page.evaluate(() => document.dispatchEvent(new Event("visibilitychange")));
  await expect(time).not.toHaveText(before);
});
