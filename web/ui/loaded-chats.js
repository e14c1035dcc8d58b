/** Keeps messages loaded: those of the chats and threads on the screen, and of a few that were there before. */

/** How many of them stay loaded after they were left. */
const MAX_IDLE = 8;

/** @type {WeakMap<object, {inUse: Map<number, number>, idle: number[]}>} */
const loadedChats = new WeakMap();

/** Keeps the messages of a chat, or of a thread by the negative id of its root, loaded until the returned function is called. */
export function keepLoaded(client, key) {
  if (!loadedChats.has(client)) loadedChats.set(client, { inUse: new Map(), idle: [] });
  const { inUse, idle } = loadedChats.get(client);
  inUse.set(key, (inUse.get(key) ?? 0) + 1);
  if (idle.includes(key)) idle.splice(idle.indexOf(key), 1);
  return () => {
    inUse.set(key, inUse.get(key) - 1);
    if (inUse.get(key) > 0) return;
    inUse.delete(key);
    idle.push(key);
    if (idle.length <= MAX_IDLE) return;
    const oldest = idle.shift();
    if (oldest > 0) client.close(oldest);
    else client.closeThread(-oldest);
  };
}
