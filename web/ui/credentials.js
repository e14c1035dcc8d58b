/** The user's sessions and access tokens: when and from where they were used, and a button to end each. */

import { useAppContext, useAttempt } from "./app-context.js";
import { html, useEffect, useRef, useState } from "./html.js";
import { ago, t } from "./texts.js";

export function Credentials() {
  const { api } = useAppContext().client;
  return html`
    <${List} title=${t("signedInAt")} list=${api.sessions} end=${api.endSession} endOthers=${api.endOtherSessions} isShown=${() => true} />
    <${List} title=${t("accessKeys")} list=${api.tokens} end=${api.endToken} endOthers=${api.endOtherTokens} isShown=${(all) => all?.length > 0} />
  `;
}

/** A list of sessions or tokens, the newest first. It shows the first page only. */
function List({ title, list, end, endOthers, isShown }) {
  const { errorText, announce } = useAppContext();
  const attempt = useAttempt();
  const [all, setAll] = useState(/** @type {any[] | undefined} */ (undefined));
  const [problem, setProblem] = useState("");
  const heading = useRef(/** @type {any} */ (null));
  const load = () =>
    list().then(
      ({ results }) => setAll(results),
      (error) => setProblem(errorText(error)),
    );
  useEffect(() => void load(), []);
  const ends = (work) =>
    attempt(async () => {
      await work();
      announce(t("ended"));
      heading.current?.focus();
      await load();
    });
  if (!problem && !isShown(all)) return null;
  const others = all?.filter((one) => !one.is_current) ?? [];
  return html`
    <h3 ref=${heading} class="gr-form-title" tabindex="-1">${title}</h3>
    <div role="status">${problem && html`<p class="gr-note gr-danger">${problem}</p>`}</div>
    <ul class="gr-people" aria-label=${title}>
      ${all?.map((one) => html`<${Row} key=${one.id} one=${one} onEnd=${() => ends(() => end(one.id))} />`)}
    </ul>
    ${others.length > 1 &&
    html`<div class="gr-dialog-actions"><button type="button" class="gr-button end-others-btn" onClick=${() => ends(endOthers)}>${t("endOthers")}</button></div>`}
  `;
}

function Row({ one, onEnd }) {
  const name = program(one.user_agent) || t("unknownProgram");
  const used = one.last_seen ? t("lastUsed", { time: ago(one.last_seen) }) : t("madeAt", { time: ago(one.created_at) });
  return html`
    <li class="gr-person">
      <span class="gr-person-names">
        <span class="gr-person-name" dir="auto" title=${one.user_agent}>${name}</span>
        <span class="gr-person-note">${[one.is_current ? t("inUseHere") : used, one.address].filter(Boolean).join(" · ")}</span>
      </span>
      ${!one.is_current && html`<button type="button" class="gr-button end-btn" onClick=${onEnd}>${t("end")}<span class="gr-hidden">${` ${name}, ${used}`}</span></button>`}
    </li>
  `;
}

/** The order matters: browsers also name those that follow here. */
const BROWSERS = [
  ["Edge", /Edg(?:e|A|iOS)?\//],
  ["Opera", /OPR\//],
  ["Samsung Internet", /SamsungBrowser\//],
  ["Firefox", /Firefox\/|FxiOS\//],
  ["Chrome", /Chrome\/|CriOS\//],
  ["Safari", /Safari\//],
];
const SYSTEMS = [
  ["Android", /Android/],
  ["iPhone", /iPhone/],
  ["iPad", /iPad/],
  ["Windows", /Windows/],
  ["ChromeOS", /CrOS/],
  ["macOS", /Macintosh/],
  ["Linux", /Linux/],
];

/** Returns a `User-Agent` in a few words: the browser and the system, or the program's name. */
function program(agent) {
  const named = (list) => list.find(([, pattern]) => pattern.test(agent))?.[0];
  if (!agent.startsWith("Mozilla/")) return agent.split(/[\s(;]/)[0].slice(0, 40);
  return [named(BROWSERS), named(SYSTEMS)].filter(Boolean).join(" · ");
}
