/** A request that the server refused, or that got no answer. */
export class GreenroomError extends Error {
  /** @param {any} [body] the server's answer, parsed */
  constructor(status, body = {}, { retryAfter = null, cause = undefined } = {}) {
    const [field, sentences] = Object.entries(body.details ?? {})[0] ?? [];
    const detail = body.detail ?? (field ? `${field}: ${sentences}` : body.error) ?? `Status ${status}.`;
    super(detail, { cause });
    this.name = "GreenroomError";
    this.status = status;
    this.detail = detail;
    this.fields = body.details ?? {};
    this.retryAfter = retryAfter;
  }

  get isFinal() {
    return this.status >= 400 && this.status < 500 && ![401, 408, 425, 429].includes(this.status);
  }
}

/** Returns the error of a request without a usable answer: status 0. */
export const noAnswer = (detail = "The server could not be reached.", cause = undefined) =>
  new GreenroomError(0, { detail }, { cause });

/** Close code of a connection that ended without a close frame. */
export const CONNECTION_LOST = 1006;
/** Close code of a server that has too much to do. */
const OVERLOADED = 1013;
/** Close code of a socket whose credential was revoked or has expired. */
export const SIGNED_OUT = 4401;
/** Close codes from here on belong to applications (RFC 6455, 7.4.2): no proxy closes with them. */
export const FIRST_APPLICATION_CODE = 4000;

/** The end of a socket. `receivedHello`: whether the server had accepted it before. */
export class SocketClosed extends GreenroomError {
  constructor(code, receivedHello) {
    super(0, { detail: `The socket was closed with ${code}.` }, { retryAfter: code === OVERLOADED ? 1 : null });
    this.code = code;
    this.receivedHello = receivedHello;
  }
}

/** A command that cannot be sent over the socket now: no socket is live, or the frame is too large or one too many. */
export class NotSendable extends GreenroomError {}

/** A command after which no frame at all arrived over the socket within the timeout. */
export class SocketSilent extends NotSendable {}
