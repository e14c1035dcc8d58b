/** People: how they are called, and how they are found. */

import { otherOf } from "./avatar.js";
import { useRetry } from "./desk.js";
import { inWordsRetried } from "./errors.js";
import { html, useEffect, useRef, useState } from "./html.js";
import { t } from "./texts.js";

/** The direct messages with a user, as far as they are loaded. */
export const dmWith = (state, userId) =>
  [...state.chats.values()].find(
    ({ chat_type, members }) => chat_type === "dm" && otherOf({ members }, state.me)?.id === userId && (members.length === 2 || userId === state.me.id),
  );

/** The title of a chat. The server calls a group without others, and without a title, by one's own name. */
export const titleOf = (chat, me) =>
  chat.chat_type === "group" && chat.member_count === 1 && chat.title === me?.display_name ? t("newChat") : chat.title;

/**
 * Who the other one in a direct message is, as far as its title does not say so: either of the two gives it one, and each
 * gives themselves a name. Null where there is nothing to add.
 * @returns {{name: string, username: string} | null}
 */
export function identityOf(chat, me) {
  const other = chat?.chat_type === "dm" ? otherOf(chat, me) : null;
  if (!other || other.id === me?.id) return null;
  const { display_name: name, username } = other;
  if (chat.title === name) return name === username ? null : { name: "", username };
  return { name: name === username ? "" : name, username };
}

/** The same in a line. */
export function identityText(chat, me) {
  const identity = identityOf(chat, me);
  return identity ? [identity.name, `@${identity.username}`].filter(Boolean).join(" ") : "";
}

/** The title of a chat, with who that is: for a sentence. */
export function fullTitleOf(chat, me) {
  const identity = identityText(chat, me);
  return identity ? `${titleOf(chat, me)} (${identity})` : titleOf(chat, me);
}

/** How somebody is called, whatever name they have given themselves. */
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

/** What phones are told of a field in which one searches: names are not to be corrected. (`autocorrect` as a property is no text.) */
export const SEARCHING = { autocomplete: "off", autocapitalize: "none", autoCorrect: "off", spellcheck: false, enterkeyhint: "search" };

/** How the words that somebody types are found: where a word begins with them. */
export const MATCH = "prefix";

/** How long one has to stop typing before it is looked for, in milliseconds. */
const PAUSE = 250;

/**
 * What was found for words that somebody types. Where that was too much at once it is looked for again by itself. `found` is null before there is an answer.
 * @param {(text: string) => Promise<any>} look
 */
export function useLookup(text, look, inputs = []) {
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
  return { found, problem: error && inWordsRetried(error), of, isLooking: !!text.trim() && of !== text, again };
}
