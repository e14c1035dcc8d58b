/** The sign-in page. */

import { Api } from "./greenroom.js";
import { errorText } from "./ui/errors.js";
import { html, render, useEffect, useRef, useState } from "./ui/html.js";
import { Logo } from "./ui/icons.js";
import { ignoreImeKeys } from "./ui/ime-keys.js";
import { announceSession, onSignedIn } from "./ui/session.js";
import { direction, language, loadTexts, t } from "./ui/texts.js";

/** Returns the page to open after the sign-in: a path of this site, as the server checks it. */
function next() {
  const path = new URLSearchParams(location.search).get("next") ?? "/";
  if (!/^\/(?![/\\])/.test(path) || !URL.canParse(path, location.origin)) return "/";
  const url = new URL(path, location.origin);
  return url.origin === location.origin ? url.href : "/";
}

/** The server's public URL, if it has one. */
const publicUrl = document.querySelector("meta[name=greenroom-public-url]")?.content;

/** Whether the browser has stored the cookie and sends it. */
const isSignedIn = (api) =>
  api.me().then(
    () => true,
    (error) => error.status !== 401,
  );

/** Explains why the cookie was not stored. Browsers refuse a secure cookie over plain HTTP. */
function noCookie() {
  const isPlain = location.protocol === "http:" && publicUrl?.startsWith("https:");
  if (!isPlain) return t("signInNoCookie");
  const elsewhere = `${publicUrl}/login/${location.search}`;
  return html`${t("signInNotSecure")} <a href=${elsewhere}>${publicUrl}</a>`;
}

function SignIn() {
  const [problem, setProblem] = useState(/** @type {any} */ (""));
  const [isAsking, setAsking] = useState(false);
  const [isShown, setShown] = useState(false);
  const form = useRef(/** @type {any} */ (null));
  useEffect(() => form.current.elements.username.focus(), []);
  useEffect(() => ignoreImeKeys(form.current), []);
  useEffect(() => onSignedIn(() => location.replace(next())), []);

  const submit = async (event) => {
    event.preventDefault();
    const { username, password } = form.current.elements;
    const empty = [username, password].find((field) => !field.value);
    setProblem(empty ? t("signInEmpty") : "");
    if (empty) return empty.focus();
    setAsking(true);
    try {
      const api = new Api();
      await api.login(username.value, password.value);
      if (await isSignedIn(api)) {
        announceSession();
        return location.assign(next());
      }
      setProblem(noCookie());
      setAsking(false);
    } catch (error) {
      setProblem(sentence(error));
      setAsking(false);
      password.select();
    }
  };
  return html`
    <main class="gr-sign-in">
      <form ref=${form} method="post" class="gr-card" aria-labelledby="title" novalidate onSubmit=${submit}>
        <${Logo} />
        <h1 id="title">${t("signInTitle")}</h1>
        <p class="gr-note">${t("signInText")}</p>
        <label for="username">${t("username")}</label>
        <input id="username" class="gr-field" name="username" autocomplete="username" autocapitalize="none" autoCorrect="off" spellcheck="false"
          enterkeyhint="next"
          required aria-describedby="problem" />
        <label for="password">${t("password")}</label>
        <span class="gr-password">
          <input id="password" class="gr-field" name="password" type=${isShown ? "text" : "password"} autocomplete="current-password"
            autocapitalize="none" autoCorrect="off" spellcheck="false" enterkeyhint="go" required aria-describedby="problem" />
          <button type="button" class="gr-button gr-button-quiet" aria-label=${isShown ? t("hidePassword") : t("showPassword")}
            onClick=${() => setShown(!isShown)}>${isShown ? t("hide") : t("show")}</button>
        </span>
        <p id="problem" class="gr-problem" role="alert">${problem}</p>
        <button type="submit" class="gr-button gr-button-primary" disabled=${isAsking}>${t("signIn")}</button>
      </form>
    </main>
  `;
}

function sentence(error) {
  if (error.status === 401) return t("signInWrong");
  return error.status === 429 ? t("signInTooMuch", { count: error.retryAfter ?? 60 }) : errorText(error);
}

await loadTexts();
Object.assign(document.documentElement, { lang: language, dir: direction });
document.title = `${t("signIn")} · Greenroom`;
render(html`<${SignIn} />`, document.querySelector("#page"));
