//! Commands: lasting changes that clients request of a chat. A command is well-formed; the storage
//! transaction decides whether it is permitted.

use std::sync::Arc;

use utoipa::ToSchema;

use super::{
    AttachmentId, ChatId, ChatKind, Custom, CustomChange, GuestAccess, HostObject, MessageId, NewDraft,
    NotifyLevel, Preview, Role, Timestamp, UserCard, UserId,
    emoji::Emoji,
    mentions::NewMentions,
    text::{ClientId, MessageBody, Title},
};

/// Most users in one request. All are processed in one transaction, which delays other writes.
pub const MAX_USERS: usize = 200;

/// A lasting change that one user requests of one chat.
#[derive(Debug, Clone)]
pub struct Command {
    pub chat: ChatId,
    /// The caller.
    pub by: UserId,
    pub action: Action,
}

/// The requested change.
#[derive(Debug, Clone)]
pub enum Action {
    /// Posts a message. `sender`: the caller's card as the message shows it.
    PostMessage {
        sender: Arc<UserCard>,
        new: NewMessage,
    },
    EditMessage {
        message: MessageId,
        edit: MessageEdit,
    },
    DeleteMessage {
        message: MessageId,
    },
    /// Shows what the scanner has found in the attachments of a message.
    ShowScanned {
        message: MessageId,
    },
    /// Shows previews of the links of a message.
    ShowPreviews {
        message: MessageId,
        found: Vec<Preview>,
    },
    /// Removes one of the previews of the caller's message, by its index.
    RemovePreview {
        message: MessageId,
        index: usize,
    },
    /// Pins or unpins a message.
    Pin {
        message: MessageId,
        is_pinned: bool,
    },
    React {
        message: MessageId,
        emoji: Emoji,
        intent: ReactIntent,
    },
    /// Follows a thread, or stops following it.
    FollowThread {
        root: MessageId,
        is_followed: bool,
    },
    /// Moves the caller's read marker of a thread up to a reply, or to the newest one.
    MarkThreadAsRead {
        root: MessageId,
        up_to: Option<MessageId>,
    },
    /// Moves the caller's read marker up to a message, or to the newest one.
    MarkAsRead {
        up_to: Option<MessageId>,
    },
    /// Changes the caller's own preferences in the chat.
    ChangeMe(MeChange),
    /// Saves the caller's draft of a thread, or of the chat's timeline. An empty one removes it.
    SaveDraft {
        thread: Option<MessageId>,
        draft: NewDraft,
    },
    RemoveDraft {
        thread: Option<MessageId>,
    },
    /// `None` returns the chat to its automatic title.
    Rename {
        title: Option<Title>,
    },
    /// Changes the custom data of the chat.
    ChangeCustom(CustomChange),
    /// Decides what guests may do in a public room.
    ChangeGuestAccess(GuestAccess),
    /// Makes a private room public, which is permanent.
    Open {
        is_public: bool,
    },
    AddMembers {
        users: Vec<UserId>,
    },
    /// Removes a member. With the caller's own id it is a leave.
    RemoveMember {
        user: UserId,
    },
    /// Adds the caller to a public room.
    Join,
    Leave,
    ChangeRole {
        user: UserId,
        role: Role,
    },
    DeleteChat,
    /// Takes a step of handing over what a guest has in the chat to the caller, whom the guest has become.
    TakeOver {
        guest: UserId,
    },
}

impl Action {
    /// Returns the label under which metrics count this command.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::PostMessage { .. } => "post_message",
            Self::EditMessage { .. } => "edit_message",
            Self::DeleteMessage { .. } => "delete_message",
            Self::ShowScanned { .. } => "show_scanned",
            Self::ShowPreviews { .. } => "show_previews",
            Self::RemovePreview { .. } => "remove_preview",
            Self::Pin { .. } => "pin",
            Self::React { .. } => "react",
            Self::FollowThread { .. } => "follow_thread",
            Self::MarkThreadAsRead { .. } => "mark_thread_as_read",
            Self::MarkAsRead { .. } => "mark_as_read",
            Self::ChangeMe(_) => "change_me",
            Self::SaveDraft { .. } => "save_draft",
            Self::RemoveDraft { .. } => "remove_draft",
            Self::Rename { .. } => "rename_chat",
            Self::ChangeCustom(_) => "change_custom",
            Self::ChangeGuestAccess(_) => "change_guest_access",
            Self::Open { .. } => "open_room",
            Self::AddMembers { .. } => "add_members",
            Self::RemoveMember { .. } => "remove_member",
            Self::Join => "join_room",
            Self::Leave => "leave_chat",
            Self::ChangeRole { .. } => "change_role",
            Self::DeleteChat => "delete_chat",
            Self::TakeOver { .. } => "take_over",
        }
    }
}

/// A message to be posted.
#[derive(Debug, Clone)]
pub struct NewMessage {
    pub body: MessageBody,
    pub client_id: Option<ClientId>,
    /// The message of the same chat that is quoted.
    pub reply_to: Option<MessageId>,
    /// `None`: no mentions.
    pub mentions: Option<Box<NewMentions>>,
    /// The root of the thread that it replies in.
    pub thread: Option<MessageId>,
    /// Whether the timeline shows a reply too.
    pub also_in_chat: bool,
    /// The message whose text is copied. The body may then be empty.
    pub forward: Option<MessageId>,
    /// The sender's complete uploads for the chat, each once.
    pub attachments: Vec<AttachmentId>,
    pub custom: Custom,
}

impl NewMessage {
    /// Returns whether it mentions everyone, or all who are connected.
    pub fn concerns_all(&self) -> bool {
        self.mentions.as_ref().is_some_and(|new| new.mentions.concerns_all())
    }
}

impl From<MessageBody> for NewMessage {
    /// Returns a message with a text alone.
    fn from(body: MessageBody) -> Self {
        Self {
            body,
            client_id: None,
            reply_to: None,
            thread: None,
            also_in_chat: false,
            mentions: None,
            forward: None,
            attachments: Vec::new(),
            custom: Custom::default(),
        }
    }
}

/// A change of a message; `None` leaves a part unchanged.
#[derive(Debug, Clone, Default)]
pub struct MessageEdit {
    pub body: Option<MessageBody>,
    /// Goes with a text.
    pub mentions: Option<Box<NewMentions>>,
    /// Custom data may also be changed by staff. It is no edit of the text.
    pub custom: Option<CustomChange>,
}

impl MessageEdit {
    /// Returns whether it is an edit of the text or of its mentions, not of the custom data alone.
    pub fn changes_text(&self) -> bool {
        self.body.is_some() || self.mentions.is_some()
    }
}

/// The changes to [`super::Me`]; `None` leaves a field unchanged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MeChange {
    pub mute: Option<Mute>,
    pub is_pinned: Option<bool>,
    pub unread_mark: Option<UnreadMark>,
    pub notify: Option<NotifyLevel>,
}

/// Whether clients show notifications for a chat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mute {
    Off,
    Until(Timestamp),
}

/// A member's own mark of the first unread message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnreadMark {
    Cleared,
    From(MessageId),
}

/// The requested state of a reaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ToSchema)]
#[schema(as = ReactionIntent, rename_all = "lowercase")]
pub enum ReactIntent {
    Toggle,
    Add,
    Remove,
}

/// A dm or group to create. An existing dm of the same people is returned instead.
#[derive(Debug, Clone)]
pub struct NewChat {
    pub kind: ChatKind,
    pub title: Option<Title>,
    pub creator: UserId,
    /// The members besides the creator. The creator may be listed too.
    pub members: Vec<UserId>,
    pub custom: Custom,
}

/// A room to create. An object's existing room is returned instead.
#[derive(Debug, Clone)]
pub struct NewRoom {
    pub title: Title,
    pub is_public: bool,
    pub object: Option<HostObject>,
    pub creator: UserId,
    pub guest_access: GuestAccess,
    pub custom: Custom,
}
