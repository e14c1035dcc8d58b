//! What the parts of a consistency check share: the messages of a chat, and the report of differences.

use crate::{core::model::ChatId, storage::AnyConn};

/// The result of a check.
#[derive(Debug, Default)]
pub struct Report {
    pub chats: usize,
    pub messages: i64,
    /// One sentence per difference.
    pub differences: Vec<String>,
}

/// A check of one chat.
pub(super) struct Checker<'a> {
    pub(super) conn: &'a mut AnyConn,
    pub(super) chat: ChatId,
    pub(super) report: &'a mut Report,
}

/// The columns of a message that other checks need.
pub(super) struct Checked {
    pub(super) id: i64,
    pub(super) chat: i64,
    pub(super) pos: i64,
    pub(super) sender: i64,
    pub(super) is_deleted: bool,
    pub(super) created_at: i64,
    pub(super) mentions: Option<String>,
    pub(super) attachments: Option<String>,
    pub(super) thread: Option<i64>,
    pub(super) thread_info: Option<String>,
    pub(super) reactions: String,
}

impl Checker<'_> {
    pub(super) fn differs(
        &mut self,
        what: &str,
        stored: impl std::fmt::Display,
        counted: impl std::fmt::Display,
    ) {
        let chat = self.chat;
        self.report.differences.push(format!("chat {chat}: {what} is {stored}, counted {counted}"));
    }

    pub(super) fn expect<T: PartialEq + std::fmt::Display>(&mut self, what: &str, stored: T, counted: T) {
        if stored != counted {
            self.differs(what, stored, counted);
        }
    }
}
