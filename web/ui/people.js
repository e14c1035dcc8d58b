/** Finding people. */

import { otherOf } from "./avatar.js";
import { useDesk } from "./desk.js";
import { useEffect, useState } from "./html.js";

/** The direct messages with a user, as far as they are loaded. */
export const dmWith = (state, userId) =>
  [...state.chats.values()].find(
    ({ chat_type, members }) => chat_type === "dm" && otherOf({ members }, state.me)?.id === userId && (members.length === 2 || userId === state.me.id),
  );

/** How long one has to stop typing before it is looked for, in milliseconds. */
const PAUSE = 250;

/**
 * What was found for words that somebody types. Where that was too much at once it is looked for again by itself. `found` is null before there is an answer.
 * @param {(text: string) => Promise<any>} look
 */
export function useLookup(text, look, inputs = []) {
  const { inWords } = useDesk();
  const [state, setState] = useState({ found: /** @type {any} */ (null), problem: /** @type {any} */ (null), of: "" });
  const [now, setNow] = useState(0);
  useEffect(() => {
    if (!text.trim()) return setState({ found: null, problem: null, of: "" });
    let isLatest = true;
    /** @type {any} */
    let timer;
    const ask = async () => {
      try {
        const found = await look(text.trim());
        if (isLatest) setState({ found, problem: null, of: text });
      } catch (error) {
        if (!isLatest) return;
        setState({ found: null, problem: inWords(error), of: text });
        if (error.retryAfter) timer = setTimeout(ask, error.retryAfter * 1000);
      }
    };
    timer = setTimeout(ask, now ? 0 : PAUSE);
    return () => {
      isLatest = false;
      clearTimeout(timer);
    };
  }, [text, now, ...inputs]);
  return { ...state, isLooking: !!text.trim() && state.of !== text, again: () => setNow((count) => count + 1) };
}
