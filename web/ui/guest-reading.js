/** The messages of a room that guests may read, but not join. */

import { useAppContext } from "./app-context.js";
import { Avatar } from "./avatar.js";
import { html, useEffect, useLayoutEffect, useRef, useState } from "./html.js";
import { Text } from "./text.js";
import { dateAndTime, t } from "./texts.js";

/** The pause between two loads, in milliseconds. */
const PAUSE = 10_000;
/** The number of messages shown. */
const SHOWN = 50;

export function GuestReading({ chatId }) {
  const { client } = useAppContext();
  const [messages, setMessages] = useState(/** @type {any[]} */ ([]));
  const list = useRef(/** @type {any} */ (null));
  const isAtEnd = useRef(true);
  useEffect(() => {
    let timer;
    let isOver = false;
    const load = async () => {
      try {
        const { results } = await client.api.messages(chatId, { page_size: SHOWN });
        if (!isOver) setMessages(results.filter((message) => !message.is_deleted).reverse());
      } catch {
        // The next load may succeed.
      }
      if (!isOver) timer = setTimeout(load, PAUSE);
    };
    load();
    return () => {
      isOver = true;
      clearTimeout(timer);
    };
  }, [client, chatId]);
  useLayoutEffect(() => {
    if (isAtEnd.current) list.current.scrollTop = list.current.scrollHeight;
  }, [messages]);
  const onScroll = ({ target }) => (isAtEnd.current = target.scrollHeight - target.scrollTop - target.clientHeight < 40);
  return html`
    <ol ref=${list} class="gr-reading" tabindex="0" aria-label=${t("discussion")} onScroll=${onScroll}>
      ${messages.map(
        ({ id, sender, content, created_at }) => html`
          <li key=${id}>
            <${Avatar} user=${sender} small />
            <div>
              <p class="gr-reading-name">${sender.display_name} <time datetime=${created_at}>${dateAndTime(created_at)}</time></p>
              <p class="gr-reading-text" dir="auto"><${Text} text=${content} /></p>
            </div>
          </li>
        `,
      )}
    </ol>
  `;
}
