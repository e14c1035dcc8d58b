/** The user's profile: name, picture, password, sessions and blocked users. */

import { useAppContext, useAttempt, useStore } from "./app-context.js";
import { Avatar } from "./avatar.js";
import { Credentials } from "./credentials.js";
import { Dialog } from "./dialog.js";
import { html, useEffect, useId, useRef, useState, useSubscription } from "./html.js";
import { Names } from "./people.js";
import { t } from "./texts.js";

export function Profile({ onClose }) {
  const me = useStore((state) => state.me);
  return html`
    <${Dialog} title=${t("profile")} onClose=${onClose}>
      <div class="gr-person">
        <${Avatar} user=${me} />
        <span class="gr-person-names">
          <span class="gr-person-name" dir="auto">${me.display_name}</span>
          <span class="gr-person-note">${[`@${me.username}`, me.email].filter(Boolean).join(" · ")}</span>
        </span>
      </div>
      <${Form} submit=${t("save")} fields=${[
        { name: "first_name", label: t("firstName"), value: me.first_name, autocomplete: "given-name", autocapitalize: "words" },
        { name: "last_name", label: t("lastName"), value: me.last_name, autocomplete: "family-name", autocapitalize: "words" },
        { name: "avatar_url", label: t("pictureAddress"), value: pictureOf(me), type: "url", autocomplete: "off" },
      ]} />
      <h3 class="gr-form-title">${t("newPasswordTitle")}</h3>
      <${Form} submit=${t("changePassword")} isSecret fields=${[
        { name: "old_password", label: t("oldPassword"), type: "password", autocomplete: "current-password" },
        { name: "password", label: t("newPassword"), type: "password", autocomplete: "new-password" },
      ]} />
      <${Credentials} />
      <${Blocked} />
    <//>
  `;
}

/** The blocked users. */
function Blocked() {
  const { blocks, errorText } = useAppContext();
  const attempt = useAttempt();
  const users = useSubscription(blocks, () => blocks.users);
  const [problem, setProblem] = useState("");
  const title = useRef(/** @type {any} */ (null));
  useEffect(() => void blocks.load().catch((error) => setProblem(errorText(error))), []);
  const unblock = (user) =>
    attempt(async () => {
      await blocks.unblock(user);
      title.current?.focus();
    });
  return html`
    <h3 ref=${title} class="gr-form-title" tabindex="-1">${t("blockedPeople")}</h3>
    <div role="status">
      ${problem && html`<p class="gr-note gr-danger">${problem}</p>`}
      ${users?.length === 0 && html`<p class="gr-note">${t("nobodyBlocked")}</p>`}
    </div>
    <ul class="gr-people" aria-label=${t("blockedPeople")}>
      ${users?.map(
        (user) => html`
          <li key=${user.id} class="gr-person">
            <${Avatar} user=${user} />
            <${Names} user=${user} />
            <button type="button" class="gr-button unblock-btn" onClick=${() => unblock(user)}>${t("unblock")}<span class="gr-hidden">${user.display_name}</span></button>
          </li>
        `,
      )}
    </ul>
  `;
}

/** Returns the URL of the user's picture; empty where the server draws it. `avatar_url` replaces an unknown source. */
const pictureOf = ({ avatar_url: shown, avatar_source: source }) => source ?? (isDrawn(shown) ? "" : shown);

/** Whether a picture is the one that the server draws. */
const isDrawn = (url) => /\/messages\/avatars\/\d+\.svg(\?key=[\w-]+)?$/.test(url);

/** Errors of passwords, in the user's language: the server's sentences are in English only. */
const SECRETS = { old_password: () => t("oldPasswordWrong"), password: () => t("passwordRules") };

/** Returns the error of a field. */
const said = (name, sentences) => SECRETS[name]?.() ?? sentences.join(" ");

/** Fields that are saved together. The error of a field is below it. */
function Form({ fields, submit, isSecret = false }) {
  const { client, errorText } = useAppContext();
  const [problems, setProblems] = useState(/** @type {Record<string, string[]>} */ ({}));
  const [notice, setNotice] = useState("");
  const id = useId();
  const save = async (event) => {
    event.preventDefault();
    const form = event.currentTarget;
    setProblems({});
    setNotice("");
    try {
      await client.updateMe(Object.fromEntries(new FormData(form)));
      setNotice(t("saved"));
      if (isSecret) form.reset();
    } catch (error) {
      const named = fields.some(({ name }) => name in (error.fields ?? {}));
      setProblems(named ? error.fields : { "": [errorText(error)] });
      const first = fields.find(({ name }) => name in (error.fields ?? {}));
      if (first) form.elements[first.name].focus();
    }
  };
  return html`
    <form class="gr-form" onSubmit=${save} novalidate>
      ${isSecret && html`<input hidden autocomplete="username" defaultValue=${client.state.me.username} />`}
      ${fields.map(
        ({ name, label, value = "", type = "text", autocomplete, autocapitalize = "none" }) => html`
          <label for=${`${id}${name}`}>${label}</label>
          <input key=${`${name} ${value}`} id=${`${id}${name}`} class="gr-field" name=${name} type=${type} autocomplete=${autocomplete}
            autocapitalize=${autocapitalize} spellcheck=${false} enterkeyhint="done" defaultValue=${value} dir="auto"
            aria-invalid=${String(name in problems)} aria-describedby=${`${id}${name}-problem`} />
          <p id=${`${id}${name}-problem`} class="gr-problem">${problems[name] && said(name, problems[name])}</p>
        `,
      )}
      <div class="gr-dialog-actions">
        <span role="status" class=${problems[""] ? "gr-danger" : "gr-note"}>${problems[""]?.join(" ") ?? notice}</span>
        <button type="submit" class="gr-button gr-button-primary">${submit}</button>
      </div>
    </form>
  `;
}
