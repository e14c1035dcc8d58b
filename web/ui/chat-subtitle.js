/** What the header of a chat says below its title: its members, or whether the other user is online. */

import { useAppContext, useMinute, useStore } from "./app-context.js";
import { otherOf } from "./avatar.js";
import { html } from "./html.js";
import { isMuted, mutedText } from "./muting.js";
import { Identity, identityOf } from "./people.js";
import { ago, t } from "./texts.js";

export function ChatSubtitle({ chat }) {
  const { client } = useAppContext();
  useMinute();
  const me = useStore((state) => state.me);
  const identity = identityOf(chat, me) && html`<${Identity} chat=${chat} me=${me} />`;
  return html`${identity}<${MembersOrPresence} chat=${chat} isNamed=${identity !== null} />${isMuted(client, chat) && html`<span class="gr-muted-note"> · ${mutedText(client, chat)}</span>`}`;
}

function MembersOrPresence({ chat, isNamed }) {
  const me = useStore((state) => state.me);
  const other = chat.chat_type === "dm" ? otherOf(chat, me) : null;
  const presence = useStore((state) => state.presence.get(other?.id));
  if (!other) return t("members", { count: chat.member_count });
  if (other.id === me?.id) return t("notes");
  const seen = presence?.is_online ? t("online") : presence?.last_seen && t("lastSeen", { time: ago(presence.last_seen) });
  if (!isNamed) return seen || `@${other.username}`;
  return seen ? ` · ${seen}` : null;
}
