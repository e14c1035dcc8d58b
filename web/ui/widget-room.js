/** `<greenroom-room object-type="video" object-id="42" title="Discussion">`: the discussion of something on the page. */

import { Conversation } from "./conversation.js";
import { useAttempt, useDesk, useKnown } from "./desk.js";
import { html, useEffect, useState } from "./html.js";
import { Exit, People } from "./icons.js";
import { Pill } from "./pill.js";
import { t } from "./texts.js";
import { Skeletons } from "./thread.js";
import { Signed, SignInLink, useTold } from "./widget.js";

export function RoomWidget({ connection, ...props }) {
  const title = props.of("label") ?? t("discussion");
  const visitor = html`
    <section class="gr-room" aria-label=${title}>
      <${RoomHeading} title=${title} />
      <div class="gr-empty"><p>${t("roomVisitor")}</p><${SignInLink} connection=${connection} /></div>
    </section>
  `;
  return html`<${Signed} connection=${connection} visitor=${visitor}><${Room} ...${props} title=${title} /><//>`;
}

function Room({ tell, of, title }) {
  const { client, inWords, toast } = useDesk();
  const attempt = useAttempt();
  const [id, setId] = useState(0);
  const [problem, setProblem] = useState(/** @type {string | null} */ (null));
  const room = useKnown((state) => state.chats.get(id) ?? state.rooms.get(id));
  const isMember = useKnown((state) => state.chats.has(id));
  useTold(client, tell, id);

  useEffect(() => {
    let watched = 0;
    const find = async () => {
      const fields = { title, object_type: of("object-type") ?? undefined, object_id: of("object-id") ?? undefined };
      watched = (await client.api.createChat({ chat_type: "room", ...fields })).id;
      await client.watch(watched);
      setId(watched);
    };
    find().catch((error) => setProblem(inWords(error)));
    return () => watched && client.unwatch(watched);
  }, [client]);

  const join = () => attempt(() => client.api.joinChat(id).then(() => client.open(id)));
  const leave = () =>
    attempt(async () => {
      await client.api.leaveChat(id);
      toast(t("leaveDone", { title: room.title }), { label: t("undo"), run: join });
    });
  const heading = html`<${RoomHeading} title=${room?.title ?? title} count=${room?.member_count} onLeave=${isMember && leave} />`;
  if (isMember) {
    return html`
      <div class="gr-room">
        <${Conversation} key=${id} chatId=${id} header=${heading}
          hooks=${{ list: { class: "room-message-list" }, field: { class: "room-message-input" } }} />
      </div>
    `;
  }
  return html`
    <section class="gr-room" aria-label=${title}>
      ${heading}
      <div class="gr-empty">
        ${problem && html`<p role="alert">${problem}</p>`}
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

const RoomHeading = ({ title, count = null, onLeave = null }) => html`
  <div class="gr-heading">
    <div class="gr-heading-text">
      <h2 class="gr-heading-title gr-panel-title" dir="auto">${title}</h2>
      ${count !== null && count !== undefined && html`<p class="gr-heading-note"><${People} /><span class="member-count">${t("members", { count })}</span></p>`}
    </div>
    ${onLeave &&
    html`<button type="button" class="gr-button gr-button-quiet leave-room-btn-header" onClick=${onLeave}><${Exit} />${t("leave")}</button>`}
  </div>
  ${count !== null && html`<${Pill} />`}
`;
