//! What storage depends on besides the database.

use crate::core::model::{Contacts, ObjectRooms, Seq};

/// Settings that decide what is stored and shown.
#[derive(Debug, Clone)]
pub struct Rules {
    /// Chats with more members than this have no receipts.
    pub receipts_max_members: i64,
    /// Who may begin to write to whom.
    pub contacts: Contacts,
    /// Who makes rooms on objects.
    pub object_rooms: ObjectRooms,
    /// Chats that a user may have made or joined who is not staff.
    pub max_chats_per_user: u32,
    /// Key of the hashes that tell a repeated message from another under the same client id.
    pub content_key: Vec<u8>,
    /// See [`super::maintenance::restore_epoch::number`].
    pub restored_from: Seq,
}
