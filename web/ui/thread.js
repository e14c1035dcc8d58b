/** An open thread: its root, the replies, and the composer. It is beside its chat, or over it where there is little space. */

import { useAppContext, useAttempt, useRetry, useStore } from "./app-context.js";
import { Composer } from "./composer.js";
import { retriedErrorText } from "./errors.js";
import { focusedBeside, html, useEffect, useLayoutEffect, useMemo, useRef, useState } from "./html.js";
import { Back, Bell, Close, Mute } from "./icons.js";
import { repliesOf } from "./lanes.js";
import { keepLoaded } from "./loaded-chats.js";
import { MessageList, Skeletons } from "./message-list.js";
import { MessageRow } from "./message-row.js";
import { t, zone } from "./texts.js";

/**
 * @param {object} props
 * @param {number} props.chatId
 * @param {number} props.root
 * @param {import("./conversation.js").Place} props.place the reply to show; a new object scrolls to it again
 * @param {() => void} props.onClose
 * @param {(messageId: number) => void} props.onQuote shows a message wherever it is
 */
export function ThreadPane({ chatId, root, place, onClose, onQuote }) {
  const { client, composers } = useAppContext();
  const [problem, setProblem] = useState(/** @type {any} */ (null));
  const [attempts, setAttempts] = useState(0);
  const [opened, setOpened] = useState(/** @type {any} */ (null));
  const scrollToNewest = useRef(() => {});
  const pane = useRef(/** @type {any} */ (null));
  const lane = useMemo(() => repliesOf(client, chatId, root), [client, chatId, root]);
  const [isOpen, message, title] = useStore((state) => [lane.select(state).isOpen, state.thread(root)?.root, state.chats.get(chatId)?.title]);
  const composer = composers.of(chatId, root);

  useEffect(() => keepLoaded(client, lane.key), [client, root]);
  useEffect(() => {
    let isHere = true;
    setProblem(null);
    const reply = place.messageId === root ? null : place.messageId;
    (reply === null ? client.openNewestReplies(root) : client.openThreadAt(root, reply)).then(
      () => isHere && setOpened(place),
      (error) => isHere && setProblem(error),
    );
    return () => void (isHere = false);
  }, [client, root, place, attempts]);
  const retry = () => setAttempts((count) => count + 1);
  useRetry(problem, retry);
  // Until the composer is there, or where it would bring up a keyboard, the heading has the focus.
  useLayoutEffect(() => {
    // A search in the chat goes on.
    if (focusedBeside(pane.current)?.closest(".gr-chat-search")) return;
    pane.current.querySelector(".gr-thread-title").focus({ preventScroll: true });
  }, []);

  const onKeyDown = (event) => {
    if (event.key !== "Escape" || event.defaultPrevented) return;
    event.preventDefault();
    event.stopPropagation();
    onClose();
  };
  const isShown = isOpen && message && opened;
  const hasFocus = isShown && place.messageId === null && matchMedia("(pointer: fine)").matches;
  return html`
    <section ref=${pane} class="gr-conversation gr-thread-pane" aria-label=${t("threadIn", { title })} onKeyDown=${onKeyDown}>
      <div class="gr-heading gr-thread-heading">
        <button type="button" class="gr-icon-button gr-thread-close" aria-label=${t("closeThread")} title=${t("closeThread")} onClick=${onClose}>
          <span class="gr-back"><${Back} /></span><span class="gr-thread-cross"><${Close} /></span>
        </button>
        <div class="gr-heading-text">
          <h2 class="gr-heading-title gr-panel-title gr-thread-title" tabindex="-1">${t("thread")}</h2>
          <p class="gr-heading-note" dir="auto">${title}</p>
        </div>
        <${FollowButton} root=${root} />
      </div>
      ${problem && !isOpen
        ? html`
            <div class="gr-empty" role="alert">
              <p>${problem.status === 404 ? t("threadGone") : retriedErrorText(problem)}</p>
              ${problem.status !== 404 && html`<button type="button" class="gr-button gr-button-primary" onClick=${retry}>${t("retry")}</button>`}
            </div>
          `
        : isShown
          ? html`<${MessageList} key=${opened} lane=${lane} place=${opened} class="gr-thread-list" composer=${composer} scrollToNewest=${scrollToNewest} onQuote=${onQuote}
              onThread=${() => {}} label=${t("repliesOf", { title: title ?? "" })}
              above=${(shared) => html`<${Root} message=${message} chatId=${chatId} composer=${composer} onQuote=${onQuote} isTarget=${opened.messageId === root} ...${shared} />`} />`
          : html`<div class="gr-thread"><div class="gr-messages"><div class="gr-rows"><${Skeletons} count=${3} /></div></div></div>`}
      ${isShown && html`<${Composer} key=${root} composer=${composer} class="thread-message-input" label=${t("writeReply")} hasFocus=${hasFocus} onSent=${() => scrollToNewest.current()} />`}
    </section>
  `;
}

/** The root above its replies, and their number. */
function Root({ message, chatId, current, setCurrent, ...shared }) {
  const [me, chat] = useStore((state) => [state.me, state.chats.get(chatId)]);
  const count = message.thread_info?.reply_count ?? 0;
  const key = `root ${message.id}`;
  return html`
    <${MessageRow} id=${key} message=${message} me=${me} chat=${chat} isFirst isLast isCurrent=${current === key} onFocus=${setCurrent} root=${message.id}
      zone=${zone()} ...${shared} />
    <div class="gr-day gr-thread-divider" role="listitem"><span>${count > 0 ? t("replyCount", { count }) : t("noReplies")}</span></div>
  `;
}

function FollowButton({ root }) {
  const { client, announce } = useAppContext();
  const attempt = useAttempt();
  const isOn = useStore((state) => state.thread(root)?.is_followed ?? false);
  const toggle = () =>
    attempt(async () => {
      await client.followThread(root, !isOn);
      announce(isOn ? t("threadUnfollowed") : t("threadFollowed"));
    });
  return html`
    <button type="button" class="gr-button gr-button-quiet follow-thread-btn" title=${isOn ? t("unfollowThreadHint") : t("followThreadHint")} onClick=${toggle}>
      ${isOn ? html`<${Mute} />` : html`<${Bell} />`}<span>${isOn ? t("unfollowThread") : t("followThread")}</span>
    </button>
  `;
}
