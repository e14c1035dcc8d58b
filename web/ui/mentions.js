/** Mentions in a text that is being written or shown. Here they are counted in UTF-16 units, in the API in code points. */

/** Names all members, or those who are connected: in every language, as the text of a message is for all. */
const GROUPS = ["everyone", "here"];

/**
 * A place in a text that names a user, or a group of GROUPS.
 * @typedef {object} MentionRange
 * @property {number | string} id
 * @property {number} start
 * @property {number} end
 */

/** Moves ranges as a text changes. What was typed into is no mention any more. @param {MentionRange[]} ranges */
export function shifted(ranges, before, after) {
  if (ranges.length === 0 || before === after) return ranges;
  const most = Math.min(before.length, after.length);
  let from = 0;
  while (from < most && before[from] === after[from]) from++;
  let tail = 0;
  while (tail < most - from && before.at(-1 - tail) === after.at(-1 - tail)) tail++;
  const to = before.length - tail;
  const delta = after.length - before.length;
  return ranges.flatMap((range) => {
    if (range.end <= from) return [range];
    return range.start >= to ? [{ ...range, start: range.start + delta, end: range.end + delta }] : [];
  });
}

/** Returns the ranges of a trimmed text. */
export function trimmed(ranges, text) {
  const lead = text.length - text.trimStart().length;
  const { length } = text.trim();
  const moved = ranges.map((range) => ({ ...range, start: range.start - lead, end: range.end - lead }));
  return moved.filter(({ start, end }) => start >= 0 && end <= length);
}

/** Returns ranges as the API takes them. @param {MentionRange[]} ranges */
export function toMentions(ranges, text) {
  const codePoints = (end) => [...text.slice(0, end)].length;
  const has = (group) => ranges.some(({ id }) => id === group);
  const users = ranges.filter(({ id }) => !GROUPS.includes(/** @type {string} */ (id)));
  return {
    users: users.map(({ id, start, end }) => ({ id, at: [codePoints(start), codePoints(end)] })),
    everyone: has("everyone"),
    here: has("here"),
  };
}

/** Returns the places of a message's mentions, in order. @returns {MentionRange[]} */
export function rangesOf({ content, mentions }) {
  if (!isMentioning(mentions)) return [];
  const characters = [...content];
  const units = (count) => characters.slice(0, count).join("").length;
  const named = mentions.users.filter(({ at }) => at && at[1] <= characters.length);
  const users = named.map(({ id, at: [start, end] }) => ({ id, start: units(start), end: units(end) }));
  const groups = groupsOf({ mentions }).flatMap((group) => placesOfGroup(content, group));
  const all = [...users, ...groups].sort((a, b) => a.start - b.start);
  return all.filter(({ start }, index) => index === 0 || start >= all[index - 1].end);
}

export const isMentioning = (mentions) => Boolean(mentions) && (mentions.everyone || mentions.here || mentions.users.length > 0);

const placesOfGroup = (text, group) =>
  [...text.matchAll(new RegExp(`(?<![\\p{L}\\p{N}])@${group}(?![\\p{L}\\p{N}])`, "gu"))].map(({ 0: { length }, index }) => ({
    id: group,
    start: index,
    end: index + length,
  }));

/** Whether a message of another user names a user. */
export const mentionsByName = ({ mentions, sender }, user) =>
  Boolean(mentions) && sender?.id !== user?.id && mentions.users.some(({ id }) => id === user?.id);

/** Whether a message of another user names a user, or mentions a group. Whether that counts for the user, only the server knows. */
export const mayMention = (message, user) =>
  mentionsByName(message, user) || (message.sender?.id !== user?.id && groupsOf(message).length > 0);

/** Returns the groups that a message mentions. */
export const groupsOf = ({ mentions }) => GROUPS.filter((group) => mentions?.[group]);

/** The text before the caret that asks for someone: an @ at the beginning of a word, and the beginning of a name. */
const ASKED = /(?<![^\s([{"'„“«¿¡])@([^@\n]{0,40})$/u;

/** Returns what is asked for before the caret, and where that begins; null for nothing. */
export function askedFor(text, caret) {
  const found = text.slice(0, caret).match(ASKED);
  return found ? { words: found[1], start: caret - found[1].length - 1 } : null;
}

/** Returns a text in a form in which case and accents make no difference. */
const plain = (text) => text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();

/** Whether a name, or a word in it, begins with what was typed. */
export function isNamed(names, words) {
  const wanted = plain(words);
  return names.some((name) => plain(name).startsWith(wanted) || plain(name).includes(` ${wanted}`));
}
