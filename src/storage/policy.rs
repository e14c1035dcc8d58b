//! The settings that storage depends on.

use crate::core::model::{Contacts, ObjectRooms, Seq};

/// Settings that decide what storage accepts and returns.
#[derive(Debug, Clone)]
pub struct StoragePolicy {
    /// Most members of a chat with read receipts. Larger chats have none.
    pub receipts_max_members: i64,
    /// Which users may start chats with which others.
    pub contacts: Contacts,
    /// Which users may create rooms on objects.
    pub object_rooms: ObjectRooms,
    /// Most chats that a user may have created or joined. Staff have no limit.
    pub max_chats_per_user: u32,
    /// Most attachments that a message may have besides forwarded ones.
    pub attachments_max: usize,
    /// Whether the texts of messages before their edits are kept.
    pub keeps_history: bool,
    /// HMAC key of the content hashes, which distinguish a retried message from another one under its client
    /// id.
    pub content_key: Vec<u8>,
    /// Restore epoch: a chat's sequence numbers below it may be from before a restore from backup. 0 if the
    /// database was never restored. See [`super::maintenance::restore_epoch::number`].
    pub restored_from: Seq,
}

impl StoragePolicy {
    /// Returns the policy of tools that write into a database of their own: receipts in chats of up to 100
    /// members, no other limit, no content key.
    pub fn for_tools() -> Self {
        Self {
            receipts_max_members: 100,
            contacts: Contacts::All,
            object_rooms: ObjectRooms::Anyone,
            max_chats_per_user: u32::MAX,
            attachments_max: 10,
            keeps_history: false,
            content_key: Vec::new(),
            restored_from: 0,
        }
    }
}
