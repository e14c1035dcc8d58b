/** The files of a chat, newest first. Each leads to its message. */

import { useAppContext, useRetry } from "./app-context.js";
import { FileCard, versionOf } from "./attachments.js";
import { Dialog } from "./dialog.js";
import { retriedErrorText } from "./errors.js";
import { usePictureAddress } from "./file-address.js";
import { kindOf } from "./file-names.js";
import { html, useEffect, useState } from "./html.js";
import { Skeletons } from "./message-list.js";
import { dateAndTime, t } from "./texts.js";

/** @param {{chatId: number, onMessage: (messageId: number) => void, onClose: () => void}} props */
export function ChatFiles({ chatId, onMessage, onClose }) {
  const { client } = useAppContext();
  const [files, setFiles] = useState(/** @type {any[] | null} */ (null));
  const [next, setNext] = useState(/** @type {string | null} */ (null));
  const [problem, setProblem] = useState(/** @type {any} */ (null));
  const take = (page, before = /** @type {any[]} */ ([])) => {
    setFiles([...before, ...page.results]);
    setNext(page.next);
  };
  const load = () => {
    setProblem(null);
    client.api.files(chatId).then(take, setProblem);
  };
  const more = () => client.api.request("GET", next).then((page) => take(page, files ?? []), setProblem);
  useEffect(load, [client, chatId]);
  useRetry(problem, load);
  return html`
    <${Dialog} title=${t("files")} onClose=${onClose}>
      ${problem && html`<p class="gr-problem" role="alert">${retriedErrorText(problem)}</p>`}
      ${!files && !problem && html`<${Skeletons} count=${3} />`}
      <p class="gr-note" role="status">${files?.length === 0 && t("filesNone")}</p>
      <ul class="gr-chat-files">
        ${files?.map((file) => html`<${Row} key=${file.id} file=${file} onMessage=${onMessage} />`)}
      </ul>
      ${next && html`<button type="button" class="gr-button" onClick=${more}>${t("showMore")}</button>`}
    <//>
  `;
}

function Row({ file, onMessage }) {
  const { sender, created_at, message } = file;
  const isPicture = file.url && kindOf(file) === "image";
  return html`
    <li class="gr-chat-file">
      ${isPicture && html`<${Preview} file=${file} />`}
      <${FileCard} attachment=${file} />
      <button type="button" class="gr-link show-message-btn" onClick=${() => onMessage(message)}>
        <span dir="auto">${sender.display_name}</span>, <time datetime=${created_at}>${dateAndTime(created_at)}</time>
      </button>
    </li>
  `;
}

function Preview({ file }) {
  const address = usePictureAddress(versionOf(file, 320));
  return address && html`<img class="gr-chat-file-preview" src=${address} alt=${file.alt || file.name} loading="lazy" />`;
}
