// What the pages make of a text takes about as long as the text is long, whatever stands in it.

import assert from "node:assert/strict";
import test from "node:test";

import { isEmoji, parts } from "../../web/ui/text.js";

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
];

/** The quickest of several runs, in milliseconds: what else the machine does only adds to it. */
function quickest(walk) {
  const times = Array.from({ length: 5 }, () => {
    const begun = performance.now();
    for (let turn = 0; turn < 20; turn += 1) walk();
    return performance.now() - begun;
  });
  return Math.min(...times);
}

test("no text of a message takes much longer to be walked through than a plain one", () => {
  const plain = filled("", "Some words of a plain text. ");
  for (const walk of [parts, isEmoji]) {
    const usual = Math.max(quickest(() => walk(plain)), 1);
    for (const text of HOSTILE) {
      const ratio = quickest(() => walk(text)) / usual;
      assert.ok(ratio < 250, `${walk.name} of ${JSON.stringify(text.slice(0, 30))}: ${ratio.toFixed(1)} times as long`);
    }
  }
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
