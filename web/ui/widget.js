/** What widgets have in common: who looks at them, the panel that opens beside them, and what they tell the page. */

import { useKnown } from "./desk.js";
import { classes, html, useEffect, useLayoutEffect, useRef, useWatched } from "./html.js";
import { Person } from "./icons.js";
import { Shell } from "./shell.js";
import { t } from "./texts.js";

/** Shows what is in it to who is signed in; others get a link to sign in. */
export function Signed({ connection, openChat = () => {}, children, visitor }) {
  const state = useWatched(connection, () => connection.state);
  const { client, settings } = connection;
  if (state === "visitor") return visitor ?? html`<${SignInLink} connection=${connection} />`;
  if (state === "failed") return html`<p class="gr-note" role="alert">${t("startFailed")}</p>`;
  if (state === "starting") return html`<span class="gr-skeleton gr-skeleton-button" aria-hidden="true"></span>`;
  return html`<${Shell} key=${client.state.me?.id} client=${client} settings=${settings} openChat=${openChat}>${children}<//>`;
}

export const SignInLink = ({ connection, text = t("signInToWrite") }) => html`
  <a class="gr-button gr-sign-in-link" href=${connection.signInUrl}><${Person} />${text}</a>
`;

/** Tells the page of messages, and of what is unread; in one chat, or in all, of which `total` are unread. */
export function useTold(client, tell, chatId, total = 0) {
  const unread = useKnown((state) => (chatId === null ? total : (state.chats.get(chatId)?.unread_count ?? 0)));
  useEffect(
    () =>
      client.on("message", ({ chatId: of, message, change }) => {
        if (chatId === null || of === chatId) tell("message", { chatId: of, message, change });
      }),
    [client, chatId],
  );
  useEffect(() => void tell("unread", chatId === null ? { total: unread } : { chatId, unread }), [unread, chatId]);
}

/** Something that is open beside the page, above everything else. Escape closes it. */
export function Panel({ id, label, onClose, children }) {
  const panel = useRef(/** @type {any} */ (null));
  useLayoutEffect(() => {
    panel.current.showPopover();
  }, []);
  const onKeyDown = (event) => {
    if (event.key === "Escape" && !event.defaultPrevented) onClose();
  };
  return html`
    <div ref=${panel} id=${id} class="gr-panel" popover="manual" role="dialog" aria-label=${label} onKeyDown=${onKeyDown}>${children}</div>
  `;
}

/** How many unread messages there are, on a button. */
export const UnreadBadge = ({ count, isQuiet = false }) =>
  count > 0 &&
  html`<span class=${classes("unread-indicator", isQuiet && "is-quiet")}><span aria-hidden="true">${count > 99 ? "99+" : count}</span><span class="gr-hidden">${t("unread", { count })}</span></span>`;
