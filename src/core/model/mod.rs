//! Domain types and rules without I/O: records, validated texts, commands, events and permissions.

pub mod attachments;
pub mod cached_chat;
pub mod case_folding;
pub mod command;
pub mod contacts;
pub mod credential;
pub mod custom;
pub mod draft;
pub mod emoji;
pub mod event;
pub mod guests;
pub mod history;
pub mod host_names;
pub mod ids;
pub mod mentions;
pub mod notify;
pub mod permission;
pub mod pictures;
pub mod previews;
pub mod records;
pub mod refusal;
pub mod text;
pub mod threads;
pub mod time;
mod visible;

pub use attachments::{AltText, Attachment, AttachmentState, FileName, Sha256Hex, Thumbnail};
pub use cached_chat::{CachedChat, ChatForViewer, ChatJson};
pub use command::{Command, NewMessage};
pub use contacts::{Contacts, ObjectRooms};
pub use credential::{Credential, KeyLife, Origin, VerifiedJwt};
pub use custom::{Custom, CustomChange};
pub use draft::{Draft, DraftChanged, NewDraft};
pub use event::{Change, Event};
pub use guests::{GuestAccess, Guests};
pub use ids::{AttachmentId, ChatId, FileId, JoinCount, MessageId, Pos, Seq, SessionId, TokenId, UserId};
pub use notify::NotifyLevel;
pub use pictures::{PictureHost, Pictures};
pub use previews::{Preview, Previews};
pub use records::{
    Chat, ChatKind, ChatSnapshot, Forwarded, HostObject, Me, Member, Message, Quote, Reaction, Role,
    UserCard, Viewer,
};
pub use refusal::{FieldErrors, Refusal};
pub use threads::{Lane, ThreadInfo};
pub use time::Timestamp;
