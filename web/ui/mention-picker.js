/** The list of people to mention, above the field in which a name is being typed after an @. */

import { useAppContext, useStore } from "./app-context.js";
import { Avatar } from "./avatar.js";
import { mayManage } from "./chat-rights.js";
import { classes, html, useEffect, useId, useLayoutEffect, useRef, useState } from "./html.js";
import { People } from "./icons.js";
import { askedFor, isNamed } from "./mentions.js";
import { MATCH, useSearch } from "./people.js";
import { t } from "./texts.js";

/** How many people are offered, and most members of a chat in which all may mention everyone. */
const OFFERED = 8;
const SMALL_CHAT = 25;

const optionOf = (user) => ({ id: user.id, name: user.display_name, note: `@${user.username}`, user });

/** Returns the groups that the user may mention. */
function groupsIn(chat, me) {
  const may = chat.chat_type !== "dm" && (mayManage(chat, me) || chat.member_count <= SMALL_CHAT);
  if (!may) return [];
  return [
    { id: "everyone", name: "everyone", note: t("mentionEveryone") },
    { id: "here", name: "here", note: t("mentionHere") },
  ];
}

/** Finds the people and groups for what was typed. */
function useOptions(chatId, words) {
  const { client } = useAppContext();
  const [chat, me] = useStore((state) => [state.chats.get(chatId), state.me]);
  const areAllKnown = !chat || chat.members.length >= chat.member_count;
  const { found } = useSearch(areAllKnown ? "" : (words ?? ""), (text) => client.api.members(chatId, { search: text, match: MATCH, page_size: OFFERED }));
  if (words === null || !chat) return [];
  const others = chat.members.filter(({ id }) => id !== me?.id && !(found?.results ?? []).some((member) => member.id === id));
  const members = [...others, ...(found?.results ?? []).filter(({ id }) => id !== me?.id)];
  const named = members.filter(({ display_name, username }) => isNamed([display_name, username], words)).map(optionOf);
  const groups = groupsIn(chat, me).filter(({ id, note }) => isNamed([id, note], words));
  return [...named.slice(0, OFFERED), ...groups];
}

/**
 * What a field calls: at each key, and when its caret has moved or it has lost the focus.
 * @typedef {object} PickerHandle
 * @property {(event: KeyboardEvent) => boolean} onKey handles a key of the open list; returns whether it did
 * @property {() => void} look
 * @property {() => void} leave
 */

/**
 * Offers people while a name is being typed.
 * @param {object} props
 * @param {import("./composer-state.js").ComposerState} props.composer
 * @param {{current: HTMLTextAreaElement}} props.field
 * @param {{current: PickerHandle | null}} props.handle receives what the field calls
 */
export function MentionPicker({ composer, field, handle }) {
  const { announce } = useAppContext();
  const [caret, setCaret] = useState(/** @type {number | null} */ (null));
  const [current, setCurrent] = useState(0);
  // Where the list was closed by Escape: it stays closed for that @.
  const [closedAt, setClosedAt] = useState(/** @type {number | null} */ (null));
  const id = useId();
  const list = useRef(/** @type {any} */ (null));
  const asked = caret === null ? null : askedFor(composer.text, caret);
  const isAsked = asked !== null && asked.start !== closedAt;
  const options = useOptions(composer.chatId, isAsked ? asked.words : null);
  const isOpen = options.length > 0;
  const at = Math.min(current, options.length - 1);

  useEffect(() => setCurrent(0), [asked?.words, asked?.start]);
  useEffect(() => {
    if (isOpen) announce(t("mentionOptions", { count: options.length }));
  }, [isOpen, options.length]);
  useLayoutEffect(() => {
    list.current?.querySelector("[aria-selected=true]")?.scrollIntoView({ block: "nearest" });
  });

  const look = () => {
    // A draft is there before the field is used.
    if (!field.current?.matches(":focus")) return;
    const { selectionStart, selectionEnd } = field.current;
    setCaret(selectionStart === selectionEnd ? selectionStart : null);
    if (closedAt !== null && askedFor(field.current.value, selectionStart)?.start !== closedAt) setClosedAt(null);
  };
  const pick = (option) => {
    const end = composer.mention(option, asked.start, caret);
    setCaret(null);
    queueMicrotask(() => {
      field.current.focus();
      field.current.setSelectionRange(end, end);
    });
  };
  const onKey = (event) => {
    if (!isOpen || event.ctrlKey || event.metaKey || event.altKey) return false;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) setCurrent((at + step + options.length) % options.length);
    else if ((event.key === "Enter" || event.key === "Tab") && !event.shiftKey) pick(options[at]);
    else if (event.key === "Escape") setClosedAt(asked.start);
    else return false;
    return true;
  };
  handle.current = { onKey, look, leave: () => setCaret(null) };
  useEffect(() => {
    look();
    return () => void (handle.current = null);
  }, []);
  useLayoutEffect(() => {
    const { current: element } = field;
    if (!isOpen) return undefined;
    const attributes = { "aria-controls": id, "aria-activedescendant": `${id}-${at}` };
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    return () => Object.keys(attributes).forEach((name) => element.removeAttribute(name));
  }, [isOpen, at]);
  if (!isOpen) return null;
  return html`
    <ul ref=${list} id=${id} class="gr-mention-list" role="listbox" aria-label=${t("mentionSomeone")} onPointerDown=${(event) => event.preventDefault()}>
      ${options.map(
        (option, index) => html`
          <li key=${option.id} id=${`${id}-${index}`} class="gr-mention-option" role="option" aria-selected=${String(index === at)}
            onClick=${() => pick(option)}>
            ${option.user ? html`<${Avatar} user=${option.user} small />` : html`<span class="gr-avatar gr-avatar-small" aria-hidden="true"><${People} /></span>`}
            <span class="gr-mention-name" dir="auto">${option.user ? option.name : `@${option.name}`}</span>
            <span class="gr-mention-note">${option.note}</span>
          </li>
        `,
      )}
    </ul>
  `;
}
