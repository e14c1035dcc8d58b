/** Swipes by touch, in the direction of reading. */

import { useEffect, useLatest } from "./html.js";

/** How far a finger must move, in CSS pixels, and how far the element follows it at most. */
const DISTANCE = 56;
const FARTHEST = 72;
/** From here on the element follows the finger. */
const NOTICED = 8;
/** A finger that moves so far up or down scrolls. */
const SCROLLS = 24;

const hasTouch = () => globalThis.navigator?.maxTouchPoints > 0;
const isZoomed = () => (globalThis.visualViewport?.scale ?? 1) > 1;
const isSelecting = (element) => {
  const selection = element.getRootNode().getSelection?.() ?? document.getSelection();
  return selection?.isCollapsed === false && element.contains(selection.anchorNode);
};

/** Calls `onSwipe` when the element of a ref is swiped. While it is null, swipes do nothing. */
export function useSwipe(ref, onSwipe) {
  const swiped = useLatest(() => onSwipe?.());
  const isOn = onSwipe !== null;
  useEffect(() => {
    if (!isOn || !hasTouch()) return undefined;
    const element = ref.current;
    const listening = new AbortController();
    const on = (name, listener) => element.addEventListener(name, listener, { signal: listening.signal });
    let finger = null;
    const end = () => {
      finger = null;
      element.style.translate = "";
    };
    const moved = ({ clientX, clientY }) => {
      const sign = getComputedStyle(element).direction === "rtl" ? -1 : 1;
      return { along: (clientX - finger.x) * sign, across: Math.abs(clientY - finger.y), sign };
    };
    on("pointerdown", ({ pointerType, pointerId, clientX: x, clientY: y, target }) => {
      const begins = pointerType === "touch" && !finger && !isZoomed() && !target.closest("[popover]");
      end();
      if (begins) finger = { pointerId, x, y };
    });
    on("pointermove", (event) => {
      if (event.pointerId !== finger?.pointerId) return;
      const { along, across, sign } = moved(event);
      if (across > SCROLLS || isSelecting(element)) end();
      else element.style.translate = along > NOTICED ? `${Math.min(along, FARTHEST) * sign}px` : "";
    });
    on("pointerup", (event) => {
      if (event.pointerId !== finger?.pointerId) return;
      const { along } = moved(event);
      end();
      if (along < DISTANCE) return;
      // The conversation of this element gets the focus, of several on a page.
      element.focus({ preventScroll: true });
      swiped();
    });
    on("pointercancel", end);
    on("contextmenu", end);
    return () => {
      listening.abort();
      end();
    };
  }, [isOn]);
}
