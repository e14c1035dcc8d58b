/** Events that only set what is in them. With the `seq` of the chat they are applied, however often they arrive. */
const REPEATABLE = new Set(["pins_changed", "thread_followed", "thread_read", "mentions_changed"]);

const subjectOf = ({ type, message, message_id, root }) => `${type} ${message?.id ?? message_id ?? root ?? ""}`;

/**
 * Decides by the `seq` of events which ones are new. Most changes have one event; a reply in a thread has up to four with
 * the same `seq`: its root, the reply, pinned messages, and the user's own state of the thread.
 */
export class EventOrder {
  /** @type {Map<number, {seq: number, subjects: Set<string>}>} The events with the latest `seq` of each chat. */
  #latest = new Map();
  /** The `seq` to which those events have moved each loaded chat. */
  #moved = new Map();

  /** Whether an event is new. `head`: the last `seq` applied of its chat. */
  admits(event, head) {
    const { chat_id: id, seq } = event;
    if (seq === undefined) return true;
    const subject = subjectOf(event);
    if (!(seq <= head)) {
      this.#latest.set(id, { seq, subjects: new Set([subject]) });
      this.#moved.delete(id);
      return true;
    }
    if (seq < head) return false;
    const latest = this.#latest.get(id);
    const isSecond = latest?.seq === seq && !latest.subjects.has(subject);
    if (isSecond) latest.subjects.add(subject);
    return isSecond || REPEATABLE.has(event.type);
  }

  /** Whether a loaded chat at `known` lacks the change with this `seq`, or a part of it. */
  isNews(id, seq, known) {
    return !(seq <= known) || (seq === known && this.#moved.get(id) === seq);
  }

  moved(id, seq) {
    this.#moved.set(id, seq);
  }

  /** Notes that a chat was loaded or removed: it then includes all of its latest change. */
  forget(id) {
    this.#moved.delete(id);
  }

  /** Applies events once more, to something that was loaded. */
  replay(run) {
    const before = this.#moved;
    this.#moved = new Map();
    run();
    this.#moved = new Map([...before, ...this.#moved]);
  }
}
