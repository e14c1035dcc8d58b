/** Pictures of people and chats. Names stand beside them, so they say nothing themselves. */

import { html, useState } from "./html.js";
import { useDesk, useKnown } from "./desk.js";
import { Bubble, Hash, People } from "./icons.js";

/** Addresses that could not be loaded. */
const broken = new Set();

export function Avatar({ user, small = false }) {
  const { client } = useDesk();
  const url = address(user.avatar_url, client.api.base);
  const [, setBroken] = useState(false);
  const kind = `gr-avatar ${small ? "gr-avatar-small" : ""}`;
  if (!url || broken.has(url)) return html`<span class=${kind} aria-hidden="true">${initial(user.display_name)}</span>`;
  const onError = () => setBroken(!!broken.add(url));
  return html`<img class=${kind} src=${url} alt="" loading="lazy" decoding="async" onError=${onError} />`;
}

/** Where a picture is; null where it is no address that a picture may have. */
function address(url, base) {
  try {
    const { href, protocol } = new URL(url, base);
    return ["https:", "http:"].includes(protocol) || /^data:image\//.test(href) ? href : null;
  } catch {
    return null;
  }
}

const initial = (name) => [...name.trim()][0]?.toLocaleUpperCase() ?? "?";

/** The other one in a direct message; oneself in notes. */
export const otherOf = (chat, me) => chat.members.find(({ id }) => id !== me?.id) ?? chat.members[0];

export function ChatAvatar({ chat, small = false }) {
  const me = useKnown((state) => state.me);
  if (chat.chat_type === "dm") {
    const other = otherOf(chat, me);
    return html`
      <span class="gr-portrait">
        ${other && html`<${Avatar} user=${other} small=${small} />`}
        ${other && other.id !== me?.id && html`<${OnlineDot} userId=${other.id} />`}
      </span>
    `;
  }
  const Sign = chat.chat_type === "room" ? Hash : chat.member_count > 1 ? People : Bubble;
  return html`<span class=${`gr-avatar gr-avatar-sign ${small ? "gr-avatar-small" : ""}`}><${Sign} /></span>`;
}

function OnlineDot({ userId }) {
  const isOnline = useKnown((state) => state.presence.get(userId)?.is_online ?? false);
  return isOnline && html`<span class="gr-online-dot"></span>`;
}
