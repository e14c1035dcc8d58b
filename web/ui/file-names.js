/** Files in words. */

import { locale } from "./texts.js";

const UNITS = ["byte", "kilobyte", "megabyte", "gigabyte"];

/** Returns a size for people, with at most one decimal: "3.4 MB". */
export function fileSize(bytes) {
  let [value, unit] = [bytes, 0];
  while (value >= 1000 && unit < UNITS.length - 1) [value, unit] = [value / 1000, unit + 1];
  return new Intl.NumberFormat(locale, { style: "unit", unit: UNITS[unit], unitDisplay: unit === 0 ? "long" : "short", maximumFractionDigits: value < 10 && unit > 0 ? 1 : 0 }).format(value);
}

/** The part of a content type that says how it is shown. */
export const kindOf = ({ content_type, width }) => {
  const [kind] = content_type.split("/");
  if (kind === "image") return width ? "image" : "file";
  return kind === "audio" || kind === "video" ? kind : "file";
};
