/** The mentions of a message that mentions no one. */
export const NOBODY = Object.freeze({ users: Object.freeze([]), everyone: false, here: false });

/** A message that is being sent, or that the server refused. It follows its chat's messages until it becomes one of them. */
export class OutgoingMessage {
  #outbox;

  constructor(outbox, { chat, content, custom = {}, reply_to = null, forward = null, forwarded_from = null, thread = null, also_in_chat = false, mentions = NOBODY, attachments = [], client_id, created_at, sender, status = "sending", error = null }, sent) {
    this.#outbox = outbox;
    this.client_id = client_id;
    Object.freeze(Object.assign(this, { id: null, chat, content, custom, reply_to, forward, forwarded_from, thread, also_in_chat, mentions, attachments, created_at, sender, status, error, sent }));
  }

  retry() {
    return this.#outbox.retry(this.client_id) ?? this;
  }

  discard() {
    this.#outbox.discard(this.client_id);
  }
}
