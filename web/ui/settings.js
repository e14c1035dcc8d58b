/** What people may do on this server, and what it has. */

/** @returns {Promise<import("./desk.js").Settings>} */
export async function loadSettings(_client) {
  return { can: () => true, has: () => false };
}
