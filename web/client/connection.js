import { isJwt } from "./api.js";
import { Backoff } from "./backoff.js";
import { CatchUp } from "./catch-up.js";
import { deferred, within } from "./deferred.js";
import { FIRST_APPLICATION_CODE, SIGNED_OUT, SocketClosed, SocketSilent, noAnswer } from "./errors.js";
import { SocketConnection } from "./socket-connection.js";

/** How long a long poll waits for an event, in seconds. */
const POLL_WAIT = 25;

/**
 * @typedef {object} Hooks
 * @property {() => void} deliver sends the messages that wait in the outbox
 * @property {() => void} followRooms follows the watched rooms again
 * @property {() => void} reloadStale loads the chats that are marked stale
 * @property {(isPolling: boolean) => void} caughtUp is called after the missed events were applied
 * @property {() => void} userChanged another user has signed in, and the store is about to be cleared
 */

/** Keeps the client connected: over a WebSocket, and by long polls while none opens. */
export class Connection {
  #api;
  #store;
  #outbox;
  #emitter;
  #timing;
  #random;
  #WebSocket;
  /** @type {Hooks} */
  #hooks;

  /** @type {import("../greenroom.d.ts").Status} */
  #status = "stopped";
  /** @type {AbortController | null} Set from `start()` until the client stops; replaced while the page is suspended. */
  #run = null;
  #started = deferred();
  #hasStarted = false;
  /** @type {SocketConnection | null} The socket, while it is live. */
  #socket = null;
  /** The pauses between failed connections. */
  #backoff;
  /** Sockets in a row that did not open or did not stay open. While there are any, the client polls at once. */
  #failedSockets = 0;
  /** The token that the latest socket was opened with. */
  #socketKey;
  /** The token whose user was last checked to be the store's user. */
  #verifiedKey;
  /** Aborts the current socket or poll. */
  #abortCurrent = () => {};
  /** The missed events that the client is asking for. */
  #catchUp = new CatchUp();
  /** Whether a poll that waited for events was answered. */
  #isPollingConfirmed = false;

  constructor({ api, store, outbox, emitter, timing, random, WebSocket, hooks }) {
    this.#api = api;
    this.#store = store;
    this.#outbox = outbox;
    this.#emitter = emitter;
    this.#timing = timing;
    this.#random = random;
    this.#backoff = new Backoff(timing, random);
    this.#WebSocket = WebSocket;
    this.#hooks = hooks;
  }

  get status() {
    return this.#status;
  }

  /** Identifies the time between `start()` and a stop; null while stopped. */
  get run() {
    return this.#run;
  }

  get socket() {
    return this.#socket;
  }

  get isSlow() {
    return this.#status === "polling" && !this.#isPollingConfirmed;
  }

  /** Whether commands can be sent. Without a socket they go over REST, even before that is known to work. */
  get canSend() {
    return this.#run && this.#hasStarted;
  }

  /** Whether the server is known to be reachable. */
  get isConnected() {
    return this.#socket?.isUsable || this.#status === "polling";
  }

  // Starting and stopping

  start() {
    if (this.#run) return this.#started.promise;
    this.#started = deferred();
    this.#hasStarted = false;
    this.#begin();
    return this.#started.promise;
  }

  #begin() {
    this.#run = new AbortController();
    this.#failedSockets = 0;
    const { signal } = this.#run;
    this.#setStatus(this.#hasStarted ? "reconnecting" : "connecting");
    this.#observeBrowser(signal);
    globalThis.addEventListener?.("pagehide", () => this.#suspend(), { signal });
    this.#stayConnected(signal);
  }

  /** Disconnects when the user leaves the page: browsers keep only pages without sockets for going back (bfcache). */
  #suspend() {
    this.#run.abort();
    this.#socket = null;
    this.#backoff.end();
    const suspended = (this.#run = new AbortController());
    const resume = () => {
      suspended.abort();
      this.#begin();
    };
    globalThis.addEventListener("pageshow", resume, { signal: suspended.signal });
  }

  stop() {
    this.#end("stopped", noAnswer("The client was stopped."));
  }

  #end(status, error) {
    this.#run?.abort();
    this.#run = null;
    this.#socket = null;
    this.#backoff.end();
    this.#store.typingUsers.clearAll();
    this.#setStatus(status);
    this.#started.reject(error);
  }

  #setStatus(status) {
    if (this.#status === status) return;
    this.#status = status;
    this.#emitter.schedule("status", () => ({ status: this.#status }), "status");
  }

  /** Checks the connection when the browser reports a change of its network, or when the page becomes visible. */
  #observeBrowser(signal) {
    const check = () => {
      this.#socket?.check();
      if (globalThis.document?.visibilityState !== "hidden") this.#backoff.end();
    };
    const onOnline = () => {
      // Another network may let sockets through.
      this.#failedSockets = 0;
      check();
    };
    globalThis.addEventListener?.("online", onOnline, { signal });
    globalThis.addEventListener?.("offline", check, { signal });
    globalThis.document?.addEventListener("visibilitychange", check, { signal });
  }

  // Reconnecting

  async #stayConnected(signal) {
    while (!signal.aborted) {
      try {
        await this.#load(signal);
        await this.#connect(signal);
      } catch (error) {
        const cause = signal.aborted ? error : await this.#causeOf(error);
        if (signal.aborted) return;
        if (cause.status === 401) return this.#end("signedOut", cause);
        // The server refuses the first requests, and a retry would not change that.
        if (cause.isFinal && !this.#hasStarted) return this.#end("stopped", cause);
        // A silent socket is replaced by polling at once.
        if (cause instanceof SocketSilent) continue;
        await this.#backOff(cause);
      }
    }
  }

  /** Returns why a connection ended. After close code 4401 it asks whether the user is still signed in. */
  async #causeOf(error) {
    if (!(error instanceof SocketClosed) || error.code !== SIGNED_OUT) return error;
    try {
      this.#api.renew(this.#socketKey);
      this.#checkSameUser(await this.#api.me());
      return error;
    } catch (cause) {
      return cause;
    }
  }

  async #backOff({ retryAfter }) {
    const isOffline = globalThis.navigator?.onLine === false;
    this.#setStatus(isOffline ? "offline" : this.#hasStarted ? "reconnecting" : "connecting");
    await this.#backoff.wait(retryAfter);
  }

  /** Shortens the current pause, for a message that the user has sent. */
  hurry() {
    this.#backoff.hurry();
  }

  /** Loads the first snapshot. On a later start it checks that the user is still the same. */
  async #load(signal) {
    if (this.#hasStarted) return;
    const [me, snapshot] = await Promise.all([this.#api.me(), this.#store.me ? null : this.#api.sync()]);
    signal.throwIfAborted();
    if (this.#store.me) {
      this.#checkSameUser(me);
    } else {
      this.#store.begin(me, snapshot);
      this.#outbox.open(`greenroom:${this.#api.base}:${me.id}:`);
    }
    this.#hasStarted = true;
    this.#started.resolve();
    this.#hooks.deliver();
  }

  /** Starts over if another user has signed in: no user sees another's chats, or sends another's messages. */
  #checkSameUser({ id }) {
    if (this.#store.me?.id === id) return;
    this.#hasStarted = false;
    this.#catchUp.end();
    this.#hooks.userChanged();
    this.#outbox.close();
    this.#store.clear();
    this.#abortCurrent();
    throw noAnswer("Another user has signed in.");
  }

  /** Checks that the server still takes the client for the same user: its cookie may be another user's by now. */
  async verifyUser() {
    const key = this.#api.key();
    if ((await key) !== null && key === this.#verifiedKey) return;
    this.#checkSameUser(await this.#api.me());
    this.#verifiedKey = this.#api.key();
  }

  /** Stays connected over a socket, if one opens in time. Else it polls, and retries the socket with backoff. */
  async #connect(signal) {
    const attempts = new AbortController();
    const polls = new AbortController();
    const abort = () => (polls.abort(), attempts.abort());
    signal.addEventListener("abort", abort);
    this.#abortCurrent = abort;
    let socket = null;
    let nextAttempt;
    const attemptLater = () => (nextAttempt = setTimeout(attempt, this.#socketRetryDelay));
    const attempt = async () => {
      socket = await this.#open(attempts.signal).catch(() => null);
      if (socket || !this.#hasStarted) polls.abort();
      else if (!attempts.signal.aborted) attemptLater();
    };
    try {
      if (this.#WebSocket && this.#failedSockets > 0) attemptLater();
      else if (this.#WebSocket) await within(this.#timing.pollAfter, attempt());
      if (!polls.signal.aborted) await this.#poll(polls.signal);
    } catch (error) {
      if (!socket) throw error;
    } finally {
      signal.removeEventListener("abort", abort);
      clearTimeout(nextAttempt);
      polls.abort();
      if (!socket) attempts.abort();
    }
    if (socket) await this.#listen(socket, signal);
  }

  /** The delay before the next socket: exponential backoff with jitter of a half. */
  get #socketRetryDelay() {
    const most = Math.min(this.#timing.socketAgainEvery, this.#timing.backoff * 2 ** this.#failedSockets);
    return most * (0.5 + this.#random() / 2);
  }

  // Over a socket

  async #open(signal) {
    this.#socketKey = this.#api.key();
    const key = await this.#socketKey;
    const url = `${this.#api.base.replace(/^http/, "ws")}/messages/ws/?resume=1&threads=1`;
    const protocols = key ? [`greenroom.${isJwt(key) ? "jwt" : "token"}.${key}`] : [];
    const webSocket = new this.#WebSocket(url, protocols);
    const socket = new SocketConnection(webSocket, this.#timing, (event) => {
      if (event.type === "token_expiring") this.#refresh(socket).catch(() => {});
      else this.#store.apply(event);
    });
    try {
      const hello = await socket.closeOn(signal).opened;
      this.#checkSameUser({ id: hello.user_id });
      this.#store.presences.takeOnline(hello.users_online ?? []);
      return socket;
    } catch (error) {
      socket.close();
      this.#failedSockets++;
      throw error;
    }
  }

  /** Gives the socket a new token before its own ends. Where that fails, the socket ends, and the next one has a new one. */
  async #refresh(socket) {
    const used = this.#socketKey;
    if (!this.#api.renew(used)) return;
    const next = this.#api.key();
    await socket.request({ type: "refresh", token: await next });
    // The server takes only a token of the same user.
    if (this.#verifiedKey === used) this.#verifiedKey = next;
    this.#socketKey = next;
  }

  /** Catches up, and then receives events until the socket ends. */
  async #listen(socket, signal) {
    let liveSince = Infinity;
    this.#store.isCatchingUp = true;
    const goLive = (ack) => {
      this.#caughtUp(ack, false);
      this.#socket = socket;
      liveSince = performance.now();
      this.#setStatus("live");
      this.#hooks.deliver();
      this.#hooks.followRooms();
    };
    this.#abortCurrent = () => socket.close();
    let reason;
    try {
      // A busy server gets more time after each socket that failed.
      const silence = this.#timing.silence * (1 + this.#failedSockets);
      await socket.closeOn(signal).resume(this.#catchUp.from(this.#store.heads), { onAck: goLive, silence });
      await socket.ended;
    } catch (error) {
      reason = error;
      throw error;
    } finally {
      socket.close();
      this.#socket = null;
      this.#store.isCatchingUp = false;
      this.#store.typingUsers.clearAll();
      const wasSteady = performance.now() - liveSince >= this.#timing.steadyAfter;
      if (wasSteady) this.#backoff.reset();
      // Only Greenroom closes with these codes, when a token expires for example: sockets work.
      const wasClosedByServer =
        liveSince < Infinity && reason instanceof SocketClosed && reason.code >= FIRST_APPLICATION_CODE;
      this.#failedSockets = wasSteady || wasClosedByServer ? 0 : this.#failedSockets + 1;
    }
  }

  #caughtUp(reached, isPolling) {
    this.#catchUp.end();
    this.#store.isCatchingUp = false;
    this.#store.reached(reached);
    this.#hooks.reloadStale();
    this.#hooks.caughtUp(isPolling);
  }

  // By polling

  /** Polls until the signal aborts. @param {AbortSignal} signal */
  async #poll(signal) {
    const polls = new AbortController();
    const abort = () => polls.abort();
    signal.addEventListener("abort", abort);
    // A waiting poll would notice the lost network only at its timeout.
    globalThis.addEventListener?.("offline", abort, { signal: polls.signal });
    // Polls bring no events of rooms that the user is not in.
    const roomTimer = setInterval(() => this.#hooks.followRooms(), this.#timing.lookEvery);
    this.#isPollingConfirmed = false;
    try {
      for (let wait = 0; !polls.signal.aborted; wait = POLL_WAIT) {
        const chats = Object.fromEntries(this.#catchUp.from(this.#store.heads));
        const used = this.#api.key();
        const news = await this.#api.syncSince({ chats, wait }, { signal: polls.signal });
        if (news.events.some(({ type }) => type === "token_expiring")) this.#api.renew(used);
        // The answer may be for another user, who has signed in since.
        if (!polls.signal.aborted) await this.verifyUser();
        if (!polls.signal.aborted) this.#applyPoll(news, wait > 0);
      }
    } finally {
      signal.removeEventListener("abort", abort);
      clearInterval(roomTimer);
      polls.abort();
    }
  }

  #applyPoll({ events, removed, ...reached }, hasWaited) {
    this.#store.isCatchingUp = true;
    for (const event of events) this.#store.apply(event);
    for (const id of removed) this.#store.apply({ type: "chat_deleted", chat_id: id });
    this.#caughtUp(reached, true);
    this.#backoff.reset();
    this.#setStatus("polling");
    if (hasWaited && !this.#isPollingConfirmed) {
      this.#isPollingConfirmed = true;
      this.#emitter.schedule("slow", () => ({ isSlow: this.isSlow }), "slow");
    }
    this.#hooks.deliver();
  }
}
