/** The frame of a page or a widget: it holds toasts, dialogs and the emoji picker, and announces texts to screen readers. */

import { AppContext } from "./app-context.js";
import { Confirmation } from "./dialog.js";
import { errorText } from "./errors.js";
import { html, useEffect, useLayoutEffect, useMemo, useRef, useState, useSubscription } from "./html.js";
import { Close } from "./icons.js";
import { ignoreImeKeys } from "./ime-keys.js";
import { lazy } from "./lazy.js";
import { copy } from "./text.js";
import { t } from "./texts.js";
import { useUnsent } from "./unsent.js";
import { userStateOf } from "./user-state.js";

const ForwardDialog = lazy(() => import("./forward.js").then(({ ForwardDialog }) => ForwardDialog));
const ChatFiles = lazy(() => import("./chat-files.js").then(({ ChatFiles }) => ChatFiles));
const History = lazy(() => import("./history.js").then(({ History }) => History));

/** How long a toast is shown, in milliseconds. */
const SHOWN = 6_000;

/** The distance between toasts and a composer, in pixels. */
const GAP = 8;

/**
 * Each user has a frame of their own: after another user signs in, nothing that the first one typed is left.
 * @param {{client: any, settings: any, openChat: (id: number) => void, children?: any}} props
 */
export function AppShell(props) {
  const changes = useMemo(() => changesOf(props.client), [props.client]);
  const userId = useSubscription(changes, () => props.client.state.me?.id);
  return userId !== undefined && html`<${UserShell} key=${userId} ...${props} changes=${changes} />`;
}

const changesOf = (client) => ({ on: (listener) => client.on("change", listener) });

function UserShell({ client, changes, settings, openChat, children }) {
  const [toasts, setToasts] = useState(/** @type {any[]} */ ([]));
  const [question, setQuestion] = useState(/** @type {any} */ (null));
  const [historyOf, setHistoryOf] = useState(/** @type {number | null} */ (null));
  const [filesOf, setFilesOf] = useState(/** @type {number | null} */ (null));
  const [forwarded, setForwarded] = useState(/** @type {any} */ (null));
  const toastBox = useRef(/** @type {any} */ (null));
  const picker = useRef(/** @type {any} */ (null));
  const liveRegion = useRef(/** @type {any} */ (null));
  const open = useRef(openChat);
  open.current = openChat;

  const { blocks, composers, deletions, failures } = useMemo(() => userStateOf(client, settings), [client]);
  const app = useMemo(() => {
    // A repeated text replaces the earlier toast.
    const toast = (text, action = null) =>
      setToasts((before) => [...before.filter((other) => other.text !== text), { id: Symbol(text), text, action }]);
    return {
      client,
      changes,
      settings,
      blocks,
      errorText,
      toast,
      deletions,
      composers,
      announce: (text) => announceIn(liveRegion.current, text),
      confirm: (fields) => new Promise((resolve) => setQuestion({ ...fields, resolve })),
      showHistory: setHistoryOf,
      showFiles: setFilesOf,
      showForward: setForwarded,
      /** Shows a message of the open chat. */
      showMessage: { current: (messageId) => void messageId },
      pickEmoji: async (at, onPick) => {
        const { pickEmoji } = await import("./emoji.js");
        const emoji = await pickEmoji(picker.current, at);
        if (emoji) onPick(emoji);
      },
      openChat: (id) => open.current(id),
    };
  }, [client]);

  useEffect(() => {
    const say = (error) => app.toast(errorText(error));
    failures.add(say);
    return () => void failures.delete(say);
  }, [app]);

  const answer = (isYes) => {
    setQuestion(null);
    question.resolve(isYes);
  };
  useEffect(() => ignoreImeKeys(toastBox.current.parentElement), []);
  // A question about a deleted chat is dropped.
  useEffect(() => client.on("chat", ({ chatId, chat }) => !chat && question?.chatId === chatId && answer(false)), [question]);
  useUnsent(client, app.composers, async (fields) => {
    if (await app.confirm({ ...fields, yes: t("copy"), no: t("close"), isDangerous: false })) copy(fields.text, app.toast);
  });
  useLayoutEffect(() => {
    const { current } = toastBox;
    if (current.matches(":popover-open")) current.hidePopover();
    // Shown again, the toasts are above popovers that opened since.
    if (toasts.length === 0) return undefined;
    current.showPopover();
    return avoidComposers(current);
  }, [toasts]);
  const dismiss = (toast) => setToasts((before) => before.filter(({ id }) => id !== toast.id));

  return html`
    <${AppContext.Provider} value=${app}>
      ${children}
      ${forwarded && html`<${ForwardDialog} message=${forwarded} onClose=${() => setForwarded(null)} />`}
      ${filesOf !== null && html`<${ChatFiles} chatId=${filesOf} onMessage=${(id) => (setFilesOf(null), app.showMessage.current(id))} onClose=${() => setFilesOf(null)} />`}
      ${historyOf !== null && html`<${History} messageId=${historyOf} onClose=${() => setHistoryOf(null)} />`}
      ${question && html`<${Confirmation} ...${question} onAnswer=${answer} />`}
      <div ref=${toastBox} class="gr-toasts" popover="manual" role="region" aria-label=${t("notices")}>
        ${toasts.map((toast) => html`<${Toast} key=${toast.id} ...${toast} onEnd=${() => dismiss(toast)} />`)}
      </div>
      <div ref=${picker} class="gr-picker" popover="auto" role="dialog" aria-label=${t("pickEmoji")}></div>
      <div ref=${liveRegion} class="gr-hidden" role="status" aria-live="polite"></div>
    <//>
  `;
}

function Toast({ text, action, onEnd }) {
  const [isHeld, setHeld] = useState(false);
  useEffect(() => {
    if (isHeld) return undefined;
    const timer = setTimeout(onEnd, SHOWN);
    return () => clearTimeout(timer);
  }, [isHeld]);
  const act = () => {
    action.run();
    onEnd();
  };
  return html`
    <div class="gr-toast" role="status" onMouseEnter=${() => setHeld(true)} onMouseLeave=${() => setHeld(false)}
      onFocusIn=${() => setHeld(true)} onFocusOut=${() => setHeld(false)}>
      <span class="gr-toast-text">${text}</span>
      ${action && html`<button type="button" class="gr-button gr-button-quiet" onClick=${act}>${action.label}</button>`}
      <button type="button" class="gr-icon-button" aria-label=${t("dismiss")} onClick=${onEnd}><${Close} /></button>
    </div>
  `;
}

/** Moves the toasts above the composers that they would cover, until the returned function is called. */
function avoidComposers(toastBox) {
  const roots = new Set([document, toastBox.getRootNode()]);
  const composers = [...roots].flatMap((root) => [...root.querySelectorAll(".gr-composer")]);
  const lift = () => {
    toastBox.style.insetBlockEnd = "";
    // From the bottom up: above one composer there may be another one.
    const boxes = composers.map((composer) => composer.getBoundingClientRect()).sort((a, b) => b.bottom - a.bottom);
    for (const { top, bottom, left, right, height } of boxes) {
      const at = toastBox.getBoundingClientRect();
      const isBelow = height > 0 && at.top < bottom && top < at.bottom && at.left < right && left < at.right;
      if (isBelow) toastBox.style.insetBlockEnd = `${Math.min(innerHeight - top + GAP, innerHeight - at.height)}px`;
    }
  };
  const observer = new ResizeObserver(lift);
  for (const box of [document.documentElement, ...composers]) observer.observe(box);
  lift();
  return () => observer.disconnect();
}

/** Announces a text to screen readers. A repeated text is announced again. */
function announceIn(liveRegion, text) {
  if (!liveRegion) return;
  const line = document.createElement("p");
  line.textContent = text;
  liveRegion.append(line);
  while (liveRegion.childElementCount > 5) liveRegion.firstElementChild.remove();
}
