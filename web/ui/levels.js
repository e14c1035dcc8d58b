/** The choice of a chat's notification level, in a menu. */

import { html, useLayoutEffect, useRef } from "./html.js";
import { At, Bell, Mute } from "./icons.js";
import { MenuItem } from "./menu.js";
import { levelOf } from "./notify-level.js";
import { t } from "./texts.js";

/** The levels with their texts, the loudest first. @type {() => {level: import("../greenroom.d.ts").NotificationLevel, icon: any, text: string}[]} */
const levels = () => [
  { level: "all", icon: Bell, text: t("notifyAll") },
  { level: "mentions", icon: At, text: t("notifyMentions") },
  { level: "none", icon: Mute, text: t("notifyNone") },
];

/** The choice of a level. It replaces a menu's items. */
export function Levels({ chat, onChoice }) {
  const list = useRef(/** @type {any} */ (null));
  const current = levelOf(chat);
  useLayoutEffect(() => list.current.querySelector("[aria-checked=true]").focus(), []);
  return html`
    <div ref=${list} role="group" aria-label=${t("notify")}>
      ${levels().map(
        ({ level, icon, text }) => html`
          <${MenuItem} key=${level} icon=${icon} class="notify-level-btn" role="menuitemradio"
            aria-checked=${String(level === current)} data-level=${level} onSelect=${() => onChoice(level, text)}>${text}<//>
        `,
      )}
    </div>
  `;
}
