//! Messages whose links wait for previews. No user can occupy the queue.

use std::collections::{HashSet, VecDeque};

use tokio::sync::mpsc;

use crate::core::model::{ChatId, MessageId, UserId};

/// Messages that are worked on at a time.
const AT_ONCE: usize = 8;

/// Most messages that wait, in all and of one user. Further ones get no previews.
const MAX_WAITING: usize = 256;
const MAX_WAITING_OF_USER: usize = 16;

/// A message with links that have no previews yet.
#[derive(Debug)]
pub struct Wanted {
    pub chat: ChatId,
    pub message: MessageId,
    /// The sender.
    pub by: UserId,
    pub links: Vec<String>,
}

/// Handle that adds messages to the queue.
#[derive(Debug, Clone)]
pub struct PreviewQueue(mpsc::Sender<Wanted>);

impl PreviewQueue {
    /// Creates a queue, and its other end.
    pub fn new() -> (Self, mpsc::Receiver<Wanted>) {
        let (wanted, received) = mpsc::channel(MAX_WAITING);
        (Self(wanted), received)
    }

    /// Adds a message. If the queue is full, it gets no previews.
    pub fn add(&self, wanted: Wanted) {
        let _ = self.0.try_send(wanted);
    }
}

/// The messages that wait, and the users whose messages are worked on: one of each user at a time.
#[derive(Debug, Default)]
pub struct Waiting {
    next: VecDeque<Wanted>,
    busy: HashSet<UserId>,
}

impl Waiting {
    /// Adds a message, unless too many wait.
    pub fn add(&mut self, wanted: Wanted) {
        let of_user = self.next.iter().filter(|other| other.by == wanted.by).count();
        if self.next.len() < MAX_WAITING && of_user < MAX_WAITING_OF_USER {
            self.next.push_back(wanted);
        }
    }

    /// Returns the next message to work on, if there is a place for it.
    pub fn begin(&mut self) -> Option<Wanted> {
        if self.busy.len() >= AT_ONCE {
            return None;
        }
        let index = self.next.iter().position(|wanted| !self.busy.contains(&wanted.by))?;
        let wanted = self.next.remove(index)?;
        self.busy.insert(wanted.by);
        Some(wanted)
    }

    /// Ends the work on a message of a user.
    pub fn end(&mut self, user: UserId) {
        self.busy.remove(&user);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(by: i64, message: i64) -> Wanted {
        Wanted { chat: ChatId(1), message: MessageId(message), by: UserId(by), links: Vec::new() }
    }

    #[test]
    fn one_user_keeps_no_other_waiting() {
        let mut waiting = Waiting::default();
        (0..40).for_each(|number| waiting.add(wanted(1, number)));
        waiting.add(wanted(2, 100));
        let begun =
            [waiting.begin(), waiting.begin(), waiting.begin()].map(|one| one.map(|one| one.message.0));
        assert_eq!(begun, [Some(0), Some(100), None]);
        waiting.end(UserId(1));
        assert_eq!(waiting.begin().map(|one| one.message.0), Some(1));
        waiting.end(UserId(1));
        let mut left = 0;
        while waiting.begin().is_some() {
            left += 1;
            waiting.end(UserId(1));
        }
        assert_eq!(left, MAX_WAITING_OF_USER - 2);
    }
}
