/** The dialog with the earlier texts of an edited message. */

import { useAppContext, useRetry } from "./app-context.js";
import { Dialog } from "./dialog.js";
import { retriedErrorText } from "./errors.js";
import { html, useEffect, useState } from "./html.js";
import { Skeletons } from "./message-list.js";
import { Text } from "./text.js";
import { dateAndTime, t } from "./texts.js";

/** @param {{messageId: number, onClose: () => void}} props */
export function History({ messageId, onClose }) {
  const { client } = useAppContext();
  const [texts, setTexts] = useState(/** @type {any[] | null} */ (null));
  const [problem, setProblem] = useState(/** @type {any} */ (null));
  const load = () => {
    setProblem(null);
    client.api.history(messageId).then(({ results }) => setTexts(results), setProblem);
  };
  useEffect(load, [client, messageId]);
  useRetry(problem, load);
  return html`
    <${Dialog} title=${t("history")} onClose=${onClose}>
      ${problem && html`<p class="gr-problem" role="alert">${retriedErrorText(problem)}</p>`}
      ${!texts && !problem && html`<${Skeletons} count=${2} />`}
      <p class="gr-note" role="status">${texts?.length === 0 && t("historyNone")}</p>
      <ol class="gr-history">
        ${texts?.map(
          ({ content, at }) => html`
            <li key=${at}>
              <time datetime=${at}>${dateAndTime(at)}</time>
              <p dir="auto">${content ? html`<${Text} text=${content} />` : html`<em>${t("historyEmpty")}</em>`}</p>
            </li>
          `,
        )}
      </ol>
    <//>
  `;
}
