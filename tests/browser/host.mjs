// Other sites with widgets, for tests: plain pages, and apps of frameworks. The apps' code is taken from docs/WIDGETS.md.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import http from "node:http";
import { createRequire } from "node:module";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";

import { expect, helper, serverWith, visit } from "./support.mjs";

const require = createRequire(fileURLToPath(new URL("../../target/browser/package.json", import.meta.url)));
const MODULES = dirname(require.resolve("playwright/package.json")).replace(/playwright$/, "");

/** Returns the path of a file of a package. */
export const packaged = (path) => readFileSync(MODULES + path, "utf8");

const TYPES = { js: "text/javascript", css: "text/css", json: "application/json" };

/**
 * Starts another site. `pages` maps paths to answers: a text, or a function of the request that returns a text or
 * `{status, body}`. All answers have `headers`, whose values are texts or functions. Paths without an extension are HTML.
 */
export async function hostSite(t, { pages, headers = {} }) {
  const requests = [];
  const host = http.createServer(async (request, response) => {
    const { pathname } = new URL(request.url, "http://host");
    requests.push(pathname);
    const page = pathname === "/favicon.ico" ? { status: 204, body: "" } : pages[pathname];
    const answer = typeof page === "function" ? await page(request) : page;
    const { status = answer === undefined ? 404 : 200, body = answer ?? "" } = typeof answer === "object" ? answer : {};
    const type = TYPES[pathname.split(".")[1]] ?? (body.startsWith?.("{") ? TYPES.json : "text/html");
    const also = Object.entries(headers).map(([name, value]) => [name, typeof value === "function" ? value() : value]);
    response.writeHead(status, { "Content-Type": `${type}; charset=utf-8`, ...Object.fromEntries(also) });
    response.end(body);
  });
  await new Promise((resolve) => host.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    host.closeAllConnections();
    host.close();
  });
  const asked = (path) => requests.filter((requested) => requested === path).length;
  return { url: `http://localhost:${host.address().port}`, asked };
}

/**
 * Starts a server with people, and another site on which the first of them is signed in while `site.user` is set.
 * `pages` is called with the server.
 */
export async function siteWith(t, names, pages, headers = {}) {
  const site = { user: null, server: null, people: [] };
  const token = async () => {
    if (!site.user) return { status: 401, body: "" };
    return JSON.stringify({ key: (await helper(site.server, site.root).createToken(site.user.id, {})).key });
  };
  const later = (name) => async (request) => {
    const page = pages(site.server)[name];
    return typeof page === "function" ? page(request) : page;
  };
  const paths = Object.keys(pages({ url: "" }));
  const host = await hostSite(t, {
    pages: { "/chat-token": token, ...Object.fromEntries(paths.map((path) => [path, later(path)])) },
    headers,
  });
  const { server, people } = await serverWith(t, names, "--allowed-origins", host.url);
  Object.assign(site, { server, people, user: people[0], root: await server.user("root", "--staff") });
  return { ...host, site, server, people };
}

/** The script tag of the widgets. */
export const script = (server, attributes = "") =>
  `<script type="module" ${attributes} src="${server.url}/messages/widgets.js"></script>`;

/** Bundles an app of a framework. `main` is the module that starts it, `files` are its imports by name. */
export async function bundled(main, files = {}, plugins = []) {
  const { build } = require("esbuild");
  const virtual = {
    name: "virtual",
    setup(build) {
      build.onResolve({ filter: /^\.\// }, ({ path }) => {
        const name = path.slice(2);
        return name in files ? { path: name, namespace: "app" } : undefined;
      });
      build.onLoad({ filter: /.*/, namespace: "app" }, ({ path }) => ({
        contents: files[path],
        loader: /** @type {any} */ (path.split(".").pop()),
        resolveDir: MODULES,
      }));
    },
  };
  const { outputFiles } = await build({
    stdin: { contents: main, resolveDir: MODULES, loader: "tsx" },
    bundle: true,
    write: false,
    format: "esm",
    jsx: "automatic",
    conditions: ["browser"],
    define: { "process.env.NODE_ENV": '"production"', __VUE_OPTIONS_API__: "true", __VUE_PROD_DEVTOOLS__: "false", __VUE_PROD_HYDRATION_MISMATCH_DETAILS__: "true" },
    tsconfigRaw: { compilerOptions: { experimentalDecorators: true, useDefineForClassFields: false } },
    plugins: [...plugins, virtual],
    logLevel: "silent",
  });
  return outputFiles[0].text;
}

const GUIDE = readFileSync(new URL("../../docs/WIDGETS.md", import.meta.url), "utf8");

/** Returns a code block of the docs: one in a language, below a heading. */
export function documented(heading, language, place = 0) {
  const [, section] = GUIDE.split(new RegExp(`^#+ ${heading}$`, "m"));
  assert.ok(section, `there is a section ${heading}`);
  const blocks = [...section.split(/^#+ /m)[0].matchAll(new RegExp("```" + language + "\\n([^]*?)```", "g"))];
  assert.ok(blocks[place], `${heading} has an example in ${language}`);
  return blocks[place][1];
}

export { expect, visit };
