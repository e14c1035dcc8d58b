/** Icons of files. */

import { html } from "./html.js";

const icon = (d) => () => html`<svg class="gr-icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false"><path d=${d} /></svg>`;

export const FileIcon = icon("M6 3.5h8l4.5 4.5v12.5H6zM14 3.5V8h4.5");
export const Download = icon("M12 4v11M7 10.5l5 5 5-5M5 20h14");
export const Next = icon("M9 5l7 7-7 7");
export const Play = icon("M7 4.5l12 7.5-12 7.5z");
