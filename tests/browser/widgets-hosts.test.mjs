import test from "node:test";

import { documented, expect, packaged, script, siteWith, visit } from "./host.mjs";
import { browserOf, helper } from "./support.mjs";

const ROOM = '<greenroom-room token-url="/chat-token" object-type="film" object-id="1" title="Films"></greenroom-room>';
const DM = '<greenroom-dm user="2"></greenroom-dm>';
const INBOX = "<greenroom-inbox></greenroom-inbox>";

/** A page of another site. Ann is in its room, which has two messages. */
async function filmSite(t, { body = ROOM + DM + INBOX, head = "", html = "", headers = {}, pages = {}, nonce = "" } = {}) {
  const attributes = nonce && `nonce="${nonce}"`;
  const all = (server) => ({
    "/": () => `<!doctype html><html ${html}><head><title>Host</title>${head}</head><body>
      ${typeof body === "function" ? body(server) : body}${script(server, attributes)}</body></html>`,
    ...pages,
  });
  const site = {};
  const later = Object.fromEntries(Object.entries(headers).map(([name, of]) => [name, () => of(site.server)]));
  const made = await siteWith(t, ["ann", "bob", "carol"], all, later);
  site.server = made.server;
  const [anns, bobs] = made.people.map((user) => helper(made.server, user));
  const fields = { chat_type: "room", title: "Room of the film", object_type: "film", object_id: "1" };
  const { id } = await anns.createChat(fields);
  for (const api of [anns, bobs]) {
    await api.joinChat(id);
    await api.sendMessage(id, { content: "A first message, of some length" });
  }
  return { ...made, id, anns, bobs };
}

// Looks

/** The compared style properties. Widths and heights follow from these and from the fonts. */
const LOOKS = [
  "display", "position", "color", "backgroundColor", "fontFamily", "fontSize", "fontWeight", "fontStyle", "lineHeight",
  "letterSpacing", "textTransform", "textAlign", "textDecorationLine", "verticalAlign", "opacity", "marginTop", "marginBottom",
  "paddingTop", "paddingLeft", "borderTopWidth", "borderTopStyle", "borderTopColor", "borderTopLeftRadius", "boxSizing",
  "boxShadow", "listStyleType", "cursor", "minHeight", "minWidth", "fill", "stroke", "strokeWidth", "transform", "float", "zoom",
];

/** Returns the styles of all elements of the widgets, with their ::before and ::after. */
const looks = (page) =>
  page.evaluate((names) => {
    const ofSvg = ["display", "fill", "stroke", "strokeWidth", "opacity", "transform"];
    const of = (element, pseudo) => {
      const style = getComputedStyle(element, pseudo);
      if (pseudo && style.content === "none") return "none";
      return (element.matches("svg *") ? ofSvg : names).map((name) => `${name}: ${style[name]}`);
    };
    const elements = [...document.querySelectorAll(".greenroom, .greenroom *")];
    return elements.map((element) => {
      const name = `${element.localName}.${element.getAttribute("class")}`;
      return [name, ...of(element), `before ${of(element, "::before")}`, `after ${of(element, "::after")}`];
    });
  }, LOOKS);

/** Opens all widgets, and a menu. */
async function opened(page) {
  await expect(page.locator("greenroom-room .message-item")).toHaveCount(2);
  await page.locator("greenroom-inbox .gr-toggle").click();
  await expect(page.locator("greenroom-inbox .chat-item")).toHaveCount(1);
  await page.evaluate(() => document.activeElement.blur());
  await page.mouse.move(0, 0);
}

const sheets = {
  "Tailwind's reset": packaged("tailwindcss/index.css"),
  Bootstrap: packaged("bootstrap/dist/css/bootstrap.css"),
  "an old reset": `
    html, body, div, span, h1, h2, h3, p, a, em, img, strong, i, ul, li, form, label, article, section, header, footer, time, mark
      { margin: 0; padding: 0; border: 0; font-size: 100%; font: inherit; vertical-align: baseline }
    ol, ul { list-style: none } article, section, header { display: block } * { all: revert }`,
  "styles for bare elements": `
    * { letter-spacing: 2px; text-transform: uppercase } *::before, *::after { content: "·"; color: red }
    button, input, textarea, select { background: navy; color: white; border: 3px solid red; border-radius: 0; padding: 20px; min-width: 120px;
      text-transform: uppercase; box-shadow: 0 0 9px red; float: left; width: 100% }
    button:hover, a:hover { transform: scale(1.2) } form { display: grid; gap: 40px } section { padding: 60px } header { position: sticky }
    svg { display: block; fill: red; vertical-align: middle } path, circle { fill: red; stroke: blue; stroke-width: 5; transform: rotate(9deg) }
    svg path { opacity: .3 } p { margin: 3em; line-height: 3 } h2 { font-size: 60px; color: red } a { color: red } time { display: block }
    ul > li { float: left } .card span, main div { display: inline; color: red } textarea { height: 300px } ol, ul, li { list-style: disc }`,
};

for (const [name, sheet] of Object.entries(sheets)) {
  test(`widgets look the same on a page with ${name}`, async (t) => {
    const body = `<main class="card">${ROOM}${DM}${INBOX}</main>`;
    const head = '<meta name="color-scheme" content="light"><style>body { margin: 0 !important }</style><link id="sheet" rel="stylesheet" href="/host.css">';
    const { url } = await filmSite(t, { body, head, pages: { "/host.css": sheet } });
    const page = await visit(t, url, null, "/", { reducedMotion: "reduce" });
    await opened(page);
    const styled = await looks(page);
    await page.evaluate(() => document.querySelector("#sheet").remove());
    const plain = await looks(page);
    expect(plain.length).toBeGreaterThan(80);
    expect(styled).toEqual(plain);
  });
}

test("on a page in a language that there is not, the texts bear their own language and direction", async (t) => {
  const { url } = await filmSite(t, { html: 'lang="ar" dir="rtl"' });
  const page = await visit(t, url, null, "/");
  for (const box of await page.locator(".gr-widget").all()) {
    await expect(box).toHaveAttribute("lang", "en");
    await expect(box).toHaveAttribute("dir", "ltr");
  }
  await expect(page.locator("greenroom-inbox .gr-toggle")).toContainText("Messages");
  await page.evaluate(() => (document.documentElement.lang = "de-AT"));
  await expect(page.locator("greenroom-inbox .gr-toggle")).toContainText("Nachrichten");
  await expect(page.locator("greenroom-inbox .gr-widget")).toHaveAttribute("lang", "de");
  // A widget's `lang` takes precedence, for all widgets.
  await page.locator("greenroom-dm").evaluate((dm) => (dm.lang = "es"));
  await expect(page.locator("greenroom-inbox .gr-toggle")).toContainText("Mensajes");
});

test("the widget's own title counts more than the room's, whatever else is set", async (t) => {
  const { url } = await filmSite(t, { body: ROOM });
  const page = await visit(t, url, null, "/");
  const room = page.locator("greenroom-room");
  const heading = room.getByRole("heading");
  await expect(room.locator(".message-item")).toHaveCount(2);
  await expect(heading).toHaveText("Films");
  await expect(room).toHaveAttribute("title", "Films");
  await expect(room.locator(".gr-widget")).toHaveAttribute("title", "");
  await room.evaluate((room) => room.setAttribute("label", "Talk about it"));
  await expect(heading).toHaveText("Talk about it");
  await room.evaluate((room) => room.removeAttribute("label"));
  await expect(heading).toHaveText("Films");
  await room.evaluate((room) => room.removeAttribute("title"));
  await expect(heading).toHaveText("Room of the film");
});

// Elements around a widget

test("Escape closes what is open in a widget, and not the dialog that it is in", async (t) => {
  const body = `<dialog id="modal">${DM}${ROOM}</dialog>
    <script>
      globalThis.escapes = 0;
      modal.addEventListener("keydown", ({ key }) => key === "Escape" && escapes++);
      modal.showModal();
    </script>`;
  const { url } = await filmSite(t, { body });
  const page = await visit(t, url, null, "/");
  const modal = page.locator("#modal");
  const panel = page.locator("#fixed-chat-widget");
  await page.locator("#chat-toggle-btn").click();
  await page.locator("#widget-message-input").fill("Half");
  await page.keyboard.press("Escape");
  await expect(panel).toHaveCount(0);
  await expect(modal).toBeVisible();
  // Menus, the emoji picker, and questions.
  const row = page.locator("greenroom-room .message-item").first();
  await row.hover();
  await row.locator("[aria-haspopup=menu]").click();
  await expect(page.locator("[role=menu]")).toBeVisible();
  await page.keyboard.press("Escape");
  await expect(page.locator("[role=menu]")).toHaveCount(0);
  await page.locator("greenroom-room .gr-composer").getByRole("button", { name: "emoji" }).click();
  await expect(page.locator("emoji-picker").getByRole("menuitem").first()).toBeVisible();
  await page.keyboard.press("Escape");
  await expect(page.locator("emoji-picker")).toHaveCount(0);
  await expect(modal).toBeVisible();
  expect(await page.evaluate(() => globalThis.escapes)).toBe(0);
  // Other dialogs close as usual.
  await page.locator("#chat-toggle-btn").focus();
  await page.keyboard.press("Escape");
  await expect(modal).toBeHidden();
});

test("a form or a label around a widget hears nothing of what is done in it", async (t) => {
  const body = `<form id="form" action="/elsewhere"><input name="field"><label>${DM}</label>${ROOM}</form>
    <script>
      globalThis.submitted = 0;
      form.addEventListener("submit", (event) => (event.preventDefault(), submitted++));
    </script>`;
  const { url } = await filmSite(t, { body });
  const page = await visit(t, url, null, "/");
  await page.locator(".room-message-input").fill("By the key");
  await page.locator(".room-message-input").press("Enter");
  await page.locator(".room-message-input").fill("By the button");
  await page.locator("greenroom-room .gr-send").click();
  await expect(page.locator("greenroom-room .message-item")).toHaveCount(4);
  await page.locator("#chat-toggle-btn").click();
  const panel = page.locator("#fixed-chat-widget");
  await panel.getByRole("heading").click();
  await expect(panel).toBeVisible();
  await page.locator("#widget-message-input").fill("Hello");
  await page.locator("#widget-message-input").press("Enter");
  await expect(panel.locator(".message-item")).toContainText("Sent");
  expect(await page.evaluate(() => globalThis.submitted)).toBe(0);
  expect(await page.evaluate(() => [...new FormData(document.querySelector("#form")).keys()])).toEqual(["field"]);
});

test("a room that is not shown at first is at its end once it is", async (t) => {
  const body = `<details>${ROOM}</details><div style="display: contents">${DM}</div>`;
  const { url, id, anns } = await filmSite(t, { body });
  for (let count = 1; count < 40; count++) await anns.sendMessage(id, { content: `Message ${count}` });
  await anns.markAsRead(id, (await anns.sendMessage(id, { content: "Message 40." })).id);
  const page = await visit(t, url, null, "/");
  await expect(page.locator(".room-message-list")).toBeAttached();
  await page.locator("details").evaluate((details) => (details.open = true));
  await expect(page.locator(".message-item", { hasText: "Message 40." })).toBeInViewport();
});

// Content-Security-Policies

const policy = (server, more) => `default-src 'none'; script-src 'nonce-abc123'; style-src 'nonce-abc123';
  connect-src 'self' ${server.url} ${server.url.replace("http", "ws")}; img-src ${server.url}; ${more}`.replaceAll("\n", " ");

for (const [name, more, initial] of [
  ["nonces alone", "", () => {}],
  ["nonces and Trusted Types", "require-trusted-types-for 'script'; trusted-types 'none'", () => {}],
  [
    "nonces, in a frame without storage",
    "",
    () => {
      const closed = { get: () => { throw new DOMException("Access is denied for this document.", "SecurityError"); } };
      for (const storage of ["localStorage", "sessionStorage"]) Object.defineProperty(globalThis, storage, closed);
      IDBFactory.prototype.open = closed.get;
      IDBFactory.prototype.databases = () => Promise.reject(new DOMException("Denied.", "SecurityError"));
    },
  ],
]) {
  test(`a Content-Security-Policy with ${name}: styles, messages and emoji are there`, async (t) => {
    const headers = { "Content-Security-Policy": (server) => policy(server, more) };
    const { url } = await filmSite(t, { body: ROOM, headers, nonce: "abc123" });
    const context = await browserOf(t, url);
    await context.addInitScript(initial);
    const page = await context.newPage();
    await page.goto("/");
    const field = page.locator(".room-message-input");
    await field.fill("Allowed ");
    await page.locator("greenroom-room .gr-composer").getByRole("button", { name: "emoji" }).click();
    const picker = page.locator("emoji-picker");
    await expect(picker.getByRole("menuitem", { name: "grinning face" }).first()).toBeVisible();
    await picker.getByRole("combobox").fill("red hea");
    await picker.getByRole("option", { name: "red heart" }).first().click();
    // The picker looks the emoji up in its database first.
    await expect(field).toHaveValue("Allowed ❤️");
    await field.press("Enter");
    const row = page.locator(".message-item").last();
    await expect(row).toContainText("Allowed ❤️");
    await expect(row).toContainText("Sent");
    expect(await page.locator(".gr-send").evaluate((button) => getComputedStyle(button).borderRadius)).not.toBe("0px");
  });
}

test("a page that has an emoji picker of its own keeps it, and widgets have theirs", async (t) => {
  const body = `${ROOM}<script>customElements.define("emoji-picker", class extends HTMLElement {});</script>`;
  const { url } = await filmSite(t, { body });
  const page = await visit(t, url, null, "/");
  await page.locator("greenroom-room .gr-composer").getByRole("button", { name: "emoji" }).click();
  await expect(page.locator("greenroom-emoji-picker").getByRole("menuitem").first()).toBeVisible();
});

// Users

test("the script of the docs gets its token where the docs' server gives it", async (t) => {
  const example = documented("Authentication", "html", 1);
  const body = (server) => `
    <greenroom-room object-type="film" object-id="1"></greenroom-room>
    ${example.replaceAll("https://chat.example.com", server.url)}`;
  const { url, site } = await filmSite(t, { body });
  const page = await visit(t, url, null, "/", { allows: ["401"] });
  await page.locator(".room-message-input").fill("With the docs' script");
  await page.locator(".room-message-input").press("Enter");
  await expect(page.locator(".message-item").last()).toContainText("Sent");
  site.user = null;
  await page.reload();
  const link = page.getByRole("link", { name: "Sign in to write" });
  expect(new URL(await link.getAttribute("href")).pathname).toBe("/sign-in");
});
