/** The attachments of a message: pictures, audio, video, and cards of other files. */

import { useAppContext, useAttempt } from "./app-context.js";
import { linkTo, save, usePictureAddress } from "./file-address.js";
import { Download, FileIcon, Play } from "./file-icons.js";
import { fileSize, kindOf } from "./file-names.js";
import { Gallery } from "./gallery.js";
import { classes, html, useRef, useState } from "./html.js";
import { Warning } from "./icons.js";
import { t } from "./texts.js";

/** @param {{message: any, isCurrent: boolean}} props */
export function Attachments({ message, isCurrent }) {
  const [shown, setShown] = useState(/** @type {number | null} */ (null));
  const all = message.attachments;
  const isShown = (attachment) => attachment.url && kindOf(attachment) === "image";
  const pictures = all.filter(isShown);
  const others = all.filter((attachment) => !isShown(attachment));
  return html`
    <span class="gr-attachments">
      ${pictures.length > 0 &&
      html`
        <span class=${classes("gr-pictures", pictures.length === 1 && "is-single")}>
          ${pictures.map((picture, at) => html`<${Picture} key=${picture.id} picture=${picture} isSingle=${pictures.length === 1} isCurrent=${isCurrent} onShow=${() => setShown(at)} />`)}
        </span>
      `}
      ${others.map((attachment) => html`<${Other} key=${attachment.id} attachment=${attachment} isCurrent=${isCurrent} />`)}
      ${shown !== null && html`<${Gallery} pictures=${pictures} start=${shown} onClose=${() => setShown(null)} />`}
    </span>
  `;
}

/** Returns the smallest version of a picture that has so many pixels at the longer edge, or the largest. */
export function versionOf({ url, width, height, thumbnails }, pixels) {
  const fitting = thumbnails.filter((version) => Math.max(version.width, version.height) >= pixels);
  if (fitting.length > 0) return fitting[0].url;
  const largest = thumbnails.at(-1);
  // A large original is loaded only when it is opened.
  return largest && Math.max(width, height) > 2 * pixels ? largest.url : url;
}

function Picture({ picture, isSingle, isCurrent, onShow }) {
  const address = usePictureAddress(versionOf(picture, isSingle ? 640 : 320));
  const { width, height, name, alt } = picture;
  const label = alt || name;
  return html`
    <button type="button" class="gr-picture" title=${label} aria-label=${t("showPicture", { name: label })} tabindex=${isCurrent ? 0 : -1}
      style=${isSingle && width ? `aspect-ratio: ${width} / ${height}; width: ${Math.min(width, 320)}px` : undefined} onClick=${onShow}>
      ${address && html`<img src=${address} alt=${label} width=${width} height=${height} loading="lazy" decoding="async" />`}
    </button>
  `;
}

function Other({ attachment, isCurrent }) {
  const kind = attachment.url ? kindOf(attachment) : "file";
  return kind === "file" ? html`<${FileCard} ...${{ attachment, isCurrent }} />` : html`<${Player} ...${{ attachment, isCurrent, kind }} />`;
}

/** Audio or video. Its address is asked for when it is played, since it is good for a few minutes only. */
function Player({ attachment, isCurrent, kind }) {
  const { client } = useAppContext();
  const attempt = useAttempt();
  const [address, setAddress] = useState(/** @type {string | null} */ (null));
  const { id, name } = attachment;
  const play = () => attempt(async () => setAddress(await linkTo(client, id)));
  const props = { class: "gr-player", src: address, controls: true, autoplay: true, "aria-label": name };
  return html`
    ${address && (kind === "audio" ? html`<audio ...${props} />` : html`<video ...${props} playsinline />`)}
    ${!address && html`<button type="button" class="gr-button gr-play-btn" tabindex=${isCurrent ? 0 : -1} onClick=${play}><${Play} />${t("play", { name })}</button>`}
    <${FileCard} ...${{ attachment, isCurrent }} />
  `;
}

/** Returns what a card says below the name of a file. */
function noteOf({ state, size }) {
  if (state === "scanning") return t("fileScanning");
  return state === "blocked" ? t("fileBlocked") : fileSize(size);
}

export function FileCard({ attachment, isCurrent = true }) {
  const { client } = useAppContext();
  const attempt = useAttempt();
  const card = useRef(/** @type {any} */ (null));
  const { name, state, url } = attachment;
  const content = html`
    ${state === "blocked" ? html`<${Warning} />` : html`<${FileIcon} />`}
    <span class="gr-file-text">
      <span class="gr-file-name">${url && html`<span class="gr-hidden">${t("download")}: </span>`}<bdi>${name}</bdi></span>
      <span class="gr-file-note">${noteOf(attachment)}</span>
    </span>
  `;
  if (!url) return html`<span class=${`gr-file is-${state}`}>${content}</span>`;
  return html`
    <button ref=${card} type="button" class="gr-file" title=${t("download")}
      tabindex=${isCurrent ? 0 : -1} onClick=${() => attempt(() => save(client, attachment))}>${content}<${Download} /></button>
  `;
}
