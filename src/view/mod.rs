//! The JSON that clients see: one shape for each thing, the same over REST and sockets.

mod chat;
mod event;
mod message;
mod user;

pub use chat::{ChatForAll, ChatView, MemberView, Perspective};
pub use event::{Frame, LiveEvent, MessageFrame, frames};
pub use message::{FoundMessageView, MessageView};
pub use user::{FoundUserView, Links, OwnUserView, UserView};

use bytestring::ByteString;
use serde::Serialize;

/// Renders a view.
pub fn render(view: &impl Serialize) -> ByteString {
    serde_json::to_string(view).expect("views are always JSON").into()
}
