//! Chats whose making is durable, or about to be, and that nobody has been told of yet.

use std::{
    collections::HashMap,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use super::messages::Settled;
use crate::model::ChatId;

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
