/** The dialog in which the user forwards a message to one of their chats. */

import { useAppContext, useStore } from "./app-context.js";
import { ChatAvatar } from "./avatar.js";
import { Dialog } from "./dialog.js";
import { html, useEffect, useRef, useState } from "./html.js";
import { MATCH, SEARCH_FIELD, titleOf, useSearch } from "./people.js";
import { oneLine, textOf } from "./text.js";
import { t } from "./texts.js";

/** How many of the latest chats are offered without a search. */
const OFFERED = 30;

/** @param {{message: any, onClose: () => void}} props */
export function ForwardDialog({ message, onClose }) {
  const { client, errorText, openChat, settings, toast } = useAppContext();
  const [me, latest] = useStore((state) => [state.me, state.chatList]);
  const [text, setText] = useState("");
  const comment = useRef("");
  const field = useRef(/** @type {any} */ (null));
  const { found, problem, isLooking } = useSearch(text, (words) => client.api.chats({ search: words, match: MATCH }));
  const chats = text.trim() ? (found?.results ?? []) : latest.slice(0, OFFERED);
  useEffect(() => field.current.focus(), []);
  const send = (chat) => {
    const { sent } = client.send(chat.id, comment.current.trim(), { forward: message });
    const title = titleOf(chat, me);
    const open = { label: t("open"), run: () => openChat(chat.id) };
    sent.then(
      () => toast(t("forwardDone", { title })),
      (error) => toast(`${t("forwardFailed", { title })} ${errorText(error)}`, open),
    );
    onClose();
  };
  return html`
    <${Dialog} title=${t("forwardTitle")} onClose=${onClose}>
      <p class="gr-quote"><span class="gr-quote-name">${message.sender.display_name}</span><span class="gr-quote-text" dir="auto">${oneLine(textOf(message))}</span></p>
      <input ref=${field} class="gr-field forward-search" type="search" aria-label=${t("findChat")} placeholder=${t("findChat")} value=${text}
        ...${SEARCH_FIELD} onInput=${(event) => setText(event.currentTarget.value)} />
      <input class="gr-field forward-comment" aria-label=${t("addComment")} placeholder=${t("addComment")} dir="auto" maxlength=${settings.maxMessageLength}
        onInput=${(event) => (comment.current = event.currentTarget.value)} />
      <div role="status">
        ${problem && html`<p class="gr-note gr-danger">${problem}</p>`}
        ${text.trim() && !isLooking && !problem && chats.length === 0 && html`<p class="gr-note">${t("noHits")}</p>`}
      </div>
      <ul class="gr-people">
        ${chats.map(
          (chat) => html`
            <li key=${chat.id} class="gr-person">
              <${ChatAvatar} chat=${chat} />
              <span class="gr-person-names"><span class="gr-person-name" dir="auto">${titleOf(chat, me)}</span></span>
              <button type="button" class="gr-button gr-button-primary forward-to-btn" onClick=${() => send(chat)}>
                ${t("forward")}<span class="gr-hidden"> ${titleOf(chat, me)}</span>
              </button>
            </li>
          `,
        )}
      </ul>
    <//>
  `;
}
