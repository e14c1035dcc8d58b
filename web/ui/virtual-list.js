/**
 * A virtual list: only a range of a chat's messages is in the document. The range moves with the scroll position, and the
 * visible rows stay in their places while rows are added and removed around them.
 */

import { isSame, useLatest, useLayoutEffect, useRef, useState } from "./html.js";

/** How many messages are rendered at first, added at a time, and rendered at most on a screen of usual height. */
const INITIAL_ROWS = 60;
const ROWS_ADDED = 40;
const MAX_ROWS = 160;
/** More messages are rendered this near to an end of the range, in pixels. */
const LOAD_DISTANCE = 1_000;
/** No row is lower than this, in pixels. */
const MIN_ROW_HEIGHT = 24;
/** This near to the end, in pixels, counts as being there. */
const END_TOLERANCE = 40;

/** @typedef {{from: number | null, to: number | null}} Range ids of messages; null: no bound, up to the newest */

const NEWEST = { from: null, to: null };

/**
 * @param {object} options
 * @param {readonly any[]} options.messages oldest first; outgoing messages have no id
 * @param {boolean} options.isComplete whether the newest message is among them
 * @param {number | null} options.start the message to scroll to at first; null: the newest
 * @param {() => void} options.onTop called when older messages are needed
 * @param {() => void} options.onBottom called when newer messages are needed
 * @param {() => void} options.onMoved called when the visible rows change
 */
export function useVirtualList({ messages, isComplete, start, onTop, onBottom, onMoved }) {
  const scroller = useRef(/** @type {any} */ (null));
  const content = useRef(/** @type {any} */ (null));
  const [range, setRange] = useState(() => rangeAround(messages, start));
  const [isAtEnd, setAtEnd] = useState(start === null);
  // The scroll anchor: the end, or the lower edge of a row. The upper edge moves when a row is inserted above.
  const anchor = useRef(start === null ? { end: true } : { key: String(start), bottom: null });

  // The scroll position and heights at the latest measurement.
  const measured = useRef({ scrollTop: 0, clientHeight: 0, scrollHeight: 0 });
  const isHidden = useRef(false);

  // Outgoing messages follow the newest one.
  const isNewest = range.to === null || (isComplete && range.to === newestId(messages));
  const to = isNewest ? messages.length : indexAfter(messages, range.to);
  const from = range.from === null ? Math.max(0, to - INITIAL_ROWS) : Math.min(indexOfId(messages, range.from), to);
  const props = useRef(/** @type {any} */ (null));
  props.current = { messages, isComplete, from, to, range, onTop, onBottom, onMoved };

  /** Restores the scroll anchor. `isUnscrolled`: the reader cannot have scrolled since the latest measurement. */
  const restoreAnchor = (isUnscrolled = false) => {
    const box = scroller.current;
    // A hidden list has no size, and no known scroll position.
    if (box.clientHeight === 0) return void (isHidden.current = true);
    if (!isUnscrolled && !isHidden.current) followScroll();
    isHidden.current = false;
    const { end, key, bottom } = anchor.current;
    if (end) {
      box.scrollTop = box.scrollHeight;
      update();
    } else {
      // At first the key is an id, which the rows of own messages do not have as their key.
      const named = (name) => content.current.querySelector(`[data-${name}="${CSS.escape(key)}"]`);
      const row = named("key") ?? (bottom === null ? named("message-id") : null);
      const wanted = bottom ?? box.clientHeight / 3;
      if (row) box.scrollTop += bottomOf(row, box) - wanted;
      update();
      // There is not enough content above the row yet: the next restore moves it.
      if (row && Math.abs(bottomOf(row, box) - wanted) > 1) anchor.current = { key, bottom: wanted };
    }
  };

  /**
   * Updates the anchor after scrolling whose event has not arrived yet. When the content has become shorter, the browser has
   * scrolled by itself: the anchor then stays as it is.
   */
  const followScroll = () => {
    const box = scroller.current;
    const { scrollTop, clientHeight, scrollHeight } = measured.current;
    const { end, key, bottom } = anchor.current;
    const moved = box.scrollTop - scrollTop;
    if (moved === 0) return;
    // The lowest position to which the browser can have scrolled by itself.
    const lowest = Math.min(scrollHeight, box.scrollHeight) - Math.max(clientHeight, box.clientHeight);
    if (end) {
      if (box.scrollTop < lowest - END_TOLERANCE) anchor.current = firstVisible(box, content.current);
    } else {
      const isLess = moved < 0 && box.scrollTop >= lowest - 1;
      if (!isLess && bottom !== null) anchor.current = { key, bottom: bottom - moved };
    }
  };

  const measure = () => {
    const { scrollTop, clientHeight, scrollHeight } = scroller.current;
    measured.current = { scrollTop, clientHeight, scrollHeight };
  };

  /** Handles a scroll event: the reader's, or the browser's when the size has changed as well. */
  const onScroll = () => {
    if (!scroller.current) return; // The list was removed since.
    const { clientHeight, scrollHeight } = scroller.current;
    const isSameSize = clientHeight === measured.current.clientHeight && scrollHeight === measured.current.scrollHeight;
    if (isSameSize) update();
    else restoreAnchor();
  };

  const update = () => {
    const box = scroller.current;
    if (box.clientHeight === 0) return;
    measure();
    const { messages, isComplete, from, to, range, onTop, onBottom, onMoved } = props.current;
    const below = belowIn(box);
    const isEnd = isComplete && to === messages.length && below < END_TOLERANCE;
    anchor.current = isEnd ? { end: true } : firstVisible(box, content.current);
    setAtEnd(isEnd);
    // At the end, new messages push out old ones. Elsewhere nothing moves by itself.
    const next = { ...range, to: isEnd ? null : (range.to ?? newestId(messages)) };
    const most = Math.max(MAX_ROWS, Math.ceil((box.clientHeight + 2 * LOAD_DISTANCE) / MIN_ROW_HEIGHT) + ROWS_ADDED);
    const isNearTop = box.scrollTop < LOAD_DISTANCE;
    if (isNearTop && from === 0) onTop();
    // With few messages, both ends are near.
    if (isNearTop && from > 0) {
      Object.assign(next, startAt(messages, from - ROWS_ADDED), to - from + ROWS_ADDED > most && endAt(messages, from - ROWS_ADDED + most));
    } else if (below < LOAD_DISTANCE && !isEnd) {
      if (to < messages.length) Object.assign(next, endAt(messages, to + ROWS_ADDED), startAt(messages, Math.max(from, to + ROWS_ADDED - most)));
      else if (!isComplete) onBottom();
    }
    if (!isSame(next, range)) setRange(next);
    onMoved();
  };

  const latest = useRef(restoreAnchor);
  latest.current = restoreAnchor;
  useLayoutEffect(() => restoreAnchor());
  useLayoutEffect(() => {
    // The window, the composer and loaded pictures change the size as well.
    const observer = new ResizeObserver(() => latest.current());
    observer.observe(scroller.current);
    observer.observe(content.current);
    return () => observer.disconnect();
  }, []);

  /** Scrolls to the newest messages. */
  const scrollToNewest = () => {
    anchor.current = { end: true };
    setRange(NEWEST);
    setAtEnd(true);
    scroller.current.scrollTop = scroller.current.scrollHeight;
    if (scroller.current.clientHeight > 0) measure();
  };

  return { scroller, content, shown: messages.slice(from, to), from, isAtEnd, scrollToNewest, restoreAnchor: useLatest(restoreAnchor), onScroll };
}

/** Returns the index of the message with an id, or where it belongs. Outgoing messages are last. */
function indexOfId(messages, id) {
  let low = 0;
  for (let high = messages.length; low < high; ) {
    const middle = (low + high) >> 1;
    if ((messages[middle].id ?? Infinity) < id) low = middle + 1;
    else high = middle;
  }
  return low;
}

const indexAfter = (messages, id) => indexOfId(messages, id + 0.5);

const newestId = (messages) => messages.findLast(({ id }) => id !== null)?.id ?? null;

function rangeAround(messages, id) {
  if (id === null) return NEWEST;
  const index = indexOfId(messages, id);
  return { ...startAt(messages, index - INITIAL_ROWS / 2), ...endAt(messages, index + INITIAL_ROWS) };
}

/** One end of a range, by the index of its first message or by the index after its last one. */
const startAt = (messages, index) => ({ from: messages[Math.max(0, index)]?.id ?? null });
const endAt = (messages, index) => ({ to: messages[index - 1]?.id ?? newestId(messages) });

/** Returns the height of the content below the visible part, in pixels. */
const belowIn = (box) => box.scrollHeight - box.scrollTop - box.clientHeight;

const bottomOf = (row, box) => row.getBoundingClientRect().bottom - box.getBoundingClientRect().top;

/** Returns the first visible row and its position. */
function firstVisible(box, content) {
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

/** Returns the newest message that is fully visible, or whose end is. A hidden list shows none. */
export function lastVisible(box, content) {
  if (box.clientHeight === 0) return null;
  const { bottom } = box.getBoundingClientRect();
  const rows = content.querySelectorAll("[data-message-id]");
  for (let index = rows.length - 1; index >= 0; index--) {
    const at = rows[index].getBoundingClientRect();
    if (at.top + Math.min(at.height, 24) <= bottom) return Number(rows[index].dataset.messageId);
  }
  return null;
}
