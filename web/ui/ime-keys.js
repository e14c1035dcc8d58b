/** Keys that are pressed during IME composition: they belong to the input method, not to the page. */

/** Safari ends the composition before the `keydown` of the key that ended it. That event has this key code. */
const OF_COMPOSITION = 229;

const isOfComposition = (event) => event.isComposing || event.keyCode === OF_COMPOSITION;

/** Stops such keys in an element until the returned function is called. */
export function ignoreImeKeys(root) {
  const onKey = (event) => {
    if (!isOfComposition(event)) return;
    event.stopPropagation();
    // Else the browser submits the form, or closes an open dialog.
    const sends = event.key === "Enter" && event.target.localName !== "textarea";
    if (sends || event.key === "Escape") event.preventDefault();
  };
  root.addEventListener("keydown", onKey, true);
  return () => root.removeEventListener("keydown", onKey, true);
}
