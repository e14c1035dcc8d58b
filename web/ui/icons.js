/** Icons on buttons. The button's label says the same in words. */

import { html } from "./html.js";

const icon = (...paths) => () => html`
  <svg class="gr-icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">${paths.map((d) => html`<path d=${d} />`)}</svg>
`;

export const Add = icon("M12 5v14M5 12h14");
export const At = icon("M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8z", "M16 8v5.5a2.5 2.5 0 0 0 5 0V12a9 9 0 1 0-4 7.5");
export const Back = icon("M15 5l-7 7 7 7");
export const Bell = icon("M6 17h12l-1.5-2v-4a4.5 4.5 0 0 0-9 0v4zM10.5 20h3");
export const Block = icon("M12 3.5a8.5 8.5 0 1 0 0 17 8.5 8.5 0 0 0 0-17z", "M6 6l12 12");
export const Bubble = icon("M5 5h14a2 2 0 0 1 2 2v8a2 2 0 0 1-2 2h-7l-4.5 3.5V17H5a2 2 0 0 1-2-2V7a2 2 0 0 1 2-2z");
export const Calendar = icon("M5 6h14v13H5z", "M5 10h14M9 4v4M15 4v4");
export const Check = icon("M5 12.5l4.5 4.5L19 7.5");
export const Checks = icon("M2 12.5l4.5 4.5L16 7.5", "M11 15.5l1.5 1.5L22 7.5");
export const Clip = icon("M19 11.5l-7.2 7.2a4.6 4.6 0 0 1-6.5-6.5l7.9-7.9a3.1 3.1 0 0 1 4.4 4.4l-7.9 7.9a1.5 1.5 0 0 1-2.2-2.2l7.2-7.2");
export const Clock = icon("M12 4a8 8 0 1 0 0 16 8 8 0 0 0 0-16z", "M12 8v4.5l3 1.5");
export const Close = icon("M6 6l12 12M18 6L6 18");
export const Compass = icon("M12 3.5a8.5 8.5 0 1 0 0 17 8.5 8.5 0 0 0 0-17z", "M15.5 8.5l-2 5-5 2 2-5z");
export const Copy = icon("M9 9h10v11H9z", "M5 15V4h10");
export const Down = icon("M12 5v14M6 13l6 6 6-6");
export const Edit = icon("M4 20l1-4L16.5 4.5l3 3L8 19z", "M14 7l3 3");
export const Exit = icon("M14 4H6v16h8", "M10 12h10M16.5 8.5L20 12l-3.5 3.5");
export const Leave = icon(
  "M9.5 11a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7zM3 20c.4-3.6 3-5.5 6.5-5.5 2.2 0 4 .7 5.1 2.1",
  "M16 19.5h5.5M18.8 16.8l2.7 2.7-2.7 2.7",
);
export const Forward = icon("M14 6l6 6-6 6", "M20 12h-9a7 7 0 0 0-7 7");
export const Hash = icon("M9.5 4L7.5 20M16.5 4l-2 16M4.5 9h16M3.5 15h16");
export const More = () => html`
  <svg class="gr-icon gr-icon-dots" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
    <circle cx="12" cy="5.5" r="1.6" /><circle cx="12" cy="12" r="1.6" /><circle cx="12" cy="18.5" r="1.6" />
  </svg>
`;
export const Mute = icon("M6 17h12l-1.5-2v-4a4.5 4.5 0 0 0-9 0v4zM10.5 20h3", "M4 4l16 16");
export const People = icon(
  "M9 11a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7zM2.5 20c.4-3.6 3-5.5 6.5-5.5s6.1 1.9 6.5 5.5",
  "M16 4.3a3.5 3.5 0 0 1 0 6.4M18.5 15c1.7.8 2.7 2.5 3 5",
);
export const Pin = icon("M9 4h6l-.7 6 3.2 3v1.5h-11V13l3.2-3zM12 14.5V20");
export const Person = icon("M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM4.5 20.5c.6-4 3.5-6 7.5-6s6.9 2 7.5 6");
export const Reply = icon("M10 6l-6 6 6 6", "M4 12h9a7 7 0 0 1 7 7");
export const Search = icon("M10.5 4a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13zM15.5 15.5L20 20");
export const Send = icon("M4.5 11.5L20 4l-5 16-3.5-6.5z", "M11.5 13.5L20 4");
export const Smile = icon("M12 3.5a8.5 8.5 0 1 0 0 17 8.5 8.5 0 0 0 0-17z", "M8.5 14a4 4 0 0 0 7 0M9 9.5v.01M15 9.5v.01");
export const Thread = icon("M4 5h11a2 2 0 0 1 2 2v4a2 2 0 0 1-2 2H9l-3 2.5V13H4a2 2 0 0 1-2-2V7a2 2 0 0 1 2-2z", "M20 10.5a2 2 0 0 1 2 2V17a2 2 0 0 1-2 2h-1v2.5L16 19h-4");
export const Trash = icon("M5 7h14M10 4h4M7 7l1 13h8l1-13M10.5 11v5.5M13.5 11v5.5");
export const Up = icon("M12 19V5M6 11l6-6 6 6");
export const Unread = icon("M4 6h16v12H4z", "M4 7l8 6 8-6");
export const Warning = icon("M12 4L2.5 20h19z", "M12 10v4.5M12 17.3v.01");
export const Undo = icon("M8 5L4 9l4 4", "M4 9h10a5 5 0 0 1 0 10h-3");

/** Greenroom's logo. */
export const Logo = () => html`
  <svg class="gr-logo" viewBox="0 0 32 32" aria-hidden="true" focusable="false">
    <rect width="32" height="32" rx="9" />
    <path d="M9 9.5h14a2 2 0 0 1 2 2v7.5a2 2 0 0 1-2 2h-6.5L12 24.5V21H9a2 2 0 0 1-2-2v-7.5a2 2 0 0 1 2-2z" />
  </svg>
`;
