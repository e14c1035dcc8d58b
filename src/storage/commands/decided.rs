//! Posts that the chat's actor has permitted, and what the actor learns from the others.
//!
//! An actor knows members that have posted before, and decides for them. It passes the number of the latest
//! change of members that it knows of. If that is still the latest one in the transaction, the decision holds.
//! Otherwise the transaction decides from the rows.

use super::{messages::Post, roots::Linked};
use crate::{
    core::model::{
        Chat, Message, Role,
        event::{Done, Standing},
    },
    storage::{AnyConn, StorageError, tables::members},
};

/// Returns whether the decision of the chat's actor still holds. A block in a dm is looked up each time.
pub(super) fn is_decided(conn: &mut AnyConn, post: &Post, chat: &Chat) -> Result<bool, StorageError> {
    let is_decided = post.decided_at == Some(chat.members_seq) && !chat.is_dm() && !post.new.concerns_all();
    debug_assert!(
        !is_decided || members::is_in(conn, chat.id, post.sender.id)?,
        "an actor has decided for a user who is not in the chat"
    );
    Ok(is_decided)
}

/// Returns the result of a stored post. `role`: of the sender, if it was looked up.
pub(super) fn posted(
    message: Message,
    Linked { thread, own, mentions_ignored }: Linked,
    chat: &Chat,
    role: Option<Role>,
) -> Done {
    let user = message.sender.id;
    // What guests may do depends on more than their role.
    let is_known = !chat.is_dm() && !message.sender.is_guest;
    let standing = role.filter(|_| is_known).map(|role| Standing { chat: chat.clone(), user, role });
    Done { mentions_ignored, standing: standing.map(Box::new), ..Done::posted(message, thread, own) }
}
