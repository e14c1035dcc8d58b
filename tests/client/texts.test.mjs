// The texts of the pages: each language has all of them, with the same values and all needed plural forms.

import assert from "node:assert/strict";
import { readFile, readdir } from "node:fs/promises";
import test from "node:test";

import { ago, dayName, direction, language, listOf, loadTexts, locale, t } from "../../web/ui/texts.js";

const LANGUAGES = ["en", "de", "es", "lt"];
const WEB = new URL("../../web/", import.meta.url);

const textsOf = async (name) => (await import(`../../web/texts/${name}.js`)).default.texts;
const values = (text) => [...text.matchAll(/\{(\w+)\}/g)].map(([, name]) => name).sort();

/** Returns all texts by their path: `picker.categories.flags`, `members.one`. */
function flat(texts, path = "") {
  return Object.entries(texts).flatMap(([key, value]) =>
    typeof value === "object" ? flat(value, `${path}${key}.`) : [[path + key, value]],
  );
}
const isPlural = (value) => typeof value === "object" && "other" in value;

test("all languages have the same texts, with the same values", async () => {
  const english = await textsOf("en");
  for (const name of LANGUAGES) {
    const texts = await textsOf(name);
    assert.deepEqual(Object.keys(texts), Object.keys(english), name);
    const categories = new Intl.PluralRules(name).resolvedOptions().pluralCategories;
    for (const [key, value] of Object.entries(texts)) {
      assert.equal(typeof value, typeof english[key], `${name}: ${key}`);
      if (isPlural(value)) {
        const needed = categories.filter((category) => category !== "many" || name === "lt");
        assert.deepEqual(Object.keys(value).sort(), [...needed].sort(), `${name}: ${key}`);
        for (const form of Object.values(value))
          assert.deepEqual(values(form), values(english[key].other), `${name}: ${key}`);
      } else {
        const [own, other] = [flat({ key: value }), flat({ key: english[key] })];
        assert.deepEqual(
          own.map(([path]) => path),
          other.map(([path]) => path),
          `${name}: ${key}`,
        );
        own.forEach(([, text], index) => assert.deepEqual(values(text), values(other[index][1]), `${name}: ${key}`));
      }
    }
  }
});

test("every text that the pages ask for is there, and every one that is there is asked for", async () => {
  const files = [
    ...(await readdir(new URL("ui/", WEB))).map((name) => `ui/${name}`),
    "login.js",
    "messages.js",
    "widgets.js",
  ];
  const code = (await Promise.all(files.map((name) => readFile(new URL(name, WEB), "utf8")))).join("\n");
  const known = Object.keys(await textsOf("en"));
  const asked = [...code.matchAll(/\b(?:t|group)\("(\w+)"/g)].map(([, key]) => key);
  assert.deepEqual(
    asked.filter((key) => !known.includes(key)),
    [],
  );
  const built = (key) => /^status_/.test(key) || /^(leave|deleteChat)(Text|Done)$/.test(key);
  assert.deepEqual(
    known.filter((key) => !asked.includes(key) && !built(key)),
    [],
  );
});

test("the browser's languages choose the texts, and its region the dates", async () => {
  const choices = [
    [["lt-LT", "en"], "lt", "lt-LT"],
    [["fr", "de-AT", "en"], "de", "de-AT"],
    [["en", "lt-LT", "en-GB"], "en", "en-GB"],
    [["fr"], "en", "en"],
    [[], "en", "en"],
  ];
  for (const [wanted, texts, region] of choices) {
    await loadTexts(wanted);
    assert.deepEqual([language, locale, direction], [texts, region, "ltr"]);
  }
  await loadTexts(["lt"]);
  const counted = [1, 2, 10, 21].map((count) => t("unread", { count }));
  assert.deepEqual(counted, [
    "1 neskaityta žinutė",
    "2 neskaitytos žinutės",
    "10 neskaitytų žinučių",
    "21 neskaityta žinutė",
  ]);
});

test("times are said as one says them", async () => {
  await loadTexts(["en-GB"]);
  const now = new Date(2027, 4, 12, 15, 30);
  const at = (...parts) => new Date(...parts).toISOString();
  assert.equal(ago(at(2027, 4, 12, 15, 29, 40), now), "just now");
  assert.match(ago(at(2027, 4, 12, 15, 25), now), /^5 ?m/);
  assert.equal(ago(at(2027, 4, 12, 11, 5), now), "11:05");
  assert.equal(ago(at(2027, 4, 11, 23, 59), now), "yesterday");
  assert.equal(ago(at(2027, 4, 8, 12), now), "Sat");
  assert.equal(ago(at(2027, 1, 3), now), "3 Feb");
  assert.equal(ago(at(2026, 11, 31), now), "31/12/2026");
  assert.equal(dayName(at(2027, 4, 12, 0, 0), now), "Today");
  assert.equal(dayName(at(2027, 4, 11), now), "Yesterday");
  assert.match(dayName(at(2027, 4, 10), now), /^Monday,? 10 May$/);
  assert.match(dayName(at(2026, 11, 24), now), /^Thursday,? 24 December 2026$/);
  assert.equal(listOf(["Ann", "Bob", "Carol"]), "Ann, Bob and Carol");
});
