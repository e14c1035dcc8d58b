/** `<greenroom-room object-type="video" object-id="42" title="Discussion">`: the discussion of an object of the page. */

import { useAppContext, useAttempt, useStore } from "./app-context.js";
import { Pill } from "./connection-status.js";
import { retriedErrorText } from "./errors.js";
import { html, useEffect, useState } from "./html.js";
import { Leave, People } from "./icons.js";
import { lazy } from "./lazy.js";
import { Skeletons } from "./message-list.js";
import { t } from "./texts.js";
import { watchRoom } from "./watched-rooms.js";
import { warnAuthor, Chat, SignedIn, SignInLink, VisitorChoices, useChatEvents, useRetriedWork } from "./widget.js";

const GuestReading = lazy(() => import("./guest-reading.js").then(({ GuestReading }) => GuestReading));

export function RoomWidget({ connection, ...props }) {
  const { objectType, objectId, label, title } = props;
  const heading = label || title;
  const visitor = html`
    <section class="gr-room" aria-label=${heading || t("discussion")}>
      <${RoomHeader} title=${heading || t("discussion")} />
      <div class="gr-empty"><p>${t("roomVisitor")}</p><${VisitorChoices} connection=${connection} /></div>
    </section>
  `;
  // Another object has another room: its state starts anew.
  return html`
    <${SignedIn} connection=${connection} visitor=${visitor}>
      <${Room} key=${JSON.stringify([objectType, objectId])} ...${props} heading=${heading} connection=${connection} />
    <//>
  `;
}

/** Finds the room of an object, and watches it. */
function useRoom(objectType, objectId, title) {
  const { client } = useAppContext();
  const [id, setId] = useState(0);
  const room = useStore((state) => state.chats.get(id) ?? state.rooms.get(id));
  const isThere = room !== undefined;
  useEffect(() => (id ? watchRoom(client, id) : undefined), [client, id]);
  const problem = useRetriedWork(
    async (isWanted) => {
      // Without an object each request would create another room.
      if (isThere || !objectType || !objectId) return;
      const fields = { title: title || t("discussion"), object_type: objectType, object_id: objectId };
      const found = id || (await client.api.createChat({ chat_type: "room", ...fields })).id;
      if (!isWanted()) return;
      setId(found);
      await client.watch(found);
      if (!isWanted()) watchRoom(client, found)();
    },
    [client, isThere],
  );
  return { id, room, problem: isThere ? null : problem };
}

function Room({ connection, emit, objectType, objectId, heading: wanted, title, label }) {
  const { client, toast } = useAppContext();
  const attempt = useAttempt();
  const { id, room, problem } = useRoom(objectType, objectId, title || label);
  const isMember = useStore((state) => state.chats.has(id));
  const isGuest = useStore((state) => state.me?.is_guest);
  useChatEvents(emit, id);
  useEffect(() => {
    if (problem?.isFinal) warnAuthor("greenroom-room", problem);
  }, [problem]);

  const join = () => attempt(() => client.api.joinChat(id).then(() => client.open(id)));
  const shown = wanted || room?.title || t("discussion");
  const leave = () =>
    attempt(async () => {
      await client.api.leaveChat(id);
      toast(t("leaveDone", { title: shown }), { label: t("undo"), run: join });
    });
  const heading = (menu = null) => html`<${RoomHeader} title=${shown} count=${room?.member_count} menu=${menu} onLeave=${isMember && leave} />`;
  if (isMember) {
    return html`
      <div class="gr-room">
        <${Chat} key=${id} chatId=${id} header=${heading}
          hooks=${{ list: { class: "room-message-list" }, field: { class: "room-message-input" } }} />
      </div>
    `;
  }
  if (isGuest && room && room.guest_access !== "write") {
    return html`
      <section class="gr-room" aria-label=${shown}>
        ${heading()}
        <${GuestReading} chatId=${id} />
        <div class="gr-reading-note"><p>${t("guestsRead")}</p><${SignInLink} connection=${connection} /></div>
      </section>
    `;
  }
  return html`
    <section class="gr-room" aria-label=${shown}>
      ${heading()}
      <div class="gr-empty">
        ${problem && html`<p role="alert">${problem.isFinal ? t("roomImpossible") : retriedErrorText(problem)}</p>`}
        ${!room && !problem && html`<${Skeletons} count=${3} />`}
        ${room &&
        html`
          <p>${t("roomJoin")}</p>
          <button type="button" class="gr-button gr-button-primary join-room-btn" onClick=${join}>${t("joinDiscussion")}</button>
        `}
      </div>
    </section>
  `;
}

const RoomHeader = ({ title, count = null, menu = null, onLeave = null }) => html`
  <div class="gr-heading">
    <div class="gr-heading-text">
      <h2 class="gr-heading-title gr-panel-title" dir="auto">${title}</h2>
      ${count !== null && count !== undefined && html`<p class="gr-heading-note"><${People} /><span class="member-count">${t("members", { count })}</span></p>`}
    </div>
    ${onLeave &&
    html`<button type="button" class="gr-button gr-button-quiet leave-room-btn-header" onClick=${onLeave}><${Leave} />${t("leave")}</button>`}
    ${menu}
  </div>
  ${count !== null && html`<${Pill} />`}
`;
