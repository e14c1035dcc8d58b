//! Changed chats of a pull reader: records their ids, not the events.

use std::collections::{BTreeMap, VecDeque};

use bytestring::ByteString;
use tokio::sync::Notify;

use super::{
    close_reason::CloseReason,
    frame_batch::{FrameBatch, SubscriptionChange},
};
use crate::core::{
    model::{ChatId, Seq},
    sync::Mutex,
};

/// Most ephemeral events kept for a reader; the oldest are dropped.
const MAX_EPHEMERAL: usize = 256;

/// Changed chats of one reader. Its size is bounded by the reader's number of chats, however long it is not
/// read.
#[derive(Debug, Default)]
pub struct ChangedChats {
    noted: Mutex<Noted>,
    changed: Notify,
}

/// The changes since the reader's last look.
#[derive(Debug, Default)]
pub struct Noted {
    /// Chats that changed in storage. A chat that the reader has left carries the `seq` of the removal.
    pub chats: BTreeMap<ChatId, Option<Seq>>,
    /// Ephemeral events, each with its chat if it has one.
    pub ephemeral: VecDeque<(Option<ChatId>, ByteString)>,
    /// Set once the subscription must end; nothing more is sent.
    pub closed: Option<CloseReason>,
}

impl Noted {
    fn is_empty(&self) -> bool {
        self.chats.is_empty() && self.ephemeral.is_empty() && self.closed.is_none()
    }
}

impl ChangedChats {
    /// Records a batch: its chat as changed, or its ephemeral event.
    pub fn note(&self, batch: &FrameBatch) {
        let mut noted = self.noted.lock();
        match (batch.chat, batch.seq(), batch.change) {
            (Some(chat), Some(seq), SubscriptionChange::Leaves) => {
                noted.chats.insert(chat, Some(seq));
            }
            (Some(chat), Some(_), SubscriptionChange::Joins) => {
                noted.chats.insert(chat, None);
            }
            (Some(chat), Some(_), _) => {
                noted.chats.entry(chat).or_default();
            }
            _ => {
                if noted.ephemeral.len() == MAX_EPHEMERAL {
                    noted.ephemeral.pop_front();
                }
                noted.ephemeral.extend(batch.ephemeral.clone().map(|event| (batch.chat, event)));
            }
        }
        drop(noted);
        self.changed.notify_one();
    }

    /// Records that the subscription must end.
    pub fn close(&self, reason: CloseReason) {
        self.noted.lock().closed.get_or_insert(reason);
        self.changed.notify_one();
    }

    /// Returns why the subscription must end, if it must.
    pub fn closed(&self) -> Option<CloseReason> {
        self.noted.lock().closed
    }

    /// Waits until there is a change.
    pub async fn wait(&self) {
        while self.noted.lock().is_empty() {
            self.changed.notified().await;
        }
    }

    /// Takes the recorded changes. The close reason stays recorded.
    pub fn take_now(&self) -> Noted {
        let mut noted = self.noted.lock();
        let closed = noted.closed;
        std::mem::replace(&mut *noted, Noted { closed, ..Noted::default() })
    }

    /// Returns whether the reader has left a chat since the last take. If so, data read before must not be
    /// sent: the removal may already be confirmed to the user who did it.
    pub fn has_left(&self, chat: ChatId) -> bool {
        self.noted.lock().chats.get(&chat).is_some_and(Option::is_some)
    }
}
