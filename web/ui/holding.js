/** Keeps messages loaded: those of the chats on the screen, and of a few chats that were there before. */

/** How many chats stay loaded after they were left. */
const KEPT = 8;

/** @type {WeakMap<object, {held: Map<number, number>, idle: number[]}>} */
const shelves = new WeakMap();

/** Keeps a chat's messages loaded until the returned function is called. */
export function hold(client, chatId) {
  if (!shelves.has(client)) shelves.set(client, { held: new Map(), idle: [] });
  const { held, idle } = shelves.get(client);
  held.set(chatId, (held.get(chatId) ?? 0) + 1);
  if (idle.includes(chatId)) idle.splice(idle.indexOf(chatId), 1);
  return () => {
    held.set(chatId, held.get(chatId) - 1);
    if (held.get(chatId) > 0) return;
    held.delete(chatId);
    idle.push(chatId);
    if (idle.length > KEPT) client.close(idle.shift());
  };
}
