// The time to process a text is proportional to its length, whatever it contains.

import assert from "node:assert/strict";
import test from "node:test";

import { titleOf } from "../../web/ui/people.js";
import { BreakableText, excerpt, isAddress, isEmoji, marked, oneLine, parts } from "../../web/ui/text.js";
import { loadTexts, t } from "../../web/ui/texts.js";

const LENGTH = 5_000;
const filled = (beginning, ...pieces) => {
  const size = Math.floor((LENGTH - beginning.length) / pieces.length);
  return beginning + pieces.map((piece) => piece.repeat(Math.ceil(size / piece.length)).slice(0, size)).join("");
};

const HOSTILE = [
  filled("https://x/", ".", ")"),
  filled("https://x/", ")", "."),
  filled("https://x/", ".)"),
  filled("https://x/", "(", ")"),
  filled("https://x/", "("),
  filled("https://x/", "()."),
  filled("https://x/", "…!?,:;", "x"),
  filled("", "https://x/) "),
  filled("", "https://"),
  filled("", "http"),
  filled("", "https://x/."),
  filled("", " "),
  filled("", "\n"),
  filled("", "😀\u{200d}"),
  filled("", "#️⃣"),
  filled("", "e\u0301"),
  filled("https://", "ü"),
  filled("https://", "e\u0301\u0316"),
  filled("https://", "@"),
  filled("https://", "%41"),
  filled("https://x/", "a/", "../"),
  `https://${Array.from({ length: 4_900 }, (_, index) => String.fromCodePoint(0x4e00 + index)).join("")}`,
  filled("e", "\u0301\u0316"),
  filled("", "🇩"),
  filled("", "<"),
  filled("", "&"),
  filled("", "&amp;"),
  filled("", "<b>"),
  filled("", "a"),
  filled("", "ﷺ"),
  filled("", "\u202e"),
  filled("", "\ud83d"),
  filled("", "{text}"),
  filled("", "$&"),
  filled("", " ", "x"),
  filled("", "\t \n"),
  filled("", "a ", "b"),
  filled("", "(a|"),
  filled("", "\\"),
  filled("", "🦰"),
];

/** Emoji that are parts of other emoji, then a letter: short, and not an emoji only because of its end. */
const NEARLY_EMOJI = [`${"🦰".repeat(11)}a`, `${" ".repeat(23)}a`, `${"1".repeat(23)}a`, `${"😀\u{200d}".repeat(7)}a`];

/** Ranges of hits: the most that the server returns, and nearly everywhere. */
const ranges = (text) => {
  const length = [...text].length;
  return Array.from({ length: 100 }, (_, index) => [Math.floor((index * length) / 100), Math.floor((index * length) / 100) + 1]);
};
const NAME = filled("", "Some words of a plain text. ").slice(0, 300);

/** All functions that process texts of other users, or search words. */
const WALKS = {
  links: parts,
  "what is drawn": (text) => BreakableText({ text }),
  "an address": isAddress,
  emoji: isEmoji,
  "a preview": oneLine,
  "an excerpt": (text) => excerpt(text, ranges(text), 30),
  "an excerpt from its end": (text) => excerpt(text, [[[...text].length - 1, [...text].length]], 30),
  "the words looked for": (text) => marked(NAME, text),
  "a name": (text) => marked(text, "some words of a plain text"),
  "a name by itself": (text) => marked(text.slice(0, 300), text.slice(0, 300)),
  "a preview in a sentence": (text) => t("said", { name: text, text }),
  "a title": (text) => titleOf({ chat_type: "group", member_count: 1, title: text }, { display_name: text }),
};

/** Returns the fastest of several runs, in milliseconds: other load on the machine only adds time. */
function quickest(walk) {
  const times = Array.from({ length: 5 }, () => {
    const begun = performance.now();
    for (let turn = 0; turn < 20; turn += 1) walk();
    return performance.now() - begun;
  });
  return Math.min(...times);
}

test("no text takes much longer to be walked through than a plain one", async () => {
  await loadTexts(["en"]);
  const plain = filled("", "Some words of a plain text. ");
  for (const [name, walk] of Object.entries(WALKS)) {
    const usual = Math.max(quickest(() => walk(plain)), 1);
    for (const text of [...HOSTILE, ...NEARLY_EMOJI]) {
      const ratio = quickest(() => walk(text)) / usual;
      assert.ok(ratio < 250, `${name} of ${JSON.stringify(text.slice(0, 30))}: ${ratio.toFixed(1)} times as long`);
    }
  }
});

test("a text is shown from near the first of what was found, and that is marked", () => {
  assert.deepEqual(excerpt("abc", [], 30), ["abc"]);
  assert.deepEqual(excerpt("😀bcd", [[1, 2], [3, 4]], 30), ["😀", "b", "c", "d", ""]);
  assert.deepEqual(excerpt("abcdef", [[4, 5]], 2), ["…cd", "e", "f"]);
  assert.deepEqual(marked("Ann Lee (a.b)", "LEE a.b ( nn"), ["Ann ", "Lee", " ", "(", "", "a.b", ")"]);
  assert.deepEqual(marked("a\u0301rt 北京art, 4130", "京 art 30"), ["a\u0301rt 北", "京", "", "art", ", 41", "30", ""]);
  assert.deepEqual(marked("Ann", "  "), ["Ann"]);
  assert.equal(oneLine("a\n\n b"), "a b");
});

test("no letter is drawn with thousands of marks, and nothing of a text is lost by that", () => {
  const drawn = (node) => (Array.isArray(node) ? node.map(drawn).join("") : typeof node === "string" ? node : node.type === "wbr" ? "|" : drawn(node.props.children));
  for (const text of HOSTILE) {
    const shown = drawn(BreakableText({ text }));
    assert.doesNotMatch(shown, /\p{M}{100}/u);
    assert.equal(shown.replaceAll("|", ""), text.replaceAll("|", ""));
  }
  assert.equal(BreakableText({ text: "e\u0301 क्षि" }), "e\u0301 क्षि");
});

test("what has no host that there can be is no address", () => {
  for (const text of ["https://x", "http://x:80/", "https://a.b?c", "https://x#y", "https://пример.рф/ü"]) assert.ok(isAddress(text), text);
  for (const text of ["https://", "https:///x", "ftp://x", `https://${"x.".repeat(200)}x/`]) assert.ok(!isAddress(text), text);
});

test("an address ends where the sentence goes on", () => {
  const cases = {
    "(see https://x/a.)": "https://x/a",
    "https://x/a_(b)": "https://x/a_(b)",
    "(https://x/a_(b)).": "https://x/a_(b)",
    "https://x/a…": "https://x/a",
    "https://x/a).)": "https://x/a",
    "https://x/?a=1,": "https://x/?a=1",
  };
  for (const [text, href] of Object.entries(cases)) {
    assert.equal(parts(text).find((part) => typeof part === "object")?.href, href, text);
  }
});
