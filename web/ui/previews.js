/** Previews of the pages that a message links to. */

import { useAppContext, useAttempt } from "./app-context.js";
import { classes, html, useState } from "./html.js";
import { Close } from "./icons.js";
import { t } from "./texts.js";

/** Pictures that failed to load. */
const broken = new Set();

/** @param {{message: any, isMine: boolean, isCurrent: boolean}} props */
export function Previews({ message, isMine, isCurrent }) {
  return html`
    <span class="gr-previews">
      ${message.previews.map((preview, index) => html`<${Card} key=${preview.url} ...${{ message, preview, index, isMine, isCurrent }} />`)}
    </span>
  `;
}

function Card({ message, preview, index, isMine, isCurrent }) {
  const { client } = useAppContext();
  const attempt = useAttempt();
  const tabindex = isCurrent ? 0 : -1;
  const { url, title, description, site } = preview;
  return html`
    <span class="gr-preview">
      <a class="gr-preview-link" href=${url} target="_blank" rel="noopener noreferrer nofollow" tabindex=${tabindex}>
        <${Picture} preview=${preview} />
        <span class="gr-preview-text">
          <span class="gr-preview-site" dir="auto">${site}</span>
          <span class="gr-preview-title" dir="auto">${title}</span>
          ${description && html`<span class="gr-preview-description" dir="auto">${description}</span>`}
        </span>
      </a>
      ${isMine &&
      html`
        <button type="button" class="gr-icon-button remove-preview-btn" tabindex=${tabindex} title=${t("removePreview")}
          aria-label=${t("removePreviewOf", { title })} onClick=${() => attempt(() => client.api.removePreview(message.id, index))}><${Close} /></button>
      `}
    </span>
  `;
}

/** The picture of a page: beside the text, or above it if it is wide. */
function Picture({ preview }) {
  const { client } = useAppContext();
  const [, setBroken] = useState(false);
  const { image_url: image, width, height } = preview;
  if (!image || broken.has(image)) return null;
  const address = new URL(image, client.api.base).href;
  const onError = () => setBroken(!!broken.add(image));
  const isWide = width >= 300 && width > 1.4 * height;
  return html`<img class=${classes("gr-preview-picture", isWide && "is-wide")} src=${address} alt="" width=${width} height=${height} loading="lazy" decoding="async" onError=${onError} />`;
}
