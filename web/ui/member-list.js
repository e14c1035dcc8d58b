/** The list of a chat's members, and the actions on each. */

import { useAppContext, useRetry, useStore } from "./app-context.js";
import { Avatar } from "./avatar.js";
import { retriedErrorText } from "./errors.js";
import { html, useEffect, useState } from "./html.js";
import { Bubble, More, Person, Trash } from "./icons.js";
import { Menu, MenuItem } from "./menu.js";
import { Skeletons } from "./message-list.js";
import { dmWith, MATCH, Names, SEARCH_FIELD, useSearch } from "./people.js";
import { t } from "./texts.js";

/** Lists with more members than this have a search field. */
const FEW = 8;
const PAGE_SIZE = 100;

export function MemberList({ chat, isAdmin, onClose }) {
  const [text, setText] = useState("");
  const [problem, setProblem] = useState(/** @type {string | null} */ (null));
  const { members, hasMore, loadMore, failure, isLooking, onChange } = useMembers(chat, text.trim());
  const note = problem ?? failure;
  return html`
    ${(chat.member_count > FEW || text) &&
    html`
      <div class="gr-search" role="search">
        <input id="member-search-input" class="gr-field" type="search" aria-label=${t("findMember")} placeholder=${t("findMember")} ...${SEARCH_FIELD}
          value=${text} onInput=${(event) => setText(event.currentTarget.value)} />
      </div>
    `}
    <div role="status">
      ${note && html`<p class="gr-note gr-danger">${note}</p>`}
      ${members?.length === 0 && !isLooking && html`<p class="gr-note">${t("noPeople")}</p>`}
    </div>
    ${!members && !note && html`<${Skeletons} count=${3} />`}
    <ul class="gr-people">
      ${members?.map((member) => html`<${Member} key=${member.id} ...${{ member, chat, isAdmin, onClose, setProblem, onChange }} />`)}
    </ul>
    ${hasMore && html`<button type="button" class="gr-button" onClick=${loadMore}>${t("showMore")}</button>`}
  `;
}

/** Returns listed members and further pages, or the search results; null before the first answer. */
function useMembers(chat, words) {
  const { client } = useAppContext();
  const [further, setFurther] = useState(/** @type {any[]} */ ([]));
  const [changes, setChanges] = useState(() => new Map());
  const [error, setError] = useState(/** @type {any} */ (null));
  const { found, problem, isLooking } = useSearch(words, (search) => client.api.members(chat.id, { search, match: MATCH }));
  useEffect(() => {
    setFurther([]);
    setError(null);
  }, [words === "", found]);

  const listed = new Map(chat.members.map((member) => [member.id, member]));
  const first = words ? found?.results : chat.members;
  const all = new Map([...(first ?? []), ...further].map((member) => [member.id, member]));
  // Listed members are up to date. Of others, changes made here are known; null: removed.
  const known = ([id, member]) => listed.get(id) ?? (changes.has(id) ? changes.get(id) : member);
  const members = first ? [...all].map(known).filter(Boolean) : null;
  const count = words ? (found?.count ?? 0) : chat.member_count;
  const loadMore = async () => {
    try {
      const page = Math.floor(all.size / PAGE_SIZE) + 1;
      const { results } = await client.api.members(chat.id, { page, search: words || undefined, match: MATCH });
      setFurther((before) => [...before, ...results]);
      setError(null);
    } catch (error) {
      setError(error);
    }
  };
  useRetry(error, loadMore);
  const onChange = (id, member) => setChanges((before) => new Map(before).set(id, member));
  return { members, hasMore: first && all.size < count, loadMore, failure: problem ?? (error && retriedErrorText(error)), isLooking, onChange };
}

function Member({ member, chat, isAdmin, onClose, setProblem, onChange }) {
  const { client, confirm, errorText, openChat, settings } = useAppContext();
  const me = useStore((state) => state.me);
  const mayWrite = useStore((state) => settings.mayStartChats(state.me) || dmWith(state, member.id) !== undefined);
  const isMe = member.id === me?.id;
  const attempt = async (work) => {
    setProblem(null);
    try {
      await work();
    } catch (error) {
      setProblem(errorText(error));
    }
  };
  const remove = async () => {
    const text = t("removeText", { name: member.display_name, title: chat.title });
    if (!(await confirm({ title: t("removeTitle"), chatId: chat.id, text, yes: t("remove") }))) return;
    await attempt(async () => {
      await client.api.removeMember(chat.id, member.id);
      onChange(member.id, null);
      // The focused button has been removed.
      document.getElementById("manage-members-tab")?.focus();
    });
  };
  const isTheirs = member.role === "admin";
  const changeRole = () => attempt(async () => onChange(member.id, await client.api.changeRole(chat.id, member.id, isTheirs ? "member" : "admin")));
  const write = () =>
    attempt(async () => {
      const { id } = await client.api.createChat({ chat_type: "dm", member_ids: [member.id] });
      onClose();
      openChat(id);
    });
  return html`
    <li class="gr-person member-item">
      <${Avatar} user=${member} />
      <${Names} user=${member} />
      ${isTheirs && html`<span class="gr-badge">${t("admin")}</span>`}
      ${isMe && html`<span class="gr-badge">${t("you")}</span>`}
      ${!isMe &&
      html`
        ${isAdmin && html`<button type="button" class="gr-icon-button gr-danger remove-member-btn" aria-label=${t("removeName", { name: member.display_name })}
          title=${t("remove")} onClick=${remove}><${Trash} /></button>`}
        ${(mayWrite || isAdmin) && html`<${Menu} label=${t("memberMenu", { name: member.display_name })}
          button=${(props) => html`<button ...${props} class="gr-icon-button" aria-label=${t("memberMenu", { name: member.display_name })}><${More} /></button>`}
        >${() => html`
          ${mayWrite && html`<${MenuItem} icon=${Bubble} onSelect=${write}>${t("writeTo", { name: member.display_name })}<//>`}
          ${isAdmin && html`<${MenuItem} icon=${Person} class="change-role-btn" onSelect=${changeRole}>${isTheirs ? t("makeMember") : t("makeAdmin")}<//>`}
        `}<//>`}
      `}
    </li>
  `;
}
