import { createRequire } from "node:module";
import test from "node:test";
import { fileURLToPath } from "node:url";

import { bundled, documented, expect, script, siteWith, visit } from "./host.mjs";
import { helper } from "./support.mjs";

const require = createRequire(fileURLToPath(new URL("../../target/browser/package.json", import.meta.url)));

/** The start of each app. `show()` changes the properties of its component, in the framework's own way. */
const apps = {
  React: () =>
    bundled(
      `import { createRoot } from "react-dom/client";
      import { Discussion } from "./discussion.jsx";
      const root = createRoot(document.querySelector("#app"));
      globalThis.show = (props) => root.render(<Discussion {...props} onUnread={heard} />);`,
      { "discussion.jsx": documented("React", "jsx") },
    ),
  Vue: () =>
    bundled(
      `import { createApp, h, shallowRef } from "vue";
      import Discussion from "./discussion.js";
      const props = shallowRef({});
      createApp({ render: () => h(Discussion, { ...props.value, onUnread: heard }) }).mount("#app");
      globalThis.show = (given) => (props.value = given);`,
      { "discussion.js": vueComponent(documented("Vue", "vue")) },
    ),
  Svelte: () =>
    bundled(
      `import { mount } from "svelte";
      import Discussion from "./discussion.js";
      import { state } from "./state.js";
      const props = state();
      globalThis.show = (given) => {
        for (const name of ["film", "author", "title", "label", "theme"]) props[name] = given[name];
        props.onUnread = heard;
        globalThis.isMounted ??= mount(Discussion, { target: document.querySelector("#app"), props });
      };`,
      {
        "discussion.js": svelteModule(documented("Svelte", "svelte"), "compile"),
        "state.js": svelteModule(
          "export function state() { const props = $state({}); return props; }",
          "compileModule",
        ),
      },
    ),
  Lit: () =>
    bundled(
      `import { Discussion } from "./discussion.js";
      customElements.define("app-discussion", Discussion);
      const app = document.createElement("app-discussion");
      const names = ["film", "author", "title", "label", "theme"];
      globalThis.show = (given) => {
        for (const name of names) app[name] = given[name];
        app.onUnread = heard;
        document.querySelector("#app").append(app);
      };`,
      { "discussion.js": documented("Lit", "js") },
    ),
  Angular: () =>
    bundled(
      `import "@angular/compiler";
      import { bootstrapApplication } from "@angular/platform-browser";
      import { Discussion } from "./discussion.ts";
      const names = ["film", "author", "title", "label", "theme"];
      document.querySelector("#app").append(document.createElement("app-discussion"));
      const app = bootstrapApplication(Discussion);
      globalThis.show = async (given) => {
        const { instance } = (await app).components[0];
        instance.onUnread = heard;
        for (const name of names) instance[name].set(given[name] ?? null);
      };`,
      { "discussion.ts": documented("Angular", "ts") },
    ),
};

function vueComponent(source) {
  const { compileScript, parse } = require("vue/compiler-sfc");
  const { descriptor } = parse(source);
  const isCustomElement = (tag) => tag.startsWith("greenroom-");
  const templateOptions = { compilerOptions: { isCustomElement } };
  return compileScript(descriptor, { id: "discussion", inlineTemplate: true, templateOptions }).content;
}

function svelteModule(source, how) {
  const compiler = require("svelte/compiler");
  return compiler[how](source, { generate: "client", filename: "discussion.svelte.js" }).js.code;
}

for (const [name, build] of Object.entries(apps)) {
  test(`${name}: widgets follow what the app says, and a text stays with the chat it was written for`, async (t) => {
    const app = await build();
    const pages = (server) => ({
      "/": `<!doctype html><title>Host</title><div id="app"></div>
        <script>globalThis.unread = []; globalThis.heard = ({ detail }) => unread.push(detail);</script>
        ${script(server)}<script type="module" src="/app.js"></script>`,
      "/app.js": app,
    });
    const { url, server, people } = await siteWith(t, ["ann", "bob", "carol"], pages);
    const [ann, bob, carol] = people;
    const anns = helper(server, ann);
    const page = await visit(t, url, null, "/");
    const show = (props) => page.evaluate((props) => globalThis.show(props), props);
    const room = page.locator("greenroom-room");
    const dm = page.locator("greenroom-dm");
    const field = room.locator(".room-message-input");

    // Rooms: a text typed in one is not sent to the other.
    const first = { film: "r1", author: bob.id, title: "First film" };
    await show(first);
    await expect(room.getByRole("heading")).toHaveText("First film");
    await room.locator(".join-room-btn").click();
    await field.pressSequentially("For the first");
    await show({ ...first, film: "r2", title: "Second film" });
    await expect(room.getByRole("heading")).toHaveText("Second film");
    await room.locator(".join-room-btn").click();
    await expect(field).toHaveValue("");
    await field.fill("For the second");
    await field.press("Enter");
    await expect(room.locator(".message-item")).toContainText("For the second");
    await show(first);
    await expect(field).toHaveValue("For the first");
    await field.press("Enter");
    await expect(room.locator(".message-item")).toContainText("For the first");
    await expect(room.locator(".message-item")).toContainText("Sent");
    await expect.poll(() => contents(anns, { chat_type: "room" })).toEqual({
      "First film": ["For the first"],
      "Second film": ["For the second"],
    });

    // People: the panel stays open, and shows the other person.
    await dm.locator(".gr-toggle").click();
    await dm.locator("#widget-message-input").pressSequentially("For bob");
    await show({ ...first, author: carol.id });
    await expect(dm.locator(".gr-panel").getByRole("heading")).toHaveText("Carol");
    await expect(dm.locator("#widget-message-input")).toHaveValue("");
    await dm.locator("#widget-message-input").fill("For carol");
    await dm.locator("#widget-message-input").press("Enter");
    await expect(dm.locator(".message-item")).toContainText("Sent");
    await show(first);
    await expect(dm.locator("#widget-message-input")).toHaveValue("For bob");
    await expect.poll(() => contents(anns, { chat_type: "dm" })).toEqual({ Bob: [], Carol: ["For carol"] });
    await dm.getByRole("button", { name: "Close" }).click();

    // Properties: set, changed, removed and set again.
    const scheme = () => room.locator(".gr-widget").evaluate((box) => getComputedStyle(box).colorScheme);
    for (const theme of ["dark", "light", "dark"]) {
      await show({ ...first, theme, label: `Ask about ${theme}`, title: `A film in the ${theme}` });
      await expect.poll(scheme).toBe(theme);
      await expect(dm.locator(".gr-toggle")).toHaveText(`Ask about ${theme}`);
      await expect(room.getByRole("heading")).toHaveText(`A film in the ${theme}`);
      await show({ film: "r1", author: bob.id });
      await expect.poll(scheme).toBe("normal");
      await expect(dm.locator(".gr-toggle")).toHaveText("Write to Bob");
      await expect(room.getByRole("heading")).toHaveText("First film");
    }

    // Events reach the app.
    const [{ id }] = (await anns.chats({ chat_type: "room", search: "First" })).results;
    const bobs = helper(server, bob);
    await bobs.joinChat(id);
    await page.evaluate(() => document.activeElement.blur());
    await bobs.sendMessage(id, { content: "Hello" });
    await expect.poll(() => page.evaluate(() => globalThis.unread)).toContainEqual({ chatId: id, unread: 1 });
    const told = await page.evaluate(() => globalThis.unread);
    if (told.some(({ chatId }) => !chatId)) throw new Error(`told of no chat: ${JSON.stringify(told)}`);
  });
}

/** Returns all messages of a user's chats of one kind, by chat title. */
async function contents(api, query) {
  const all = {};
  for (const { id, title } of (await api.chats(query)).results) {
    all[title] = (await api.messages(id)).results.map(({ content }) => content);
  }
  return all;
}

test("React finds on a page that was rendered by a server what it expects, though the widgets were there first", async (t) => {
  const files = { "room.jsx": documented("React", "jsx", 1) };
  const app = await bundled(
    `import { hydrateRoot } from "react-dom/client";
    import { Room } from "./room.jsx";
    globalThis.problems = [];
    const root = document.querySelector("#app");
    const draw = (film) => <Room film={film} />;
    globalThis.start = () => {
      const onRecoverableError = (error) => problems.push(String(error));
      const react = hydrateRoot(root, draw("r1"), { onRecoverableError });
      globalThis.show = (film) => react.render(draw(film));
    };`,
    files,
  );
  const rendered = '<greenroom-room token-url="/chat-token" object-type="film" object-id="r1"></greenroom-room>';
  const pages = (server) => ({
    "/": `<!doctype html><title>Host</title><div id="app">${rendered}</div>
      ${script(server)}<script type="module" src="/app.js"></script>`,
    "/app.js": app,
  });
  const { url, server, people } = await siteWith(t, ["ann"], pages);
  const page = await visit(t, url, null, "/");
  await page.locator(".join-room-btn").click();
  await page.locator(".room-message-input").fill("Half a sen");
  await page.evaluate(() => globalThis.start());
  await page.evaluate(() => new Promise((resolve) => setTimeout(resolve)));
  await page.evaluate(() => globalThis.show("r1"));
  await page.evaluate(() => globalThis.show("r2"));
  await page.locator(".join-room-btn").click();
  await page.locator(".room-message-input").fill("Whole");
  await page.locator(".room-message-input").press("Enter");
  await expect(page.locator(".message-item")).toContainText("Sent");
  expect(await page.evaluate(() => globalThis.problems)).toEqual([]);
  const rooms = (await helper(server, people[0]).rooms({ object_type: "film", object_id: "r2" })).results;
  expect(rooms).toHaveLength(1);
});
