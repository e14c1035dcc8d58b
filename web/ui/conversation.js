/** An open chat: its header, its messages, and the composer. */

import { useAppContext, useRetry, useStore } from "./app-context.js";
import { Composer } from "./composer.js";
import { retriedErrorText } from "./errors.js";
import { html, useEffect, useLatest, useRef, useState } from "./html.js";
import { keepLoaded } from "./loaded-chats.js";
import { readUpTo, Skeletons, MessageList } from "./message-list.js";
import { PinBar } from "./pins.js";
import { t } from "./texts.js";

/**
 * A position in a chat.
 * @typedef {object} Place
 * @property {number | null} messageId
 * @property {any} [hit] the message as it was found
 */

/** @type {Place} */
const NOWHERE = { messageId: null };

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
 * @param {{list?: object, field?: object}} props.hooks ids and classes
 * @param {boolean} [props.hasFocus] whether the composer gets the focus
 */
export function Conversation({ chatId, header, place: given = NOWHERE, hooks = {}, hasFocus = false }) {
  const { client, composers, errorText, toast } = useAppContext();
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
  const onQuote = useLatest((messageId) => setQuoted({ given, place: { messageId } }));

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
    <section class="gr-conversation" aria-label=${t("chatNamed", { title })}>
      ${header}
      ${isKnown && html`<${PinBar} chatId=${chatId} onMessage=${onQuote} />`}
      ${isOpen && isKnown && opened
        ? html`<${MessageList} key=${numberOf(opened)} chatId=${chatId} place=${opened} ...${hooks.list} composer=${composer} scrollToNewest=${scrollToNewest} onQuote=${onQuote} />`
        : html`<div class="gr-thread"><div class="gr-messages"><div class="gr-rows"><${Skeletons} count=${6} /></div></div></div>`}
      <${Composer} key=${chatId} composer=${composer} ...${hooks.field} label=${t("writeMessage")}
        hasFocus=${hasFocus && isOpen && place.messageId === null} onSent=${() => scrollToNewest.current()} />
    </section>
  `;
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
