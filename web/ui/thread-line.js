/** What the timeline shows of threads: a line below a root, and a note above a reply that is also in the chat. */

import { useMinute, useStore } from "./app-context.js";
import { Avatar } from "./avatar.js";
import { html } from "./html.js";
import { Thread } from "./icons.js";
import { ago, t } from "./texts.js";

/** How many participants are shown. */
const FACES = 3;

/** The number of replies, and who wrote them. It opens the thread. */
export function ThreadLine({ message, chat, isCurrent, onThread }) {
  useMinute();
  const unread = useStore((state) => state.thread(message.id)?.unread ?? 0);
  const { reply_count: count, last_reply_at: last, participants } = message.thread_info;
  const faces = participants.map((id) => chat?.members.find((member) => member.id === id)).filter(Boolean).slice(0, FACES);
  return html`
    <button type="button" class="gr-thread-line" data-thread=${message.id} tabindex=${isCurrent ? 0 : -1} onClick=${() => onThread(message.id)}>
      <span class="gr-thread-faces">${faces.map((user) => html`<${Avatar} key=${user.id} user=${user} small />`)}</span>
      <span class="gr-thread-count">${t("replyCount", { count })}</span>
      <span class="gr-thread-last">${t("lastReply", { time: ago(last) })}</span>
      ${unread > 0 && html`<span class="unread-indicator"><span aria-hidden="true">${unread > 99 ? "99+" : unread}</span><span class="gr-hidden">${t("unreadReplies", { count: unread })}</span></span>`}
    </button>
  `;
}

/** Says that a reply is in a thread and in the chat. In the timeline it opens the thread. */
export function ThreadNote({ message, isInThread, isCurrent, onThread }) {
  if (!message.also_in_chat) return null;
  if (isInThread) return html`<span class="gr-thread-note"><${Thread} />${t("alsoInChatNote")}</span>`;
  return html`
    <button type="button" class="gr-thread-note" tabindex=${isCurrent ? 0 : -1} onClick=${() => onThread(message.thread, message.id ?? undefined)}>
      <${Thread} />${t("repliedInThread")}
    </button>
  `;
}
