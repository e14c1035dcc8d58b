/** The files in the composer, with their progress and descriptions. */

import { useAppContext } from "./app-context.js";
import { errorText } from "./errors.js";
import { FileIcon } from "./file-icons.js";
import { FileList } from "./file-list.js";
import { fileSize } from "./file-names.js";
import { classes, html, useEffect, useLayoutEffect } from "./html.js";
import { Close, Undo } from "./icons.js";
import { t } from "./texts.js";

/**
 * @param {object} props
 * @param {import("./composer-state.js").ComposerState} props.composer
 * @param {File[]} props.given files that were chosen, pasted or dropped; each list is added once
 */
export function ComposerFiles({ composer, given }) {
  const app = useAppContext();
  const files = (composer.files ??= new FileList(app.client, composer.chatId, () => composer.filesChanged()));
  useLayoutEffect(() => {
    if (!composer.takeGiven(given)) return;
    const { maxFileSize, maxFiles } = app.settings;
    const fitting = given.filter(({ size }) => size > 0 && size <= maxFileSize);
    const taken = fitting.slice(0, Math.max(0, maxFiles - files.items.length));
    if (given.some(({ size }) => size > maxFileSize)) app.toast(t("fileTooLarge", { size: fileSize(maxFileSize) }));
    else if (given.some(({ size }) => size === 0)) app.toast(t("fileEmpty"));
    else if (taken.length < fitting.length) app.toast(t("filesTooMany", { count: maxFiles }));
    files.add(taken);
  }, [given]);
  if (composer.editing || files.items.length === 0) return null;
  return html`
    <ul class="gr-pending-files" aria-label=${t("files")}>
      ${files.items.map((item) => html`<${PendingFile} key=${item.key} item=${item} files=${files} />`)}
    </ul>
  `;
}

function PendingFile({ item, files }) {
  const { announce } = useAppContext();
  const { key, file, preview, progress, attachment, error } = item;
  const isPicture = preview !== null;
  const isDone = attachment !== null;
  useEffect(() => {
    if (isDone) announce(t("fileReady", { name: file.name }));
    else if (error) announce(t("fileFailed", { name: file.name }));
  }, [isDone, error]);
  return html`
    <li class=${classes("gr-pending-file", error && "is-failed")}>
      ${isPicture ? html`<img class="gr-pending-preview" src=${preview} alt="" />` : html`<span class="gr-pending-preview"><${FileIcon} /></span>`}
      <div class="gr-pending-text">
        <span class="gr-pending-name" dir="auto">${file.name}</span>
        ${error
          ? html`<span class="gr-danger">${problemText(error)}</span>`
          : isDone
            ? html`<span class="gr-note">${fileSize(file.size)}</span>`
            : html`<progress class="gr-progress" max="1" value=${progress} aria-label=${t("uploading", { name: file.name })}></progress>`}
        ${isPicture &&
        !error &&
        html`<input class="gr-input alt-input" type="text" maxlength="1000" enterkeyhint="done" autocapitalize="sentences" aria-label=${t("altOf", { name: file.name })} placeholder=${t("alt")}
          defaultValue=${item.alt} onChange=${(event) => files.describe(key, event.currentTarget.value)} onKeyDown=${(event) => event.key === "Enter" && event.preventDefault()} />`}
      </div>
      ${error && html`<button type="button" class="gr-icon-button" aria-label=${t("retryFile", { name: file.name })} title=${t("retry")} onClick=${() => files.retry(key)}><${Undo} /></button>`}
      <button type="button" class="gr-icon-button" aria-label=${t("removeFile", { name: file.name })} title=${t("remove")} onClick=${() => files.remove(key)}><${Close} /></button>
    </li>
  `;
}

/** The server's reason, where it refused the file. */
function problemText(error) {
  if (error.fields?.name || error.fields?.size || error.fields?.sha256) return t("fileRefused");
  // The size was checked before.
  if (error.status === 413) return t("noSpace");
  return errorText(error);
}
