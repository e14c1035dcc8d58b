/** Rooms that widgets watch. Several widgets may watch one room. */

/** @type {WeakMap<object, Map<number, number>>} How many widgets watch each room. */
const watchers = new WeakMap();

/** Watches a room until the returned function is called. */
export function watchRoom(client, chatId) {
  if (!watchers.has(client)) watchers.set(client, new Map());
  const counts = watchers.get(client);
  counts.set(chatId, (counts.get(chatId) ?? 0) + 1);
  return () => {
    counts.set(chatId, counts.get(chatId) - 1);
    if (counts.get(chatId) > 0) return;
    counts.delete(chatId);
    client.unwatch(chatId);
  };
}
