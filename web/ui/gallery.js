/** Pictures in full size: arrow keys and swipes lead to the next one, two fingers and the wheel enlarge. */

import { useAppContext, useAttempt } from "./app-context.js";
import { Dialog } from "./dialog.js";
import { save, usePictureAddress } from "./file-address.js";
import { Download, Next } from "./file-icons.js";
import { html, useEffect, useLatest, useRef, useState } from "./html.js";
import { Back } from "./icons.js";
import { t } from "./texts.js";

/** The largest enlargement. */
const MOST = 8;
/** A swipe is at least so long, in pixels. */
const SWIPE = 50;

/** @param {{pictures: any[], start: number, onClose: () => void}} props */
export function Gallery({ pictures, start, onClose }) {
  const { client } = useAppContext();
  const attempt = useAttempt();
  const [at, setAt] = useState(start);
  const picture = pictures[at] ?? pictures[0];
  const step = (by) => setAt(Math.min(pictures.length - 1, Math.max(0, at + by)));
  const stage = useRef(/** @type {any} */ (null));
  const onKeyDown = useLatest((event) => {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!by || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    event.stopPropagation();
    step(getComputedStyle(event.currentTarget).direction === "rtl" ? -by : by);
  });
  useEffect(() => {
    const dialog = stage.current.closest("dialog");
    dialog.addEventListener("keydown", onKeyDown);
    return () => dialog.removeEventListener("keydown", onKeyDown);
  }, []);
  return html`
    <${Dialog} class="gr-gallery" title=${picture.alt || picture.name} onClose=${onClose}
      header=${html`
        <div class="gr-gallery-bar">
          <span class="gr-note" role="status">${pictures.length > 1 && t("pictureOf", { at: at + 1, count: pictures.length })}</span>
          <button type="button" class="gr-icon-button gallery-save-btn" aria-label=${t("download")} title=${t("download")} onClick=${() => attempt(() => save(client, picture))}><${Download} /></button>
        </div>
      `}>
      <div ref=${stage} class="gr-gallery-stage">
        ${pictures.length > 1 && html`<button type="button" class="gr-icon-button gallery-previous-btn" aria-label=${t("previousPicture")} title=${t("previousPicture")} disabled=${at === 0} onClick=${() => step(-1)}><${Back} /></button>`}
        <${Zoomed} key=${picture.id} picture=${picture} onSwipe=${step} />
        ${pictures.length > 1 && html`<button type="button" class="gr-icon-button gallery-next-btn" aria-label=${t("nextPicture")} title=${t("nextPicture")} disabled=${at === pictures.length - 1} onClick=${() => step(1)}><${Next} /></button>`}
      </div>
    <//>
  `;
}

/** A picture that can be enlarged and moved. */
function Zoomed({ picture, onSwipe }) {
  const address = usePictureAddress(picture.url);
  const [{ scale, x, y }, setView] = useState({ scale: 1, x: 0, y: 0 });
  const fingers = useRef(new Map());
  const begun = useRef(/** @type {any} */ (null));
  const zoom = (to) => setView((view) => {
    const scale = Math.min(MOST, Math.max(1, to(view.scale)));
    return scale === 1 ? { scale, x: 0, y: 0 } : { ...view, scale };
  });
  const onDown = (event) => {
    event.currentTarget.setPointerCapture(event.pointerId);
    fingers.current.set(event.pointerId, event);
    begun.current = { at: event.clientX, distance: distance(fingers.current), scale, x: x - event.clientX, y: y - event.clientY };
  };
  const onMove = (event) => {
    if (!fingers.current.has(event.pointerId)) return;
    fingers.current.set(event.pointerId, event);
    const from = begun.current;
    if (fingers.current.size === 2) zoom(() => (from.scale * distance(fingers.current)) / from.distance);
    else if (scale > 1) setView({ scale, x: from.x + event.clientX, y: from.y + event.clientY });
  };
  const onUp = (event) => {
    const wasOne = fingers.current.size === 1;
    fingers.current.delete(event.pointerId);
    const moved = event.clientX - begun.current?.at;
    if (wasOne && scale === 1 && event.type === "pointerup" && Math.abs(moved) > SWIPE) onSwipe(moved < 0 ? 1 : -1);
  };
  return html`
    <div class="gr-gallery-picture" tabindex="0" role="group" aria-label=${picture.alt || picture.name} onPointerDown=${onDown} onPointerMove=${onMove} onPointerUp=${onUp} onPointerCancel=${onUp}
      onDblClick=${() => zoom((scale) => (scale > 1 ? 1 : 2))} onWheel=${(event) => (event.preventDefault(), zoom((scale) => scale * (event.deltaY < 0 ? 1.2 : 1 / 1.2)))}
      onKeyDown=${(event) => {
        const factor = { "+": 1.5, "=": 1.5, "-": 1 / 1.5 }[event.key];
        if (factor) zoom((scale) => scale * factor);
      }}>
      ${address && html`<img src=${address} alt=${picture.alt || picture.name} draggable=${false} style=${`transform: translate(${x}px, ${y}px) scale(${scale})`} />`}
    </div>
  `;
}

function distance(fingers) {
  const [a, b] = [...fingers.values()];
  return b ? Math.hypot(a.clientX - b.clientX, a.clientY - b.clientY) : 1;
}
