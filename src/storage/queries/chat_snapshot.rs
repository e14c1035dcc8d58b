//! The data of a chat object.

use super::membership::authorized;
use crate::{
    core::model::{
        Chat, ChatId, ChatSnapshot, Role, UserId, Viewer, permission::Ability, records::LISTED_MEMBERS,
    },
    storage::{
        AnyConn, StorageError, StoragePolicy,
        tables::{members, messages},
    },
};

/// Returns the data of a chat object that is equal for all members.
pub fn snapshot_of(
    conn: &mut AnyConn,
    policy: &StoragePolicy,
    chat: Chat,
) -> Result<ChatSnapshot, StorageError> {
    let members = members::first(conn, chat.id, LISTED_MEMBERS)?;
    let all_listed = chat.member_count <= members.len() as i64;
    let admins = if all_listed {
        members.iter().filter(|m| m.role == Role::Admin).map(|m| m.user.id).collect()
    } else {
        members::admins(conn, chat.id)?
    };
    let mut last_message = messages::last_live(conn, &chat)?;
    if let Some(message) = &mut last_message {
        let max = policy.receipts_max_members;
        if all_listed && chat.member_count <= max {
            message.note_readers(&members);
        } else {
            message.note_readers(&members::readers(conn, &chat, max)?);
        }
    }
    // It changes without a sequence number, so a snapshot could not keep it up to date.
    let chat = Chat { draft_count: 0, ..chat };
    Ok(ChatSnapshot { chat, members, admins, last_message })
}

/// Returns a chat for `user`. Fails with a refusal if the user may not see it.
pub fn view(
    conn: &mut AnyConn,
    policy: &StoragePolicy,
    chat: ChatId,
    user: UserId,
) -> Result<(ChatSnapshot, Viewer), StorageError> {
    let membership = authorized(conn, chat, user, Ability::See)?;
    let viewer = membership.viewer(conn)?;
    let snapshot = snapshot_of(conn, policy, membership.chat)?;
    Ok((if viewer.role.is_some() { snapshot } else { snapshot.from_outside() }, viewer))
}
