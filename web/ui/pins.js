/** The pinned messages of a chat: a bar above its messages, and their list. */

import { useAppContext, useAttempt, useRetry, useStore } from "./app-context.js";
import { mayManage } from "./chat-rights.js";
import { Dialog } from "./dialog.js";
import { focusedBeside, html, useEffect, useLayoutEffect, useRef, useState } from "./html.js";
import { Close, Pin } from "./icons.js";
import { BreakableText, oneLine, textOf } from "./text.js";
import { dateAndTime, t } from "./texts.js";

/** Most members of a group in which every member may pin. */
const SMALL_GROUP = 25;

/** Whether the user may pin messages of a chat. */
export function mayPin(chat, me) {
  if (!chat) return false;
  if (chat.chat_type === "dm") return true;
  return mayManage(chat, me) || (chat.chat_type === "group" && chat.member_count <= SMALL_GROUP);
}

export const isPinned = (state, { chat, id }) => (state.pins(chat) ?? []).some((pinned) => pinned.id === id);

/** Returns a function that pins a message or unpins it, and announces that. */
export function usePinning() {
  const { client, announce } = useAppContext();
  const attempt = useAttempt();
  return (message, pins) =>
    attempt(async () => {
      if (pins) await client.pin(message.chat, message.id);
      else await client.unpin(message.chat, message.id);
      announce(pins ? t("messagePinned") : t("messageUnpinned"));
    });
}

/** @param {{chatId: number, onMessage: (messageId: number) => void}} props */
export function PinBar({ chatId, onMessage }) {
  const { client } = useAppContext();
  const pins = useStore((state) => state.pins(chatId)) ?? [];
  const [isListed, setListed] = useState(false);
  const [problem, setProblem] = useState(/** @type {any} */ (null));
  const place = useRef(/** @type {any} */ (null));
  const load = () => {
    setProblem(null);
    client.loadPins(chatId).catch(setProblem);
  };
  useEffect(load, [client, chatId]);
  useRetry(problem, load);
  const close = () => {
    setListed(false);
    // The bar is gone, so the dialog cannot give it the focus back.
    if (pins.length === 0) place.current.closest(".gr-conversation").querySelector(".gr-messages")?.focus();
  };
  return html`
    <div ref=${place} class="gr-pin-place">
      ${pins.length > 0 &&
      html`
        <button type="button" class="gr-pin-bar" aria-haspopup="dialog" onClick=${() => setListed(true)}>
          <${Pin} /><span class="gr-pin-count">${t("pinnedCount", { count: pins.length })}</span>
          <span class="gr-pin-text" dir="auto"><${BreakableText} text=${oneLine(textOf(pins[0]))} /></span>
        </button>
      `}
      ${isListed &&
      html`<${PinList} chatId=${chatId} pins=${pins} onClose=${close} onMessage=${(id) => (setListed(false), onMessage(id))} />`}
    </div>
  `;
}

function PinList({ chatId, pins, onClose, onMessage }) {
  const setPinned = usePinning();
  const may = useStore((state) => mayPin(state.chats.get(chatId), state.me));
  const list = useRef(/** @type {any} */ (null));
  const holdsFocus = list.current?.contains(focusedBeside(list.current));
  useLayoutEffect(() => {
    // The focused button has been removed.
    if (!holdsFocus || list.current.contains(focusedBeside(list.current))) return;
    (list.current.querySelector(".unpin-btn") ?? list.current.closest("dialog").querySelector("#close-dialog-btn")).focus();
  }, [pins]);
  return html`
    <${Dialog} title=${t("pinnedTitle")} onClose=${onClose}>
      ${pins.length === 0 && html`<p class="gr-note">${t("pinnedNone")}</p>`}
      <ul ref=${list} class="gr-pins">
        ${pins.map(
          (message) => html`
            <li key=${message.id}>
              <button type="button" class="gr-quote" onClick=${() => onMessage(message.id)}>
                <span class="gr-quote-name">${message.sender.display_name} <time datetime=${message.created_at}>${dateAndTime(message.created_at)}</time></span>
                <span class="gr-quote-text" dir="auto"><${BreakableText} text=${oneLine(textOf(message))} /></span>
              </button>
              ${may &&
              html`
                <button type="button" class="gr-icon-button unpin-btn" title=${t("unpinMessage")} onClick=${() => setPinned(message, false)}>
                  <${Close} /><span class="gr-hidden">${t("unpinMessage")}: ${oneLine(textOf(message)).slice(0, 60)}</span>
                </button>
              `}
            </li>
          `,
        )}
      </ul>
    <//>
  `;
}
