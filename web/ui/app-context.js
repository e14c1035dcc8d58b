/** What all components of a page or a widget share: the client, and ways to notify and ask the user. */

import { createContext, useContext, useEffect, useLatest, useRef, useState, useSubscription } from "./html.js";

/**
 * @typedef {object} AppContextValue
 * @property {import("../greenroom.js").Greenroom} client
 * @property {{on: (listener: () => void) => () => void}} changes emits after each change of the store
 * @property {import("./blocks.js").Blocks} blocks
 * @property {import("./deletions.js").Deletions} deletions
 * @property {import("./composer-state.js").ComposerStates} composers
 * @property {import("./settings.js").Settings} settings
 * @property {(error: any) => string} errorText
 * @property {(text: string) => void} announce announces a text to screen readers
 * @property {(text: string, action?: {label: string, run: () => void}) => void} toast shows a short notice for a while
 * @property {(question: object) => Promise<boolean>} confirm
 * @property {(message: any) => void} showForward asks where to forward a message
 * @property {(messageId: number) => void} showHistory shows the earlier texts of a message
 * @property {(at: Element, onPick: (emoji: string) => void) => void} pickEmoji
 * @property {(chatId: number, messageId?: number) => void} openChat
 */

export const AppContext = createContext(/** @type {any} */ (null));

/** @returns {AppContextValue} */
export const useAppContext = () => useContext(AppContext);

/** Selects a value from the client's store. Rerenders when it changes. */
export function useStore(select) {
  const { changes, client } = useAppContext();
  return useSubscription(changes, () => select(client.state, client));
}

/** Returns a function that runs work which may fail, and shows the error in a toast. */
export function useAttempt() {
  const app = useAppContext();
  return async (work) => {
    try {
      return await work();
    } catch (error) {
      app.toast(app.errorText(error));
      return undefined;
    }
  };
}

/** Retries failed work by itself: after `retryAfter`, or once the client is connected again. */
export function useRetry(problem, again) {
  const isConnected = useStore((_, { status }) => status === "live" || status === "polling");
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
