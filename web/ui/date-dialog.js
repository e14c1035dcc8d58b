/** The dialog that leads to the messages of a day. */

import { useAppContext } from "./app-context.js";
import { Dialog } from "./dialog.js";
import { html, useId, useState } from "./html.js";
import { t } from "./texts.js";

/**
 * @param {object} props
 * @param {number} props.chatId
 * @param {(message: any) => void} props.onFound receives the first message of the day, or of the next one that has messages
 * @param {() => void} props.onClose
 */
export function DateDialog({ chatId, onFound, onClose }) {
  const { client, errorText } = useAppContext();
  const [problem, setProblem] = useState("");
  const [isLoading, setLoading] = useState(false);
  const [field, note] = [useId(), useId()];
  const today = new Date();
  const latest = `${today.getFullYear()}-${String(today.getMonth() + 1).padStart(2, "0")}-${String(today.getDate()).padStart(2, "0")}`;
  const onSubmit = async (event) => {
    event.preventDefault();
    const { value } = event.currentTarget.elements.date;
    // The beginning of the day where the user is.
    const day = new Date(`${value}T00:00`);
    if (Number.isNaN(day.getTime())) return setProblem(t("noDate"));
    setProblem("");
    setLoading(true);
    try {
      const { results } = await client.api.messages(chatId, { at: day.toISOString() });
      const message = results.findLast(({ is_deleted }) => !is_deleted) ?? results.at(-1);
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
        <label for=${field}>${t("date")}</label>
        <input id=${field} class="gr-field" type="date" name="date" max=${latest} defaultValue=${latest} aria-describedby=${note} />
        <p id=${note} class="gr-problem" role="alert">${problem}</p>
        <div class="gr-dialog-actions">
          <button type="submit" class="gr-button gr-button-primary" id="go-to-date-btn" disabled=${isLoading}>${t("go")}</button>
        </div>
      </form>
    <//>
  `;
}
