/** Who is in a chat. */

import { Avatar } from "./avatar.js";
import { useDesk, useKnown } from "./desk.js";
import { Dialog } from "./dialog.js";
import { html, useEffect, useRef, useState } from "./html.js";
import { Add, Bubble, Check, More, Person, Search, Trash } from "./icons.js";
import { Menu, MenuItem } from "./menu.js";
import { dmWith, useLookup } from "./people.js";
import { t } from "./texts.js";

/** Whether somebody may do what admins may: staff may in a room that is nobody's own. */
export const mayManage = (chat, me) =>
  chat.my_role === "admin" || (me.is_staff && chat.chat_type === "room" && chat.is_public && chat.object !== null);

export function Members({ chatId, onClose }) {
  const chat = useKnown((state) => state.chats.get(chatId));
  const isAdmin = useKnown((state) => chat && mayManage(chat, state.me));
  const { settings } = useDesk();
  const mayAdd = useKnown((state) => isAdmin && settings.mayStart(state.me));
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
  const { client } = useDesk();
  const [text, setText] = useState("");
  const field = useRef(/** @type {any} */ (null));
  const { found, problem, isLooking, again } = useLookup(text, (words) => client.api.searchUsers(words));
  useEffect(() => field.current.focus(), []);
  const submit = (event) => {
    event.preventDefault();
    again();
  };
  return html`
    <form class="gr-search" role="search" onSubmit=${submit}>
      <input ref=${field} id="user-search-input" type="search" aria-label=${t("findPeople")} placeholder=${t("findPeople")}
        autocomplete="off" value=${text} onInput=${(event) => setText(event.currentTarget.value)} />
      <button type="submit" id="search-btn" class="gr-icon-button" aria-label=${t("search")} title=${t("search")}><${Search} /></button>
    </form>
    <div role="status">
      ${problem && html`<p class="gr-note gr-danger">${problem}</p>`}
      ${found?.results.length === 0 && !isLooking && html`<p class="gr-note">${t("noPeople")}</p>`}
      ${!text.trim() && html`<p class="gr-note">${t("findPeopleHint")}</p>`}
    </div>
    <ul class="gr-people">
      ${found?.results.map((user) => html`<${Found} key=${user.id} user=${user} chat=${chat} />`)}
    </ul>
  `;
}

function Found({ user, chat }) {
  const { client, inWords } = useDesk();
  const [state, setState] = useState("");
  const isMember = chat.members.some(({ id }) => id === user.id) || state === "added";
  const add = async () => {
    setState("adding");
    try {
      await client.api.addMembers(chat.id, [user.id]);
      setState("added");
    } catch (error) {
      setState(inWords(error));
    }
  };
  return html`
    <li class="gr-person">
      <${Avatar} user=${user} />
      <${Names} user=${user} note=${!["", "adding", "added"].includes(state) && state} />
      ${isMember
        ? html`<span class="gr-note gr-added"><${Check} />${t("isMember")}</span>`
        : html`<button type="button" class="gr-button gr-button-primary add-user-btn" disabled=${state === "adding"} onClick=${add}>
            <${Add} />${t("add")}<span class="gr-hidden">${user.display_name}</span>
          </button>`}
    </li>
  `;
}

export const Names = ({ user, note = null }) => html`
  <span class="gr-person-names">
    <span class="gr-person-name" dir="auto">${user.display_name}</span>
    <span class="gr-person-note">@${user.username}</span>
    ${note && html`<span class="gr-danger">${note}</span>`}
  </span>
`;

function MemberList({ chat, isAdmin, onClose }) {
  const { client, inWords } = useDesk();
  const [further, setFurther] = useState(/** @type {any[]} */ ([]));
  const [problem, setProblem] = useState(/** @type {string | null} */ (null));
  const known = new Set(chat.members.map(({ id }) => id));
  const members = [...chat.members, ...further.filter(({ id }) => !known.has(id))];
  const loadMore = async () => {
    try {
      const page = Math.floor(members.length / 100) + 1;
      const { results } = await client.api.members(chat.id, { page });
      setFurther((before) => [...before, ...results]);
    } catch (error) {
      setProblem(inWords(error));
    }
  };
  return html`
    ${problem && html`<p class="gr-note gr-danger" role="alert">${problem}</p>`}
    <ul class="gr-people">
      ${members.map((member) => html`<${Member} key=${member.id} ...${{ member, chat, isAdmin, onClose, setProblem, setFurther }} />`)}
    </ul>
    ${members.length < chat.member_count && html`<button type="button" class="gr-button" onClick=${loadMore}>${t("showMore")}</button>`}
  `;
}

function Member({ member, chat, isAdmin, onClose, setProblem, setFurther }) {
  const { client, confirm, inWords, openChat, settings } = useDesk();
  const me = useKnown((state) => state.me);
  const mayWrite = useKnown((state) => settings.mayStart(state.me) || dmWith(state, member.id) !== undefined);
  const isMe = member.id === me?.id;
  const attempt = async (work) => {
    setProblem(null);
    try {
      await work();
    } catch (error) {
      setProblem(inWords(error));
    }
  };
  const remove = async () => {
    const text = t("removeText", { name: member.display_name, title: chat.title });
    if (!(await confirm({ title: t("removeTitle"), text, yes: t("remove") }))) return;
    await attempt(async () => {
      await client.api.removeMember(chat.id, member.id);
      setFurther((before) => before.filter(({ id }) => id !== member.id));
    });
  };
  const isTheirs = member.role === "admin";
  const changeRole = () => attempt(() => client.api.changeRole(chat.id, member.id, isTheirs ? "member" : "admin"));
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
