//! Chats whose making is durable, or about to be, and that nobody has been told of yet.

use std::{
    collections::HashMap,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use super::mailbox::Settled;
use crate::core::model::ChatId;

/// What is settled in a chat before its making is known waits here. Others may find a chat as soon as it is committed, and
/// where several threads write, what they do in it may be settled first.
#[derive(Default)]
pub struct Makings {
    waiting: Mutex<HashMap<ChatId, Vec<Settled>>>,
    /// How many chats there are, so that nobody asks for the lock in vain.
    count: AtomicUsize,
}

impl Makings {
    /// Notes that a chat is being made. To be called before its transaction is committed.
    pub fn begin(&self, chat: ChatId) {
        self.change(|waiting| {
            waiting.entry(chat).or_default();
        });
    }

    /// Keeps what was settled in a chat that is being made; gives it back where the chat is known.
    pub fn hold(&self, chat: ChatId, settled: Settled) -> Option<Settled> {
        if self.count.load(Ordering::SeqCst) == 0 {
            return Some(settled);
        }
        self.change(|waiting| match waiting.get_mut(&chat) {
            Some(held) => {
                held.push(settled);
                None
            }
            None => Some(settled),
        })
    }

    /// Sends the making on its way, where it came to something, and then what has waited, before anything else that is
    /// settled in the chat.
    pub fn end(&self, chat: ChatId, made: Option<Settled>, send: impl FnMut(Settled)) {
        self.change(|waiting| {
            let held = waiting.remove(&chat).unwrap_or_default();
            made.into_iter().chain(held).for_each(send);
        });
    }

    fn change<T>(&self, change: impl FnOnce(&mut HashMap<ChatId, Vec<Settled>>) -> T) -> T {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let result = change(&mut waiting);
        self.count.store(waiting.len(), Ordering::SeqCst);
        result
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::sync::{Semaphore, oneshot};

    use super::*;
    use crate::{chat::mailbox::Reply, core::model::Refusal};

    /// Something that can be told from others.
    fn settled(refusal: Refusal) -> Settled {
        let place = Arc::new(Semaphore::new(1)).try_acquire_owned().unwrap();
        let reply = Reply { caller: oneshot::channel().0, _place: place };
        Settled { result: Err(refusal), was_submitted: true, reply }
    }

    #[test]
    fn what_happens_in_a_chat_is_heard_after_its_making() {
        let makings = Makings::default();
        let chat = ChatId(1);
        assert!(makings.hold(chat, settled(Refusal::Busy)).is_some());
        makings.begin(chat);
        assert!(makings.hold(chat, settled(Refusal::NotFound)).is_none());
        assert!(makings.hold(ChatId(2), settled(Refusal::Busy)).is_some());
        let mut heard = Vec::new();
        makings
            .end(chat, Some(settled(Refusal::Conflict)), |settled| heard.push(settled.result.unwrap_err()));
        assert_eq!(heard, [Refusal::Conflict, Refusal::NotFound]);
        assert!(makings.hold(chat, settled(Refusal::Busy)).is_some());
    }
}
