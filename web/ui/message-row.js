/** A message and its actions. */

import { useAppContext, useAttempt, useStore } from "./app-context.js";
import { Avatar } from "./avatar.js";
import { errorText } from "./errors.js";
import { classes, focusedBeside, html, memo, useLayoutEffect, useRef, useSubscription } from "./html.js";
import { Check, Checks, Clock, Copy, Edit, Forward, More, Pin, Reply, Smile, Thread, Trash, Undo, Unread, Warning } from "./icons.js";
import { lazy } from "./lazy.js";
import { groupsOf, mentionsByName, rangesOf } from "./mentions.js";
import { Menu, MenuItem } from "./menu.js";
import { isPinned, mayPin, usePinning } from "./pins.js";
import { QuickReactions, rememberReaction } from "./quick-reactions.js";
import { Quote } from "./quote.js";
import { useSwipe } from "./swipe.js";
import { copy, isEmoji, Text } from "./text.js";
import { ThreadLine, ThreadNote } from "./thread-line.js";
import { dateAndTime, listOf, t, timeOfDay } from "./texts.js";

const Attachments = lazy(() => import("./attachments.js").then(({ Attachments }) => Attachments));
const Previews = lazy(() => import("./previews.js").then(({ Previews }) => Previews));

export const MessageRow = memo(function MessageRow(props) {
  const { id, message, me, chat, isFirst, isLast, isTarget, isCurrent, onFocus, onResize, composer, root, onThread } = props;
  const { deletions } = useAppContext();
  const isEditing = useSubscription(composer, () => message.id !== null && composer.editing?.id === message.id);
  const isDeleting = useSubscription(deletions, () => deletions.has(message.id));
  const row = useRef(/** @type {any} */ (null));
  const holdsFocus = row.current?.contains(focusedBeside(row.current));
  useLayoutEffect(() => {
    // The focused element may be gone: a reaction that was removed, the menu of a deleted message.
    if (holdsFocus && !row.current.contains(focusedBeside(row.current))) row.current.focus({ preventScroll: true });
  });
  const isMine = message.sender?.id === me?.id;
  const isGone = message.is_deleted || isDeleting;
  const isMention = !isGone && mentionsByName(message, me);
  const wasGone = useRef(isGone);
  useLayoutEffect(() => {
    // The row was empty in between, and the rows below had moved up.
    if (isGone !== wasGone.current) onResize(true);
    wasGone.current = isGone;
  }, [isGone]);
  const reply = message.id === null || isGone || !chat ? null : () => composer.reply(message);
  useSwipe(row, reply);
  // Replies have no thread of their own: theirs opens.
  const toThread = root !== null || message.id === null || isGone || !chat ? null : () => onThread(message.thread ?? message.id);
  const hasName = !isMine && isFirst && chat?.chat_type !== "dm";
  const kind = classes(
    "gr-row message-item",
    isMine ? "is-mine" : "is-others",
    isFirst && "is-first",
    isLast && "is-last",
    isTarget && "is-target",
    isGone && "message-deleted",
    isEditing && "is-edited-now",
    message.status === "failed" && "is-failed",
    isMention && "is-mention",
  );
  return html`
    <div ref=${row} class=${kind} role="listitem" data-key=${id} data-message-id=${message.id ?? undefined} tabindex=${isCurrent ? 0 : -1}
      onFocusIn=${() => onFocus(id)} onKeyDown=${(event) => onRowKey(event, { r: reply, t: toThread })} aria-keyshortcuts=${reply ? (toThread ? "R T" : "R") : undefined}>
      ${!isMine && html`<span class=${classes("gr-row-face", hasName && "has-name")}>${isFirst && html`<${Avatar} user=${message.sender} small />`}</span>`}
      <div class="gr-row-main">
        <span class=${hasName ? "gr-row-name" : "gr-hidden"}>${isMine ? t("you") : message.sender.display_name}</span>
        ${!isGone && html`<${Mentioned} message=${message} isMention=${isMention} />`}
        ${message.thread && !isGone && html`<${ThreadNote} message=${message} isInThread=${root !== null} isCurrent=${isCurrent} onThread=${onThread} />`}
        <div class="gr-row-line">
          ${isGone ? html`<${Tombstone} ...${{ message, isDeleting, isCurrent }} />` : html`<${Bubble} ...${props} isMine=${isMine} />`}
          ${!isGone && message.id !== null && html`<${Actions} ...${props} isMine=${isMine} toThread=${toThread} />`}
        </div>
        ${!isGone && message.reactions?.length > 0 && html`<${Reactions} ...${props} />`}
        ${message.thread_info && root === null && html`<${ThreadLine} message=${message} chat=${chat} isCurrent=${isCurrent} onThread=${onThread} />`}
        ${message.status === "failed" && html`<${Failure} message=${message} />`}
      </div>
    </div>
  `;
});

/** Says to screen readers whom a message mentions. */
function Mentioned({ message, isMention }) {
  const groups = groupsOf(message).map((group) => (group === "everyone" ? t("mentionsEveryone") : t("mentionsHere")));
  const texts = isMention ? [t("mentionsYou"), ...groups] : groups;
  return texts.length > 0 && html`<span class="gr-hidden">${texts.join(" ")}</span>`;
}

function Bubble({ message, me, chat, isMine, isCurrent, onQuote }) {
  return html`
    <div class=${classes("message-bubble", isMine ? "message-bubble-own" : "message-bubble-other", isEmoji(message.content) && "is-emoji")}>
      ${message.reply_to && html`<${Quote} quote=${message.reply_to} me=${me} isCurrent=${isCurrent} onQuote=${onQuote} />`}
      ${message.forwarded_from && html`<${ForwardedText} forwarded=${message.forwarded_from} me=${me} />`}
      ${message.attachments?.length > 0 && html`<${Attachments} message=${message} isCurrent=${isCurrent} />`}
      ${(message.content || !(message.forwarded_from || message.attachments?.length)) && html`<span class="message-content" dir="auto"><${Text} text=${message.content} mentioned=${rangesOf(message)} isMe=${(id) => id === me?.id} /></span>`}
      ${message.previews?.length > 0 && html`<${Previews} message=${message} isMine=${isMine} isCurrent=${isCurrent} />`}
      <span class="message-timestamp">
        ${message.is_edited && html`<span>${t("edited")}</span>`}
        <time datetime=${message.created_at} title=${dateAndTime(message.created_at)}>${timeOfDay(message.created_at)}</time>
        ${isMine && html`<${Receipt} message=${message} me=${me} chat=${chat} />`}
      </span>
    </div>
  `;
}

function ForwardedText({ forwarded, me }) {
  return html`
    <span class="gr-forwarded">
      <span class="gr-forwarded-from"><${Forward} />${forwarded.sender.id === me?.id ? t("forwardedFromYou") : t("forwardedFrom", { name: forwarded.sender.display_name })}</span>
      <span class="message-forwarded" dir="auto"><${Text} text=${forwarded.content} /></span>
    </span>
  `;
}

/** The delivery state of the user's own message. */
function Receipt({ message, me, chat }) {
  const readers = message.read_by?.filter((id) => id !== me?.id) ?? [];
  const [Icon, text] =
    message.status === "failed"
      ? [Warning, t("stateFailed")]
      : message.id === null
        ? [Clock, t("stateSending")]
        : readers.length > 0
          ? [Checks, chat?.chat_type === "dm" ? t("stateRead") : t("stateReadBy", { count: message.read_count - 1 })]
          : [Check, t("stateSent")];
  return html`<span class=${classes("gr-receipt", readers.length > 0 && "is-read")} title=${text}><${Icon} /><span class="gr-hidden">${text}</span></span>`;
}

function Tombstone({ message, isDeleting, isCurrent }) {
  const { deletions } = useAppContext();
  return html`
    <div class="message-bubble gr-tombstone">
      <span class="deleted-indicator">${t("deleted")}</span>
      ${isDeleting &&
      html`
        <button type="button" class="gr-button gr-button-quiet gr-undo-btn" tabindex=${isCurrent ? 0 : -1}
          onClick=${() => deletions.undo(message.id)}><${Undo} />${t("undo")}</button>
      `}
    </div>
  `;
}

function Failure({ message }) {
  return html`
    <div class="gr-failure">
      <span>${errorText(message.error ?? { status: 0 })}</span>
      <button type="button" class="gr-button gr-button-quiet gr-retry-btn" onClick=${() => message.retry()}>${t("retry")}</button>
      <button type="button" class="gr-button gr-button-quiet" onClick=${() => message.discard()}>${t("discard")}</button>
    </div>
  `;
}

function Actions({ message, me, chat, isMine, isCurrent, composer, root, toThread }) {
  const app = useAppContext();
  const { client, settings, deletions, announce } = app;
  const attempt = useAttempt();
  const tabindex = isCurrent ? 0 : -1;
  const actions = useRef(/** @type {any} */ (null));
  const react = (at) =>
    app.pickEmoji(at, (emoji) => {
      rememberReaction(client, emoji);
      attempt(() => client.react(message.id, emoji, "add"));
    });
  const remove = () => {
    if (composer.editing?.id === message.id) composer.abandonEdit();
    deletions.add(message.id);
    announce(t("deletedUndo"));
  };
  const makeUnread = () =>
    attempt(async () => {
      await client.api.setMe(chat.id, { unread_from: message.id });
      announce(t("madeUnread"));
    });
  const setPinned = usePinning();
  const readers = chat?.members.filter(({ id }) => id !== me?.id && message.read_by.includes(id)) ?? [];
  return html`
    <div ref=${actions} class="gr-actions">
      ${settings.can("reactions") &&
      html`
        <button type="button" class="gr-icon-button emoji-btn" aria-label=${t("react")} title=${t("react")} tabindex=${tabindex}
          onClick=${(event) => react(event.currentTarget)}><${Smile} /></button>
      `}
      <${Menu} label=${t("messageMenu")} class="context-menu"
        button=${(props) => html`
          <button ...${props} class="gr-icon-button context-menu-btn" aria-label=${t("messageMenu")} title=${t("messageMenu")} tabindex=${tabindex}>
            <${More} />
          </button>
        `}
      >${() => html`
        ${settings.can("reactions") && html`<${QuickReactions} message=${message} me=${me} onMore=${() => react(actions.current)} />`}
        ${chat && html`<${MenuItem} icon=${Reply} class="reply-btn" onSelect=${() => composer.reply(message)}>${t("reply")}<//>`}
        ${toThread && html`<${MenuItem} icon=${Thread} class="thread-btn" onSelect=${toThread}>${t("replyInThread")}<//>`}
        <${MenuItem} icon=${Copy} onSelect=${() => copy([message.content, message.forwarded_from?.content].filter(Boolean).join("\n\n"), app.toast)}>${t("copy")}<//>
        ${chat && html`<${MenuItem} icon=${Forward} class="forward-btn" onSelect=${() => app.showForward(message)}>${t("forward")}<//>`}
        ${mayPin(chat, me) && html`<${PinItem} message=${message} setPinned=${setPinned} />`}
        ${!isMine && chat && root === null && html`<${MenuItem} icon=${Unread} class="unread-from-btn" onSelect=${makeUnread}>${t("makeUnread")}<//>`}
        ${message.is_edited && settings.showsHistory(me) && html`<${MenuItem} icon=${Clock} class="history-btn" onSelect=${() => app.showHistory(message.id)}>${t("history")}<//>`}
        ${isMine && settings.can("editing") && html`<${MenuItem} icon=${Edit} class="edit-btn" onSelect=${() => composer.edit(message)}>${t("edit")}<//>`}
        ${isMine && settings.can("deleting") && html`<${MenuItem} icon=${Trash} class="delete-btn" isDangerous onSelect=${remove}>${t("delete")}<//>`}
        ${isMine && readers.length > 0 && html`<p class="gr-menu-note">${t("readBy", { names: listOf(readers.map((user) => user.display_name)) })}</p>`}
      `}<//>
    </div>
  `;
}

function PinItem({ message, setPinned }) {
  const isOn = useStore((state) => isPinned(state, message));
  return html`<${MenuItem} icon=${Pin} class="pin-btn" onSelect=${() => setPinned(message, !isOn)}>${isOn ? t("unpinMessage") : t("pinMessage")}<//>`;
}

function Reactions({ message, me, chat, isCurrent }) {
  const { client, settings } = useAppContext();
  const attempt = useAttempt();
  const nameOf = (id) => (id === me?.id ? t("you") : chat?.members.find((member) => member.id === id)?.display_name);
  return html`
    <div class="gr-reactions">
      ${message.reactions.map(({ emoji, count, users }) => {
        const isOn = users.includes(me?.id);
        const names = users.map(nameOf).filter(Boolean).slice(0, 10);
        const label = t("reaction", { emoji, count, names: listOf(names) });
        return html`
          <button key=${emoji} type="button" class=${classes("reaction", isOn && "is-on")} aria-pressed=${String(isOn)}
            aria-label=${label} title=${listOf(names)} tabindex=${isCurrent ? 0 : -1} disabled=${!settings.can("reactions")}
            onClick=${() => attempt(() => client.react(message.id, emoji))}>
            <span class="gr-reaction-pill"><span class="reaction-emoji">${emoji}</span><span class="gr-reaction-count">${count}</span></span>
          </button>
        `;
      })}
    </div>
  `;
}

/** Opens the message's menu by the keys that open context menus, and acts by letters: replies by R, opens a thread by T. */
function onRowKey(event, actions) {
  if (event.target !== event.currentTarget) return undefined;
  // The letter, or where the keyboard has another script, its key.
  const letter = /^[a-z]$/i.test(event.key) ? event.key.toLowerCase() : event.code.replace(/^Key/, "").toLowerCase();
  const act = event.ctrlKey || event.metaKey || event.altKey ? null : actions[letter];
  if (act) {
    event.preventDefault();
    return act();
  }
  const isMenuKey = event.key === "ContextMenu" || (event.key === "F10" && event.shiftKey) || event.key === "Enter";
  if (!isMenuKey) return undefined;
  event.preventDefault();
  return event.currentTarget.querySelector(".context-menu-btn")?.click();
}
