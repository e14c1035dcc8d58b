// Signing in where the browser does not store the cookie: the page says so, and why.

import test from "node:test";

import { browserOf, expect, isAccessible, serverWith } from "./support.mjs";

const PASSWORD = "correct horse";

/** Fills in the form and submits it. */
async function signsIn(page, name) {
  await page.locator("[name=username]").fill(name);
  await page.locator("[name=password]").fill(PASSWORD);
  await page.locator("[type=submit]").click();
}

/** A server whose public URL has HTTPS, and the plain HTTP address at which it is opened. */
async function secureServer(t) {
  const { server } = await serverWith(t, ["ann"], "--public-url", "https://chat.test");
  // Browsers treat localhost as secure, and no other name.
  return server.url.replace("127.0.0.1", "chat.test");
}

/** Chromium's console message about a page at such an address. */
const UNTRUSTWORTHY = "Cross-Origin-Opener-Policy";

const INSECURE = {
  "en-GB": /opened over an insecure connection/,
  "de-DE": /über eine unsichere Verbindung geöffnet/,
  "es-ES": /con una conexión no segura/,
  "lt-LT": /atvertas nesaugiu ryšiu/,
};

for (const [locale, said] of Object.entries(INSECURE)) {
  test(`a page that was opened over plain HTTP says where it is to be opened: ${locale}`, async (t) => {
    const at = await secureServer(t);
    const page = await (await browserOf(t, at, null, { locale, allows: ["401", UNTRUSTWORTHY] })).newPage();
    await page.goto("/login/?next=%2Fmessages%2F%3Fchat%3D7");
    await signsIn(page, "ann");
    await expect(page.getByRole("alert")).toContainText(said);
    const link = page.getByRole("alert").getByRole("link", { name: "https://chat.test" });
    await expect(link).toHaveAttribute("href", "https://chat.test/login/?next=%2Fmessages%2F%3Fchat%3D7");
    await expect(page.locator("[name=username]")).toHaveValue("ann");
    if (locale === "en-GB") await isAccessible(page, "no cookie was kept");
  });
}

test("a browser that keeps no cookies at all is told so, and signs in once it does", async (t) => {
  const { server } = await serverWith(t, ["ann"]);
  const context = await browserOf(t, server.url, null, { allows: ["401"] });
  const page = await context.newPage();
  const forgets = async (route) => {
    if (route.request().method() !== "POST") return route.continue();
    const response = await route.fetch();
    await context.clearCookies();
    const { "set-cookie": _, ...headers } = response.headers();
    await route.fulfill({ response, headers });
  };
  await context.route("**/login/", forgets);
  await page.goto("/login/");
  await signsIn(page, "ann");
  await expect(page.getByRole("alert")).toContainText(/did not keep the cookie.*Allow cookies for this site/);
  await expect(page.getByRole("alert").getByRole("link")).toHaveCount(0);
  await isAccessible(page, "cookies are blocked");
  await context.unroute("**/login/", forgets);
  await page.locator("[type=submit]").click();
  await expect(page).toHaveURL("/");
});

test("a page without scripts is signed in to, and left for the secure one where that is needed", async (t) => {
  const { server } = await serverWith(t, ["ann"]);
  const page = await (await browserOf(t, server.url, null, { javaScriptEnabled: false })).newPage();
  await page.goto("/login/?next=%2Fhealthz");
  await signsIn(page, "ann");
  await expect(page).toHaveURL("/healthz");
});

test("without scripts, a page that was opened over plain HTTP leads to the secure one", async (t) => {
  const at = await secureServer(t);
  const page = await (await browserOf(t, at, null, { javaScriptEnabled: false, allows: ["ERR_", UNTRUSTWORTHY] })).newPage();
  await page.goto("/login/?next=%2Fhealthz");
  const led = page.waitForRequest((request) => request.url().startsWith("https://chat.test/"));
  await signsIn(page, "ann");
  expect((await led).url()).toBe("https://chat.test/login/?next=%2Fhealthz");
});
