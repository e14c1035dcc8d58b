/** What went wrong, in words. */

import { t } from "./texts.js";

/** @param {import("../greenroom.js").GreenroomError} error of something that is tried again by itself when it may be */
export const inWordsRetried = (error) =>
  error.status === 429 ? t("errorTooMuchRetried", { count: error.retryAfter ?? 60 }) : inWords(error);

/** @param {import("../greenroom.js").GreenroomError} error */
export function inWords(error) {
  switch (error.status) {
    case 0:
      return t("errorOffline");
    case 400:
      // The server's own sentences are for those who write programs, in one language.
      return t("errorRefused");
    case 401:
      return t("errorSignedOut");
    case 403:
      return t("errorForbidden");
    case 404:
      return t("errorGone");
    case 409:
      return t("errorConflict");
    case 413:
      return t("errorTooLarge");
    case 429:
      return t("errorTooMuch", { count: error.retryAfter ?? 60 });
    case undefined:
      // No answer of the server, but a fault of ours: it is seen like any error that nobody caught.
      setTimeout(() => {
        throw error;
      });
      return t("errorServer");
    default:
      return t("errorServer");
  }
}
