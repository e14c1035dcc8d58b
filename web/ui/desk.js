/** What every part of a page or a widget works with: the client, and ways to tell and to ask. */

import { createContext, useContext, useEffect, useLatest, useRef, useState, useWatched } from "./html.js";

/**
 * @typedef {object} Desk
 * @property {import("../greenroom.js").Greenroom} client
 * @property {{on: (listener: () => void) => () => void}} changes of what the client knows
 * @property {import("./blocks.js").Blocks} blocks
 * @property {import("./deletions.js").Deletions} deletions
 * @property {import("./composing.js").Composings} composings
 * @property {import("./settings.js").Settings} settings
 * @property {(error: any) => string} inWords
 * @property {(text: string) => void} announce says something to screen readers
 * @property {(text: string, action?: {label: string, run: () => void}) => void} toast shows something for a while
 * @property {(question: object) => Promise<boolean>} confirm
 * @property {(at: Element, onPick: (emoji: string) => void) => void} pickEmoji
 * @property {(chatId: number, messageId?: number) => void} openChat
 */

export const DeskContext = createContext(/** @type {any} */ (null));

/** @returns {Desk} */
export const useDesk = () => useContext(DeskContext);

/** Something of what the client knows; drawn anew when it is another. */
export function useKnown(select) {
  const { changes, client } = useDesk();
  return useWatched(changes, () => select(client.state, client));
}

/** Does something that may fail, and says so where it did. */
export function useAttempt() {
  const desk = useDesk();
  return async (work) => {
    try {
      return await work();
    } catch (error) {
      desk.toast(desk.inWords(error));
      return undefined;
    }
  };
}

/** Has something that failed done again by itself: when the server said that it may be, or once there is a connection again. */
export function useRetry(problem, again) {
  const isConnected = useKnown((_, { status }) => status === "live" || status === "polling");
  const wasConnected = useRef(isConnected);
  const retry = useLatest(again);
  useEffect(() => {
    if (!problem?.retryAfter) return undefined;
    const timer = setTimeout(retry, problem.retryAfter * 1000);
    return () => clearTimeout(timer);
  }, [problem]);
  useEffect(() => {
    if (problem?.status === 0 && isConnected && !wasConnected.current) retry();
    wasConnected.current = isConnected;
  }, [isConnected]);
}

/** What is shown of the time changes with it. */
export function useMinute() {
  const [, draw] = useState(0);
  useEffect(() => {
    const again = () => draw((count) => count + 1);
    const timer = setInterval(again, 30_000);
    // Browsers let those of pages that nobody sees rest.
    document.addEventListener("visibilitychange", again);
    return () => {
      clearInterval(timer);
      document.removeEventListener("visibilitychange", again);
    };
  }, []);
}
