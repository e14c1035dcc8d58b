/** What all programs have in common. */

export const base = process.env.GREENROOM_URL ?? "";
export const alice = { username: "alice", password: "greenroom" };

/** A value that must be there. */
export function need<T>(value: T | null | undefined, what: string): T {
  if (value === null || value === undefined) throw new Error(`${what} is missing`);
  return value;
}

export function expect(is: boolean, what: string): void {
  if (!is) throw new Error(`not so: ${what}`);
}

/** The cookie of a session, as a browser would send it. */
export function cookieOf(headers: Headers): string {
  return need(need(headers.get("set-cookie"), "Set-Cookie").split(";")[0], "the cookie");
}
