/** Modal dialogs. The browser keeps the focus in them, and restores it when they close. */

import { html, useId, useLayoutEffect, useRef } from "./html.js";
import { Close } from "./icons.js";
import { t } from "./texts.js";

/** @param {{title: string, onClose: () => void, class?: string, children?: any, header?: any}} props */
export function Dialog({ title, onClose, children, header = null, class: kind = "" }) {
  const [dialog, onEnd] = useModal(onClose);
  const label = useId();
  return html`
    <dialog ref=${dialog} class=${`gr-dialog ${kind}`} aria-labelledby=${label} onClose=${onEnd} onClick=${onBackdrop} onKeyDown=${onKeyDown}>
      <div class="gr-dialog-body">
        <div class="gr-dialog-header">
          <h2 id=${label}>${title}</h2>
          <button type="button" id="close-dialog-btn" class="gr-icon-button" aria-label=${t("close")}
            onClick=${() => dialog.current.close()}><${Close} /></button>
        </div>
        ${header}
        <div class="gr-dialog-content">${children}</div>
      </div>
    </dialog>
  `;
}

/** A question with two answers: confirm and cancel. */
export function Confirmation({ title, text, yes, no = t("cancel"), isDangerous = true, onAnswer }) {
  const answer = useRef(false);
  const [dialog, onEnd] = useModal(() => onAnswer(answer.current));
  const [label, description] = [useId(), useId()];
  const end = (isYes) => {
    answer.current = isYes;
    dialog.current.close();
  };
  return html`
    <dialog ref=${dialog} class="gr-dialog gr-confirmation" role="alertdialog" aria-labelledby=${label}
      aria-describedby=${description} onClose=${onEnd} onClick=${onBackdrop} onKeyDown=${onKeyDown}>
      <div class="gr-dialog-body">
        <h2 id=${label}>${title}</h2>
        <p id=${description}>${text}</p>
        <div class="gr-dialog-actions">
          <button type="button" class="gr-button" id="confirmation-cancel-btn" onClick=${() => end(false)}>${no}</button>
          <button type="button" class=${`gr-button ${isDangerous ? "gr-button-danger" : "gr-button-primary"}`}
            id="confirmation-confirm-btn" onClick=${() => end(true)}>${yes}</button>
        </div>
      </div>
    </dialog>
  `;
}

function useModal(onClose) {
  const dialog = useRef(/** @type {any} */ (null));
  const isGone = useRef(false);
  useLayoutEffect(() => {
    const { current } = dialog;
    current.showModal();
    return () => {
      isGone.current = true;
      current.close();
    };
  }, []);
  // The `close` event arrives after the removal: then there is nothing left to report.
  return [dialog, () => isGone.current || onClose()];
}

/** Keeps Escape, which closes the dialog, from what the dialog is in. */
function onKeyDown(event) {
  if (event.key === "Escape") event.stopPropagation();
}

/** Closes a dialog by a click beside it. */
function onBackdrop(event) {
  if (event.target === event.currentTarget) event.currentTarget.close();
}
