/** Keys that are pressed while text is being composed: they belong to the input method, never to us. */

/** Safari ends a composition before it tells of the key that ended it. That key has this code. */
const OF_COMPOSITION = 229;

const isOfComposition = (event) => event.isComposing || event.keyCode === OF_COMPOSITION;

/** Keeps such keys from everything in an element, until the function that it returns is called. */
export function keepCompositions(root) {
  const onKey = (event) => {
    if (!isOfComposition(event)) return;
    event.stopPropagation();
    // Else the browser sends the form, or closes what is open.
    const sends = event.key === "Enter" && event.target.localName !== "textarea";
    if (sends || event.key === "Escape") event.preventDefault();
  };
  root.addEventListener("keydown", onKey, true);
  return () => root.removeEventListener("keydown", onKey, true);
}
