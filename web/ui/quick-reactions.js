/** The reactions in a message's menu: those used last, then the usual ones, then the picker. */

import { useAppContext, useAttempt } from "./app-context.js";
import { html } from "./html.js";
import { Add } from "./icons.js";
import { ownerOf, reactionsKey } from "./session.js";
import { t } from "./texts.js";

const USUAL = ["👍", "❤️", "😂", "😮", "😢", "🙏"];

/** Returns the user's latest reactions in this browser, the latest first. */
function recent(client) {
  try {
    const emoji = JSON.parse(localStorage.getItem(reactionsKey(ownerOf(client))) ?? "[]");
    return Array.isArray(emoji) ? emoji.filter((one) => typeof one === "string") : [];
  } catch {
    return [];
  }
}

/** Stores that the user has reacted with an emoji. */
export function rememberReaction(client, emoji) {
  const latest = [emoji, ...recent(client).filter((one) => one !== emoji)];
  try {
    localStorage.setItem(reactionsKey(ownerOf(client)), JSON.stringify(latest.slice(0, USUAL.length)));
  } catch {
    // The storage is full or blocked: the usual reactions are offered.
  }
}

/** @param {{message: any, me: any, onMore: () => void}} props */
export function QuickReactions({ message, me, onMore }) {
  const { client } = useAppContext();
  const attempt = useAttempt();
  const own = new Set(message.reactions.filter(({ users }) => users.includes(me?.id)).map(({ emoji }) => emoji));
  const offered = [...new Set([...recent(client), ...USUAL])].slice(0, USUAL.length);
  const toggle = (emoji) => {
    if (!own.has(emoji)) rememberReaction(client, emoji);
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
