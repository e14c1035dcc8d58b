/** Keeps messages loaded: those of the chats on the screen, and of a few chats that were there before. */

/** How many chats stay loaded after they were left. */
const MAX_IDLE = 8;

/** @type {WeakMap<object, {inUse: Map<number, number>, idle: number[]}>} */
const loadedChats = new WeakMap();

/** Keeps a chat's messages loaded until the returned function is called. */
export function keepLoaded(client, chatId) {
  if (!loadedChats.has(client)) loadedChats.set(client, { inUse: new Map(), idle: [] });
  const { inUse, idle } = loadedChats.get(client);
  inUse.set(chatId, (inUse.get(chatId) ?? 0) + 1);
  if (idle.includes(chatId)) idle.splice(idle.indexOf(chatId), 1);
  return () => {
    inUse.set(chatId, inUse.get(chatId) - 1);
    if (inUse.get(chatId) > 0) return;
    inUse.delete(chatId);
    idle.push(chatId);
    if (idle.length > MAX_IDLE) client.close(idle.shift());
  };
}
