/** Shows unsent texts of a chat that no longer exists for the user, so that they can be copied. */

import { useEffect, useRef } from "./html.js";
import { fullTitleOf } from "./people.js";
import { textOf } from "./text.js";
import { t } from "./texts.js";

/**
 * @param {any} client
 * @param {import("./composer-state.js").ComposerStates} composers
 * @param {(fields: {title: string, text: string}) => void} onUnsent
 */
export function useUnsent(client, composers, onUnsent) {
  const latest = useRef(onUnsent);
  latest.current = onUnsent;
  useEffect(() => {
    const titles = new Map([...client.state.chats].map(([id, { title }]) => [id, title]));
    const say = (chatId) => {
      const failed = client.outgoing.filter((message) => message.chat === chatId && message.status === "failed");
      const texts = [...failed.map(textOf), ...composers.takeTexts(chatId)].filter((text) => text.trim());
      failed.forEach((message) => message.discard());
      if (texts.length === 0) return;
      latest.current({ title: t("unsentTitle", { title: titles.get(chatId) ?? "…" }), text: texts.join("\n\n") });
    };
    /** Handles messages that were refused while no page was open. */
    const sayIfGone = async (chatId) => {
      if (client.state.chats.has(chatId)) return;
      const isGone = await client.api.chat(chatId).then(
        () => false,
        ({ status }) => status === 404,
      );
      if (isGone) say(chatId);
    };
    const onChat = async ({ chatId, chat }) => {
      if (chat) return titles.set(chatId, fullTitleOf(chat, client.state.me));
      if (!client.state.me) return undefined;
      // Messages in flight are refused in a moment.
      const sending = client.outgoing.filter((message) => message.chat === chatId && message.status === "sending");
      await Promise.allSettled(sending.map(({ sent }) => sent));
      return client.state.chats.has(chatId) || say(chatId);
    };
    for (const { chat, status } of client.outgoing) if (status === "failed") sayIfGone(chat);
    const stops = [
      client.on("chat", onChat),
      client.on("outgoing", ({ message }) => message.status === "failed" && client.outgoing.includes(message) && sayIfGone(message.chat)),
    ];
    return () => stops.forEach((stop) => stop());
  }, [client, composers]);
}
