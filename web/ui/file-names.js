/** Files in words. */

import { locale } from "./texts.js";

const UNITS = ["byte", "kilobyte", "megabyte", "gigabyte"];

/** Returns a size for people, with at most one decimal: "3.4 MB". */
export function fileSize(bytes) {
  let [value, unit] = [bytes, 0];
  while (value >= 1000 && unit < UNITS.length - 1) [value, unit] = [value / 1000, unit + 1];
  return new Intl.NumberFormat(locale, { style: "unit", unit: UNITS[unit], unitDisplay: unit === 0 ? "long" : "short", maximumFractionDigits: value < 10 && unit > 0 ? 1 : 0 }).format(value);
}

/** Pictures that browsers show. */
const PICTURES = /^image\/(png|jpeg|gif|webp|avif)$/;

export const isPicture = (contentType) => PICTURES.test(contentType);

/** Returns how a file is shown. */
export function kindOf({ content_type }) {
  const [kind] = content_type.split("/");
  if (isPicture(content_type)) return "image";
  return kind === "audio" || kind === "video" ? kind : "file";
}
