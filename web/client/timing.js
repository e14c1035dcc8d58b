/** Default timeouts and intervals, in milliseconds. `Timing` in `greenroom.d.ts` describes each. */
export const TIMING = {
  openWithin: 10_000,
  pollAfter: 2_000,
  silence: 3_000,
  pingEvery: 25_000,
  pongWithin: 10_000,
  answerWithin: 30_000,
  backoff: 1_000,
  backoffMax: 30_000,
  steadyAfter: 10_000,
  socketAgainEvery: 60_000,
  lookEvery: 5_000,
};
