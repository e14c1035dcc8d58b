//! All operations of the storage, by function.

mod attachments;
mod reads;
mod threads;
mod writes;

use greenroom::{
    core::model::Contacts,
    storage::{Access, AnyConn, StorageError, StoragePolicy},
};

use super::world::World;

/// How the cost of an action may grow.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Bound {
    Flat,
    /// In proportion to data that the caller owns or that is small; the text names it.
    Grows(&'static str),
    /// Up to this number of steps or pages, because of a limit; the text names it.
    AtMost(i64, &'static str),
}

/// An operation of the storage.
pub(crate) struct Action {
    pub name: &'static str,
    pub access: Access,
    pub bound: Bound,
    pub work: fn(&mut AnyConn, &World) -> Result<(), StorageError>,
}

/// Returns all actions.
pub(crate) fn all() -> Vec<Action> {
    reads::all().into_iter().chain(writes::all()).chain(threads::all()).chain(attachments::all()).collect()
}

fn reads(name: &'static str, work: fn(&mut AnyConn, &World) -> Result<(), StorageError>) -> Action {
    Action { name, access: Access::Read, bound: Bound::Flat, work }
}

fn writes(name: &'static str, work: fn(&mut AnyConn, &World) -> Result<(), StorageError>) -> Action {
    Action { name, access: Access::Write, bound: Bound::Flat, work }
}

impl Action {
    fn grows_with(self, what: &'static str) -> Self {
        Self { bound: Bound::Grows(what), ..self }
    }

    fn at_most(self, count: i64, why: &'static str) -> Self {
        Self { bound: Bound::AtMost(count, why), ..self }
    }
}

fn policy() -> StoragePolicy {
    StoragePolicy {
        content_key: vec![7; 32],
        keeps_history: true,
        max_chats_per_user: 1_000_000,
        ..StoragePolicy::for_tools()
    }
}

fn policy_of_contacts(contacts: Contacts) -> StoragePolicy {
    StoragePolicy { contacts, ..policy() }
}
