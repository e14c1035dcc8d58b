/** A note about a bad connection, or about messages that wait for the rate limit. */

import { useAppContext, useStore } from "./app-context.js";
import { html, useEffect, useState } from "./html.js";
import { t } from "./texts.js";

const SHOWN = ["reconnecting", "offline"];

export function Pill() {
  const { client } = useAppContext();
  const [status, isSlow] = useStore((_, { status, isSlow }) => [status, isSlow]);
  // Announced once: screen readers would read a countdown every second.
  const [heldFor, setHeldFor] = useState(client.heldFor);
  useEffect(() => client.on("held", ({ seconds }) => setHeldFor(seconds)), [client]);
  const isHeld = heldFor > 0 && ["live", "polling"].includes(status);
  const kind = isHeld ? "held" : status;
  const text = isHeld ? t("held", { count: heldFor }) : (isSlow || SHOWN.includes(status)) && t(`status_${status}`);
  return html`<div class="gr-pill-place" role="status">${text && html`<span class=${`gr-pill gr-pill-${kind}`}>${text}</span>`}</div>`;
}
