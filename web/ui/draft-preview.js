/** Drafts in lists of chats and threads. */

import { html } from "./html.js";
import { oneLine } from "./text.js";
import { t } from "./texts.js";

/** Returns the draft to show in the row of a chat: its own, or else the latest one of its threads. What is open has its own field. */
export function draftIn(state, chatId, { isOpen = false, root = null }) {
  const own = isOpen ? null : state.draft(chatId);
  return own ?? state.drafts(chatId).find(({ thread }) => thread !== null && thread !== root) ?? null;
}

/** A message that the user has begun to write, in one line. */
export const DraftPreview = ({ draft, text = t("draft") }) => html`
  <span class="draft-indicator"><span class="gr-danger">${text}</span> ${oneLine(draft.content) || "…"}</span>
`;
