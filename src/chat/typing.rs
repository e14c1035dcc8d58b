//! Who types in a chat, as its actor remembers it: members only, each looked up when they first type.

use std::collections::{HashMap, HashSet};

use super::mailbox::Type;
use crate::core::model::UserId;

/// Those who type, those who are known to be members, and those who are being looked up.
#[derive(Debug, Default)]
pub struct Typists {
    /// Each with the number of their latest sign of it.
    typing: HashMap<UserId, u64>,
    members: HashSet<UserId>,
    unknown: HashMap<UserId, Unknown>,
    /// The latest sign of anything.
    turn: u64,
}

/// Somebody who is being looked up, with what they have said meanwhile.
#[derive(Debug)]
struct Unknown {
    turn: u64,
    said: Vec<Type>,
}

/// What is to be done about somebody who says that they type, or stop.
pub enum Said {
    /// They are a member: take note.
    ByMember(Type),
    /// They are to be looked up, as this turn.
    LookUp(u64),
    /// They are being looked up.
    Waits,
}

impl Typists {
    /// Whether nobody types or is being looked up.
    pub fn is_empty(&self) -> bool {
        self.typing.is_empty() && self.unknown.is_empty()
    }

    /// Somebody says that they type, or stop.
    pub fn say(&mut self, typing: Type) -> Said {
        if self.members.contains(&typing.user) {
            return Said::ByMember(typing);
        }
        if let Some(unknown) = self.unknown.get_mut(&typing.user) {
            unknown.said.push(typing);
            return Said::Waits;
        }
        self.turn += 1;
        self.unknown.insert(typing.user, Unknown { turn: self.turn, said: vec![typing] });
        Said::LookUp(self.turn)
    }

    /// Somebody was looked up. Returns what they have said meanwhile; nothing where this look is of no use any more,
    /// since they were removed after it.
    pub fn looked_up(&mut self, user: UserId, turn: u64, is_member: bool) -> Vec<Type> {
        if self.unknown.get(&user).is_none_or(|unknown| unknown.turn != turn) {
            return Vec::new();
        }
        if is_member {
            self.members.insert(user);
        }
        self.unknown.remove(&user).map(|unknown| unknown.said).unwrap_or_default()
    }

    /// Somebody is not in the chat any more. Returns what of theirs is to be refused.
    pub fn forget(&mut self, user: UserId) -> Vec<Type> {
        self.typing.remove(&user);
        self.members.remove(&user);
        self.unknown.remove(&user).map(|unknown| unknown.said).unwrap_or_default()
    }

    /// Nobody is in the chat any more. Returns what is to be refused.
    pub fn forget_all(&mut self) -> Vec<Type> {
        let last = std::mem::take(self);
        self.turn = last.turn;
        last.unknown.into_values().flat_map(|unknown| unknown.said).collect()
    }

    /// Somebody types from now on; the number of this sign of it.
    pub fn start(&mut self, user: UserId) -> u64 {
        self.turn += 1;
        self.typing.insert(user, self.turn);
        self.turn
    }

    /// Somebody has stopped typing. Returns whether they did type.
    pub fn stop(&mut self, user: UserId) -> bool {
        self.typing.remove(&user).is_some()
    }

    /// Whether this was the latest sign of somebody's typing.
    pub fn is_latest(&self, user: UserId, turn: u64) -> bool {
        self.typing.get(&user) == Some(&turn)
    }
}
