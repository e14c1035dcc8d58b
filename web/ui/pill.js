/** How the page is connected, where that is not as it should be. */

import { html } from "./html.js";
import { useKnown } from "./desk.js";
import { t } from "./texts.js";

const SHOWN = ["polling", "reconnecting", "offline"];

export function Pill() {
  const status = useKnown((_, client) => client.status);
  const isShown = SHOWN.includes(status);
  return html`
    <div class="gr-pill-place" role="status">
      ${isShown && html`<span class=${`gr-pill gr-pill-${status}`}>${t(`status_${status}`)}</span>`}
    </div>
  `;
}
