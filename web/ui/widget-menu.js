/** The menu of a chat in a widget: it leads to a date, and has the levels of notifications. */

import { useAppContext, useAttempt, useStore } from "./app-context.js";
import { DateDialog } from "./date-dialog.js";
import { html, useState } from "./html.js";
import { Bell, Calendar, More } from "./icons.js";
import { Levels } from "./levels.js";
import { Menu, MenuItem } from "./menu.js";
import { t } from "./texts.js";

/** @param {{chatId: number, onMessage: (messageId: number) => void}} props */
export function WidgetMenu({ chatId, onMessage }) {
  const chat = useStore((state) => state.chats.get(chatId));
  const [isDating, setDating] = useState(false);
  if (!chat) return null;
  return html`
    <${Menu} label=${t("chatMenu")}
      button=${(button) => html`<button ...${button} class="gr-icon-button chat-menu-btn" aria-label=${t("chatMenu")} title=${t("chatMenu")}><${More} /></button>`}
    >${() => html`<${Items} chat=${chat} onDate=${() => setDating(true)} />`}<//>
    ${isDating && html`<${DateDialog} chatId=${chatId} onClose=${() => setDating(false)} onFound=${({ id }) => (setDating(false), onMessage(id))} />`}
  `;
}

function Items({ chat, onDate }) {
  const { client, announce } = useAppContext();
  const attempt = useAttempt();
  const [isChoosing, setChoosing] = useState(false);
  const notify = (level, text) =>
    attempt(async () => {
      await client.api.setMe(chat.id, { notify: level });
      announce(t("notifyDone", { level: text }));
    });
  if (isChoosing) return html`<${Levels} chat=${chat} onChoice=${notify} />`;
  return html`
    <${MenuItem} icon=${Calendar} class="go-to-date-item" onSelect=${onDate}>${t("goToDate")}<//>
    <${MenuItem} icon=${Bell} class="notify-chat-btn" stays aria-haspopup="menu" onSelect=${() => setChoosing(true)}>${t("notify")}<//>
  `;
}
