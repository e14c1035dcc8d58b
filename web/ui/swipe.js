/** Swipes by touch, in the direction of reading. */

/** How far a finger must move, in CSS pixels, and how far the element follows it at most. */
const DISTANCE = 56;
const FARTHEST = 72;
/** A finger that moves so far up or down scrolls. */
const SCROLLS = 24;

/** Returns the event handlers of an element that calls `onSwipe` when it is swiped. */
export function swipeHandlers(onSwipe) {
  let start = null;
  const moved = ({ clientX, clientY, currentTarget }) => {
    const sign = getComputedStyle(currentTarget).direction === "rtl" ? -1 : 1;
    return { along: (clientX - start.x) * sign, across: Math.abs(clientY - start.y), sign };
  };
  const end = (element) => {
    start = null;
    element.style.translate = "";
  };
  return {
    onPointerDown: ({ pointerType, isPrimary, clientX: x, clientY: y }) => {
      if (pointerType === "touch" && isPrimary) start = { x, y };
    },
    onPointerMove: (event) => {
      if (!start) return;
      const { along, across, sign } = moved(event);
      if (across > SCROLLS) end(event.currentTarget);
      else event.currentTarget.style.translate = along > 8 ? `${Math.min(along, FARTHEST) * sign}px` : "";
    },
    onPointerUp: (event) => {
      if (!start) return;
      const { along } = moved(event);
      end(event.currentTarget);
      if (along >= DISTANCE) onSwipe();
    },
    onPointerCancel: ({ currentTarget }) => end(currentTarget),
  };
}
