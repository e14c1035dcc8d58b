/** The files that a composer sends with its next message: their uploads, and what is written about them. */

import { isPicture } from "./file-names.js";

/** Uploads at the same time. The server allows a few more for other tabs. */
const AT_ONCE = 3;

/**
 * @typedef {object} PendingFile
 * @property {number} key
 * @property {File} file
 * @property {string} alt a description of a picture
 * @property {number} progress from 0 to 1
 * @property {string | null} preview address of the picture
 * @property {any} attachment what the upload became
 * @property {any} error
 */

export class FileList {
  #client;
  #chatId;
  #changed;
  #lastKey = 0;
  #running = new Map();
  /** Descriptions that are being saved. */
  #saving = 0;
  /** @type {PendingFile[]} */
  items = [];

  constructor(client, chatId, changed) {
    this.#client = client;
    this.#chatId = chatId;
    this.#changed = changed;
  }

  /** Whether the message has to wait. */
  get isBusy() {
    return this.#saving > 0 || this.items.some(({ attachment }) => !attachment);
  }

  add(files) {
    for (const file of files) {
      const preview = isPicture(file.type) ? URL.createObjectURL(file) : null;
      this.items = [...this.items, { key: ++this.#lastKey, file, alt: "", progress: 0, preview, attachment: null, error: null }];
    }
    this.#next();
    this.#changed();
  }

  /** Removes a file and cancels its upload. */
  remove(key) {
    const item = this.#find(key);
    if (!item) return;
    this.items = this.items.filter((other) => other !== item);
    this.#running.get(key)?.abort();
    if (item.attachment) this.#client.api.cancelUpload(item.attachment.id).catch(() => {});
    release([item]);
    this.#changed();
  }

  retry(key) {
    this.#set(key, { error: null, progress: 0 });
    this.#next();
  }

  /** Describes a picture for those who do not see it. */
  async describe(key, alt) {
    this.#set(key, { alt });
    const { attachment } = this.#find(key);
    if (!attachment || attachment.alt === alt.trim()) return;
    this.#saving++;
    this.#changed();
    try {
      const described = await this.#client.api.updateUpload(attachment.id, { alt: alt.trim() });
      if (this.#find(key)) this.#set(key, { attachment: described });
    } finally {
      this.#saving--;
      this.#changed();
    }
  }

  /** Returns the attachments for a message, and starts anew. */
  take() {
    const { items } = this;
    this.items = [];
    release(items);
    this.#changed();
    return items.map(({ attachment }) => attachment);
  }

  /** Cancels all uploads. */
  clear() {
    for (const { key } of this.items) this.remove(key);
  }

  #find(key) {
    return this.items.find((item) => item.key === key);
  }

  #set(key, fields) {
    this.items = this.items.map((item) => (item.key === key ? { ...item, ...fields } : item));
    this.#changed();
  }

  #next() {
    for (const { key, attachment, error } of this.items) {
      if (this.#running.size >= AT_ONCE) return;
      if (!attachment && !error && !this.#running.has(key)) this.#upload(key);
    }
  }

  async #upload(key) {
    const { file, alt } = this.#find(key);
    const controller = new AbortController();
    this.#running.set(key, controller);
    const onProgress = (progress) => this.#find(key) && this.#set(key, { progress });
    try {
      const attachment = await this.#client.upload(this.#chatId, file, { alt: alt.trim(), onProgress, signal: controller.signal });
      if (!this.#find(key)) return void this.#client.api.cancelUpload(attachment.id).catch(() => {});
      const described = this.#find(key).alt;
      this.#set(key, { attachment, progress: 1 });
      if (described.trim() !== attachment.alt) await this.describe(key, described);
    } catch (error) {
      if (this.#find(key)) this.#set(key, { error });
    } finally {
      this.#running.delete(key);
      this.#next();
    }
  }
}

function release(items) {
  for (const { preview } of items) if (preview) URL.revokeObjectURL(preview);
}
