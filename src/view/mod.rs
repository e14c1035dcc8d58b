//! The JSON that clients get: one shape for each thing, the same over REST and WebSocket.

mod attachment;
mod chat;
mod credential;
mod event;
pub mod file_links;
pub mod frames;
mod links;
mod message;
mod preview;
mod unread;
mod user;

pub use attachment::AttachmentView;
pub use chat::{ChatForAll, ChatView, MemberView, Perspective, title as chat_title};
pub use credential::{AccessTokenView, SessionView, UseView};
pub use event::{Frame, LiveEvent, MessageFrame};
pub use links::{AddressKey, Links};
pub use message::{FoundMessageView, MessageView, Senders};
pub use preview::PreviewView;
pub use unread::{UnreadThreadView, UnreadView, mentions_by_chat};
pub use user::{FoundUserView, OwnUserView, ProfileView, UserExtras, UserView};

use bytes::Bytes;
use bytestring::ByteString;
use serde::Serialize;
use serde_json::value::RawValue;

/// Initial buffer for a page of messages or chats, in bytes.
const LONG: usize = 32 << 10;

/// Renders a view that is often long, into a buffer large enough not to be reallocated often.
pub fn render_long(view: &impl Serialize) -> ByteString {
    let mut text = Vec::with_capacity(LONG);
    serde_json::to_writer(&mut text, view).expect("views are always JSON");
    Bytes::from(text).try_into().expect("JSON is UTF-8")
}

/// Renders a part of a view, to be embedded in others.
fn render_raw(view: &impl Serialize) -> Box<RawValue> {
    serde_json::value::to_raw_value(view).expect("views are always JSON")
}

/// A part of a view: a value, or its cached JSON.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Part<'a, T> {
    New(T),
    Json(&'a RawValue),
}

/// Renders a view.
pub fn render(view: &impl Serialize) -> ByteString {
    serde_json::to_string(view).expect("views are always JSON").into()
}
