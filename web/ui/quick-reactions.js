/** The reactions at hand in a message's menu: those used last, then the usual ones, then all others. */

import { useAttempt, useDesk } from "./desk.js";
import { html } from "./html.js";
import { Add } from "./icons.js";
import { t } from "./texts.js";

const USUAL = ["👍", "❤️", "😂", "😮", "😢", "🙏"];
const KEY = "greenroom-reactions:";

/** Used in this browser by a user, the latest first. */
function recent(owner) {
  try {
    const emoji = JSON.parse(localStorage.getItem(KEY + owner) ?? "[]");
    return Array.isArray(emoji) ? emoji.filter((one) => typeof one === "string") : [];
  } catch {
    return [];
  }
}

/** Remembers that somebody has reacted with it. */
export function remember(owner, emoji) {
  const latest = [emoji, ...recent(owner).filter((one) => one !== emoji)];
  try {
    localStorage.setItem(KEY + owner, JSON.stringify(latest.slice(0, USUAL.length)));
  } catch {
    // Full, or closed to us: then the usual ones are offered.
  }
}

/** @param {{message: any, me: any, onMore: () => void}} props */
export function QuickReactions({ message, me, onMore }) {
  const { client } = useDesk();
  const attempt = useAttempt();
  const own = new Set(message.reactions.filter(({ users }) => users.includes(me?.id)).map(({ emoji }) => emoji));
  const offered = [...new Set([...recent(me?.id), ...USUAL])].slice(0, USUAL.length);
  const toggle = (emoji) => {
    if (!own.has(emoji)) remember(me?.id, emoji);
    attempt(() => client.react(message.id, emoji, own.has(emoji) ? "remove" : "add"));
  };
  return html`
    <div class="gr-quick" role="group" aria-label=${t("react")}>
      ${offered.map(
        (emoji) => html`
          <button key=${emoji} type="button" role="menuitemcheckbox" aria-checked=${String(own.has(emoji))} aria-label=${t("reactWith", { emoji })}
            tabindex="-1" class="gr-quick-reaction" onClick=${() => toggle(emoji)}>${emoji}</button>
        `,
      )}
      <button type="button" role="menuitem" tabindex="-1" class="gr-quick-reaction gr-more-reactions" aria-label=${t("moreReactions")}
        title=${t("moreReactions")} onClick=${onMore}><${Add} /></button>
    </div>
  `;
}
