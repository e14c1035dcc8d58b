/** The messages page: the list of chats and the open chat, side by side or one at a time. */

import { useAppContext, useAttempt, useStore } from "./app-context.js";
import { AppShell } from "./app-shell.js";
import { Avatar } from "./avatar.js";
import { ChatHeader } from "./chat-header.js";
import { ChatList } from "./chat-list.js";
import { isEnding } from "./chat-menu.js";
import { Pill } from "./connection-status.js";
import { Conversation } from "./conversation.js";
import { html, useEffect, useLayoutEffect, useMedia, useState } from "./html.js";
import { Add, Bell, Bubble, Compass, Exit, Logo, Person } from "./icons.js";
import { lazy } from "./lazy.js";
import { Menu, MenuItem } from "./menu.js";
import { Skeletons } from "./message-list.js";
import { Notices } from "./notices.js";
import { askToNotify, canNotify, isNotified } from "./notifications.js";
import { SearchField } from "./search-field.js";
import { announceSession, onSession, ownerOf } from "./session.js";
import { loadSettings } from "./settings.js";
import { SideLists } from "./side-lists.js";
import { direction, language, t } from "./texts.js";
import { clearUser, closeUserState } from "./user-state.js";

const ChatSearch = lazy(() => import("./chat-search.js").then(({ ChatSearch }) => ChatSearch));
const DateDialog = lazy(() => import("./date-dialog.js").then(({ DateDialog }) => DateDialog));
const Members = lazy(() => import("./members.js").then(({ Members }) => Members));
const MentionList = lazy(() => import("./mention-list.js").then(({ MentionList }) => MentionList));
const Profile = lazy(() => import("./profile.js").then(({ Profile }) => Profile));
const RoomBrowser = lazy(() => import("./room-browser.js").then(({ RoomBrowser }) => RoomBrowser));
const SearchResults = lazy(() => import("./search.js").then(({ SearchResults }) => SearchResults));
const ThreadList = lazy(() => import("./thread-list.js").then(({ ThreadList }) => ThreadList));

/**
 * What the page shows: a chat, perhaps a thread of it, and a message in the thread, or else in the chat.
 * @typedef {object} Shown
 * @property {number | null} chatId
 * @property {number | null} root
 * @property {number | null} messageId
 * @property {any} [hit] the message as it was found
 */

/** Returns what the URL names. @returns {Shown} */
function shownByAddress() {
  const query = new URLSearchParams(location.search);
  const [chatId, root, messageId] = ["chat", "thread", "message"].map((name) => Number(query.get(name)) || null);
  return { chatId, root, messageId };
}

const addressOf = (chatId, { root = null, messageId = null } = {}) =>
  chatId ? `?chat=${chatId}${root ? `&thread=${root}` : ""}${messageId ? `&message=${messageId}` : ""}` : location.pathname;

/** Adds the places in the chat and in the thread. The chat stays where it is while its threads open and close. */
function placed(shown, before = null) {
  const { chatId, root, messageId, hit = null } = shown;
  const here = { messageId, hit };
  const stays = chatId === before?.chatId && (root !== null || (messageId === null && before.root !== null));
  const place = stays ? before.place : root === null ? here : { messageId: null };
  return { ...shown, place, thread: root === null ? null : { root, place: here } };
}
/** Returns the root of the thread that alone shows a message; null: its chat does. */
const rootOf = ({ thread, also_in_chat }) => (thread && !also_in_chat ? thread : null);

const LIST_IDS = { threads: "threads-btn", mentions: "mentions-btn", back: "back-to-chats-btn" };

const toSignIn = () => location.assign(`/login/?next=${encodeURIComponent(location.pathname + location.search)}`);

export function Page({ client }) {
  const [state, setState] = useState("starting");
  const [settings, setSettings] = useState(/** @type {any} */ (null));
  const [shown, setShown] = useState(() => placed(shownByAddress()));

  useEffect(() => {
    Object.assign(document.documentElement, { lang: language, dir: direction });
    const leave = () => {
      closeUserState(client);
      // The browser may keep the page in its back-forward cache.
      setState("left");
      toSignIn();
    };
    const stops = [
      client.on("status", ({ status }) => status === "signedOut" && leave()),
      onSession((owner) => {
        if (owner && owner === ownerOf(client)) {
          client.stop();
          clearUser(client, owner);
          leave();
        } else if (client.state.me) {
          // Another user may have signed in.
          client.stop();
          client.start().catch(() => {});
        }
      }),
    ];
    Promise.all([client.start(), loadSettings(client)]).then(
      ([, settings]) => {
        setSettings(settings);
        setState("started");
      },
      (error) => error.status !== 401 && setState("failed"),
    );
    const onMove = () => setShown((before) => placed(shownByAddress(), before));
    globalThis.addEventListener("popstate", onMove);
    return () => {
      stops.forEach((stop) => stop());
      globalThis.removeEventListener("popstate", onMove);
    };
  }, [client]);
  useEffect(() => {
    if (state !== "left") return undefined;
    const again = ({ persisted }) => persisted && location.reload();
    globalThis.addEventListener("pageshow", again);
    return () => globalThis.removeEventListener("pageshow", again);
  }, [state]);

  /** Shows a chat, at a message if there is one: a reply that is not in the chat in its thread. */
  const select = (chatId, hit = null, isSearching = false) => {
    show({ chatId, root: hit && rootOf(hit), messageId: hit?.id ?? null, hit: hit?.highlights ? hit : null }, isSearching);
  };
  const show = (next, isSearching = false) => {
    const now = shownByAddress();
    const address = addressOf(next.chatId, next);
    // All hits of a chat share one history entry.
    if (isSearching && now.messageId !== null) history.replaceState(null, "", address);
    else if (["chatId", "root", "messageId"].some((name) => next[name] !== now[name])) history.pushState(null, "", address);
    setShown((before) => placed(next, before));
  };
  if (state === "failed") return html`<main class="gr-app gr-empty"><h1>${t("startFailed")}</h1></main>`;
  if (state === "starting" || state === "left") return html`<${Starting} client=${client} chatId=${shown.chatId} />`;
  return html`
    <${AppShell} client=${client} settings=${settings} openChat=${select}>
      <${App} shown=${shown} onSelect=${select} onShow=${show} />
    <//>
  `;
}

/** After so long, in milliseconds, the page says that the server cannot be reached. */
const PATIENCE = 4_000;

function Starting({ client, chatId }) {
  const [isLate, setLate] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => setLate(true), PATIENCE);
    return () => clearTimeout(timer);
  }, [client]);
  return html`
    <main class="gr-app" data-view=${chatId ? "chat" : "list"} aria-busy="true" aria-label=${t("loading")}>
      <h1 class="gr-hidden">${t("messagesTitle")}</h1>
      <div class="gr-side">
        <div class="gr-side-header"><${Logo} /><p class="gr-brand">Greenroom</p></div>
        <div class="gr-pill-place" role="status">${isLate && html`<span class="gr-pill">${t("startSlow")}</span>`}</div>
        <div class="gr-chats"><${Skeletons} count=${6} /></div>
      </div>
      <div class="gr-main"></div>
    </main>
  `;
}

function App({ shown, onSelect, onShow }) {
  const { chatId, messageId } = shown;
  const { client, settings, toast } = useAppContext();
  const mayStartChats = useStore((state) => settings.mayStartChats(state.me));
  const attempt = useAttempt();
  const [dialog, setDialog] = useState(/** @type {string | null} */ (null));
  const [words, setWords] = useState("");
  const [isSearching, setSearching] = useState(false);
  // The list in place of the chats.
  const [list, setList] = useState(/** @type {string | null} */ (null));
  const isWide = useMedia("(min-width: 46rem)");
  const hasChats = useStore((state) => state.chatList.length > 0);

  useEffect(
    () =>
      client.on("chat", ({ chatId: id, chat }) => {
        if (chat || id !== chatId) return;
        setDialog(null);
        onSelect(null);
        if (!isEnding(id)) toast(t("chatGone"));
      }),
    [client, chatId],
  );
  useLayoutEffect(() => {
    setDialog((open) => (open === "new" ? "members" : null));
    setSearching(false);
  }, [chatId]);

  const startChat = () =>
    attempt(async () => {
      const { id } = await client.api.createChat({ chat_type: "group", member_ids: [] });
      await client.open(id);
      setDialog("new");
      onSelect(id);
    });
  const back = () => {
    const from = document.querySelector(`[data-found="${messageId}"]`) ? `[data-found="${messageId}"]` : `[data-chat-id="${chatId}"]`;
    onSelect(null);
    setTimeout(() => document.querySelector(from)?.focus());
  };
  const endSearch = () => {
    setSearching(false);
    // The hit takes the focus; where it is not in the list, the list does.
    const hit = document.querySelector(`[data-message-id="${messageId}"]`) ?? document.querySelector("#message-list");
    (messageId === null ? document.querySelector("#message-input") : hit)?.focus();
  };

  return html`
    <main class="gr-app" data-view=${chatId ? "chat" : "list"}>
      <h1 class="gr-hidden">${t("messagesTitle")}</h1>
      <${Notices} chatId=${chatId} root=${shown.root} onSelect=${onSelect} />
      <nav class="gr-side" aria-label=${t("chats")}>
        <${SideHeader} onNew=${mayStartChats && startChat} onRooms=${() => setDialog("rooms")} onProfile=${() => setDialog("profile")} />
        <${SearchField} text=${words} onText=${setWords} />
        ${(isWide || !chatId) && html`<${Pill} />`}
        ${!words.trim() && html`<${SideLists} shown=${list} onShow=${setList} ids=${LIST_IDS} />`}
        ${words.trim()
          ? html`<${SearchResults} text=${words} place=${shown} onChat=${onSelect} />`
          : list === "threads"
          ? html`<${ThreadList} id="thread-list" selected=${shown.root} address=${(thread) => addressOf(thread.chat, { root: thread.id })}
              onSelect=${(thread) => onShow({ chatId: thread.chat, root: thread.id, messageId: null })} />`
          : list === "mentions"
          ? html`<${MentionList} id="mention-list" selected=${messageId} address=${(message) => addressOf(message.chat, { root: rootOf(message), messageId: message.id })} onSelect=${(message) => onSelect(message.chat, message)} />`
          : html`
              <${ChatList} id="chat-list" selected=${chatId} root=${shown.root} address=${addressOf} onSelect=${onSelect}>
                <${FirstRun} onNew=${mayStartChats && startChat} onRooms=${() => setDialog("rooms")} />
              <//>
            `}
      </nav>
      <div class="gr-main">
        ${!isWide && chatId && html`<${Pill} />`}
        ${chatId
          ? html`<${Conversation} key=${chatId} chatId=${chatId} place=${shown.place} hasFocus=${isWide}
              thread=${shown.thread} onThread=${(thread) => onShow({ chatId, root: thread?.root ?? null, messageId: thread?.place.messageId ?? null })}
              hooks=${{ list: { id: "message-list" }, field: { id: "message-input" } }}
              header=${html`
                <${ChatHeader} chatId=${chatId} onBack=${back} onMembers=${() => setDialog("members")} onSearch=${() => setSearching(true)}
                  onDate=${() => setDialog("date")}
                  onGone=${() => onSelect(null)} />
                ${isSearching && html`<${ChatSearch} chatId=${chatId} onHit=${(hit) => onSelect(chatId, hit, true)} onClose=${endSearch} />`}
              `} />`
          : html`<${NothingOpen} hasChats=${hasChats} />`}
      </div>
      ${dialog === "members" && chatId && html`<${Members} chatId=${chatId} onClose=${() => setDialog(null)} />`}
      ${dialog === "date" &&
      chatId &&
      html`<${DateDialog} chatId=${chatId} onClose=${() => setDialog(null)} onFound=${(message) => (setDialog(null), onSelect(chatId, { id: message.id }))} />`}
      ${dialog === "profile" && html`<${Profile} onClose=${() => setDialog(null)} />`}
      ${dialog === "rooms" && html`<${RoomBrowser} onClose=${() => setDialog(null)} onOpen=${(id) => (setDialog(null), onSelect(id))} />`}
    </main>
  `;
}

function SideHeader({ onNew, onRooms, onProfile }) {
  return html`
    <div class="gr-side-header">
      <${Logo} />
      <p class="gr-brand">Greenroom</p>
      <button type="button" id="browse-rooms-btn" class="gr-icon-button" aria-label=${t("browseRooms")} title=${t("browseRooms")}
        onClick=${onRooms}><${Compass} /></button>
      ${onNew &&
      html`
        <button type="button" id="new-chat-btn" class="gr-icon-button gr-button-primary" aria-label=${t("newChat")} title=${t("newChat")}
          onClick=${onNew}><${Add} /></button>
      `}
      <${OwnMenu} onProfile=${onProfile} />
    </div>
  `;
}

function OwnMenu({ onProfile }) {
  const { client, confirm, deletions, toast } = useAppContext();
  const me = useStore((state) => state.me);
  const attempt = useAttempt();
  const [isOn, setOn] = useState(isNotified);
  const toggleNotices = async () => {
    const isOnNow = await askToNotify(!isOn);
    setOn(isOnNow);
    if (!isOn && !isOnNow) toast(t("notificationsRefused"));
  };
  const signOut = async () => {
    const count = client.outgoing.length;
    const question = { title: t("signOutTitle"), text: t("signOutText", { count }), yes: t("signOut") };
    if (count > 0 && !(await confirm(question))) return;
    await attempt(async () => {
      const owner = ownerOf(client);
      deletions.flush();
      // First, because the server closes the connection, which would look like a sign-out elsewhere.
      client.stop();
      try {
        await client.api.logout();
      } catch (error) {
        client.start().catch(() => {});
        if (error.status !== 401) throw error;
      }
      clearUser(client, owner);
      announceSession(owner);
      location.replace("/login/");
    });
  };
  return html`
    <${Menu} label=${t("you")}
      button=${(props) => html`
        <button ...${props} class="gr-icon-button gr-own-menu-btn" aria-label=${t("ownMenu", { name: me.display_name })} title=${me.display_name}>
          <${Avatar} user=${me} small />
        </button>
      `}
    >${() => html`
      <p class="gr-menu-note"><strong>${me.display_name}</strong><br />@${me.username}</p>
      <${MenuItem} icon=${Person} id="profile-btn" onSelect=${onProfile}>${t("profile")}<//>
      ${canNotify() &&
      html`
        <${MenuItem} icon=${Bell} id="notifications-btn" role="menuitemcheckbox" aria-checked=${String(isOn)} onSelect=${toggleNotices}>
          ${t("notifyMe")}
        <//>
      `}
      <${MenuItem} icon=${Exit} id="sign-out-btn" onSelect=${signOut}>${t("signOut")}<//>
    `}<//>
  `;
}

const FirstRun = ({ onNew, onRooms }) => html`
  <div class="gr-empty gr-first-run">
    <p>${onNew ? t("firstRun") : t("firstRunRooms")}</p>
    ${onNew && html`<button type="button" class="gr-button gr-button-primary" onClick=${onNew}>${t("newChat")}</button>`}
    <button type="button" class="gr-button" onClick=${onRooms}>${t("browseRooms")}</button>
  </div>
`;

const NothingOpen = ({ hasChats }) => html`
  <div class="gr-empty">
    <span class="gr-empty-sign"><${Bubble} /></span>
    <h2>${hasChats ? t("chooseChat") : t("welcome")}</h2>
    <p>${hasChats ? t("chooseChatText") : t("welcomeText")}</p>
  </div>
`;
