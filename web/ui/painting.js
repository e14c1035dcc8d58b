/** Marking what was found in a message that is shown, without changing what stands in the document. */

const NAME = "greenroom-found";

/** Marks places of an element's text, counted in characters. */
export function paint(element, ranges) {
  // Browsers that cannot do it show the message without.
  if (!globalThis.CSS?.highlights) return;
  const places = placesOf(element, ranges.flat());
  CSS.highlights.set(NAME, new Highlight(...ranges.map((_, index) => rangeOf(places[2 * index], places[2 * index + 1]))));
}

export const unpaint = () => void globalThis.CSS?.highlights?.delete(NAME);

function rangeOf([start, from], [end, to]) {
  const range = document.createRange();
  range.setStart(start, from);
  range.setEnd(end, to);
  return range;
}

/**
 * The text nodes with these characters, and where each is in its node in units of UTF-16. They rise, so one walk finds all.
 * @param {number[]} places
 * @returns {[Node, number][]}
 */
function placesOf(element, places) {
  const nodes = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
  let node = /** @type {Text} */ (nodes.nextNode());
  let characters = [...node.data];
  let [before, index, units] = [0, 0, 0];
  return places.map((place) => {
    while (place - before >= characters.length) {
      const next = /** @type {Text | null} */ (nodes.nextNode());
      if (!next) break;
      before += characters.length;
      [node, characters, index, units] = [next, [...next.data], 0, 0];
    }
    for (; index < place - before && index < characters.length; index += 1) units += characters[index].length;
    return [node, units];
  });
}
