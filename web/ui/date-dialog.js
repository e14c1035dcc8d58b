/** The dialog that leads to the messages of a day. */

import { useAppContext } from "./app-context.js";
import { Dialog } from "./dialog.js";
import { html, useEffect, useId, useRef, useState } from "./html.js";
import { t } from "./texts.js";

/**
 * @param {object} props
 * @param {number} props.chatId
 * @param {(message: any) => void} props.onFound receives the first message of the day, or of the next one that has messages;
 *   after the last message, the newest one
 * @param {() => void} props.onClose
 */
export function DateDialog({ chatId, onFound, onClose }) {
  const { client, errorText } = useAppContext();
  const [problem, setProblem] = useState("");
  const [isLoading, setLoading] = useState(false);
  const [id, note] = [useId(), useId()];
  const field = useRef(/** @type {any} */ (null));
  const isHere = useRef(true);
  useEffect(() => {
    field.current.focus();
    return () => void (isHere.current = false);
  }, []);
  const today = new Date();
  const latest = `${today.getFullYear()}-${String(today.getMonth() + 1).padStart(2, "0")}-${String(today.getDate()).padStart(2, "0")}`;
  const find = async (day) => {
    const { results } = await client.api.messages(chatId, { at: day.toISOString() });
    const isShown = ({ is_deleted }) => !is_deleted;
    const isPast = results.length > 0 && new Date(results.at(-1).created_at) < day;
    return isPast ? (results.find(isShown) ?? results[0]) : (results.findLast(isShown) ?? results.at(-1));
  };
  const onSubmit = async (event) => {
    event.preventDefault();
    if (isLoading) return;
    // The beginning of the day where the user is.
    const day = new Date(`${field.current.value}T00:00`);
    if (Number.isNaN(day.getTime())) return setProblem(t("noDate"));
    setProblem("");
    setLoading(true);
    try {
      const message = await find(day);
      if (!isHere.current) return undefined;
      if (message) return onFound(message);
      setProblem(t("noMessages"));
    } catch (error) {
      setProblem(errorText(error));
    }
    return setLoading(false);
  };
  return html`
    <${Dialog} title=${t("goToDate")} onClose=${onClose}>
      <form class="gr-form" novalidate onSubmit=${onSubmit}>
        <label for=${id}>${t("date")}</label>
        <input ref=${field} id=${id} class="gr-field" type="date" max=${latest} defaultValue=${latest} aria-describedby=${note} />
        <p id=${note} class="gr-problem" role="alert">${problem}</p>
        <div class="gr-dialog-actions">
          <button type="submit" class="gr-button gr-button-primary" id="go-to-date-btn" aria-disabled=${String(isLoading)}>${t("go")}</button>
        </div>
      </form>
    <//>
  `;
}
