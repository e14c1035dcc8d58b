/** Returns a promise with its `resolve` and `reject`. Its rejection never counts as unhandled. */
export function deferred() {
  const ends = {};
  ends.promise = new Promise((resolve, reject) => Object.assign(ends, { resolve, reject }));
  ends.promise.catch(() => {});
  return /** @type {any} */ (ends);
}

/** Waits for a promise, for at most `timeout` milliseconds. */
export async function within(timeout, promise) {
  let timer;
  const late = new Promise((resolve) => (timer = setTimeout(resolve, timeout)));
  await Promise.race([promise, late]).finally(() => clearTimeout(timer));
}
