/** The pinned messages of a chat: a bar above its messages, and their list. */

import { useAppContext, useAttempt, useStore } from "./app-context.js";
import { Dialog } from "./dialog.js";
import { html, useEffect, useState } from "./html.js";
import { Close, Pin } from "./icons.js";
import { mayManage } from "./members.js";
import { BreakableText, oneLine } from "./text.js";
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
  const pins = useStore((state) => state.pins(chatId));
  const [isListed, setListed] = useState(false);
  useEffect(() => void client.loadPins(chatId).catch(() => {}), [client, chatId]);
  if (!pins?.length) return null;
  const count = t("pinnedCount", { count: pins.length });
  return html`
    <button type="button" class="gr-pin-bar" aria-haspopup="dialog" onClick=${() => setListed(true)}>
      <${Pin} /><span class="gr-pin-count">${count}</span>
      <span class="gr-pin-text" dir="auto"><${BreakableText} text=${oneLine(pins[0].content)} /></span>
    </button>
    ${isListed &&
    html`<${PinList} chatId=${chatId} pins=${pins} onClose=${() => setListed(false)} onMessage=${(id) => (setListed(false), onMessage(id))} />`}
  `;
}

function PinList({ chatId, pins, onClose, onMessage }) {
  const setPinned = usePinning();
  const may = useStore((state) => mayPin(state.chats.get(chatId), state.me));
  return html`
    <${Dialog} title=${t("pinnedTitle")} onClose=${onClose}>
      <ul class="gr-pins">
        ${pins.map(
          (message) => html`
            <li key=${message.id}>
              <button type="button" class="gr-quote" onClick=${() => onMessage(message.id)}>
                <span class="gr-quote-name">${message.sender.display_name} <time datetime=${message.created_at}>${dateAndTime(message.created_at)}</time></span>
                <span class="gr-quote-text" dir="auto"><${BreakableText} text=${oneLine(message.content)} /></span>
              </button>
              ${may &&
              html`
                <button type="button" class="gr-icon-button unpin-btn" aria-label=${t("unpinMessage")} title=${t("unpinMessage")}
                  onClick=${() => setPinned(message, false)}><${Close} /></button>
              `}
            </li>
          `,
        )}
      </ul>
    <//>
  `;
}
