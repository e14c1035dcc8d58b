//! Everything that the storage is asked, by its functions.

mod reads;
mod writes;

use greenroom::{
    core::model::{Contacts, ObjectRooms},
    storage::{Access, AnyConn, Rules, StorageError},
};

use super::world::World;

/// What an action's cost may grow with.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Bound {
    Flat,
    /// In proportion to something that the caller has of their own, or that there is little of; it says what.
    Grows(&'static str),
    /// Up to so many steps, or pages, which something bounds; it says what.
    AtMost(i64, &'static str),
}

/// Something that the storage is asked to do.
pub struct Action {
    pub name: &'static str,
    pub access: Access,
    pub bound: Bound,
    pub work: fn(&mut AnyConn, &World) -> Result<(), StorageError>,
}

/// All of them.
pub fn all() -> Vec<Action> {
    reads::all().into_iter().chain(writes::all()).collect()
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

fn rules() -> Rules {
    Rules {
        receipts_max_members: 100,
        contacts: Contacts::All,
        object_rooms: ObjectRooms::Anyone,
        content_key: vec![7; 32],
        restored_from: 0,
        max_chats_per_user: 1_000_000,
    }
}

fn rules_of_contacts(contacts: Contacts) -> Rules {
    Rules { contacts, ..rules() }
}
