/** What people may do on this server. */

/** @returns {Promise<import("./desk.js").Settings>} */
export async function loadSettings(_client) {
  return { can: () => true };
}
