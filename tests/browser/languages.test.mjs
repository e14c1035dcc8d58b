// Threads, mentions, drafts, pins, history, dates and levels in each language, in the smallest window.

import assert from "node:assert/strict";
import test from "node:test";

import { TINY, expect, fits, helper, isAccessible, picks, serverWith, visit } from "./support.mjs";

const LANGUAGES = { en: "en-GB", de: "de-DE", es: "es-ES", lt: "lt-LT" };

/** Returns a function that gives the texts of a language. */
async function textsIn(language) {
  const { texts } = (await import(`../../web/texts/${language}.js`)).default;
  return (key, values = {}) => {
    const text = typeof texts[key] === "string" ? texts[key] : texts[key]?.[new Intl.PluralRules(language).select(values.count)];
    assert.ok(text, `there is a text ${key} in ${language}`);
    return text.replace(/\{(\w+)\}/g, (_, name) => values[name]);
  };
}

/** Ann and bob with a group: a question of ann's was edited, and bob has replied to it and mentioned her. */
async function stage(server, [ann, bob], title) {
  const [anns, bobs] = [helper(server, ann), helper(server, bob)];
  const { id: chat } = await anns.createChat({ chat_type: "group", title, member_ids: [bob.id] });
  const { id: root } = await anns.sendMessage(chat, { content: "Where do we meat?" });
  await anns.editMessage(root, "Where do we meet?");
  await anns.pin(chat, root);
  await bobs.sendMessage(chat, { content: "@everyone: please answer", mentions: { everyone: true } });
  await bobs.sendMessage(chat, { content: "@Ann, at the lake", thread: root, mentions: { users: [{ id: ann.id, at: [0, 4] }] } });
  await anns.saveDraft(chat, { content: "Maybe" }, { thread: root });
  return { chat, root };
}

test("threads, mentions and all else fit a small window in every language", async (t) => {
  const { server, people } = await serverWith(t, ["ann", "bob"], "--message-history", "members");
  for (const [language, locale] of Object.entries(LANGUAGES)) {
    const say = await textsIn(language);
    const title = `Team ${language}`;
    const { chat, root } = await stage(server, people, title);
    const page = await visit(t, server.url, people[0], "/", { locale, viewport: TINY, hasTouch: true });
    const check = async (what) => {
      await fits(page, `${what}: ${language}`);
      // The states are the same in all languages.
      if (language !== "lt") return;
      // A message that was gone to is marked for a moment.
      await page.waitForFunction(() => document.getAnimations().every((animation) => animation.animationName !== "gr-point"));
      await isAccessible(page, what);
    };
    const voice = page.locator("[aria-live=polite].gr-hidden");
    const pane = page.locator(".gr-thread-pane");

    const item = page.locator(".chat-item", { hasText: title });
    await expect(item).toContainText(say("unreadMentions", { count: 1 }));
    await expect(item.locator(".draft-indicator")).toHaveText(`${say("draftInThread")} Maybe`);
    await check("the list of chats");
    await page.getByRole("button", { name: say("threads") }).click();
    const thread = page.locator(".thread-item", { hasText: title });
    await expect(thread.locator(".draft-indicator")).toHaveText(`${say("draft")} Maybe`);
    await expect(thread).toContainText(say("unreadReplies", { count: 1 }));
    await check("the list of threads");
    await page.getByRole("button", { name: say("mentions") }).click();
    const mention = page.locator(".mention-item", { hasText: say("threadIn", { title }) });
    await expect(mention).toBeInViewport();
    await check("the list of mentions");
    await mention.click();

    const reply = pane.locator("[data-message-id]").filter({ hasText: "at the lake" });
    await expect(reply).toBeInViewport();
    await expect(reply).toContainText(say("mentionsYou"));
    await expect(reply.locator(".gr-mention.is-me")).toHaveText("@Ann");
    await expect(pane.locator(".follow-thread-btn")).toHaveText(say("unfollowThread"));
    await expect(pane.getByLabel(say("alsoInChat"))).toBeVisible();
    await check("a thread");
    const field = pane.getByRole("textbox", { name: say("writeReply") });
    await expect(field).toHaveValue("Maybe");
    await field.pressSequentially(" @");
    const people_ = page.getByRole("listbox", { name: say("mentionSomeone") });
    await expect(people_.getByRole("option")).toHaveText([/Bob/, new RegExp(`@everyone.*${say("mentionEveryone")}`, "s"), new RegExp(`@here.*${say("mentionHere")}`, "s")]);
    await expect(people_).toBeInViewport({ ratio: 1 });
    await expect(voice).toContainText(say("mentionOptions", { count: 3 }));
    await check("the people to mention");
    await people_.getByRole("option").first().click();
    await field.press("Control+Enter");
    await expect(pane.locator("[data-message-id]").filter({ hasText: "Maybe @Bob" })).toBeInViewport();
    await pane.getByRole("button", { name: say("closeThread") }).click();

    const row = page.locator(`#message-list [data-message-id="${root}"]`);
    await expect(row.locator(".gr-thread-line")).toContainText(say("replyCount", { count: 2 }));
    const everyone = page.locator("#message-list [data-message-id]").filter({ hasText: "please answer" });
    await expect(everyone).toContainText(say("mentionsEveryone"));
    await expect(everyone).not.toContainText(say("mentionsYou"));
    await expect(everyone.locator(".gr-mention")).toHaveText("@everyone");
    await expect(page.locator(".gr-pin-bar")).toContainText(say("pinnedCount", { count: 1 }));
    await check("a chat with a thread, a pin and a mention of everyone");
    const cut = await page.locator("#message-input").evaluate((field) => field.scrollHeight - field.clientHeight);
    assert.ok(cut <= 0, `${cut} pixels of the field's hint are cut off: ${language}`);
    await page.locator(".gr-pin-bar").click();
    await expect(page.getByRole("dialog", { name: say("pinnedTitle") })).toBeInViewport({ ratio: 1 });
    await check("the list of pins");
    await page.keyboard.press("Escape");

    await row.press("Enter");
    await expect(row.locator(".reply-btn")).toHaveText(say("reply"));
    await expect(row.locator(".thread-btn")).toHaveText(say("replyInThread"));
    await expect(row.locator(".pin-btn")).toHaveText(say("unpinMessage"));
    await row.locator(".history-btn").click();
    const history = page.getByRole("dialog", { name: say("history") });
    await expect(history.getByText("Where do we meat?")).toBeInViewport();
    await check("the history of a message");
    await page.keyboard.press("Escape");
    await picks(row, ".forward-btn");
    await expect(page.getByRole("dialog", { name: say("forwardTitle") }).getByLabel(say("addComment"))).toBeInViewport();
    await check("the dialog for forwarding");
    await page.keyboard.press("Escape");
    await picks(row, ".reply-btn");
    await expect(page.locator(".gr-composer-reply")).toContainText("Where do we meet?");
    await check("a reply being written");
    await page.getByRole("button", { name: say("cancelReply") }).click();

    const menu = page.getByRole("menu", { name: say("chatMenu") });
    await page.getByRole("button", { name: say("chatMenu") }).click();
    await menu.getByRole("menuitem", { name: say("goToDate") }).click();
    const dialog = page.getByRole("dialog", { name: say("goToDate") });
    await dialog.getByLabel(say("date"), { exact: true }).fill("");
    await dialog.getByRole("button", { name: say("go"), exact: true }).click();
    await expect(dialog.getByRole("alert")).toHaveText(say("noDate"));
    await expect(dialog).toBeInViewport({ ratio: 1 });
    await check("the dialog for a date");
    await page.keyboard.press("Escape");
    await page.getByRole("button", { name: say("chatMenu") }).click();
    await menu.getByRole("menuitem", { name: say("notify") }).click();
    await expect(menu.getByRole("menuitemradio")).toHaveText(["notifyAll", "notifyMentions", "notifyNone"].map((key) => say(key)));
    await expect(menu).toBeInViewport({ ratio: 1 });
    await check("the levels of a chat");
    await menu.getByRole("menuitemradio", { name: say("notifyNone") }).click();
    await expect(voice).toContainText(say("notifyDone", { level: say("notifyNone") }));
    await expect.poll(async () => (await helper(server, people[0]).chat(chat)).me.notify).toBe("none");
    await page.context().close();
  }
});
