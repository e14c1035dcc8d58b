/** The field in which the user writes a message or edits one. */

import { useAppContext } from "./app-context.js";
import { classes, focusedBeside, html, useEffect, useId, useMedia, useRef, useState } from "./html.js";
import { Check, Clip, Close, Edit, Reply, Send, Smile } from "./icons.js";
import { lazy } from "./lazy.js";
import { QuoteText } from "./quote.js";
import { t } from "./texts.js";

const ComposerFiles = lazy(() => import("./composer-files.js").then(({ ComposerFiles }) => ComposerFiles));
const MentionPicker = lazy(() => import("./mention-picker.js").then(({ MentionPicker }) => MentionPicker));

/**
 * @param {object} props
 * @param {import("./composer-state.js").ComposerState} props.composer
 * @param {string} [props.id] of the field
 * @param {() => void} props.onSent
 */
export function Composer({ composer, id, class: kind = "", label, onSent, hasFocus = false }) {
  const app = useAppContext();
  const form = useRef(/** @type {any} */ (null));
  const field = useRef(/** @type {any} */ (null));
  const [, draw] = useState(0);
  const [isSaving, setSaving] = useState(false);
  const [hint, quote] = [useId(), useId()];
  // On touch screens Enter inserts a new line: their keyboards have no Shift+Enter.
  const isTouched = useMedia("(pointer: coarse)");
  const { editing, replyTo, text } = composer;
  const picker = useRef(/** @type {import("./mention-picker.js").PickerHandle | null} */ (null));
  const look = () => picker.current?.look();

  useEffect(
    () =>
      composer.on((what) => {
        draw((count) => count + 1);
        if (what === "gone") app.toast(t("editGone"));
        if (what === "replyGone") app.toast(t("replyGone"));
        if (what === "edit") queueMicrotask(() => isElsewhere(field.current) || focusEnd(field.current));
        if (what === "sent") onSent();
      }),
    [composer],
  );
  useEffect(() => {
    if (hasFocus) focusEnd(field.current);
  }, [composer, hasFocus]);

  const submit = async () => {
    if (!composer.canSubmit || isSaving) return;
    setSaving(true);
    try {
      await composer.submit();
    } catch (error) {
      app.toast(app.errorText(error));
    } finally {
      setSaving(false);
      field.current?.focus();
    }
  };
  const onKeyDown = (event) => {
    if (picker.current?.onKey(event)) null;
    else if (event.key === "Enter" && (isTouched ? event.ctrlKey || event.metaKey : !event.shiftKey)) submit();
    else if (event.key === "Escape" && editing) composer.cancel();
    else if (event.key === "Escape" && replyTo) composer.cancelReply();
    else if (event.key === "ArrowUp" && text === "" && !editing && app.settings.can("editing") && composer.editLatest()) null;
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  const insert = (emoji) => {
    const { selectionStart, selectionEnd, value } = field.current;
    composer.type(value.slice(0, selectionStart) + emoji + value.slice(selectionEnd));
    queueMicrotask(() => {
      field.current.focus();
      field.current.setSelectionRange(selectionStart + emoji.length, selectionStart + emoji.length);
    });
  };
  const count = composer.charactersLeft;
  const isTooLong = count !== null && count < 0;
  useEffect(() => {
    if (isTooLong) app.announce(t("tooLong", { count: -count }));
  }, [isTooLong]);
  return html`
    <form ref=${form} class=${classes("gr-composer", editing && "is-editing", isTooLong && "is-too-long")}
      onSubmit=${(event) => (event.preventDefault(), submit())}>
      ${editing &&
      html`
        <div class="gr-composer-editing">
          <${Edit} /><span>${t("editing")}</span>
          <button type="button" class="gr-icon-button edit-cancel-btn" aria-label=${t("cancelEdit")} onClick=${() => composer.cancel()}><${Close} /></button>
        </div>
      `}
      ${replyTo &&
      !editing &&
      html`
        <div id=${quote} class="gr-composer-reply">
          <${Reply} />
          <div class="gr-quote"><${QuoteText} sender=${replyTo.sender} text=${replyTo.content} me=${app.client.state.me} /></div>
          <button type="button" class="gr-icon-button reply-cancel-btn" aria-label=${t("cancelReply")} onClick=${() => composer.cancelReply()}><${Close} /></button>
        </div>
      `}
      ${text.includes("@") && html`<${MentionPicker} composer=${composer} field=${field} handle=${picker} />`}
      <div class="gr-composer-field">
        ${composer.given && html`<${ComposerFiles} key=${composer.key} composer=${composer} given=${composer.given} />`}
        <span class="gr-grows" data-text=${text}>
          <textarea ref=${field} id=${id} class=${kind} rows="1" aria-label=${label} placeholder=${label} dir=${text === "" ? undefined : "auto"}
            aria-describedby=${replyTo && !editing ? `${quote} ${hint}` : hint} value=${text} enterkeyhint=${isTouched ? "enter" : "send"} autocapitalize="sentences"
            autocomplete="off" aria-invalid=${isTooLong ? "true" : undefined}
            onInput=${(event) => (composer.type(event.currentTarget.value), look())} onKeyDown=${onKeyDown} onSelect=${look} onKeyUp=${look} onClick=${look}
            onBlur=${() => picker.current?.leave()} aria-autocomplete="list" aria-haspopup="listbox"></textarea>
        </span>
        ${app.settings.takesFiles && !editing && html`<${AttachButton} composer=${composer} form=${form} />`}
        <button type="button" class="gr-icon-button" aria-label=${t("insertEmoji")} title=${t("insertEmoji")}
          onClick=${(event) => app.pickEmoji(event.currentTarget, insert)}><${Smile} /></button>
        ${editing
          ? html`<button type="submit" class="gr-send edit-save-btn" aria-label=${t("save")} title=${t("save")}
              disabled=${!composer.canSubmit || isSaving}><${Check} /></button>`
          : html`<button type="submit" class="gr-send" aria-label=${t("send")} title=${t("send")}
              disabled=${!composer.canSubmit}><${Send} /></button>`}
      </div>
      ${composer.root !== null &&
      !editing &&
      html`
        <label class="gr-also-in-chat">
          <input type="checkbox" checked=${composer.alsoInChat} onChange=${(event) => composer.setAlsoInChat(event.currentTarget.checked)} />
          <span>${t("alsoInChat")}</span>
        </label>
      `}
      <p id=${hint} class=${classes("gr-composer-hint", isTooLong && "gr-danger")}>
        ${count !== null && (isTooLong ? t("tooLong", { count: -count }) : t("left", { count }))}
      </p>
    </form>
  `;
}

/** The button that adds files. Files that are pasted here, or dropped on the conversation, are added too. */
function AttachButton({ composer, form }) {
  const input = useRef(/** @type {any} */ (null));
  const [isOver, setOver] = useState(false);
  useEffect(() => {
    const place = form.current.closest(".gr-conversation") ?? form.current;
    const end = new AbortController();
    const on = (name, take) => place.addEventListener(name, take, { signal: end.signal });
    const take = (event, files) => {
      if (files.length === 0) return;
      event.preventDefault();
      composer.give(files);
      form.current.querySelector("textarea").focus();
    };
    on("paste", (event) => form.current.contains(event.target) && take(event, event.clipboardData.files));
    on("dragover", (event) => {
      if (!event.dataTransfer.types.includes("Files")) return;
      event.preventDefault();
      setOver(true);
    });
    on("dragleave", (event) => place.contains(event.relatedTarget) || setOver(false));
    on("drop", (event) => {
      setOver(false);
      take(event, event.dataTransfer.files);
    });
    return () => end.abort();
  }, [composer]);
  return html`
    <button type="button" class="gr-icon-button attach-btn" aria-label=${t("attach")} title=${t("attach")} onClick=${() => input.current.click()}><${Clip} /></button>
    <input ref=${input} class="gr-hidden file-input" type="file" multiple tabindex="-1" aria-hidden="true"
      onChange=${({ currentTarget }) => (composer.give(currentTarget.files), (currentTarget.value = ""))} />
    ${isOver && html`<p class="gr-drop" aria-hidden="true">${t("dropHere")}</p>`}
  `;
}

/** Whether another conversation of the page has the focus. */
function isElsewhere(field) {
  const conversation = field && focusedBeside(field)?.closest(".gr-conversation");
  return Boolean(conversation) && !conversation.contains(field);
}

function focusEnd(field) {
  if (!field) return;
  field.focus();
  field.setSelectionRange(field.value.length, field.value.length);
}
