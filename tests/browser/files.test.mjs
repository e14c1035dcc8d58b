import assert from "node:assert/strict";
import test from "node:test";

import { NARROW, expect, helper, isAccessible, message, onBoth, png, serverWith, visit } from "./support.mjs";

const picture = (name, colour = [40, 140, 90], [width, height] = [640, 400]) => ({ name, mimeType: "image/png", buffer: png(width, height, colour) });
const text = (name, content = "Minutes of the meeting") => ({ name, mimeType: "text/plain", buffer: Buffer.from(content) });

async function annAndBob(t, options = {}, ...args) {
  const { server, people } = await serverWith(t, ["ann", "bob"], ...args);
  const [ann, bob] = people;
  const chat = await helper(server, ann).createChat({ chat_type: "group", title: "Team", member_ids: [bob.id] });
  const [anns, bobs] = [await visit(t, server.url, ann, `/?chat=${chat.id}`, options), await visit(t, server.url, bob, `/?chat=${chat.id}`, options)];
  return { server, ann, bob, anns, bobs, chat };
}

const attaches = (page, files, place = ".gr-conversation") => page.locator(`${place} .file-input`).first().setInputFiles(files);
const pending = (page) => page.locator(".gr-pending-file");
const sendButton = (page) => page.getByRole("button", { name: "Send", exact: true });

/** Expects that a picture has been loaded and is in view. */
async function isShown(image) {
  await expect(image).toBeInViewport();
  await expect.poll(() => image.evaluate((element) => element.complete && element.naturalWidth > 0)).toBe(true);
}

onBoth("pictures and files are sent, seen, opened and found", async (t, how) => {
  const { anns, bobs } = await annAndBob(t, how);
  await attaches(anns, [picture("meadow.png"), picture("sea.png", [20, 80, 160], [300, 600]), text("minutes.txt")]);
  await expect(pending(anns)).toHaveCount(3);
  await anns.getByLabel("Description of meadow.png").fill("A green meadow");
  await anns.locator("#message-input").fill("Yesterday");
  await expect(sendButton(anns)).toBeEnabled();
  await anns.locator("#message-input").press("Control+Enter");
  await expect(pending(anns)).toHaveCount(0);
  for (const page of [anns, bobs]) {
    await expect(message(page, "Yesterday")).toBeInViewport();
    await isShown(page.getByRole("img", { name: "A green meadow" }));
    await isShown(page.getByRole("img", { name: "sea.png" }));
    await expect(page.getByRole("button", { name: /Download: minutes\.txt/ })).toBeInViewport();
  }
  // The gallery: by keys.
  await bobs.getByRole("button", { name: "Show A green meadow" }).click();
  const gallery = bobs.getByRole("dialog", { name: "A green meadow" });
  await isShown(gallery.getByRole("img"));
  await expect(gallery.getByText("1 of 2")).toBeVisible();
  await bobs.keyboard.press("ArrowRight");
  const other = bobs.getByRole("dialog", { name: "sea.png" });
  await isShown(other.getByRole("img"));
  await expect(other.getByText("2 of 2")).toBeVisible();
  await bobs.keyboard.press("Escape");
  await expect(other).toHaveCount(0);
  // The file itself.
  const [download] = await Promise.all([bobs.waitForEvent("download"), bobs.getByRole("button", { name: /Download: minutes\.txt/ }).click()]);
  assert.equal(download.suggestedFilename(), "minutes.txt");
  const chunks = [];
  for await (const chunk of await download.createReadStream()) chunks.push(chunk);
  assert.equal(Buffer.concat(chunks).toString(), "Minutes of the meeting");
  // All files of the chat.
  await bobs.locator("#chat-menu-btn").click();
  await bobs.locator("#chat-files-btn").click();
  const files = bobs.getByRole("dialog", { name: "Files" });
  await expect(files.getByRole("listitem")).toHaveCount(3);
  await isShown(files.getByRole("img", { name: "A green meadow" }));
  await files.locator(".show-message-btn").first().click();
  await expect(files).toHaveCount(0);
  await expect(message(bobs, "Yesterday")).toBeInViewport();
});

test("files are pasted and dropped, removed and cancelled, and sent without a text", async (t) => {
  const { anns, bobs } = await annAndBob(t);
  const transfer = (name) =>
    anns.evaluateHandle((name) => {
      const data = new DataTransfer();
      data.items.add(new File(["Notes"], name, { type: "text/plain" }));
      return data;
    }, name);
  await expect(anns.locator(".attach-btn")).toBeVisible();
  await anns.locator("#message-input").evaluate((field, clipboardData) => field.dispatchEvent(new ClipboardEvent("paste", { clipboardData, bubbles: true, cancelable: true })), await transfer("pasted.txt"));
  await expect(pending(anns)).toHaveText([/pasted\.txt/]);
  const list = anns.locator("#message-list");
  const dropped = await transfer("dropped.txt");
  await list.dispatchEvent("dragover", { dataTransfer: dropped });
  await expect(anns.getByText("Drop files here to send them")).toBeVisible();
  await list.dispatchEvent("drop", { dataTransfer: dropped });
  await expect(anns.getByText("Drop files here to send them")).toHaveCount(0);
  await expect(pending(anns)).toHaveText([/pasted\.txt/, /dropped\.txt/]);
  await anns.getByRole("button", { name: "Remove pasted.txt" }).click();
  await expect(pending(anns)).toHaveText([/dropped\.txt/]);
  await sendButton(anns).click();
  for (const page of [anns, bobs]) await expect(page.getByRole("button", { name: /Download: dropped\.txt/ })).toBeInViewport();
  await expect(bobs.locator("#chat-list .chat-item")).toContainText("dropped.txt");
});

test("an upload that broke off goes on by itself, and is sent once", async (t) => {
  const { anns, bobs } = await annAndBob(t, { allows: ["ERR_"] });
  let broken = 0;
  await anns.route(/\/messages\/uploads\//, (route) => (broken++ < 2 ? route.abort("connectionreset") : route.continue()));
  await attaches(anns, [text("report.txt")]);
  await expect(anns.getByRole("progressbar", { name: "Uploading report.txt" })).toBeVisible();
  await expect(sendButton(anns)).toBeDisabled();
  await expect(sendButton(anns)).toBeEnabled();
  assert.equal(broken, 3);
  await sendButton(anns).click();
  await expect(bobs.getByRole("button", { name: /Download: report\.txt/ })).toHaveCount(1);
});

test("what cannot be sent is said", async (t) => {
  const { anns } = await annAndBob(t, { allows: ["413", "403"] }, "--file-max-bytes", "1000", "--quota-user-bytes", "1200");
  await attaches(anns, [text("large.txt", "x".repeat(1001))]);
  await expect(anns.getByText("Files may be up to 1 kB.")).toBeVisible();
  await attaches(anns, [text("empty.txt", "")]);
  await expect(anns.getByText("An empty file cannot be sent.")).toBeVisible();
  await attaches(anns, [text("one.txt", "x".repeat(900)), text("two.txt", "x".repeat(900))]);
  const refused = pending(anns).filter({ hasText: "There is no more space for files." });
  await expect(refused).toHaveCount(1);
  await expect(sendButton(anns)).toBeDisabled();
  await refused.getByRole("button", { name: /^Remove/ }).click();
  await expect(sendButton(anns)).toBeEnabled();
});

test("files have no accessibility problems, at any width", async (t) => {
  const { anns, bobs } = await annAndBob(t);
  await attaches(anns, [picture("meadow.png"), text("minutes.txt")]);
  await expect(sendButton(anns)).toBeEnabled();
  for (const viewport of [{ width: 1280, height: 800 }, NARROW, { width: 320, height: 640 }]) {
    await anns.setViewportSize(viewport);
    await isAccessible(anns, `pending files at ${viewport.width}`);
    const field = await anns.locator(".gr-composer").boundingBox();
    assert.ok(field.x >= 0 && field.x + field.width <= viewport.width, `the composer is in view at ${viewport.width}`);
  }
  await sendButton(anns).click();
  await isShown(bobs.getByRole("img", { name: "meadow.png" }));
  for (const viewport of [{ width: 1280, height: 800 }, NARROW, { width: 320, height: 640 }]) {
    await bobs.setViewportSize(viewport);
    await isAccessible(bobs, `files at ${viewport.width}`);
    await bobs.getByRole("button", { name: "Show meadow.png" }).click();
    await isAccessible(bobs, `the gallery at ${viewport.width}`);
    await bobs.keyboard.press("Escape");
  }
});
