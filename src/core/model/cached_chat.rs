//! Chats that are shown again and again.

use std::sync::{Arc, OnceLock};

use serde_json::value::RawValue;

use super::{ChatSnapshot, Viewer};

/// A chat with room for the JSON of what it shows, once that has been rendered.
#[derive(Debug)]
pub struct KnownChat {
    pub snapshot: ChatSnapshot,
    pub json: OnceLock<ChatJson>,
}

/// What takes long to render of a chat, and does not differ by who looks at it.
#[derive(Debug)]
pub struct ChatJson {
    pub last_message: Box<RawValue>,
    pub members: Box<RawValue>,
}

/// A chat as somebody sees it.
#[derive(Debug)]
pub struct ShownChat {
    pub chat: Arc<KnownChat>,
    pub viewer: Viewer,
}

impl KnownChat {
    pub fn new(snapshot: ChatSnapshot) -> Self {
        Self { snapshot, json: OnceLock::new() }
    }
}
