/** People: their names, and how to search for them. */

import { useRetry } from "./app-context.js";
import { otherOf } from "./avatar.js";
import { retriedErrorText } from "./errors.js";
import { html, useEffect, useRef, useState } from "./html.js";
import { t } from "./texts.js";

/** Returns the dm with a user, if it is loaded. */
export const dmWith = (state, userId) =>
  [...state.chats.values()].find(
    ({ chat_type, members }) => chat_type === "dm" && otherOf({ members }, state.me)?.id === userId && (members.length === 2 || userId === state.me.id),
  );

/** Returns the title of a chat. The server names an untitled group without other members after the user. */
export const titleOf = (chat, me) =>
  chat.chat_type === "group" && chat.member_count === 1 && chat.title === me?.display_name ? t("newChat") : chat.title;

/**
 * Returns what a dm's title does not show of its other member; null where there is nothing to add. Either member may set
 * the title, and users choose their display names.
 * @returns {{name: string, username: string} | null}
 */
export function identityOf(chat, me) {
  const other = chat?.chat_type === "dm" ? otherOf(chat, me) : null;
  if (!other || other.id === me?.id) return null;
  const { display_name: name, username } = other;
  if (chat.title === name) return name === username ? null : { name: "", username };
  return { name: name === username ? "" : name, username };
}

/** Returns `identityOf` in one line. */
export function identityText(chat, me) {
  const identity = identityOf(chat, me);
  return identity ? [identity.name, `@${identity.username}`].filter(Boolean).join(" ") : "";
}

/** Returns the title of a chat with its identity, for use in a sentence. */
export function fullTitleOf(chat, me) {
  const identity = identityText(chat, me);
  return identity ? `${titleOf(chat, me)} (${identity})` : titleOf(chat, me);
}

/** Returns a user's display name with the username: display names are not unique. */
export const fullNameOf = ({ display_name: name, username }) => (name === username ? name : `${name} (@${username})`);

export function Identity({ chat, me }) {
  const identity = identityOf(chat, me);
  if (!identity) return null;
  return html`<span class="gr-identity">${identity.name && html`<bdi>${identity.name}</bdi> `}<bdi dir="ltr">@${identity.username}</bdi></span>`;
}

export const Names = ({ user, note = null }) => html`
  <span class="gr-person-names">
    <span class="gr-person-name" dir="auto">${user.display_name}</span>
    <span class="gr-person-note">@${user.username}</span>
    ${note && html`<span class="gr-danger">${note}</span>`}
  </span>
`;

/** Attributes of search fields: keyboards do not correct names. (`autocorrect` as a property is not a string.) */
export const SEARCH_FIELD = { autocomplete: "off", autocapitalize: "none", autoCorrect: "off", spellcheck: false, enterkeyhint: "search" };

/** Searches match words by their beginnings. */
export const MATCH = "prefix";

/** The pause in typing after which the search starts, in milliseconds. */
const PAUSE = 250;

/**
 * Searches as the user types. After a rate limit it retries by itself. `found` is null before the first answer.
 * @param {(text: string) => Promise<any>} look
 */
export function useSearch(text, look, inputs = []) {
  const [state, setState] = useState({ found: /** @type {any} */ (null), error: /** @type {any} */ (null), of: "" });
  const [now, setNow] = useState(0);
  const before = useRef(0);
  const again = () => setNow((count) => count + 1);
  useEffect(() => {
    if (!text.trim()) return setState({ found: null, error: null, of: "" });
    let isLatest = true;
    const ask = () =>
      look(text.trim()).then(
        (found) => isLatest && setState({ found, error: null, of: text }),
        (error) => isLatest && setState({ found: null, error, of: text }),
      );
    const timer = setTimeout(ask, now === before.current ? PAUSE : 0);
    before.current = now;
    return () => {
      isLatest = false;
      clearTimeout(timer);
    };
  }, [text, now, ...inputs]);
  useRetry(state.error, again);
  const { found, error, of } = state;
  return { found, problem: error && retriedErrorText(error), of, isLooking: !!text.trim() && of !== text, again };
}
