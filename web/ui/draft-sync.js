/**
 * Keeps the drafts of this browser and those of the user's other devices equal, by way of the server. The last one to
 * arrive there wins. The texts that are typed here stay in the browser's storage too, so all works offline.
 */

/** After so many milliseconds without a key, a draft is saved. */
const SAVE_AFTER = 1_000;
/** For so many milliseconds after the latest key, no draft of another device replaces the text. */
const TYPING_FOR = 5_000;

/** The pause before a draft is saved again after the server had an error, in seconds. */
const RETRY_AFTER = 5;

const NOTHING = keyOf({ content: "", reply_to: null });

const isConnected = ({ status }) => status === "live" || status === "polling";

/** What a draft contains, as a text that can be compared. */
function keyOf(draft) {
  return JSON.stringify([draft?.content ?? "", draft?.reply_to ?? null]);
}

/**
 * What this browser has saved of a chat's draft.
 * @typedef {object} SaveState
 * @property {string} [saved] what the server has, as far as this browser has saved or taken it
 * @property {string | null} [saving] what a request in progress saves
 * @property {boolean} [isDirty] whether the text has changed since it was saved
 */

export class DraftSync {
  #client;
  #storage;
  #owner;
  /** The composers of the chats that were opened in this tab. */
  #composers;
  /** The pauses before a draft is saved or looked at. */
  #timers = new Map();
  /** What was sent as a message from this tab. Where it is refused, the draft stays on the server. */
  #sent = new Map();
  /** When the user last typed in a chat in this tab. */
  #typedAt = new Map();
  /** The requests in progress, by chat. */
  #requests = new Map();
  /** The states, where there is no storage. @type {Map<number, SaveState>} */
  #known = new Map();
  #stops;

  /** @param {{known: (chatId: number) => any, chats: () => number[]}} composers */
  constructor(client, owner, storage, composers) {
    this.#client = client;
    this.#owner = `greenroom-draft:${owner}:saved:`;
    this.#storage = storage;
    this.#composers = composers;
    const end = new AbortController();
    const leave = () => document.visibilityState === "hidden" && this.#flushAll();
    document.addEventListener("visibilitychange", leave, { signal: end.signal });
    globalThis.addEventListener("pagehide", () => this.#flushAll(), { signal: end.signal });
    this.#stops = [
      () => end.abort(),
      client.on("drafts", ({ chatId }) => (chatId === null ? this.#lookAtAll() : this.look(chatId))),
      client.on("status", () => isConnected(client) && this.#saveLeft()),
    ];
    // Without it, the drafts of this browser stay what they are.
    client.loadDrafts().catch(() => {});
  }

  close() {
    this.#stops.forEach((stop) => stop());
    this.#timers.forEach(clearTimeout);
  }

  /** Notes that the user has changed a draft, which is saved after a pause. */
  changed(chatId) {
    this.#typedAt.set(chatId, performance.now());
    this.#set(chatId, { isDirty: true });
    this.#later(chatId, SAVE_AFTER, () => this.flush(chatId));
  }

  /** Notes that a draft is being sent. The message removes it from the server. */
  async sent(chatId, draft) {
    this.#clearTimer(chatId);
    this.#typedAt.delete(chatId);
    this.#sent.set(chatId, keyOf(draft));
    this.#set(chatId, { saved: NOTHING, isDirty: false });
    const request = this.#requests.get(chatId);
    if (!request) return;
    // The request may be processed after the message.
    await request;
    if (this.#get(chatId).saved === NOTHING && !this.#get(chatId).isDirty) await this.#request(chatId, NOTHING);
  }

  /** Saves a changed draft now: the user leaves the chat. */
  flush(chatId, keepalive = false) {
    this.#clearTimer(chatId);
    const composer = this.#composers.known(chatId);
    if (!composer || !this.#get(chatId).isDirty) return undefined;
    return this.#request(chatId, keyOf(composer.draft), keepalive);
  }

  #flushAll() {
    for (const chatId of [...this.#timers.keys()]) this.flush(chatId, true);
  }

  /** Saves what could not be saved before. */
  #saveLeft() {
    for (const chatId of this.#typedAt.keys()) if (!this.#timers.has(chatId)) this.flush(chatId);
  }

  async #request(chatId, draft, keepalive = false) {
    const [content, reply_to] = JSON.parse(draft);
    const before = this.#requests.get(chatId);
    const work = async () => {
      // Requests of a chat arrive in order. At the end of the page there is no time to wait for them, or for the answer.
      if (!keepalive) await before;
      const isSure = keepalive && isConnected(this.#client);
      this.#set(chatId, isSure ? { saved: draft, isDirty: false } : { saving: draft });
      try {
        await this.#client.saveDraft(chatId, { content, reply_to }, { keepalive });
        const isDirty = this.#isOther(chatId, draft);
        this.#sent.delete(chatId);
        this.#set(chatId, { saved: draft, saving: null, isDirty });
        // Another tab may have changed it meanwhile, or sent it.
        if (isDirty && !this.#timers.has(chatId)) this.#later(chatId, SAVE_AFTER, () => this.flush(chatId));
      } catch (error) {
        // What the server refuses stays in this browser. Without an answer, the next connection saves it.
        this.#set(chatId, { saving: null, isDirty: !error.isFinal });
        const delay = (error.retryAfter ?? RETRY_AFTER) * 1000;
        if (!error.isFinal && error.status > 0) this.#later(chatId, delay, () => this.flush(chatId));
      }
    };
    const request = work().finally(() => this.#requests.get(chatId) === request && this.#requests.delete(chatId));
    this.#requests.set(chatId, request);
    await request;
  }

  /** Whether the composer has something else by now. */
  #isOther(chatId, draft) {
    const composer = this.#composers.known(chatId);
    return Boolean(composer) && keyOf(composer.draft) !== draft;
  }

  #lookAtAll() {
    for (const chatId of this.#composers.chats()) this.look(chatId);
  }

  /** Takes the draft of another device, unless the user is typing here, or has typed something that is not saved. */
  look(chatId) {
    const composer = this.#composers.known(chatId);
    const found = this.#client.state.draft(chatId);
    if (!composer || found === undefined) return;
    const [draft, { saved = NOTHING, saving, isDirty = false }] = [keyOf(found), this.#get(chatId)];
    if (isDirty || saving || this.#requests.has(chatId)) return;
    if (draft === keyOf(composer.draft)) return this.#set(chatId, { saved: draft });
    // Tabs of one browser share their texts by its storage. What a message replies to they do not share.
    const isSameText = found !== null && found.content === composer.draft.content;
    if ([saved, this.#sent.get(chatId)].includes(draft) && !isSameText) return;
    const left = (this.#typedAt.get(chatId) ?? -Infinity) + TYPING_FOR - performance.now();
    if (left > 0) return this.#later(chatId, left, () => (this.#clearTimer(chatId), this.look(chatId)));
    this.#sent.delete(chatId);
    this.#set(chatId, { saved: draft });
    composer.takeDraft(found);
  }

  /** Looks at a chat's draft when the chat is opened, and saves what was typed before drafts were saved. */
  opened(chatId) {
    const { draft } = this.#composers.known(chatId);
    const { saved, isDirty } = this.#get(chatId);
    const isUnsaved = saved === undefined && keyOf(draft) !== NOTHING && !this.#client.state.draft(chatId);
    if (isDirty || isUnsaved) this.changed(chatId);
    else this.look(chatId);
  }

  #later(chatId, delay, work) {
    this.#clearTimer(chatId);
    this.#timers.set(chatId, setTimeout(work, delay));
  }

  #clearTimer(chatId) {
    clearTimeout(this.#timers.get(chatId));
    this.#timers.delete(chatId);
  }

  /** @returns {SaveState} */
  #get(chatId) {
    return this.#known.get(chatId) ?? this.#read(chatId);
  }

  #read(chatId) {
    try {
      return JSON.parse(this.#storage?.getItem(this.#owner + chatId) ?? "{}");
    } catch {
      return {};
    }
  }

  #set(chatId, fields) {
    const state = { ...this.#get(chatId), ...fields };
    const isNothing = state.saved === NOTHING && !state.saving && !state.isDirty;
    try {
      if (!this.#storage) throw new Error("There is no storage.");
      if (isNothing) this.#storage.removeItem(this.#owner + chatId);
      else this.#storage.setItem(this.#owner + chatId, JSON.stringify(state));
      this.#known.delete(chatId);
    } catch {
      this.#known.set(chatId, state);
    }
  }
}
