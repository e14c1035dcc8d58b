/** An open chat: its heading, its messages, and where one answers. */

import { Composer } from "./composer.js";
import { useDesk, useKnown } from "./desk.js";
import { html, useEffect, useRef, useState } from "./html.js";
import { t } from "./texts.js";
import { Skeletons, Thread } from "./thread.js";

/**
 * @param {object} props
 * @param {number} props.chatId
 * @param {any} props.header
 * @param {{list?: object, field?: object}} props.hooks ids and classes
 * @param {boolean} [props.hasFocus] whether one may type right away
 */
export function Conversation({ chatId, header, hooks = {}, hasFocus = false }) {
  const { client, composings } = useDesk();
  const [problem, setProblem] = useState(/** @type {any} */ (null));
  const [attempts, setAttempts] = useState(0);
  const jumper = useRef(() => {});
  const isOpen = useKnown((state) => state.isOpen(chatId));
  const isKnown = useKnown((state) => state.chats.has(chatId));
  const composing = composings.of(chatId);

  useEffect(() => {
    let isHere = true;
    setProblem(null);
    client.open(chatId).catch((error) => isHere && setProblem(error));
    return () => void (isHere = false);
  }, [client, chatId, attempts]);

  if (problem && !isOpen) return html`<${Unopened} error=${problem} onRetry=${() => setAttempts((count) => count + 1)} />`;
  return html`
    <section class="gr-conversation" aria-label=${t("conversation")}>
      ${header}
      ${isOpen && isKnown
        ? html`<${Thread} key=${chatId} chatId=${chatId} ...${hooks.list} composing=${composing} jumper=${jumper} />`
        : html`<div class="gr-thread"><div class="gr-messages"><div class="gr-rows"><${Skeletons} count=${6} /></div></div></div>`}
      <${Composer} key=${chatId} composing=${composing} ...${hooks.field} label=${t("writeMessage")}
        hasFocus=${hasFocus && isOpen} onSent=${() => jumper.current()} />
    </section>
  `;
}

function Unopened({ error, onRetry }) {
  const { inWords } = useDesk();
  const isGone = error.status === 404;
  return html`
    <section class="gr-conversation gr-empty" role="alert">
      <h2>${isGone ? t("chatGone") : t("chatFailed")}</h2>
      <p>${isGone ? t("chatGoneText") : inWords(error)}</p>
      ${!isGone && html`<button type="button" class="gr-button gr-button-primary" onClick=${onRetry}>${t("retry")}</button>`}
    </section>
  `;
}
