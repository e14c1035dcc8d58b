//! Typing state of one chat, kept by its actor. Only members may type; the first signal of each user is
//! looked up.

use std::collections::{HashMap, HashSet};

use super::mailbox::Type;
use crate::core::model::{MessageId, UserId};

/// Typing users, the cache of known members, and pending membership lookups.
#[derive(Debug, Default)]
pub struct Typing {
    /// Who types in the timeline and in threads, each with the number of the latest typing signal there.
    typing: HashMap<(UserId, Option<MessageId>), u64>,
    members: HashSet<UserId>,
    unknown: HashMap<UserId, Unknown>,
    /// Number of the latest typing signal or membership lookup.
    turn: u64,
}

/// A user with a pending membership lookup, and the signals received since it began.
#[derive(Debug)]
struct Unknown {
    turn: u64,
    queued: Vec<Type>,
}

/// How to handle a typing signal.
pub enum TypingDecision {
    /// The user is a member: apply the signal now.
    ByMember(Type),
    /// Membership is unknown: start a lookup with this number.
    LookUp(u64),
    /// A lookup is already pending; the signal was queued.
    Waits,
}

impl Typing {
    /// Returns whether no user is typing and no lookup is pending.
    pub fn is_empty(&self) -> bool {
        self.typing.is_empty() && self.unknown.is_empty()
    }

    /// Accepts a typing signal and decides how to handle it.
    pub fn say(&mut self, typing: Type) -> TypingDecision {
        let user = typing.signal.user;
        if self.members.contains(&user) {
            return TypingDecision::ByMember(typing);
        }
        if let Some(unknown) = self.unknown.get_mut(&user) {
            unknown.queued.push(typing);
            return TypingDecision::Waits;
        }
        self.turn += 1;
        self.unknown.insert(user, Unknown { turn: self.turn, queued: vec![typing] });
        TypingDecision::LookUp(self.turn)
    }

    /// Completes a lookup. Returns the signals queued for it; none if the lookup is stale, because the user
    /// was removed after it began.
    pub fn looked_up(&mut self, user: UserId, turn: u64, is_member: bool) -> Vec<Type> {
        if self.unknown.get(&user).is_none_or(|unknown| unknown.turn != turn) {
            return Vec::new();
        }
        if is_member {
            self.members.insert(user);
        }
        self.unknown.remove(&user).map(|unknown| unknown.queued).unwrap_or_default()
    }

    /// Evicts a removed user. Returns their queued signals, which must be refused.
    pub fn forget(&mut self, user: UserId) -> Vec<Type> {
        self.typing.retain(|(typing, _), _| *typing != user);
        self.members.remove(&user);
        self.unknown.remove(&user).map(|unknown| unknown.queued).unwrap_or_default()
    }

    /// Clears all typing state. Returns the queued signals, which must be refused.
    pub fn forget_all(&mut self) -> Vec<Type> {
        let last = std::mem::take(self);
        self.turn = last.turn;
        last.unknown.into_values().flat_map(|unknown| unknown.queued).collect()
    }

    /// Marks a user as typing in the timeline or in a thread. Returns the number of this signal.
    pub fn start(&mut self, user: UserId, thread: Option<MessageId>) -> u64 {
        self.turn += 1;
        self.typing.insert((user, thread), self.turn);
        self.turn
    }

    /// Marks a user as not typing. Returns whether they were typing.
    pub fn stop(&mut self, user: UserId, thread: Option<MessageId>) -> bool {
        self.typing.remove(&(user, thread)).is_some()
    }

    /// Returns whether `turn` is the user's latest typing signal there.
    pub fn is_latest(&self, user: UserId, thread: Option<MessageId>, turn: u64) -> bool {
        self.typing.get(&(user, thread)) == Some(&turn)
    }
}
