//! What clients ask a chat to do. A command that exists is well-formed; whether it may be done, the storage
//! transaction decides.

use std::sync::Arc;

use utoipa::ToSchema;

use super::{
    ChatId, ChatKind, HostObject, MessageId, Role, Timestamp, UserCard, UserId,
    emoji::Emoji,
    text::{ClientId, MessageBody, Title},
};

/// Most users that one request names: what is done to them is done in one transaction, for which others wait.
pub const MOST_USERS: usize = 200;

/// A lasting change that one user asks of one chat.
#[derive(Debug, Clone)]
pub struct Command {
    pub chat: ChatId,
    /// Who asks.
    pub by: UserId,
    pub action: Action,
}

/// What is asked.
#[derive(Debug, Clone)]
pub enum Action {
    /// `sender`: the caller, as the message is to show them.
    PostMessage {
        sender: Arc<UserCard>,
        body: MessageBody,
        client_id: Option<ClientId>,
    },
    EditMessage {
        message: MessageId,
        body: MessageBody,
    },
    DeleteMessage {
        message: MessageId,
    },
    React {
        message: MessageId,
        emoji: Emoji,
        intent: ReactIntent,
    },
    /// Moves the caller's read marker up to a message, or to the end.
    MarkAsRead {
        up_to: Option<MessageId>,
    },
    /// Changes what the caller has set for themselves.
    ChangeMe(MeChange),
    /// `None` returns the chat to its automatic title.
    Rename {
        title: Option<Title>,
    },
    /// Whether a room is to be public: it may be opened, and stays so.
    Open {
        is_public: bool,
    },
    AddMembers {
        users: Vec<UserId>,
    },
    /// The caller's own id: to leave.
    RemoveMember {
        user: UserId,
    },
    /// The caller comes into a public room.
    Join,
    Leave,
    ChangeRole {
        user: UserId,
        role: Role,
    },
    DeleteChat,
}

impl Action {
    /// What commands of this kind are counted as.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::PostMessage { .. } => "post_message",
            Self::EditMessage { .. } => "edit_message",
            Self::DeleteMessage { .. } => "delete_message",
            Self::React { .. } => "react",
            Self::MarkAsRead { .. } => "mark_as_read",
            Self::ChangeMe(_) => "change_me",
            Self::Rename { .. } => "rename_chat",
            Self::Open { .. } => "open_room",
            Self::AddMembers { .. } => "add_members",
            Self::RemoveMember { .. } => "remove_member",
            Self::Join => "join_room",
            Self::Leave => "leave_chat",
            Self::ChangeRole { .. } => "change_role",
            Self::DeleteChat => "delete_chat",
        }
    }
}

/// What is to change of [`super::Me`]; `None` stays as it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MeChange {
    pub muted_until: Option<Option<Timestamp>>,
    pub is_pinned: Option<bool>,
    pub unread_from: Option<Option<MessageId>>,
}

/// What a reaction is to become.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ToSchema)]
#[schema(as = ReactionIntent, rename_all = "lowercase")]
pub enum ReactIntent {
    Toggle,
    Add,
    Remove,
}

/// A dm or group to be made, or found where it is a dm that exists.
#[derive(Debug, Clone)]
pub struct NewChat {
    pub kind: ChatKind,
    pub title: Option<Title>,
    pub creator: UserId,
    /// Those to be in it besides the creator, who may be named again.
    pub members: Vec<UserId>,
}

/// A room to be made, or found where its object has one.
#[derive(Debug, Clone)]
pub struct NewRoom {
    pub title: Title,
    pub is_public: bool,
    pub object: Option<HostObject>,
    pub creator: UserId,
}
