import { laterOf } from "./chat-rules.js";

/** @typedef {import("../greenroom.d.ts").Draft} Draft */

const keyOf = (chatId, thread) => `${chatId} ${thread ?? ""}`;

/** The user's drafts as the server has them, for the store. */
export class SavedDrafts {
  /** @type {Map<string, Draft> | null} Null until they are loaded. */
  #all = null;
  #emitter;
  #outbox;

  constructor(emitter, outbox) {
    this.#emitter = emitter;
    this.#outbox = outbox;
  }

  /** Returns a draft; null if there is none or its message is being sent, and undefined until they are loaded. */
  find(chatId, thread) {
    if (!this.#all) return undefined;
    const draft = this.#all.get(keyOf(chatId, thread)) ?? null;
    return draft && this.#isSending(draft) ? null : draft;
  }

  /** Returns the drafts of a chat and its threads, except those whose messages are being sent: the latest first. */
  in(chatId) {
    const isShown = (draft) => draft.chat_id === chatId && !this.#isSending(draft);
    const shown = [...(this.#all?.values() ?? [])].filter(isShown);
    return shown.sort((a, b) => (laterOf(a.updated_at, b.updated_at) === a.updated_at ? -1 : 1));
  }

  /** Whether a message is being sent from the place of a draft: it removes the draft. */
  #isSending({ chat_id: chatId, thread }) {
    const isOfDraft = (message) => message.chat === chatId && (message.thread ?? null) === thread;
    return this.#outbox.all.some((message) => isOfDraft(message) && message.status === "sending");
  }

  /** Stores all drafts. @param {Draft[]} drafts */
  takeAll(drafts) {
    this.#all = new Map(drafts.map((draft) => [keyOf(draft.chat_id, draft.thread), draft]));
    this.#changed(null);
  }

  /** Stores a draft; null: it was removed or sent. @param {Draft | null} draft */
  put(chatId, thread, draft) {
    if (!this.#all) return;
    if (draft) this.#all.set(keyOf(chatId, thread), draft);
    else if (!this.#all.delete(keyOf(chatId, thread))) return;
    this.#changed(chatId);
  }

  /** Removes all drafts of a chat. */
  dropChat(chatId) {
    const gone = [...(this.#all?.values() ?? [])].filter((draft) => draft.chat_id === chatId);
    for (const { thread } of gone) this.put(chatId, thread, null);
  }

  clear() {
    this.#all = null;
  }

  #changed(chatId) {
    this.#emitter.schedule("drafts", () => ({ chatId }), `drafts ${chatId}`);
  }
}
