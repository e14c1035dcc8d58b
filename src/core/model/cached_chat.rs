//! Cached chats with their rendered JSON.

use std::sync::{Arc, OnceLock};

use serde_json::value::RawValue;

use super::{ChatSnapshot, Viewer};

/// A cached chat. `json` is rendered on first use and then reused.
#[derive(Debug)]
pub struct CachedChat {
    pub snapshot: ChatSnapshot,
    pub json: OnceLock<ChatJson>,
}

/// The parts of a chat's JSON that are slow to render and equal for all viewers.
#[derive(Debug)]
pub struct ChatJson {
    pub last_message: Box<RawValue>,
    pub members: Box<RawValue>,
}

/// A cached chat together with the data of one viewer.
#[derive(Debug)]
pub struct ChatForViewer {
    pub chat: Arc<CachedChat>,
    pub viewer: Viewer,
}

impl CachedChat {
    pub fn new(snapshot: ChatSnapshot) -> Self {
        Self { snapshot, json: OnceLock::new() }
    }
}
