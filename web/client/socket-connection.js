import { deferred } from "./deferred.js";
import { CONNECTION_LOST, GreenroomError, NotSendable, SocketClosed, SocketSilent, noAnswer } from "./errors.js";
import { parseJson } from "./json.js";

/** The largest frame that is sent, in bytes; the server takes a little more. */
const MAX_FRAME = 60 * 1024;
/** Frames sent in a second. The server takes more, and closes the socket over its own limit. */
const MAX_FRAMES_PER_SECOND = 60;
/** The most that one chat takes in a `resume` frame, in bytes. */
const MAX_HEAD = 36;

/** One WebSocket from its opening to its end: matches answers to commands, and detects a dead connection by pings. */
export class SocketConnection {
  #socket;
  #timing;
  #onEvent;
  #opened = deferred();
  #ended = deferred();
  #hasEnded = false;
  #receivedHello = false;
  /** Commands without an answer yet, by id. */
  #pending = new Map();
  #lastId = 0;
  /** How many frames were received. */
  #frames = 0;
  #second = { since: 0, frames: 0 };
  #timer;

  constructor(socket, timing, onEvent) {
    this.#socket = socket;
    this.#timing = timing;
    this.#onEvent = onEvent;
    this.#timer = setTimeout(() => this.close(CONNECTION_LOST), timing.openWithin);
    socket.onmessage = ({ data }) => this.#onFrame(data);
    socket.onclose = ({ code }) => this.close(code);
    // Browsers emit `close` after `error`; Node 20 does not.
    socket.onerror = () => this.close(CONNECTION_LOST);
  }

  /** Resolves with `hello`. @returns {Promise<any>} */
  get opened() {
    return this.#opened.promise;
  }

  /** Rejects with `SocketClosed` when the socket ends. */
  get ended() {
    return this.#ended.promise;
  }

  get isUsable() {
    return this.#receivedHello && !this.#hasEnded;
  }

  /** Closes the socket when the signal aborts. @param {AbortSignal} signal */
  closeOn(signal) {
    const close = () => this.close();
    signal.addEventListener("abort", close);
    this.ended.catch(() => signal.removeEventListener("abort", close));
    if (signal.aborted) close();
    return this;
  }

  /** Closes the socket without waiting for the server's close frame. */
  close(code = 1000) {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    clearTimeout(this.#timer);
    const error = new SocketClosed(code, this.#receivedHello);
    this.#opened.reject(error);
    this.#ended.reject(error);
    for (const id of [...this.#pending.keys()]) this.#takePending(id).reject(error);
    this.#socket.close();
  }

  get frames() {
    return this.#frames;
  }

  /** Checks now, by a ping, whether the server still answers. */
  check() {
    if (this.isUsable) this.#pingAfter(0);
  }

  /**
   * Sends a command and resolves with its `ack`. `onAck` runs before any later frame is handled. Rejects with
   * `SocketSilent` if no frame at all arrives within `silence` milliseconds.
   */
  request(command, { onAck = (_) => {}, silence = this.#timing.silence } = {}) {
    const id = ++this.#lastId;
    return new Promise((resolve, reject) => {
      this.#send({ ...command, id });
      const before = this.#frames;
      const onSilence = () => this.#frames === before && this.#takePending(id)?.reject(new SocketSilent(0));
      const onLate = () => this.#takePending(id)?.reject(noAnswer());
      const timers = [setTimeout(onSilence, silence), setTimeout(onLate, this.#timing.answerWithin)];
      this.#pending.set(id, { timers, reject, resolve: (ack) => (onAck(ack), resolve(ack)) });
    });
  }

  /** Sends the heads of all chats, split into as many frames as needed. The `ack` ends the catch-up. */
  resume(heads, options) {
    const known = [...heads];
    const part = Math.floor(MAX_FRAME / MAX_HEAD);
    while (known.length > part) {
      this.#send({ type: "resume", chats: Object.fromEntries(known.splice(0, part)), more: true });
    }
    return this.request({ type: "resume", chats: Object.fromEntries(known) }, options);
  }

  #send(frame) {
    if (this.#hasEnded) throw new SocketClosed(CONNECTION_LOST, this.#receivedHello);
    const text = JSON.stringify(frame);
    const now = performance.now();
    if (now - this.#second.since >= 1000) this.#second = { since: now, frames: 0 };
    const exceedsLimits = ++this.#second.frames > MAX_FRAMES_PER_SECOND || new TextEncoder().encode(text).length > MAX_FRAME;
    if (exceedsLimits && !["resume", "ping"].includes(frame.type)) throw new NotSendable(0);
    this.#socket.send(text);
  }

  #onFrame(data) {
    const frame = parseJson(data);
    if (!frame || this.#hasEnded) return;
    this.#frames++;
    this.#pingAfter(this.#timing.pingEvery);
    switch (frame.type) {
      case "hello":
        this.#receivedHello = true;
        return this.#opened.resolve(frame);
      case "ack":
        return this.#takePending(frame.id)?.resolve(frame);
      case "error":
        return this.#takePending(frame.id)?.reject(new GreenroomError(frame.status, frame, { retryAfter: frame.retry_after }));
      case "pong":
        return;
      default:
        this.#onEvent(frame);
    }
  }

  #takePending(id) {
    const command = this.#pending.get(id);
    this.#pending.delete(id);
    command?.timers.forEach(clearTimeout);
    return command;
  }

  /** Pings after `delay` milliseconds, unless a frame arrives first. Closes the socket if the ping gets no answer. */
  #pingAfter(delay) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#timer = setTimeout(() => this.close(CONNECTION_LOST), this.#timing.pongWithin);
      this.#send({ type: "ping" });
    }, delay);
  }
}
