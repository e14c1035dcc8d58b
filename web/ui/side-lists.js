/** The entries above the list of chats: they show other lists in its place. */

import { useStore } from "./app-context.js";
import { html, useRef } from "./html.js";
import { At, Back, Thread } from "./icons.js";
import { t } from "./texts.js";

/**
 * @param {object} props
 * @param {string | null} props.shown the list in place of the chats
 * @param {(list: string | null) => void} props.onShow
 * @param {{threads?: string, mentions?: string, back?: string}} [props.ids]
 */
export function SideLists({ shown, onShow, ids = {} }) {
  const [unread, mentions] = useStore((state) => [state.unreadThreads, state.unreadMentions]);
  const entries = useRef(/** @type {any} */ (null));
  const back = () => {
    entries.current.querySelector("[aria-pressed=true]").focus();
    onShow(null);
  };
  return html`
    <div ref=${entries} class="gr-side-lists">
      <${Entry} id=${ids.threads} icon=${Thread} name="threads" text=${t("threads")} count=${unread} counted=${t("unreadThreads", { count: unread })} ...${{ shown, onShow }} />
      <${Entry} id=${ids.mentions} icon=${At} name="mentions" text=${t("mentions")} count=${mentions} counted=${t("unreadMentions", { count: mentions })} ...${{ shown, onShow }} />
    </div>
    ${shown &&
    html`
      <button type="button" id=${ids.back} class="gr-side-list gr-side-back" onClick=${back}>
        <span class="gr-back"><${Back} /></span><span class="gr-side-list-name">${t("backToChats")}</span>
      </button>
    `}
  `;
}

function Entry({ id, icon: Icon, name, text, count, counted, shown, onShow }) {
  const isShown = shown === name;
  return html`
    <button type="button" id=${id} class="gr-side-list" aria-pressed=${String(isShown)} onClick=${() => onShow(isShown ? null : name)}>
      <${Icon} /><span class="gr-side-list-name">${text}</span>
      ${count > 0 && html`<span class="unread-indicator"><span aria-hidden="true">${count > 99 ? "99+" : count}</span><span class="gr-hidden">${counted}</span></span>`}
    </button>
  `;
}
