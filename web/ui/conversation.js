/** An open chat: its header, its messages, and the composer. */

import { Composer } from "./composer.js";
import { useDesk, useKnown, useRetry } from "./desk.js";
import { inWordsRetried } from "./errors.js";
import { hold } from "./holding.js";
import { html, useEffect, useRef, useState } from "./html.js";
import { t } from "./texts.js";
import { readUpTo, Skeletons, Thread } from "./thread.js";

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
export function Conversation({ chatId, header, place = NOWHERE, hooks = {}, hasFocus = false }) {
  const { client, composings } = useDesk();
  const [problem, setProblem] = useState(/** @type {any} */ (null));
  const [attempts, setAttempts] = useState(0);
  const jumper = useRef(() => {});
  const isOpen = useKnown((state) => state.isOpen(chatId));
  const isKnown = useKnown((state) => state.chats.has(chatId));
  const title = useKnown((state) => state.chats.get(chatId)?.title);
  const [opened, setOpened] = useState(/** @type {any} */ (null));
  const composing = composings.of(chatId);

  useEffect(() => hold(client, chatId), [client, chatId]);
  useEffect(() => {
    let isHere = true;
    setProblem(null);
    openIn(client, chatId, place.messageId).then(
      () => isHere && setOpened(place),
      (error) => isHere && setProblem(error),
    );
    return () => void (isHere = false);
  }, [client, chatId, place, attempts]);

  const retry = () => setAttempts((count) => count + 1);
  useRetry(problem, retry);
  if (problem && !isOpen) return html`<${Unopened} header=${header} error=${problem} onRetry=${retry} />`;
  return html`
    <section class="gr-conversation" aria-label=${t("chatNamed", { title })}>
      ${header}
      ${isOpen && isKnown && opened
        ? html`<${Thread} key=${numberOf(opened)} chatId=${chatId} place=${opened} ...${hooks.list} composing=${composing} jumper=${jumper} />`
        : html`<div class="gr-thread"><div class="gr-messages"><div class="gr-rows"><${Skeletons} count=${6} /></div></div></div>`}
      <${Composer} key=${chatId} composing=${composing} ...${hooks.field} label=${t("writeMessage")}
        hasFocus=${hasFocus && isOpen && place.messageId === null} onSent=${() => jumper.current()} />
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
        <p>${isGone ? t("chatGoneText") : inWordsRetried(error)}</p>
        ${!isGone && html`<button type="button" class="gr-button gr-button-primary" onClick=${onRetry}>${t("retry")}</button>`}
      </div>
    </section>
  `;
}
