/** What all components of a page or a widget share: the client, and ways to notify and ask the user. */

import { createContext, useContext, useEffect, useLatest, useRef, useState, useWatched } from "./html.js";

/**
 * @typedef {object} Desk
 * @property {import("../greenroom.js").Greenroom} client
 * @property {{on: (listener: () => void) => () => void}} changes emits after each change of the store
 * @property {import("./blocks.js").Blocks} blocks
 * @property {import("./deletions.js").Deletions} deletions
 * @property {import("./composing.js").Composings} composings
 * @property {import("./settings.js").Settings} settings
 * @property {(error: any) => string} inWords
 * @property {(text: string) => void} announce announces a text to screen readers
 * @property {(text: string, action?: {label: string, run: () => void}) => void} toast shows a short notice for a while
 * @property {(question: object) => Promise<boolean>} confirm
 * @property {(at: Element, onPick: (emoji: string) => void) => void} pickEmoji
 * @property {(chatId: number, messageId?: number) => void} openChat
 */

export const DeskContext = createContext(/** @type {any} */ (null));

/** @returns {Desk} */
export const useDesk = () => useContext(DeskContext);

/** Selects a value from the client's store. Rerenders when it changes. */
export function useKnown(select) {
  const { changes, client } = useDesk();
  return useWatched(changes, () => select(client.state, client));
}

/** Returns a function that runs work which may fail, and shows the error in a toast. */
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

/** Retries failed work by itself: after `retryAfter`, or once the client is connected again. */
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

/** Rerenders every 30 seconds, and when the page is shown again, so that relative times stay right. */
export function useMinute() {
  const [, draw] = useState(0);
  useEffect(() => {
    const again = () => draw((count) => count + 1);
    const timer = setInterval(again, 30_000);
    // Browsers throttle timers of hidden pages.
    document.addEventListener("visibilitychange", again);
    return () => {
      clearInterval(timer);
      document.removeEventListener("visibilitychange", again);
    };
  }, []);
}
