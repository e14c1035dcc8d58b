/** Texts, numbers and times in the user's language. */

const LANGUAGES = {
  en: () => import("../texts/en.js"),
  de: () => import("../texts/de.js"),
  es: () => import("../texts/es.js"),
  lt: () => import("../texts/lt.js"),
};

let texts = {};
let numbers = new Intl.NumberFormat("en");
let plurals = new Intl.PluralRules("en");

/** The language of the texts (`en`), and the locale of numbers and times (`en-GB`). */
export let language = "en";
export let locale = "en";
/** `ltr` or `rtl`. */
export let direction = "ltr";

/** Loads the texts in the first available language. */
export async function loadTexts(wanted = globalThis.navigator?.languages ?? []) {
  const base = (tag) => tag.toLowerCase().split("-")[0];
  language = base(wanted.find((tag) => base(tag) in LANGUAGES) ?? "en");
  // A page has `en` where the browser has `en-GB`.
  const tags = wanted.filter((tag) => base(tag) === language);
  locale = tags.find((tag) => tag.includes("-")) ?? tags[0] ?? "en";
  ({ texts, direction } = (await LANGUAGES[language]()).default);
  numbers = new Intl.NumberFormat(locale);
  plurals = new Intl.PluralRules(locale);
}

/** Returns a text. `{name}` is replaced by a value; `count` selects the plural form. */
export function t(key, values = {}) {
  const text = texts[key];
  if (text === undefined) return key;
  const form = typeof text === "string" ? text : (text[plurals.select(values.count)] ?? text.other);
  return form.replace(/\{(\w+)\}/g, (_, name) =>
    typeof values[name] === "number" ? numbers.format(values[name]) : (values[name] ?? ""),
  );
}

/** Formats a count with a limit: 12, or 1,000+. */
export const atLeast = (count, limit) => numbers.format(Math.min(count, limit)) + (count < limit ? "" : "+");

/** Returns a group of texts. */
export const group = (key) => texts[key];

// Times

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

const formats = new Map();
/** Returns a formatter of dates or relative times, from a cache: they are slow to create. */
function format(options, Kind = Intl.DateTimeFormat) {
  // The time zone of the device may change.
  const key = locale + Kind.name + zone() + JSON.stringify(options);
  if (!formats.has(key)) formats.set(key, new Kind(locale, options));
  return formats.get(key);
}

/** Identifies the current time zone, by its offset. */
export const zone = () => new Date().getTimezoneOffset();

const startOfDay = (date) => new Date(date.getFullYear(), date.getMonth(), date.getDate());
/** Returns the number of midnights between a time and now. */
const daysAgo = (date, now) => Math.round((startOfDay(now) - startOfDay(date)) / DAY);

/** Returns a key that is equal for times of the same day. */
export const dayOf = (time) => startOfDay(new Date(time)).getTime();

export const timeOfDay = (time) => format({ hour: "numeric", minute: "2-digit" }).format(new Date(time));

export const dateAndTime = (time) => format({ dateStyle: "full", timeStyle: "short" }).format(new Date(time));

/** Formats a day as a heading: Today, Yesterday, Monday, 3 May 2027. */
export function dayName(time, now = new Date()) {
  const date = new Date(time);
  const ago = daysAgo(date, now);
  if (ago === 0 || ago === 1) {
    const name = format({ numeric: "auto" }, Intl.RelativeTimeFormat).format(-ago, "day");
    return name[0].toLocaleUpperCase(locale) + name.slice(1);
  }
  const year = date.getFullYear() === now.getFullYear() ? {} : { year: "numeric" };
  return format({ weekday: "long", day: "numeric", month: "long", ...year }).format(date);
}

/** Formats how long ago a time was, as short as possible. */
export function ago(time, now = new Date()) {
  const date = new Date(time);
  const passed = now.getTime() - date.getTime();
  const days = daysAgo(date, now);
  const relative = format({ numeric: "auto", style: "short" }, Intl.RelativeTimeFormat);
  // Clocks differ a little. A time far in the future is shown as a date.
  if (Math.abs(passed) < MINUTE || (passed < 0 && passed > -5 * MINUTE)) return t("now");
  if (passed > 0 && passed < HOUR) return relative.format(-Math.floor(passed / MINUTE), "minute");
  if (days === 0) return timeOfDay(time);
  if (days === 1) return relative.format(-1, "day");
  if (Math.abs(days) < 7) return format({ weekday: "short" }).format(date);
  if (date.getFullYear() === now.getFullYear()) return format({ day: "numeric", month: "short" }).format(date);
  return format({ dateStyle: "short" }).format(date);
}

/** Joins names into one phrase: Ann, Bob and Carol. */
export const listOf = (names) => format({ type: "conjunction" }, Intl.ListFormat).format(names);
