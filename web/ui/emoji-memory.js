/** An in-memory database for the emoji picker, for pages on which the browser blocks the storage. */

/** Shorter words are not searched. */
const SHORTEST = 2;

/** The methods of the picker's own database. */
export class EmojiMemory {
  customEmoji = [];
  locale;
  dataSource;
  #loaded;
  #tone = 0;
  #uses = new Map();

  constructor({ locale, dataSource }) {
    Object.assign(this, { locale, dataSource });
  }

  async ready() {
    await this.#all();
  }

  #all() {
    this.#loaded ??= load(this.dataSource).catch((error) => {
      this.#loaded = undefined;
      throw error;
    });
    return this.#loaded;
  }

  async getEmojiByGroup(group) {
    return (await this.#all()).filter((emoji) => emoji.group === group);
  }

  /** Returns the emoji with all of the words; the last word may be a prefix. */
  async getEmojiBySearchQuery(query) {
    const words = wordsIn(query);
    if (words.length === 0) return [];
    const last = words.pop();
    const fits = ({ words: of }) => words.every((word) => of.has(word)) && [...of].some((word) => word.startsWith(last));
    return (await this.#all()).filter(fits);
  }

  async getEmojiByUnicodeOrName(unicode) {
    const isIt = (emoji) => emoji.unicode === unicode || emoji.skins?.some((skin) => skin.unicode === unicode);
    return (await this.#all()).find(isIt) ?? null;
  }

  async getPreferredSkinTone() {
    return this.#tone;
  }

  async setPreferredSkinTone(tone) {
    this.#tone = tone;
  }

  async incrementFavoriteEmojiCount(unicode) {
    this.#uses.set(unicode, (this.#uses.get(unicode) ?? 0) + 1);
  }

  async getTopFavoriteEmoji(limit) {
    const most = [...this.#uses].sort(([, a], [, b]) => b - a).slice(0, limit);
    const found = await Promise.all(most.map(([unicode]) => this.getEmojiByUnicodeOrName(unicode)));
    return found.filter(Boolean);
  }

  async close() {}
}

async function load(address) {
  const response = await fetch(address);
  if (!response.ok) throw new Error(`${address} answered with ${response.status}.`);
  const all = (await response.json()).map(({ emoji, skins, ...others }) => ({
    ...others,
    unicode: emoji,
    skins: skins?.map(({ emoji, ...skin }) => ({ ...skin, unicode: emoji })),
    words: new Set(wordsIn([others.annotation, ...(others.tags ?? []), ...(others.shortcodes ?? [])].join(" "))),
  }));
  return all.sort((a, b) => a.order - b.order);
}

const wordsIn = (text) =>
  text
    .toLowerCase()
    .replace(/[)(:,]/g, "")
    .split(/[\s_]+/)
    .filter((word) => word.length >= SHORTEST);
