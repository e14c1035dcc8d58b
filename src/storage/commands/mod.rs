//! The transaction of each command: lock the chat, load it, decide, take the next sequence number, write. All
//! refusals happen before the first write.

mod attach;
mod batch;
pub mod blocking;
mod bulk_insert;
mod chats;
mod decided;
mod detach;
mod drafts;
pub mod external_users;
mod generated_name;
pub mod guests;
mod member_settings;
mod members;
mod mentions;
mod messages;
pub mod outcome;
mod part_change;
mod pins;
mod post;
mod post_each;
mod previews;
mod reactions;
mod read_markers;
mod references;
mod rooms;
mod roots;
pub mod scanning;
pub mod standing;
pub mod succession;
mod take_over;
mod threads;
pub mod uploads;
pub mod user_import;

use super::{AnyConn, StorageError, StoragePolicy, tables::locks};
use crate::core::model::{Command, Refusal, command::Action, event::Done};

use messages::Post;

pub use batch::{Batched, Times, apply_together, can_share};
pub use chats::{Made, create_chat, existing_dm};
pub use rooms::{NOT_PUBLIC, create_room, existing_room};

/// Runs a command inside the caller's transaction, which the caller commits.
pub fn apply(conn: &mut AnyConn, policy: &StoragePolicy, command: &Command) -> Result<Done, StorageError> {
    if !locks::chat(conn, command.chat)? {
        return Err(Refusal::NotFound.into());
    }
    run_command(conn, policy, command)
}

/// Runs a command in a chat that is already locked.
fn run_command(conn: &mut AnyConn, policy: &StoragePolicy, command: &Command) -> Result<Done, StorageError> {
    let Command { chat, by, action } = command;
    let (chat, by) = (*chat, *by);
    match action {
        Action::PostMessage { sender, new } => {
            post::post(conn, policy, Post { chat, sender, new, decided_at: None })
        }
        Action::EditMessage { message, edit } => messages::edit(conn, policy, chat, by, *message, edit),
        Action::DeleteMessage { message } => messages::delete(conn, policy, chat, by, *message),
        Action::ShowPreviews { message, found } => previews::show(conn, policy, chat, *message, found),
        Action::RemovePreview { message, index } => {
            previews::remove(conn, policy, chat, by, *message, *index)
        }
        Action::ShowScanned { message } => scanning::show(conn, policy, chat, *message),
        Action::Pin { message, is_pinned } => pins::set(conn, policy, chat, by, *message, *is_pinned),
        Action::React { message, emoji, intent } => {
            reactions::react(conn, chat, by, *message, emoji, *intent)
        }
        Action::FollowThread { root, is_followed } => threads::follow(conn, chat, by, *root, *is_followed),
        Action::MarkThreadAsRead { root, up_to } => threads::mark_as_read(conn, chat, by, *root, *up_to),
        Action::MarkAsRead { up_to } => read_markers::mark_as_read(conn, policy, chat, by, *up_to),
        Action::ChangeMe(change) => member_settings::change(conn, chat, by, *change),
        Action::SaveDraft { thread, draft } => drafts::save(conn, chat, by, *thread, draft),
        Action::RemoveDraft { thread } => drafts::remove(conn, chat, by, *thread),
        Action::Rename { title } => chats::rename(conn, policy, chat, by, title.as_ref()),
        Action::ChangeCustom(change) => chats::change_custom(conn, policy, chat, by, change),
        Action::ChangeGuestAccess(access) => rooms::change_guest_access(conn, policy, chat, by, *access),
        Action::Open { is_public } => rooms::open(conn, policy, chat, by, *is_public),
        Action::AddMembers { users } => members::add(conn, policy, chat, by, users),
        Action::RemoveMember { user } => members::remove(conn, chat, by, *user),
        Action::Join => rooms::join(conn, policy, chat, by),
        Action::Leave => members::leave(conn, chat, by),
        Action::ChangeRole { user, role } => members::change_role(conn, chat, by, *user, *role),
        Action::DeleteChat => chats::delete(conn, chat, by),
        Action::TakeOver { guest } => take_over::step(conn, policy, chat, *guest, by),
    }
}
