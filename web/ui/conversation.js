/** An open chat: its header, its messages, the composer, and an open thread. */

import { useAppContext, useAttempt, useRetry, useStore } from "./app-context.js";
import { Composer } from "./composer.js";
import { retriedErrorText } from "./errors.js";
import { html, useEffect, useLatest, useMemo, useRef, useState } from "./html.js";
import { readUpTo, timelineOf } from "./lanes.js";
import { lazy } from "./lazy.js";
import { keepLoaded } from "./loaded-chats.js";
import { Skeletons, MessageList } from "./message-list.js";
import { PinBar } from "./pins.js";
import { t } from "./texts.js";

const ThreadPane = lazy(() => import("./thread.js").then(({ ThreadPane }) => ThreadPane));

/**
 * A position in a chat.
 * @typedef {object} Place
 * @property {number | null} messageId
 * @property {any} [hit] the message as it was found
 */

/** @type {Place} */
const NOWHERE = { messageId: null };

/**
 * An open thread, and the reply to show in it.
 * @typedef {object} OpenThread
 * @property {number} root
 * @property {Place} place
 */

/** Returns a key for a place. Each object has its own. */
const numbers = new WeakMap();
function numberOf(place) {
  if (!numbers.has(place)) numbers.set(place, Symbol());
  return numbers.get(place);
}

/**
 * @param {object} props
 * @param {number} props.chatId
 * @param {any} props.header
 * @param {Place} [props.place] the message to show; a new object scrolls to it again
 * @param {OpenThread | null} [props.thread] the open thread; without `onThread` it is open until it is closed here
 * @param {(thread: OpenThread | null) => void} [props.onThread] opens another thread, or closes it
 * @param {{list?: object, field?: object}} props.hooks ids and classes
 * @param {boolean} [props.hasFocus] whether the composer gets the focus
 */
export function Conversation({ chatId, header, place: given = NOWHERE, thread: givenThread = null, onThread = undefined, hooks = {}, hasFocus = false }) {
  const { client, composers, errorText, showMessage, toast } = useAppContext();
  const attempt = useAttempt();
  const [ownThread, setOwnThread] = useState(givenThread);
  const thread = onThread ? givenThread : ownThread;
  const split = useRef(/** @type {any} */ (null));
  // Once a thread was open, the focus returns to it.
  const hadThread = useRef(false);
  hadThread.current ||= thread !== null;
  const lane = useMemo(() => timelineOf(client, chatId), [client, chatId]);
  const [problem, setProblem] = useState(/** @type {any} */ (null));
  const [attempts, setAttempts] = useState(0);
  const scrollToNewest = useRef(() => {});
  const isOpen = useStore((state) => state.isOpen(chatId));
  const isKnown = useStore((state) => state.chats.has(chatId));
  const title = useStore((state) => state.chats.get(chatId)?.title);
  const [opened, setOpened] = useState(/** @type {any} */ (null));
  const composer = composers.of(chatId);
  // A quoted message is shown until another place is given.
  const [quoted, setQuoted] = useState({ given, place: /** @type {Place | null} */ (null) });
  const place = (quoted.given === given && quoted.place) || given;
  const setThread = useLatest((next) => (onThread ?? setOwnThread)(next));
  const openThread = useLatest((root, messageId = null) => setThread({ root, place: { messageId } }));
  const closeThread = useLatest(() => {
    const { root } = thread;
    setThread(null);
    setTimeout(() => focusRoot(split.current, root));
  });
  /** Shows a message in its thread or in the chat, by its id. */
  const onQuote = useLatest((messageId) =>
    attempt(async () => {
      const message = client.state.message(messageId) ?? (await client.api.message(messageId));
      const isInThread = message.thread === thread?.root || messageId === thread?.root;
      if (message.thread && (isInThread || !message.also_in_chat)) return openThread(message.thread, messageId);
      if (messageId === thread?.root) return openThread(messageId, messageId);
      if (thread && isCovered(split.current)) setThread(null);
      return setQuoted({ given, place: { messageId } });
    }),
  );

  showMessage.current = onQuote;
  useEffect(() => keepLoaded(client, chatId), [client, chatId]);
  useEffect(() => () => composers.left(chatId), [composers, chatId]);
  useEffect(() => {
    let isHere = true;
    setProblem(null);
    openIn(client, chatId, place.messageId).then(
      () => isHere && setOpened(place),
      (error) => {
        if (!isHere) return;
        setProblem(error);
        // The messages that are there stay.
        if (place === quoted.place && client.state.isOpen(chatId)) {
          setProblem(null);
          setQuoted({ given, place: null });
          toast(errorText(error));
        }
      },
    );
    return () => void (isHere = false);
  }, [client, chatId, place, attempts]);

  const retry = () => setAttempts((count) => count + 1);
  useRetry(problem, retry);
  if (problem && !isOpen) return html`<${Unopened} header=${header} error=${problem} onRetry=${retry} />`;
  return html`
    <div ref=${split} class="gr-split" data-thread=${thread?.root}>
      <section class="gr-conversation" aria-label=${t("chatNamed", { title })}>
        ${header}
        ${isKnown && html`<${PinBar} chatId=${chatId} onMessage=${onQuote} />`}
        ${isOpen && isKnown && opened
          ? html`<${MessageList} key=${numberOf(opened)} lane=${lane} place=${opened} ...${hooks.list} composer=${composer} scrollToNewest=${scrollToNewest} onQuote=${onQuote}
              onThread=${openThread} label=${t("messagesOf", { title: title ?? "" })} />`
          : html`<div class="gr-thread"><div class="gr-messages"><div class="gr-rows"><${Skeletons} count=${6} /></div></div></div>`}
        <${Composer} key=${chatId} composer=${composer} ...${hooks.field} label=${t("writeMessage")}
          hasFocus=${hasFocus && isOpen && place.messageId === null && !hadThread.current} onSent=${() => scrollToNewest.current()} />
      </section>
      ${thread && isKnown && html`<${ThreadPane} key=${thread.root} chatId=${chatId} root=${thread.root} place=${thread.place} onClose=${closeThread} onQuote=${onQuote} />`}
    </div>
  `;
}

/** Whether an open thread covers the chat. */
const isCovered = (split) => split.querySelector(".gr-conversation").clientHeight === 0;

/** Moves the focus to the root of a thread that was closed, or else to the messages. */
function focusRoot(split, root) {
  if (!split) return;
  const list = split.querySelector(".gr-messages");
  (list.querySelector(`[data-thread="${root}"]`) ?? list.querySelector(`[data-message-id="${root}"]`) ?? list).focus();
}

/** Chats with more unread messages than this open at the first unread one, however old it is. */
const MANY = 40;

function openIn(client, chatId, messageId) {
  const chat = client.state.chats.get(chatId);
  const unread = () => chat.me?.unread_from ?? readUpTo(chat, client.state.me);
  const at = messageId ?? (chat?.unread_count > MANY ? unread() : null);
  return at === null ? client.openNewest(chatId) : client.openAt(chatId, at);
}

function Unopened({ header, error, onRetry }) {
  const isGone = error.status === 404;
  const title = isGone ? t("chatGone") : t("chatFailed");
  return html`
    <section class="gr-conversation" aria-label=${title}>
      ${header}
      <div class="gr-empty" role="alert">
        <h2>${title}</h2>
        <p>${isGone ? t("chatGoneText") : retriedErrorText(error)}</p>
        ${!isGone && html`<button type="button" class="gr-button gr-button-primary" onClick=${onRetry}>${t("retry")}</button>`}
      </div>
    </section>
  `;
}
