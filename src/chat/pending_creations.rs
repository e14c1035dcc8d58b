//! Chats whose creation is committed, or about to be, but not yet published.

use std::{
    collections::HashMap,
    sync::atomic::{AtomicUsize, Ordering},
};

use super::mailbox::Settled;
use crate::core::{model::ChatId, sync::Mutex};

/// Buffers results for chats whose `chat_created` event was not published yet. Other users can find a chat as
/// soon as its transaction commits. With several writer threads, their commands in it may complete before the
/// creation does.
#[derive(Default)]
pub(super) struct PendingCreations {
    buffered: Mutex<HashMap<ChatId, Vec<Settled>>>,
    /// Number of pending chats, read without the lock: while it is 0, the lock is not taken.
    count: AtomicUsize,
}

impl PendingCreations {
    /// Marks a chat as pending. Must be called before its transaction commits.
    pub(super) fn begin(&self, chat: ChatId) {
        self.change(|buffered| {
            buffered.entry(chat).or_default();
        });
    }

    /// Buffers a result of a pending chat. Returns the result if the chat is not pending.
    pub(super) fn hold(&self, chat: ChatId, settled: Settled) -> Option<Settled> {
        if self.count.load(Ordering::SeqCst) == 0 {
            return Some(settled);
        }
        self.change(|buffered| match buffered.get_mut(&chat) {
            Some(results) => {
                results.push(settled);
                None
            }
            None => Some(settled),
        })
    }

    /// Ends the pending state. Sends the creation first, if it succeeded, then the buffered results. Both
    /// precede any later result of the chat.
    pub(super) fn end(&self, chat: ChatId, made: Option<Settled>, send: impl FnMut(Settled)) {
        self.change(|buffered| {
            let results = buffered.remove(&chat).unwrap_or_default();
            made.into_iter().chain(results).for_each(send);
        });
    }

    fn change<T>(&self, change: impl FnOnce(&mut HashMap<ChatId, Vec<Settled>>) -> T) -> T {
        let mut buffered = self.buffered.lock();
        let result = change(&mut buffered);
        self.count.store(buffered.len(), Ordering::SeqCst);
        result
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::sync::{Semaphore, oneshot};

    use super::*;
    use crate::{chat::mailbox::Reply, core::model::Refusal};

    /// A result that tests tell apart by its refusal.
    fn settled(refusal: Refusal) -> Settled {
        let place = Arc::new(Semaphore::new(1)).try_acquire_owned().unwrap();
        let reply = Reply { caller: oneshot::channel().0, _place: place };
        Settled { result: Err(refusal), was_submitted: true, reply }
    }

    #[test]
    fn results_of_a_new_chat_are_sent_after_its_creation() {
        let pending = PendingCreations::default();
        let chat = ChatId(1);
        assert!(pending.hold(chat, settled(Refusal::Busy)).is_some());
        pending.begin(chat);
        assert!(pending.hold(chat, settled(Refusal::NotFound)).is_none());
        assert!(pending.hold(ChatId(2), settled(Refusal::Busy)).is_some());
        let mut sent = Vec::new();
        pending.end(chat, Some(settled(Refusal::Conflict)), |settled| sent.push(settled.result.unwrap_err()));
        assert_eq!(sent, [Refusal::Conflict, Refusal::NotFound]);
        assert!(pending.hold(chat, settled(Refusal::Busy)).is_some());
    }
}
