//! What is noted for a reader who goes at their own pace: not the events, but which chats have any.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
};

use bytestring::ByteString;
use tokio::sync::Notify;

use super::{
    close_reason::CloseReason,
    frame_batch::{Parcel, Standing},
};
use crate::core::model::{ChatId, Seq};

/// Most events that do not last and wait for a reader; older ones make way.
const MOST_FLEETING: usize = 256;

/// News for one reader. However long they do not look, it takes no more memory than their chats have numbers.
#[derive(Debug, Default)]
pub struct News {
    noted: Mutex<Noted>,
    bell: Notify,
}

/// What there is to look at.
#[derive(Debug, Default)]
pub struct Noted {
    /// Chats with something new in storage; where the reader has left one, with the number of that.
    pub chats: BTreeMap<ChatId, Option<Seq>>,
    /// Events that are in no storage, each with its chat if it has one.
    pub fleeting: VecDeque<(Option<ChatId>, ByteString)>,
    /// Nothing more is to be sent.
    pub closed: Option<CloseReason>,
}

impl Noted {
    fn is_empty(&self) -> bool {
        self.chats.is_empty() && self.fleeting.is_empty() && self.closed.is_none()
    }
}

impl News {
    /// Notes events.
    pub fn note(&self, parcel: &Parcel) {
        let mut noted = self.lock();
        match (parcel.chat, parcel.seq(), parcel.standing) {
            (Some(chat), Some(seq), Standing::Leaves) => drop(noted.chats.insert(chat, Some(seq))),
            (Some(chat), Some(_), Standing::Joins) => drop(noted.chats.insert(chat, None)),
            (Some(chat), Some(_), _) => drop(noted.chats.entry(chat).or_default()),
            _ => {
                if noted.fleeting.len() == MOST_FLEETING {
                    noted.fleeting.pop_front();
                }
                noted.fleeting.extend(parcel.fleeting.clone().map(|event| (parcel.chat, event)));
            }
        }
        drop(noted);
        self.bell.notify_one();
    }

    /// Notes that the reader is to go.
    pub fn close(&self, reason: CloseReason) {
        self.lock().closed.get_or_insert(reason);
        self.bell.notify_one();
    }

    /// Why the reader is to go, if they are.
    pub fn closed(&self) -> Option<CloseReason> {
        self.lock().closed
    }

    /// Waits until something is noted.
    pub async fn wait(&self) {
        while self.lock().is_empty() {
            self.bell.notified().await;
        }
    }

    /// Takes what was noted so far. That the reader is to go stays noted.
    pub fn take_now(&self) -> Noted {
        let mut noted = self.lock();
        let closed = noted.closed;
        std::mem::replace(&mut *noted, Noted { closed, ..Noted::default() })
    }

    /// Whether the reader has left a chat since they last looked. What was read of it before must not be sent any
    /// more: whoever removed them may have been told that it is done.
    pub fn has_left(&self, chat: ChatId) -> bool {
        self.lock().chats.get(&chat).is_some_and(Option::is_some)
    }

    fn lock(&self) -> MutexGuard<'_, Noted> {
        // It is sound after each single step, so a panic elsewhere does not spoil it.
        self.noted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
