/** Marking what was found in a message that is shown, without changing what stands in the document. */

const NAME = "greenroom-found";

/** Marks places of an element's text, counted in characters. */
export function paint(element, ranges) {
  // Browsers that cannot do it show the message without.
  if (!globalThis.CSS?.highlights) return;
  CSS.highlights.set(NAME, new Highlight(...ranges.map(([start, end]) => rangeOf(element, start, end))));
}

export const unpaint = () => void globalThis.CSS?.highlights?.delete(NAME);

function rangeOf(element, start, end) {
  const range = document.createRange();
  range.setStart(...placeOf(element, start));
  range.setEnd(...placeOf(element, end));
  return range;
}

/** The text node with a character, and where that is in it in units of UTF-16. @returns {[Node, number]} */
function placeOf(element, place) {
  const nodes = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
  let left = place;
  let node = /** @type {Text} */ (nodes.nextNode());
  for (let next = nodes.nextNode(); next; next = nodes.nextNode()) {
    const { length } = [...node.data];
    if (left < length) break;
    left -= length;
    node = /** @type {Text} */ (next);
  }
  return [node, [...node.data].slice(0, left).join("").length];
}
