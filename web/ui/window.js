/**
 * A virtual list: only a range of a chat's messages is in the document. The range moves with the scroll position, and the
 * visible rows stay in their places while rows are added and removed around them.
 */

import { isSame, useLatest, useLayoutEffect, useRef, useState } from "./html.js";

/** How many messages are rendered at first, added at a time, and rendered at most on a screen of usual height. */
const FIRST = 60;
const STEP = 40;
const MOST = 160;
/** More messages are rendered this near to an end of the range, in pixels. */
const NEAR = 1_000;
/** No row is lower than this, in pixels. */
const LOWEST = 24;
/** This near to the end, in pixels, counts as being there. */
const SLACK = 40;

/** @typedef {{from: number | null, to: number | null}} Stretch ids of messages; null: no bound, up to the newest */

const END = { from: null, to: null };

/**
 * @param {object} options
 * @param {readonly any[]} options.messages oldest first; outgoing messages have no id
 * @param {boolean} options.isComplete whether the newest message is among them
 * @param {number | null} options.start the message to scroll to at first; null: the newest
 * @param {() => void} options.onTop called when older messages are needed
 * @param {() => void} options.onBottom called when newer messages are needed
 * @param {() => void} options.onMoved called when the visible rows change
 */
export function useWindow({ messages, isComplete, start, onTop, onBottom, onMoved }) {
  const scroller = useRef(/** @type {any} */ (null));
  const content = useRef(/** @type {any} */ (null));
  const [stretch, setStretch] = useState(() => around(messages, start));
  const [isAtEnd, setAtEnd] = useState(start === null);
  // The scroll anchor: the end, or the lower edge of a row. The upper edge moves when a row is inserted above.
  const hold = useRef(start === null ? { end: true } : { key: String(start), bottom: null });

  // The scroll position and heights at the latest measurement.
  const seen = useRef({ scrollTop: 0, clientHeight: 0, scrollHeight: 0 });
  const isHidden = useRef(false);

  // Outgoing messages follow the newest one.
  const isNewest = stretch.to === null || (isComplete && stretch.to === newest(messages));
  const to = isNewest ? messages.length : placeAfter(messages, stretch.to);
  const from = stretch.from === null ? Math.max(0, to - FIRST) : Math.min(placeOf(messages, stretch.from), to);
  const now = useRef(/** @type {any} */ (null));
  now.current = { messages, isComplete, from, to, stretch, onTop, onBottom, onMoved };

  /** Restores the scroll anchor. `isUnscrolled`: the reader cannot have scrolled since the latest measurement. */
  const keep = (isAsLookedAt = false) => {
    const box = scroller.current;
    // A hidden list has no size, and no known scroll position.
    if (box.clientHeight === 0) return void (isHidden.current = true);
    if (!isAsLookedAt && !isHidden.current) follow();
    isHidden.current = false;
    const { end, key, bottom } = hold.current;
    if (end) {
      box.scrollTop = box.scrollHeight;
      look();
    } else {
      const row = content.current.querySelector(`[data-key="${CSS.escape(key)}"]`);
      const wanted = bottom ?? box.clientHeight / 3;
      if (row) box.scrollTop += bottomOf(row, box) - wanted;
      look();
      // There is not enough content above the row yet: the next restore moves it.
      if (row && Math.abs(bottomOf(row, box) - wanted) > 1) hold.current = { key, bottom: wanted };
    }
  };

  /**
   * Updates the anchor after scrolling whose event has not arrived yet. When the content has become shorter, the browser has
   * scrolled by itself: the anchor then stays as it is.
   */
  const follow = () => {
    const box = scroller.current;
    const { scrollTop, clientHeight, scrollHeight } = seen.current;
    const { end, key, bottom } = hold.current;
    const moved = box.scrollTop - scrollTop;
    if (moved === 0) return;
    // The lowest position to which the browser can have scrolled by itself.
    const lowest = Math.min(scrollHeight, box.scrollHeight) - Math.max(clientHeight, box.clientHeight);
    if (end) {
      if (box.scrollTop < lowest - SLACK) hold.current = firstSeen(box, content.current);
    } else {
      const isLess = moved < 0 && box.scrollTop >= lowest - 1;
      if (!isLess && bottom !== null) hold.current = { key, bottom: bottom - moved };
    }
  };

  const note = () => {
    const { scrollTop, clientHeight, scrollHeight } = scroller.current;
    seen.current = { scrollTop, clientHeight, scrollHeight };
  };

  /** Handles a scroll event: the reader's, or the browser's when the size has changed as well. */
  const onScroll = () => {
    if (!scroller.current) return; // The list was removed since.
    const { clientHeight, scrollHeight } = scroller.current;
    const isSameSize = clientHeight === seen.current.clientHeight && scrollHeight === seen.current.scrollHeight;
    if (isSameSize) look();
    else keep();
  };

  const look = () => {
    const box = scroller.current;
    if (box.clientHeight === 0) return;
    note();
    const { messages, isComplete, from, to, stretch, onTop, onBottom, onMoved } = now.current;
    const below = belowIn(box);
    const isEnd = isComplete && to === messages.length && below < SLACK;
    hold.current = isEnd ? { end: true } : firstSeen(box, content.current);
    setAtEnd(isEnd);
    // At the end, new messages push out old ones. Elsewhere nothing moves by itself.
    const next = { ...stretch, to: isEnd ? null : (stretch.to ?? newest(messages)) };
    const most = Math.max(MOST, Math.ceil((box.clientHeight + 2 * NEAR) / LOWEST) + STEP);
    const isNearTop = box.scrollTop < NEAR;
    if (isNearTop && from === 0) onTop();
    // With few messages, both ends are near.
    if (isNearTop && from > 0) {
      Object.assign(next, upFrom(messages, from - STEP), to - from + STEP > most && downTo(messages, from - STEP + most));
    } else if (below < NEAR && !isEnd) {
      if (to < messages.length) Object.assign(next, downTo(messages, to + STEP), upFrom(messages, Math.max(from, to + STEP - most)));
      else if (!isComplete) onBottom();
    }
    if (!isSame(next, stretch)) setStretch(next);
    onMoved();
  };

  const latest = useRef(keep);
  latest.current = keep;
  useLayoutEffect(() => keep());
  useLayoutEffect(() => {
    // The window, the composer and loaded pictures change the size as well.
    const observer = new ResizeObserver(() => latest.current());
    observer.observe(scroller.current);
    observer.observe(content.current);
    return () => observer.disconnect();
  }, []);

  /** Scrolls to the newest messages. */
  const jump = () => {
    hold.current = { end: true };
    setStretch(END);
    setAtEnd(true);
    scroller.current.scrollTop = scroller.current.scrollHeight;
    if (scroller.current.clientHeight > 0) note();
  };

  return { scroller, content, shown: messages.slice(from, to), from, isAtEnd, jump, keep: useLatest(keep), onScroll };
}

/** Returns the index of the message with an id, or where it belongs. Outgoing messages are last. */
function placeOf(messages, id) {
  let low = 0;
  for (let high = messages.length; low < high; ) {
    const middle = (low + high) >> 1;
    if ((messages[middle].id ?? Infinity) < id) low = middle + 1;
    else high = middle;
  }
  return low;
}

const placeAfter = (messages, id) => placeOf(messages, id + 0.5);

const newest = (messages) => messages.findLast(({ id }) => id !== null)?.id ?? null;

function around(messages, id) {
  if (id === null) return END;
  const place = placeOf(messages, id);
  return { ...upFrom(messages, place - FIRST / 2), ...downTo(messages, place + FIRST) };
}

/** One end of a range, by the index of its first message or by the index after its last one. */
const upFrom = (messages, place) => ({ from: messages[Math.max(0, place)]?.id ?? null });
const downTo = (messages, place) => ({ to: messages[place - 1]?.id ?? newest(messages) });

/** Returns the height of the content below the visible part, in pixels. */
const belowIn = (box) => box.scrollHeight - box.scrollTop - box.clientHeight;

const bottomOf = (row, box) => row.getBoundingClientRect().bottom - box.getBoundingClientRect().top;

/** Returns the first visible row and its position. */
function firstSeen(box, content) {
  const rows = content.querySelectorAll("[data-key]");
  let low = 0;
  for (let high = rows.length - 1; low < high; ) {
    const middle = (low + high) >> 1;
    const { bottom } = rows[middle].getBoundingClientRect();
    if (bottom <= box.getBoundingClientRect().top) low = middle + 1;
    else high = middle;
  }
  const row = rows[low];
  return row ? { key: row.dataset.key, bottom: bottomOf(row, box) } : { end: true };
}

/** Returns the newest message that is fully visible, or whose end is. */
export function lastSeen(box, content) {
  const { bottom } = box.getBoundingClientRect();
  const rows = content.querySelectorAll("[data-message-id]");
  for (let place = rows.length - 1; place >= 0; place--) {
    const at = rows[place].getBoundingClientRect();
    if (at.top + Math.min(at.height, 24) <= bottom) return Number(rows[place].dataset.messageId);
  }
  return null;
}
