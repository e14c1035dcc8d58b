/** Highlights search hits in a rendered message by the CSS Custom Highlight API, without changing the document. */

const NAME = "greenroom-found";

/** Highlights ranges of an element's text, counted in characters. */
export function highlight(element, ranges) {
  // Browsers without the API show no highlights.
  if (!globalThis.CSS?.highlights) return;
  const places = placesOf(element, ranges.flat());
  CSS.highlights.set(NAME, new Highlight(...ranges.map((_, index) => rangeOf(places[2 * index], places[2 * index + 1]))));
}

export const clearHighlights = () => void globalThis.CSS?.highlights?.delete(NAME);

function rangeOf([start, from], [end, to]) {
  const range = document.createRange();
  range.setStart(start, from);
  range.setEnd(end, to);
  return range;
}

/**
 * Returns the text node and the UTF-16 offset of each character position. The positions ascend, so one walk finds all.
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
