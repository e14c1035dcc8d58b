/** Rooms that widgets follow from outside; several may follow one. */

/** @type {WeakMap<object, Map<number, number>>} How many follow each room. */
const followers = new WeakMap();

/** Follows a room until the function that it returns is called. */
export function follow(client, chatId) {
  if (!followers.has(client)) followers.set(client, new Map());
  const counts = followers.get(client);
  counts.set(chatId, (counts.get(chatId) ?? 0) + 1);
  return () => {
    counts.set(chatId, counts.get(chatId) - 1);
    if (counts.get(chatId) > 0) return;
    counts.delete(chatId);
    client.unwatch(chatId);
  };
}
