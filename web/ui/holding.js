/** Which chats' messages are kept: those on the screen, and a few that were there just before. */

/** Chats that nobody looks at, of which the messages are kept. */
const KEPT = 8;

/** @type {WeakMap<object, {held: Map<number, number>, idle: number[]}>} */
const shelves = new WeakMap();

/** Holds a chat's messages until the function that it returns is called. */
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
