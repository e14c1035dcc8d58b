/** The dialog with a chat's members, and the form that adds people. */

import { useAppContext, useStore } from "./app-context.js";
import { Avatar } from "./avatar.js";
import { mayManage } from "./chat-rights.js";
import { Dialog } from "./dialog.js";
import { html, useEffect, useLayoutEffect, useRef, useState } from "./html.js";
import { Add, Check, Search } from "./icons.js";
import { MemberList } from "./member-list.js";
import { MATCH, Names, SEARCH_FIELD, useSearch } from "./people.js";
import { t } from "./texts.js";

export function Members({ chatId, onClose }) {
  const chat = useStore((state) => state.chats.get(chatId));
  const isAdmin = useStore((state) => chat && mayManage(chat, state.me));
  const { settings } = useAppContext();
  const mayAdd = useStore((state) => isAdmin && settings.mayStartChats(state.me));
  const [tab, setTab] = useState(mayAdd ? "add" : "manage");
  if (!chat) return null;
  const tabs = [mayAdd && ["add", t("addPeople")], ["manage", t("members", { count: chat.member_count })]].filter(Boolean);
  const header = html`
    <div class="gr-tabs" role="tablist" aria-label=${t("membersTitle")} onKeyDown=${(event) => onTabKey(event, setTab)}>
      ${tabs.map(
        ([name, label]) => html`
          <button key=${name} type="button" role="tab" id=${`${name}-members-tab`} aria-selected=${String(tab === name)}
            aria-controls=${`${name}-members-panel`} tabindex=${tab === name ? 0 : -1} onClick=${() => setTab(name)}>${label}</button>
        `,
      )}
    </div>
  `;
  return html`
    <${Dialog} title=${t("membersTitle")} onClose=${onClose} header=${header}>
      <div role="tabpanel" id=${`${tab}-members-panel`} aria-labelledby=${`${tab}-members-tab`}>
        ${tab === "add" ? html`<${AddPeople} chat=${chat} />` : html`<${MemberList} chat=${chat} isAdmin=${isAdmin} onClose=${onClose} />`}
      </div>
    <//>
  `;
}

function onTabKey(event, setTab) {
  if (!["ArrowLeft", "ArrowRight", "Home", "End"].includes(event.key)) return;
  const tabs = [...event.currentTarget.querySelectorAll("[role=tab]")];
  const other = tabs.find((tab) => tab !== document.activeElement);
  if (!other) return;
  event.preventDefault();
  setTab(other.id.replace("-members-tab", ""));
  other.focus();
}

function AddPeople({ chat }) {
  const { client } = useAppContext();
  const [text, setText] = useState("");
  const field = useRef(/** @type {any} */ (null));
  const look = async (words) => {
    const { results } = await client.api.searchUsers(words, { match: MATCH });
    return { results, members: await membersAmong(client, chat, results, words) };
  };
  const { found, problem, isLooking, again } = useSearch(text, look);
  useEffect(() => field.current.focus(), []);
  const submit = (event) => {
    event.preventDefault();
    again();
  };
  return html`
    <form class="gr-search" role="search" onSubmit=${submit}>
      <input ref=${field} id="user-search-input" type="search" aria-label=${t("findPeople")} placeholder=${t("findPeople")}
        ...${SEARCH_FIELD} value=${text} onInput=${(event) => setText(event.currentTarget.value)} />
      <button type="submit" id="search-btn" class="gr-icon-button" aria-label=${t("search")} title=${t("search")}><${Search} /></button>
    </form>
    <div role="status">
      ${problem && html`<p class="gr-note gr-danger">${problem}</p>`}
      ${found?.results.length === 0 && !isLooking && html`<p class="gr-note">${t("noPeople")}</p>`}
      ${!text.trim() && html`<p class="gr-note">${t("findPeopleHint")}</p>`}
    </div>
    <ul class="gr-people">
      ${found?.results.map((user) => html`<${Found} key=${user.id} user=${user} chat=${chat} wasMember=${found.members.has(user.id)} />`)}
    </ul>
  `;
}

/** Returns which of the found users are in the chat already, beyond the members that it lists. */
async function membersAmong(client, chat, users, words) {
  const among = new Set();
  const isListed = ({ id }) => among.has(id) || chat.members.some((member) => member.id === id);
  if (chat.members.length >= chat.member_count || users.every(isListed)) return among;
  const { results, next } = await client.api.members(chat.id, { search: words, page_size: 100 });
  for (const { id } of results) among.add(id);
  // The member search does not look at e-mail addresses.
  const isNamed = ({ display_name, username }) =>
    words.toLowerCase().split(/\s+/).every((word) => `${display_name}\n${username}`.toLowerCase().includes(word));
  const others = users.filter((user) => !isListed(user) && (next !== null || !isNamed(user)));
  for (const { id, username } of others) {
    const { results } = await client.api.members(chat.id, { search: username });
    if (results.some((member) => member.id === id)) among.add(id);
  }
  return among;
}

function Found({ user, chat, wasMember }) {
  const { client, errorText } = useAppContext();
  const [state, setState] = useState("");
  const isMember = chat.members.some(({ id }) => id === user.id) || wasMember || state === "added";
  const row = useRef(/** @type {any} */ (null));
  const holdsFocus = row.current?.contains(document.activeElement);
  useLayoutEffect(() => {
    // The focused button has been removed.
    if (holdsFocus && isMember) row.current.querySelector(".gr-added").focus();
  }, [isMember]);
  const add = async () => {
    if (state === "adding") return;
    setState("adding");
    try {
      await client.api.addMembers(chat.id, [user.id]);
      setState("added");
    } catch (error) {
      setState(errorText(error));
    }
  };
  return html`
    <li ref=${row} class="gr-person">
      <${Avatar} user=${user} />
      <${Names} user=${user} note=${!["", "adding", "added"].includes(state) && state} />
      ${isMember
        ? html`<span class="gr-note gr-added" tabindex="-1"><${Check} />${t("isMember")}</span>`
        : html`<button type="button" class="gr-button gr-button-primary add-user-btn" aria-disabled=${String(state === "adding")} onClick=${add}>
            <${Add} />${t("add")}<span class="gr-hidden">${user.display_name}</span>
          </button>`}
    </li>
  `;
}
