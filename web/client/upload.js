import { GreenroomError, noAnswer } from "./errors.js";
import { parseJson } from "./json.js";

/** A connection that sends nothing for so long is given up, in milliseconds. The server's limit is the same. */
const STALLED_AFTER = 60_000;
/** Not all bytes have arrived, or the upload is complete already. */
const CONFLICT = 409;

/**
 * Uploads a file: reserves a place, sends the bytes, and completes the upload. After a break it sends the bytes again.
 * Resolves with the attachment; rejects where the server refuses the file, or where the signal aborts it.
 */
export async function upload({ api, timing, fetch }, chatId, file, { name = file.name, alt = "", onProgress = () => {}, signal = undefined } = /** @type {any} */ ({})) {
  const retry = (work) => withRetries(work, timing, signal);
  const reserved = await retry(() => api.createUpload({ name, size: file.size, chat: chatId, alt }, { signal }));
  const url = new URL(reserved.put_url, api.base).href;
  const send = globalThis.XMLHttpRequest ? sendWithProgress : sendByFetch(fetch);
  try {
    return await retry(async () => {
      await send({ url, headers: reserved.headers, file, onProgress, signal }).catch((error) => {
        // The answer that it is complete was lost.
        if (error.status !== CONFLICT) throw error;
      });
      return api.completeUpload(reserved.id, { signal });
    });
  } catch (error) {
    api.cancelUpload(reserved.id).catch(() => {});
    throw error;
  }
}

/** Repeats work with exponential backoff until it succeeds or fails for good. */
async function withRetries(work, { backoff, backoffMax }, signal) {
  for (let failures = 0; ; failures++) {
    if (signal?.aborted) throw noAnswer("The upload was cancelled.");
    try {
      return await work();
    } catch (error) {
      if (signal?.aborted || (error.isFinal && error.status !== CONFLICT)) throw error;
      const pause = error.retryAfter ? error.retryAfter * 1000 : Math.min(backoffMax, backoff * 2 ** failures);
      await new Promise((resolve) => {
        const timer = setTimeout(resolve, pause);
        signal?.addEventListener("abort", () => (clearTimeout(timer), resolve(undefined)), { once: true });
      });
    }
  }
}

/** Sends the bytes in a browser, where only this way reports the progress. */
function sendWithProgress({ url, headers, file, onProgress, signal }) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    let timer;
    const abort = () => request.abort();
    const watch = () => {
      clearTimeout(timer);
      timer = setTimeout(abort, STALLED_AFTER);
    };
    const fail = () => reject(noAnswer());
    request.open("PUT", url);
    for (const [header, value] of Object.entries(headers)) request.setRequestHeader(header, value);
    request.upload.onprogress = ({ loaded }) => (watch(), onProgress(file.size ? loaded / file.size : 1));
    request.onload = () => {
      const retryAfter = Number(request.getResponseHeader("Retry-After")) || null;
      if (request.status < 400) resolve(undefined);
      else reject(new GreenroomError(request.status, parseJson(request.responseText) ?? {}, { retryAfter }));
    };
    request.onerror = fail;
    request.onabort = fail;
    request.onloadend = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", abort);
    };
    signal?.addEventListener("abort", abort);
    watch();
    request.send(file);
  });
}

/** Sends the bytes outside a browser. */
const sendByFetch =
  (fetch) =>
  async ({ url, headers, file, onProgress, signal }) => {
    const answer = await fetch(url, { method: "PUT", headers, body: file, signal }).catch((error) => {
      throw noAnswer(undefined, error);
    });
    const body = parseJson(await answer.text()) ?? {};
    if (answer.status >= 400) throw new GreenroomError(answer.status, body, { retryAfter: Number(answer.headers.get("Retry-After")) || null });
    onProgress(1);
  };
