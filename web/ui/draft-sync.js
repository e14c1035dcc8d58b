/**
 * Keeps the drafts of this browser and those of the user's other devices equal, by way of the server. The last one to
 * arrive there wins. The texts that are typed here stay in the browser's storage too, so all works offline.
 */

/** After so many milliseconds without a key, a draft is saved. */
const SAVE_AFTER = 1_000;
/** For so many milliseconds after the latest key, no draft of another device replaces the text. */
const TYPING_FOR = 5_000;

/** For so many milliseconds after a message was sent in this browser, it is what removed the draft from the server. */
const SENT_FOR = 5_000;

/** The pause before a draft is saved again after the server had an error, in seconds. */
const RETRY_AFTER = 5;

const NOTHING = keyOf(null);

const isConnected = ({ status }) => status === "live" || status === "polling";

/** Returns what a draft contains, as a text that can be compared. */
function keyOf(draft) {
  const { users = [], everyone = false, here = false } = draft?.mentions ?? {};
  const mentioned = users.map(({ id, at }) => ({ id, at }));
  return JSON.stringify({ content: draft?.content ?? "", reply_to: draft?.reply_to ?? null, mentions: { users: mentioned, everyone, here } });
}

/**
 * What this browser has saved of a draft. All its tabs share it.
 * @typedef {object} SaveState
 * @property {string} [saved] what the server has, as far as this browser has saved or taken it
 * @property {string | null} [saving] what a request in progress saves
 * @property {boolean} [isDirty] whether the text has changed since it was saved
 * @property {number} [sentAt] when a tab sent a message from the draft's place, in milliseconds since 1970
 */

/** For how many milliseconds more a message of this browser counts as what removed the draft. @param {SaveState} state */
function sentFor({ sentAt = -Infinity }) {
  const since = Date.now() - sentAt;
  return since >= 0 && since < SENT_FOR ? SENT_FOR - since : 0;
}

export class DraftSync {
  #client;
  /** The id of the user who types. The session may be another user's when a draft is saved. */
  #user;
  #storage;
  #owner;
  /** The composers of the chats and threads that were opened in this tab. */
  #composers;
  /** The pauses before a draft is saved or looked at. */
  #timers = new Map();
  /** What was sent as a message from this tab. Where it is refused, the draft stays on the server. */
  #sent = new Map();
  /** The composers with a text that was typed in this tab and is not saved. Another tab may send its own text meanwhile. */
  #unsaved = new Set();
  /** When the user last typed in a composer in this tab. */
  #typedAt = new Map();
  /** The requests in progress, by the composer's key. */
  #requests = new Map();
  /** The states, where there is no storage. @type {Map<number, SaveState>} */
  #known = new Map();
  #stops;
  /** After a sign-out nothing is saved or stored any more. */
  #isClosed = false;

  /** @param {{known: (key: number) => any, list: (chatId?: number | null) => any[]}} composers */
  constructor(client, owner, storage, composers) {
    this.#client = client;
    this.#user = client.state.me?.id;
    this.#owner = `greenroom-draft:${owner}:saved:`;
    this.#storage = storage;
    this.#composers = composers;
    const end = new AbortController();
    const leave = () => document.visibilityState === "hidden" && this.#flushAll();
    document.addEventListener("visibilitychange", leave, { signal: end.signal });
    globalThis.addEventListener("pagehide", () => this.#flushAll(), { signal: end.signal });
    this.#stops = [
      () => end.abort(),
      client.on("drafts", ({ chatId }) => composers.list(chatId).forEach(({ key }) => this.look(key))),
      client.on("status", () => isConnected(client) && this.#saveLeft()),
    ];
    // Without it, the drafts of this browser stay what they are.
    client.loadDrafts().catch(() => {});
  }

  close() {
    this.#isClosed = true;
    this.#stops.forEach((stop) => stop());
    this.#timers.forEach(clearTimeout);
  }

  /** Notes that the user has changed a draft, which is saved after a pause. */
  changed(key) {
    this.#typedAt.set(key, performance.now());
    this.#saveLater(key);
  }

  #saveLater(key) {
    this.#unsaved.add(key);
    this.#set(key, { isDirty: true });
    this.#later(key, SAVE_AFTER, () => this.flush(key));
  }

  /** Notes that a draft is being sent. The message removes it from the server. */
  async sent(key, draft) {
    this.#clearTimer(key);
    this.#typedAt.delete(key);
    this.#unsaved.delete(key);
    this.#sent.set(key, keyOf(draft));
    this.#set(key, { saved: NOTHING, isDirty: false, sentAt: Date.now() });
    const request = this.#requests.get(key);
    if (!request) return;
    // The request may be processed after the message.
    await request;
    if (this.#get(key).saved === NOTHING && !this.#get(key).isDirty) await this.#request(key, NOTHING);
  }

  /** Saves a changed draft now: the user leaves the chat. */
  flush(key, keepalive = false) {
    this.#clearTimer(key);
    const composer = this.#composers.known(key);
    const isUnsaved = this.#unsaved.has(key) || this.#get(key).isDirty;
    if (this.#isClosed || !composer || !isUnsaved) return undefined;
    return this.#request(key, keyOf(composer.draft), keepalive);
  }

  #flushAll() {
    for (const key of [...this.#timers.keys()]) this.flush(key, true);
  }

  /** Saves what could not be saved before. */
  #saveLeft() {
    for (const key of this.#typedAt.keys()) if (!this.#timers.has(key)) this.flush(key);
  }

  async #request(key, draft, keepalive = false) {
    const { chatId, root: thread } = this.#composers.known(key);
    const before = this.#requests.get(key);
    const work = async () => {
      // Requests of a chat arrive in order. At the end of the page there is no time to wait for them, or for the answer.
      if (!keepalive) await before;
      const { sentAt } = this.#get(key);
      const isSure = keepalive && isConnected(this.#client);
      this.#set(key, isSure ? { saved: draft, isDirty: false } : { saving: draft });
      try {
        await this.#client.saveDraft(chatId, JSON.parse(draft), { thread, keepalive, user: this.#user });
        // A message that was sent meanwhile may have removed it.
        const saved = this.#get(key).sentAt === sentAt ? draft : NOTHING;
        this.#sent.delete(key);
        this.#unsaved.delete(key);
        this.#set(key, { saved, saving: null, isDirty: false });
        // Another tab may have changed it meanwhile.
        if (this.#isOther(key, saved) && !this.#timers.has(key)) this.#saveLater(key);
      } catch (error) {
        // What the server refuses stays in this browser. Without an answer, the next connection saves it.
        if (error.isFinal) this.#unsaved.delete(key);
        this.#set(key, { saving: null, isDirty: !error.isFinal });
        const delay = (error.retryAfter ?? RETRY_AFTER) * 1000;
        if (!error.isFinal && error.status > 0) this.#later(key, delay, () => this.flush(key));
      }
    };
    const request = work().finally(() => this.#requests.get(key) === request && this.#requests.delete(key));
    this.#requests.set(key, request);
    await request;
  }

  /** Whether the composer has something else by now. */
  #isOther(key, draft) {
    const composer = this.#composers.known(key);
    return Boolean(composer) && keyOf(composer.draft) !== draft;
  }

  /** Takes the draft of another device, unless the user is typing here, or has typed something that is not saved. */
  look(key) {
    const composer = this.#composers.known(key);
    const found = composer && this.#find(composer);
    if (found === undefined) return;
    const [draft, { saved = NOTHING, saving, isDirty = false, sentAt }] = [keyOf(found), this.#get(key)];
    if (isDirty || saving || this.#requests.has(key) || this.#unsaved.has(key)) return;
    if (draft === keyOf(composer.draft)) return this.#set(key, { saved: draft });
    const stillSent = sentFor({ sentAt });
    // The text of this tab stays when another tab has sent its own, and is saved anew.
    if (stillSent > 0 && draft === NOTHING) return this.#saveLater(key);
    if (stillSent > 0) return this.#later(key, stillSent, () => this.#lookAgain(key));
    // Tabs of one browser share their texts by its storage. What a message replies to they do not share.
    const isSameText = found !== null && found.content === composer.draft.content;
    if ([saved, this.#sent.get(key)].includes(draft) && !isSameText) return;
    const left = (this.#typedAt.get(key) ?? -Infinity) + TYPING_FOR - performance.now();
    if (left > 0) return this.#later(key, left, () => this.#lookAgain(key));
    this.#sent.delete(key);
    this.#set(key, { saved: draft });
    composer.takeDraft(found);
  }

  #lookAgain(key) {
    this.#clearTimer(key);
    this.look(key);
  }

  /** Looks at a draft when its chat or thread is opened, and saves what was typed before drafts were saved. */
  opened(key) {
    const composer = this.#composers.known(key);
    const { draft } = composer;
    const { saved, isDirty } = this.#get(key);
    const isUnsaved = saved === undefined && keyOf(draft) !== NOTHING && !this.#find(composer);
    if (isDirty || isUnsaved) this.changed(key);
    else this.look(key);
  }

  /** Returns the draft that the server has; undefined while that is not known. */
  #find({ chatId, root }) {
    return this.#client.state.draft(chatId, root);
  }

  #later(key, delay, work) {
    this.#clearTimer(key);
    this.#timers.set(key, setTimeout(work, delay));
  }

  #clearTimer(key) {
    clearTimeout(this.#timers.get(key));
    this.#timers.delete(key);
  }

  /** @returns {SaveState} */
  #get(key) {
    return this.#known.get(key) ?? this.#read(key);
  }

  #read(key) {
    try {
      return JSON.parse(this.#storage?.getItem(this.#owner + key) ?? "{}");
    } catch {
      return {};
    }
  }

  #set(key, fields) {
    if (this.#isClosed) return;
    const state = { ...this.#get(key), ...fields };
    const isNothing = state.saved === NOTHING && !state.saving && !state.isDirty && sentFor(state) === 0;
    try {
      if (!this.#storage) throw new Error("There is no storage.");
      if (isNothing) this.#storage.removeItem(this.#owner + key);
      else this.#storage.setItem(this.#owner + key, JSON.stringify(state));
      this.#known.delete(key);
    } catch {
      this.#known.set(key, state);
    }
  }
}
