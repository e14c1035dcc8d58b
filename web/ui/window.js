/**
 * Which of a chat's messages are in the document. All of them would be too many, so it is a stretch of them that moves
 * along as one scrolls; what is on the screen stays where it is while the stretch grows and shrinks around it.
 */

import { isSame, useLatest, useLayoutEffect, useRef, useState } from "./html.js";

/** Messages shown at first, added at a time, and shown at most where the screen is not exceptionally high. */
const FIRST = 60;
const STEP = 40;
const MOST = 160;
/** So near an end of the stretch, in pixels, more is put there. */
const NEAR = 1_000;
/** No message is lower, in pixels. */
const LOWEST = 24;
/** So near the end, in pixels, counts as being there. */
const SLACK = 40;

/** @typedef {{from: number | null, to: number | null}} Stretch ids of messages; null: as it comes, up to the newest */

const END = { from: null, to: null };

/**
 * @param {object} options
 * @param {readonly any[]} options.messages oldest first; without an id where it is on its way
 * @param {boolean} options.isComplete whether the newest message is among them
 * @param {number | null} options.start the message that is shown first; null: the newest
 * @param {() => void} options.onTop when older messages are wanted
 * @param {() => void} options.onBottom when newer messages are wanted
 * @param {() => void} options.onMoved when something else is seen
 */
export function useWindow({ messages, isComplete, start, onTop, onBottom, onMoved }) {
  const scroller = useRef(/** @type {any} */ (null));
  const content = useRef(/** @type {any} */ (null));
  const [stretch, setStretch] = useState(() => around(messages, start));
  const [isAtEnd, setAtEnd] = useState(start === null);
  // What is to stay in its place: the end, or the lower edge of a row. Its upper one moves when the row before it comes.
  const hold = useRef(start === null ? { end: true } : { key: String(start), bottom: null });

  // What was scrolled to, and how high everything was, when it was last looked at.
  const seen = useRef({ scrollTop: 0, clientHeight: 0, scrollHeight: 0 });
  const isHidden = useRef(false);

  // Behind the newest one stands what is on its way.
  const isNewest = stretch.to === null || (isComplete && stretch.to === newest(messages));
  const to = isNewest ? messages.length : placeAfter(messages, stretch.to);
  const from = stretch.from === null ? Math.max(0, to - FIRST) : Math.min(placeOf(messages, stretch.from), to);
  const now = useRef(/** @type {any} */ (null));
  now.current = { messages, isComplete, from, to, stretch, onTop, onBottom, onMoved };

  /** Puts everything back in its place; `isAsLookedAt`: whoever looks on has not scrolled since. */
  const keep = (isAsLookedAt = false) => {
    const box = scroller.current;
    // What is not shown has no size, and where it was scrolled to is not known.
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
      // There was not enough above it yet: what comes next puts it there.
      if (row && Math.abs(bottomOf(row, box) - wanted) > 1) hold.current = { key, bottom: wanted };
    }
  };

  /**
   * The reader may have scrolled, and the event not be here yet. Where there was less to scroll in between, the browser did:
   * then the end stays the end, and the row stays where it is.
   */
  const follow = () => {
    const box = scroller.current;
    const { scrollTop, clientHeight, scrollHeight } = seen.current;
    const { end, key, bottom } = hold.current;
    const moved = box.scrollTop - scrollTop;
    if (moved === 0) return;
    // As far up as the browser can have scrolled by itself.
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

  /** A scroll event: the reader's, or the browser's where the size has changed as well. */
  const onScroll = () => {
    if (!scroller.current) return; // It has gone since.
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
    // At the end what is new pushes out what is old. Elsewhere nothing moves by itself.
    const next = { ...stretch, to: isEnd ? null : (stretch.to ?? newest(messages)) };
    const most = Math.max(MOST, Math.ceil((box.clientHeight + 2 * NEAR) / LOWEST) + STEP);
    const isNearTop = box.scrollTop < NEAR;
    if (isNearTop && from === 0) onTop();
    // Where there is little, both ends are near.
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
    // What is around it changes its size as well: the window, the composer, a picture that has come.
    const observer = new ResizeObserver(() => latest.current());
    observer.observe(scroller.current);
    observer.observe(content.current);
    return () => observer.disconnect();
  }, []);

  /** Shows the newest messages. */
  const jump = () => {
    hold.current = { end: true };
    setStretch(END);
    setAtEnd(true);
    scroller.current.scrollTop = scroller.current.scrollHeight;
    if (scroller.current.clientHeight > 0) note();
  };

  return { scroller, content, shown: messages.slice(from, to), from, isAtEnd, jump, keep: useLatest(keep), onScroll };
}

/** Where the message with an id is, or belongs; those on their way come last. */
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

/** A stretch's end by the place of its first message, or by the place after its last one. */
const upFrom = (messages, place) => ({ from: messages[Math.max(0, place)]?.id ?? null });
const downTo = (messages, place) => ({ to: messages[place - 1]?.id ?? newest(messages) });

/** How much there is below what is seen, in pixels. */
const belowIn = (box) => box.scrollHeight - box.scrollTop - box.clientHeight;

const bottomOf = (row, box) => row.getBoundingClientRect().bottom - box.getBoundingClientRect().top;

/** The first row that can be seen, and where it is. */
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

/** The newest message that can be seen whole, or whose end can be seen. */
export function lastSeen(box, content) {
  const { bottom } = box.getBoundingClientRect();
  const rows = content.querySelectorAll("[data-message-id]");
  for (let place = rows.length - 1; place >= 0; place--) {
    const at = rows[place].getBoundingClientRect();
    if (at.top + Math.min(at.height, 24) <= bottom) return Number(rows[place].dataset.messageId);
  }
  return null;
}
