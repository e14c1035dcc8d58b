import assert from "node:assert/strict";
import { createServer } from "node:http";

import { NARROW, expect, fits, helper, isAccessible, message, onBoth, png, serverWith, visit } from "./support.mjs";

/** Starts a host with a page that has a picture, and one without. */
async function host(t) {
  const pages = {
    "/article": ["text/html", `<title>A walk along the coast</title><meta property="og:description" content="Twelve miles of cliffs, and a pub at the end."><meta property="og:site_name" content="The Ramblers"><meta property="og:image" content="/coast.png"><meta property="og:image:width" content="1200"><meta property="og:image:height" content="630">`],
    "/plain": ["text/html", "<title>Opening hours</title>"],
    "/coast.png": ["image/png", png(1200, 630, [70, 130, 170])],
  };
  const listener = createServer((request, response) => {
    const [type, body] = pages[request.url] ?? ["text/plain", ""];
    response.writeHead(body ? 200 : 404, { "Content-Type": type }).end(body);
  });
  await new Promise((resolve) => listener.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    listener.close();
    listener.closeAllConnections();
  });
  return `http://127.0.0.1:${listener.address().port}`;
}

onBoth("links get previews, which their sender removes", async (t, how) => {
  const place = await host(t);
  const { server, people } = await serverWith(t, ["ann", "bob"], "--link-previews", "on", "--preview-allow", "127.0.0.1/32");
  const [ann, bob] = people;
  const chat = await helper(server, ann).createChat({ chat_type: "group", title: "Team", member_ids: [bob.id] });
  const anns = await visit(t, server.url, ann, `/?chat=${chat.id}`, how);
  const bobs = await visit(t, server.url, bob, `/?chat=${chat.id}`, { ...how, viewport: NARROW });
  await anns.locator("#message-input").fill(`Sunday? ${place}/article and ${place}/plain`);
  await anns.locator("#message-input").press("Control+Enter");
  for (const page of [anns, bobs]) {
    const card = page.getByRole("link", { name: /A walk along the coast/ });
    await expect(card).toBeInViewport();
    await expect(card).toHaveAttribute("href", `${place}/article`);
    await expect(card).toHaveAttribute("rel", /noopener/);
    const image = card.locator("img");
    await expect.poll(() => image.evaluate((element) => element.complete && element.naturalWidth)).toBe(1200);
    assert.ok((await image.getAttribute("src")).startsWith(`${server.url}/messages/previews/`));
    await expect(page.getByRole("link", { name: /Opening hours/ })).toBeVisible();
    await isAccessible(page, "a message with previews");
  }
  await fits(bobs, "a message with previews");
  await expect(bobs.getByRole("button", { name: /Remove the preview/ })).toHaveCount(0);
  await message(anns, "Sunday?").hover();
  await anns.getByRole("button", { name: "Remove the preview of A walk along the coast" }).click();
  for (const page of [anns, bobs]) {
    await expect(page.getByRole("link", { name: /A walk along the coast/ })).toHaveCount(0);
    await expect(page.getByRole("link", { name: /Opening hours/ })).toBeVisible();
  }
});
