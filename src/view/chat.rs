//! JSON of chats and their members.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{RefOr, Schema},
};

use super::{Links, MessageView, Part, UserView, render_raw};
use crate::core::model::{
    CachedChat, Chat, ChatForViewer, ChatId, ChatJson, ChatKind, ChatSnapshot, GuestAccess, HostObject, Me,
    Member, MessageId, Role, Seq, Timestamp, UserId, Viewer,
};

/// The audience of a chat object.
#[derive(Debug, Clone, Copy)]
pub enum Perspective<'a> {
    /// One viewer: a member, or a visitor of a public room. Includes fields that differ by caller.
    Of(&'a Viewer),
    /// All members at once: without fields that differ by caller. The title is null where it is automatic.
    Everybody,
}

/// A chat, over REST and in events.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Chat)]
pub struct ChatView<'a> {
    id: ChatId,
    /// The title that was given, else one formed from the members' names. In events for all members it is
    /// null where it is automatic.
    #[schema(required)]
    title: Option<String>,
    #[schema(value_type = ChatKind)]
    chat_type: &'static str,
    created_at: Timestamp,
    /// Changes with every new message and with the title.
    updated_at: Timestamp,
    /// The newest message that is not deleted.
    #[schema(required, value_type = Option<MessageView>)]
    last_message: Part<'a, Option<MessageView<'a>>>,
    /// The first 100 members, by time of joining.
    #[schema(value_type = Vec<MemberView>)]
    members: Part<'a, Vec<MemberView<'a>>>,
    member_count: i64,
    /// Ids of all admins.
    admins: &'a [UserId],
    /// The number of the chat's latest change.
    seq: Seq,
    /// Data of the host. Names that begin with `_` are for staff only, over REST.
    #[schema(value_type = HashMap<String, serde_json::Value>)]
    custom: Cow<'a, RawValue>,
    #[serde(flatten)]
    room: Option<RoomPart<'a>>,
    #[serde(flatten)]
    #[schema(value_type = OwnPart)]
    own: Option<OwnPart>,
}

/// Fields that only rooms have.
#[derive(Debug, Serialize, ToSchema)]
struct RoomPart<'a> {
    /// The host's object that the room belongs to.
    #[schema(required)]
    object: Option<ObjectView<'a>>,
    /// Rooms only: whether any user may see it and join.
    is_public: bool,
    /// Rooms only: what guests may do.
    guest_access: GuestAccess,
}

/// An object of the host application.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = HostObject)]
struct ObjectView<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    id: &'a str,
}

/// The fields of a chat object that differ by caller.
#[derive(Debug, Serialize, ToSchema)]
struct OwnPart {
    /// The caller's read marker.
    #[schema(required)]
    last_read_message_id: Option<MessageId>,
    /// Messages of other users after the caller's read marker, without deleted ones.
    unread_count: i64,
    /// Those that mention the caller.
    unread_mentions: i64,
    /// The caller's role in the chat; null in a public room that they are not a member of.
    #[schema(value_type = Option<Role>, required)]
    my_role: Option<&'static str>,
    /// The caller's own settings for the chat; null for a non-member.
    #[schema(required)]
    me: Option<Me>,
    /// Rooms only: whether the caller is a member.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    is_member: Option<bool>,
}

/// A chat as shown to all members at once: without fields that differ by caller.
pub struct ChatForAll;

impl PartialSchema for ChatForAll {
    fn schema() -> RefOr<Schema> {
        let own = RefOr::Ref(utoipa::openapi::Ref::from_schema_name(OwnPart::name()));
        match ChatView::schema() {
            RefOr::T(Schema::AllOf(mut whole)) => {
                whole.items.retain(|part| *part != own);
                whole.description = Some("A chat without the fields that differ by caller.".to_owned());
                RefOr::T(Schema::AllOf(whole))
            }
            other => other,
        }
    }
}

impl ToSchema for ChatForAll {}

impl<'a> ChatView<'a> {
    pub fn new(snapshot: &'a ChatSnapshot, perspective: Perspective<'_>, links: &Links) -> Self {
        Self::of(
            snapshot,
            Part::New(last_message(snapshot, links)),
            Part::New(members(snapshot, links)),
            perspective,
        )
    }

    /// Creates the view of a cached chat. The parts that do not differ by caller are rendered once and kept
    /// in the cache.
    pub fn shown(shown: &'a ChatForViewer, links: &Links) -> Self {
        let CachedChat { snapshot, json } = shown.chat.as_ref();
        let json = json.get_or_init(|| ChatJson {
            last_message: render_raw(&last_message(snapshot, links)),
            members: render_raw(&members(snapshot, links)),
        });
        Self::of(
            snapshot,
            Part::Json(&json.last_message),
            Part::Json(&json.members),
            Perspective::Of(&shown.viewer),
        )
    }

    /// Adds the private part of the chat's custom data, for staff.
    pub fn seen_by(mut self, is_staff: bool, shown: &'a ChatForViewer) -> Self {
        if is_staff {
            self.custom = shown.chat.snapshot.chat.custom.shown(true);
        }
        self
    }

    fn of(
        snapshot: &'a ChatSnapshot,
        last_message: Part<'a, Option<MessageView<'a>>>,
        members: Part<'a, Vec<MemberView<'a>>>,
        perspective: Perspective<'_>,
    ) -> Self {
        let ChatSnapshot { chat, admins, .. } = snapshot;
        let (title, own) = match perspective {
            Perspective::Everybody => (chat.title.clone(), None),
            Perspective::Of(viewer) => {
                let own = OwnPart {
                    last_read_message_id: viewer.last_read_message_id,
                    unread_count: viewer.unread_count,
                    unread_mentions: viewer.unread_mentions,
                    my_role: viewer.role.map(Role::as_str),
                    me: viewer.role.map(|_| viewer.me),
                    is_member: (chat.kind == ChatKind::Room).then_some(viewer.role.is_some()),
                };
                let title = title(snapshot, viewer.id);
                (Some(title), Some(own))
            }
        };
        Self {
            id: chat.id,
            title,
            chat_type: chat.kind.as_str(),
            created_at: chat.created_at,
            updated_at: chat.updated_at,
            last_message,
            members,
            member_count: chat.member_count,
            admins,
            seq: chat.seq,
            custom: chat.custom.shown(false),
            room: RoomPart::of(chat),
            own,
        }
    }
}

fn last_message<'a>(snapshot: &'a ChatSnapshot, links: &Links) -> Option<MessageView<'a>> {
    snapshot.last_message.as_ref().map(|message| MessageView::new(message, links))
}

fn members<'a>(snapshot: &'a ChatSnapshot, links: &Links) -> Vec<MemberView<'a>> {
    snapshot.members.iter().map(|member| MemberView::new(member, links)).collect()
}

impl<'a> RoomPart<'a> {
    fn of(chat: &'a Chat) -> Option<Self> {
        let object = chat.object.as_ref().map(|HostObject { kind, id }| ObjectView { kind, id });
        (chat.kind == ChatKind::Room).then_some(Self {
            object,
            is_public: chat.is_public,
            guest_access: chat.guest_access,
        })
    }
}

/// Number of names in the title of a group without a title.
const NAMES_IN_TITLE: usize = 3;

/// Returns the title of a chat as a member sees it.
pub fn title(snapshot: &ChatSnapshot, viewer: UserId) -> String {
    snapshot.chat.title.clone().unwrap_or_else(|| automatic_title(snapshot, viewer))
}

/// Builds the title of a chat without one: the partner's name in a dm, the first names of other members in a
/// group.
fn automatic_title(snapshot: &ChatSnapshot, viewer: UserId) -> String {
    let name = |member: &Member| member.user.display_name.clone();
    let others: Vec<&Member> =
        snapshot.members.iter().filter(|member| member.user.id != viewer).take(NAMES_IN_TITLE).collect();
    if others.is_empty() || snapshot.chat.kind == ChatKind::Dm {
        let alone = snapshot.members.first();
        return others.first().copied().or(alone).map(name).unwrap_or_default();
    }
    let mut title = others.iter().map(|member| name(member)).collect::<Vec<_>>().join(", ");
    let more = snapshot.chat.member_count - 1 - others.len() as i64;
    if more > 0 {
        title.push_str(&format!(", +{more}"));
    }
    title
}

/// A member: the user's fields and those of the membership.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Member)]
pub struct MemberView<'a> {
    #[serde(flatten)]
    user: UserView<'a>,
    #[schema(value_type = Role)]
    role: &'static str,
    joined_at: Timestamp,
    /// Read marker: everything up to this message is read; null if nothing is.
    #[schema(required)]
    last_read_message_id: Option<MessageId>,
    /// The newest message when the member joined: earlier ones do not count as read by them. Null for members
    /// from the start.
    #[schema(required)]
    read_from_message_id: Option<MessageId>,
}

impl<'a> MemberView<'a> {
    pub fn new(member: &'a Member, links: &Links) -> Self {
        Self {
            user: UserView::new(&member.user, links),
            role: Role::as_str(member.role),
            joined_at: member.joined_at,
            last_read_message_id: member.last_read_message_id,
            read_from_message_id: member.read_from_message_id,
        }
    }
}
