/** What widgets have in common: the sign-in, the panel that opens beside them, and their events for the page. */

import { useAppContext, useStore } from "./app-context.js";
import { AppShell } from "./app-shell.js";
import { Conversation } from "./conversation.js";
import { errorText } from "./errors.js";
import { Fragment, classes, html, useEffect, useLatest, useLayoutEffect, useRef, useState, useSubscription } from "./html.js";
import { Person } from "./icons.js";
import { lazy } from "./lazy.js";
import { t } from "./texts.js";

const WidgetMenu = lazy(() => import("./widget-menu.js").then(({ WidgetMenu }) => WidgetMenu));

/** Renders its children for a signed-in user, and a link to sign in for visitors. */
export function SignedIn({ connection, openChat = () => {}, children, visitor }) {
  const [state, userId] = useSubscription(connection, () => [connection.state, connection.userId, connection.signInUrl]);
  const { client, settings } = connection;
  if (state === "visitor") return visitor ?? html`<${VisitorChoices} connection=${connection} />`;
  if (state === "failed") return html`<p class="gr-note" role="alert">${t("startFailed")}</p>`;
  if (state === "starting" || userId === null) return html`<span class="gr-skeleton gr-skeleton-button" aria-hidden="true"></span>`;
  // Another user starts with a new state.
  return html`
    <${Fragment} key=${client}>
      <${AppShell} key=${userId} client=${client} settings=${settings} openChat=${openChat}>${children}<//>
    <//>
  `;
}

export const SignInLink = ({ connection, text = t("signInToWrite") }) => html`
  <a class="gr-button gr-sign-in-link" href=${connection.signInUrl}><${Person} />${text}</a>
`;

/** A link to sign in, and where guests are allowed, a button to continue as one. */
export function VisitorChoices({ connection }) {
  const [isAsking, setAsking] = useState(false);
  const [problem, setProblem] = useState("");
  const begin = async () => {
    setAsking(true);
    setProblem("");
    try {
      await connection.continueAsGuest();
    } catch (error) {
      setProblem(error.status === 403 ? t("guestsClosed") : errorText(error));
    }
    setAsking(false);
  };
  if (!connection.allowsGuests) return html`<${SignInLink} connection=${connection} />`;
  return html`
    <span class="gr-visitor">
      <${SignInLink} connection=${connection} />
      <button type="button" class="gr-button guest-btn" disabled=${isAsking} onClick=${begin}>${t("continueAsGuest")}</button>
      ${problem && html`<span class="gr-problem" role="alert">${problem}</span>`}
    </span>
  `;
}

/** Emits events for the page: a chat's messages, and its unread count. */
export function useChatEvents(emit, chatId) {
  const { client } = useAppContext();
  const unread = useStore((state) => state.chats.get(chatId)?.unread_count ?? 0);
  useEffect(
    () =>
      client.on("message", ({ chatId: of, message, change }) => {
        if (of === chatId) emit("message", { chatId, message, change });
      }),
    [client, chatId],
  );
  useEffect(() => {
    if (chatId) emit("unread", { chatId, unread });
  }, [unread, chatId]);
}

/** The first and longest pause before a retry, in milliseconds. */
const FIRST_PAUSE = 1_000;
const LONGEST_PAUSE = 30_000;

/**
 * Runs work, with retries until it succeeds or is refused for good. Returns the latest error.
 * @param {(isWanted: () => boolean) => Promise<any>} work
 */
export function useRetriedWork(work, inputs) {
  const [problem, setProblem] = useState(/** @type {any} */ (null));
  const latest = useLatest(work);
  useEffect(() => {
    const end = new AbortController();
    const isWanted = () => !end.signal.aborted;
    let timer;
    let pause = FIRST_PAUSE;
    const attempt = async () => {
      clearTimeout(timer);
      try {
        await latest(isWanted);
        if (isWanted()) setProblem(null);
      } catch (error) {
        if (!isWanted()) return;
        setProblem(error);
        if (error.isFinal) return;
        timer = setTimeout(attempt, (error.retryAfter ?? 0) * 1000 + pause * (0.5 + Math.random() / 2));
        pause = Math.min(2 * pause, LONGEST_PAUSE);
      }
    };
    attempt();
    return () => {
      end.abort();
      clearTimeout(timer);
    };
  }, inputs);
  return problem;
}

/** Warns the page's author in the console about a refused widget. Visitors do not see it. */
export function warnAuthor(element, error) {
  console.warn(`greenroom: <${element}> was refused: ${error.detail ?? error}`);
}

/** A panel above the page. Escape closes it. */
export function Panel({ id, label, onClose, children }) {
  const panel = useRef(/** @type {any} */ (null));
  useLayoutEffect(() => {
    if (panel.current.isConnected) panel.current.showPopover();
  }, []);
  const onKeyDown = (event) => {
    if (event.key !== "Escape" || event.isComposing || event.defaultPrevented) return;
    // Else a dialog around the widget would close as well.
    event.preventDefault();
    event.stopPropagation();
    onClose();
  };
  return html`
    <div ref=${panel} id=${id} class="gr-panel" popover="manual" role="dialog" aria-label=${label} onKeyDown=${onKeyDown}>${children}</div>
  `;
}

/**
 * A conversation with the menu of its chat in its header.
 * @param {{chatId: number, header: (menu: any) => any, place?: import("./conversation.js").Place}} props and those of `Conversation`
 */
export function Chat({ chatId, header, place: first = undefined, ...others }) {
  const [place, setPlace] = useState(first);
  const menu = html`<${WidgetMenu} chatId=${chatId} onMessage=${(messageId) => setPlace({ messageId })} />`;
  return html`<${Conversation} chatId=${chatId} place=${place} header=${header(menu)} ...${others} />`;
}

/** The number of unread messages, on a button. */
export const UnreadBadge = ({ count, isQuiet = false }) =>
  count > 0 &&
  html`<span class=${classes("unread-indicator", isQuiet && "is-quiet")}><span aria-hidden="true">${count > 99 ? "99+" : count}</span><span class="gr-hidden">${t("unread", { count })}</span></span>`;
