/** The messages of a chat or a thread, as a scrolling list. */

import { useAppContext, useMinute, useRetry, useStore } from "./app-context.js";
import { focusedBeside, html, useEffect, useRef, useState } from "./html.js";
import { Down } from "./icons.js";
import { MessageRow } from "./message-row.js";
import { fullTitleOf } from "./people.js";
import { isTabFocused } from "./tab-focus.js";
import { textOf } from "./text.js";
import { highlight, clearHighlights } from "./text-highlight.js";
import { dayName, dayOf, listOf, t, zone } from "./texts.js";
import { lastVisible, useVirtualList } from "./virtual-list.js";

/** Messages of one sender within this time, in milliseconds, form a group. */
const TOGETHER = 5 * 60_000;

/**
 * @param {object} props
 * @param {import("./lanes.js").Lane} props.lane which is open
 * @param {import("./conversation.js").Place} props.place the message to show; without one: the first unread message, or the newest
 * @param {string} [props.id]
 * @param {string} [props.class]
 * @param {import("./composer-state.js").ComposerState} props.composer
 * @param {(messageId: number) => void} props.onQuote shows a quoted message
 * @param {(root: number, messageId?: number) => void} props.onThread opens a thread
 * @param {any} [props.above] what is above the first message
 * @param {string} props.label
 * @param {{current: any}} props.scrollToNewest receives a function that scrolls to the newest messages
 */
export function MessageList({ lane, place, id, class: kind = "", composer, scrollToNewest, onQuote, onThread, above = null, label }) {
  const { client, announce, errorText, settings } = useAppContext();
  const { messageId, hit = null } = place;
  const [me, chat] = useStore((state) => [state.me, state.chats.get(lane.chatId)]);
  const shown = useStore(lane.select);
  const { messages, hasOlder, hasNewer, unreadFrom } = shown;
  const [newFrom, setNewFrom] = useState(() => firstUnread(shown, me));
  const [problem, setProblem] = useState(/** @type {any} */ (null));
  const [current, setCurrent] = useState(/** @type {string | null} */ (null));
  const seen = useRef(shown.readUpTo);
  const isMarkedUnread = useMarkedUnread(unreadFrom);
  useMinute();

  const rowOf = (id) => view.content.current.querySelector(`[data-message-id="${id}"]`);
  const loadOlder = async () => {
    if (!lane.select(client.state).hasOlder || problem) return;
    try {
      await lane.loadOlder();
    } catch (error) {
      setProblem(error);
    }
  };
  const retry = () => {
    setProblem(null);
    lane.loadOlder().catch(setProblem);
  };
  useRetry(problem, retry);
  const read = () => {
    const last = lastVisible(view.scroller.current, view.content.current);
    if (last === null) return;
    seen.current = Math.max(seen.current, last);
    if (isTabFocused() && !isMarkedUnread) markAsRead(client, lane, last);
  };
  const view = useVirtualList({
    messages,
    isComplete: !hasNewer,
    start: messageId ?? newFrom,
    onTop: loadOlder,
    onBottom: () => lane.loadNewer().catch(() => {}),
    onMoved: read,
  });
  const jump = async () => {
    if (lane.select(client.state).hasNewer) await lane.openNewest().catch(() => {});
    view.scrollToNewest();
  };
  scrollToNewest.current = jump;

  useEffect(() => {
    if (isMarkedUnread) setNewFrom(firstUnread(shown, me));
  }, [isMarkedUnread, unreadFrom]);
  useEffect(() => {
    // During a search here, or while writing, the focus stays.
    const isBusy = focusedBeside(view.scroller.current)?.closest(".gr-chat-search, .gr-composer");
    if (messageId !== null && !isBusy) rowOf(messageId)?.focus({ preventScroll: true });
  }, []);
  const isAsFound = hit !== null && messages.some(({ id, content }) => id === messageId && content === hit.content);
  useEffect(() => {
    const text = isAsFound && rowOf(messageId)?.querySelector(".message-content");
    if (!text) return undefined;
    highlight(text, hit.highlights);
    return clearHighlights;
  });
  useEffect(() => {
    const onBack = () => read();
    globalThis.addEventListener("focus", onBack);
    document.addEventListener("visibilitychange", onBack);
    return () => {
      globalThis.removeEventListener("focus", onBack);
      document.removeEventListener("visibilitychange", onBack);
      sentReadMarkers.get(client)?.delete(lane.key);
    };
  }, []);

  useEffect(
    () =>
      client.on("message", ({ message, change }) => {
        if (!lane.has(message) || change !== "new" || message.sender.id === client.state.me?.id) return;
        // A reply that is also in the chat is announced once.
        const isElsewhere = lane.root === null && message.thread && rootShown(view.scroller.current) === String(message.thread);
        const read = lane.select(client.state).readUpTo;
        if (!isTabFocused()) setNewFrom((from) => (from !== null && from > read ? from : message.id));
        if (!isElsewhere) announce(t("said", { name: message.sender.display_name, text: textOf(message).slice(0, 200) }));
      }),
    [client, lane],
  );

  useEffect(
    () =>
      client.on("outgoing", ({ message }) => {
        if (!lane.has(message) || message.status !== "failed" || !client.outgoing.includes(message)) return;
        announce(`${t("stateFailed")}. ${errorText(message.error)}`);
      }),
    [client, lane],
  );

  const newCount = view.isAtEnd ? 0 : hasNewer ? shown.unread : countAfter(messages, seen.current, me);
  return html`
    <div class="gr-thread">
      <div ref=${view.scroller} id=${id} class=${`gr-messages ${kind}`} role="log" aria-live="off" aria-label=${label}
        tabindex="0" onScroll=${view.onScroll} onKeyDown=${(event) => onKey(event, { ...view, scrollToNewest: jump }, current, setCurrent)}>
        <div ref=${view.content} class="gr-rows" role="list">
          ${view.from === 0 && hasOlder && !problem && html`<div class="gr-older" role="listitem"><${Skeletons} count=${3} /></div>`}
          ${problem && html`<${Problem} onRetry=${retry} />`}
          ${view.from === 0 && !hasOlder && (above?.({ current, setCurrent, onResize: view.restoreAnchor }) ?? html`<${Beginning} title=${chat && fullTitleOf(chat, me)} isEmpty=${messages.length === 0} />`)}
          ${rows(view, messages, { me, chat, newFrom, messageId, showsDeleted: settings.showsDeleted, current, setCurrent, composer, onQuote, onThread, root: lane.root, onResize: view.restoreAnchor })}
        </div>
      </div>
      ${!view.isAtEnd &&
      html`
        <button type="button" class="gr-jump" title=${newCount > 0 ? t("jumpNew", { count: newCount }) : t("jump")} onClick=${() => (jump(), view.scroller.current.focus())}>
          <${Down} /><span class="gr-hidden">${newCount > 0 ? t("jumpNew", { count: newCount }) : t("jump")}</span>
          ${newCount > 0 && html`<span class="unread-indicator" aria-hidden="true">${newCount > 99 ? "99+" : newCount}</span>`}
        </button>
      `}
      <${TypingIndicator} chatId=${lane.chatId} root=${lane.root} />
    </div>
  `;
}

/** Returns the root of the thread beside a list. */
const rootShown = (list) => list?.closest(".gr-split")?.dataset.thread;

/** Returns the visible rows, with day separators and the line above new messages. */
function rows({ shown, from }, messages, { newFrom, messageId, showsDeleted, current, setCurrent, ...shared }) {
  // A deleted root leads to its replies.
  const isHidden = (message) => message?.is_deleted && !showsDeleted && !(message.thread_info && shared.root === null);
  /** Returns the nearest message that is not hidden. */
  const neighbour = (place, step) => (isHidden(messages[place + step]) ? neighbour(place + step, step) : messages[place + step]);
  // The first new message may have been deleted.
  const line = newFrom === null ? null : messages.find((message) => message.id >= newFrom && isOthers(message, shared.me))?.id;
  return shown.flatMap((message, index) => {
    if (isHidden(message)) return [];
    const before = neighbour(from + index, -1);
    const after = neighbour(from + index, 1);
    const isFirst = !isTogether(before, message) || message.id === line;
    const isLast = !isTogether(message, after) || after.id === line;
    const key = keyOf(message, shared.me);
    const isNewDay = !before || dayOf(before.created_at) !== dayOf(message.created_at);
    return [
      isNewDay &&
        html`<div key=${`day ${key}`} class="gr-day" role="listitem"><span>${dayName(message.created_at)}</span></div>`,
      message.id !== null &&
        message.id === line &&
        html`<div key="new" class="gr-new" role="listitem"><span>${t("newMessages")}</span></div>`,
      html`<${MessageRow} key=${key} id=${key} message=${message} isFirst=${isFirst} isLast=${isLast}
        isTarget=${message.id !== null && message.id === messageId} isCurrent=${current === key} onFocus=${setCurrent} zone=${zone()} ...${shared} />`,
    ];
  });
}

/** Returns a row's key. It stays the same when an outgoing message is stored, so that nothing flickers. */
const keyOf = (message, me) =>
  message.client_id && message.sender?.id === me?.id ? message.client_id : String(message.id);

const isTogether = (a, b) =>
  a !== undefined &&
  b !== undefined &&
  a.sender?.id === b.sender?.id &&
  Math.abs(Date.parse(b.created_at) - Date.parse(a.created_at)) < TOGETHER &&
  dayOf(a.created_at) === dayOf(b.created_at);

const isOthers = (message, me) => message.id !== null && message.sender.id !== me?.id && !message.is_deleted;

/** Returns the first unread message; null where all are read, or where it is not loaded. */
function firstUnread({ messages, hasOlder, unread, readUpTo, unreadFrom }, me) {
  if (unread === 0) return null;
  const read = Math.min(readUpTo, (unreadFrom ?? Infinity) - 1);
  const first = messages.find((message) => message.id > read && isOthers(message, me));
  return first && (first !== messages[0] || !hasOlder || messages.length === unread) ? first.id : null;
}

function countAfter(messages, id, me) {
  let count = 0;
  for (let place = messages.length - 1; place >= 0; place--) {
    const message = messages[place];
    if (message.id !== null && message.id <= id) break;
    if (isOthers(message, me)) count++;
  }
  return count;
}

/** Whether the chat was marked as unread while it was open. It then stays unread until it is opened again. */
function useMarkedUnread(unreadFrom) {
  const before = useRef(unreadFrom);
  if (unreadFrom === null) before.current = null;
  return unreadFrom !== before.current;
}

/** The newest message that was marked as read, by client and lane. */
const sentReadMarkers = new WeakMap();

function markAsRead(client, lane, messageId) {
  const { unread } = lane.select(client.state);
  const known = sentReadMarkers.get(client) ?? new Map();
  sentReadMarkers.set(client, known);
  if (unread === 0 || messageId === lane.root || (known.get(lane.key) ?? 0) >= messageId) return;
  known.set(lane.key, messageId);
  lane.markAsRead(messageId).catch(() => known.delete(lane.key));
}

/** Moves between messages by the arrow keys; End goes to the newest. */
function onKey(event, view, current, setCurrent) {
  const isOnRow = event.target.dataset.key !== undefined;
  if (event.target !== view.scroller.current && !isOnRow) return;
  const all = [...view.content.current.querySelectorAll("[data-key]")];
  const at = all.findIndex((row) => row.dataset.key === current);
  const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
  if (event.key === "End") {
    view.scrollToNewest();
    return event.preventDefault();
  }
  if (step === undefined || event.altKey || event.ctrlKey || event.metaKey) return undefined;
  const next = isOnRow ? all[at + step] : all.at(step === -1 ? -1 : 0);
  if (next) {
    setCurrent(next.dataset.key);
    next.focus({ preventScroll: true });
    next.scrollIntoView({ block: "nearest" });
  }
  return event.preventDefault();
}

function TypingIndicator({ chatId, root }) {
  const names = useStore((state) => {
    const members = state.chats.get(chatId)?.members ?? [];
    return state.typing(chatId, root).map((id) => members.find((member) => member.id === id)?.display_name ?? t("somebody"));
  });
  const who = names.length > 2 ? t("typingMany") : t("typing", { count: names.length, names: listOf(names) });
  return html`
    <p class="gr-typing">
      ${names.length > 0 && html`<span class="gr-typing-dots" aria-hidden="true"><i /><i /><i /></span><span class="gr-typing-text">${who}</span>`}
    </p>
  `;
}

function Beginning({ title, isEmpty }) {
  return html`
    <div class="gr-beginning" role="listitem">
      <p class="gr-beginning-title">${title}</p>
      <p>${isEmpty ? t("noMessages") : t("beginning")}</p>
    </div>
  `;
}

function Problem({ onRetry }) {
  return html`
    <div class="gr-older gr-older-problem" role="listitem">
      <span>${t("olderFailed")}</span>
      <button type="button" class="gr-button" onClick=${onRetry}>${t("retry")}</button>
    </div>
  `;
}

/** Placeholders for content that is loading. */
export const Skeletons = ({ count }) => html`
  <div class="gr-skeletons" aria-hidden="true">
    ${Array.from({ length: count }, (_, index) => html`<span key=${index} class="gr-skeleton"></span>`)}
  </div>
`;
