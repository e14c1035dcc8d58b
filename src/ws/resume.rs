//! `resume`: a client tells how far it has heard of each chat.

use std::collections::BTreeMap;

use bytestring::ByteString;
use serde::Serialize;
use serde_json::value::RawValue;

use super::commands::ack_frame;
use crate::{feed::Heads, model::ChatId};

/// A `resume`, or a part of one.
pub struct Resume {
    pub id: Option<Box<RawValue>>,
    /// Chats by id with the number of the latest change that the client has heard of.
    pub chats: Heads,
    /// Whether further parts follow.
    pub more: bool,
}

#[derive(Serialize)]
struct CaughtUp<'a> {
    heads: &'a Heads,
    unread: &'a BTreeMap<ChatId, i64>,
}

impl Resume {
    /// The answer, once everything that was missed has been sent.
    pub fn ack(&self, heads: &Heads, unread: &BTreeMap<ChatId, i64>) -> ByteString {
        ack_frame(self.id.as_deref(), CaughtUp { heads, unread })
    }
}
