/** Pictures of people and chats. Names are beside them, so they have no text of their own. */

import { useAppContext, useStore } from "./app-context.js";
import { html, useState } from "./html.js";
import { Hash } from "./icons.js";
import { titleOf } from "./people.js";

/** URLs that failed to load. */
const broken = new Set();

export function Avatar({ user, small = false }) {
  const { client } = useAppContext();
  const url = address(user.avatar_url, client.api.base);
  const [, setBroken] = useState(false);
  const kind = `gr-avatar ${small ? "gr-avatar-small" : ""}`;
  if (!url || broken.has(url)) return html`<span class=${kind} aria-hidden="true">${initial(user.display_name)}</span>`;
  const onError = () => setBroken(!!broken.add(url));
  return html`<img class=${kind} src=${url} alt="" loading="lazy" decoding="async" onError=${onError} />`;
}

/** Returns a picture's absolute URL; null where pictures may not have that URL. */
function address(url, base) {
  try {
    const { href, protocol } = new URL(url, base);
    return ["https:", "http:"].includes(protocol) || /^data:image\//.test(href) ? href : null;
  } catch {
    return null;
  }
}

const initial = (name) => [...name.trim()][0]?.toLocaleUpperCase() ?? "?";

/** Returns the other member of a dm; the user in notes. */
export const otherOf = (chat, me) => chat.members.find(({ id }) => id !== me?.id) ?? chat.members[0];

export function ChatAvatar({ chat, small = false }) {
  const me = useStore((state) => state.me);
  if (chat.chat_type === "dm") {
    const other = otherOf(chat, me);
    return html`
      <span class="gr-portrait">
        ${other && html`<${Avatar} user=${other} small=${small} />`}
        ${other && other.id !== me?.id && html`<${OnlineDot} userId=${other.id} />`}
      </span>
    `;
  }
  const size = small ? "gr-avatar-small" : "";
  const others = chat.chat_type === "room" ? [] : chat.members.filter(({ id }) => id !== me?.id).slice(0, 2);
  if (others.length === 2) {
    return html`<span class=${`gr-avatar gr-avatar-pair ${size}`}>${others.map((user) => html`<${Avatar} key=${user.id} user=${user} />`)}</span>`;
  }
  const sign = chat.chat_type === "room" ? html`<${Hash} />` : initial(titleOf(chat, me));
  return html`<span class=${`gr-avatar gr-avatar-sign ${size} gr-hue-${chat.id % HUES}`} aria-hidden="true">${sign}</span>`;
}

/** How many colours `style.css` has for signs. */
const HUES = 6;

function OnlineDot({ userId }) {
  const isOnline = useStore((state) => state.presence.get(userId)?.is_online ?? false);
  return isOnline && html`<span class="gr-online-dot"></span>`;
}
