/** Whether this page has the focus, or another tab of it. */

export const isTabFocused = () => document.visibilityState === "visible" && document.hasFocus();

const nameOf = (owner) => `greenroom-watched:${owner}:`;
/** Identifies this tab's lock. */
const own = Math.random().toString(36).slice(2);

/** Holds a lock while this tab has the focus, until the returned function is called. Other tabs see the lock. */
export function announceFocus(owner) {
  const locks = globalThis.navigator?.locks;
  if (!locks) return () => {};
  let release = /** @type {(() => void) | null} */ (null);
  const look = () => {
    if (!isTabFocused()) {
      release?.();
      release = null;
    } else if (!release) {
      const watched = new Promise((resolve) => (release = () => resolve(undefined)));
      locks.request(nameOf(owner) + own, () => watched).catch(() => {});
    }
  };
  const end = new AbortController();
  for (const name of ["focus", "blur", "pageshow"]) globalThis.addEventListener(name, look, { signal: end.signal });
  document.addEventListener("visibilitychange", look, { signal: end.signal });
  look();
  return () => {
    end.abort();
    release?.();
  };
}

/** Whether one of the tabs has the focus. */
export async function isAnyTabFocused(owner) {
  if (isTabFocused()) return true;
  try {
    const { held } = (await globalThis.navigator?.locks?.query()) ?? {};
    return held?.some(({ name }) => name.startsWith(nameOf(owner)) && !name.endsWith(own)) ?? false;
  } catch {
    return false;
  }
}
