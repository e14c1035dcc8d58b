/** Errors as texts for the user. */

import { t } from "./texts.js";

/** @param {import("../greenroom.js").GreenroomError} error of work that is retried automatically */
export const retriedErrorText = (error) =>
  error.status === 429 ? t("errorTooMuchRetried", { count: error.retryAfter ?? 60 }) : errorText(error);

/** @param {import("../greenroom.js").GreenroomError} error */
export function errorText(error) {
  switch (error.status) {
    case 0:
      return t("errorOffline");
    case 400:
      // The server's sentences are for developers, in English only.
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
      // Not an answer of the server but a bug here: reported as an uncaught error.
      setTimeout(() => {
        throw error;
      });
      return t("errorServer");
    default:
      return t("errorServer");
  }
}
