//! What each command does inside its storage transaction: meet the chat, decide, take one number, write. Everything
//! that can be refused is refused before the first write.

mod chats;
mod markers;
mod members;
mod messages;
mod reactions;
mod rooms;

use super::{AnyConn, Rules, StorageError};
use crate::model::{Chat, Command, command::Action, event::Done};

pub use chats::{Made, create_chat};
pub use rooms::create_room;

/// Carries out a command. The caller's transaction makes it last.
pub fn apply(conn: &mut AnyConn, rules: &Rules, command: &Command) -> Result<Done, StorageError> {
    let Command { chat, by, action } = command;
    let (chat, by) = (*chat, *by);
    match action {
        Action::PostMessage { sender, body, client_id } => {
            messages::post(conn, rules, chat, sender, body, client_id.as_ref())
        }
        Action::EditMessage { message, body } => messages::edit(conn, rules, chat, by, *message, body),
        Action::DeleteMessage { message } => messages::delete(conn, rules, chat, by, *message),
        Action::React { message, emoji, intent } => {
            reactions::react(conn, chat, by, *message, emoji, *intent)
        }
        Action::MarkAsRead { up_to } => markers::mark_as_read(conn, rules, chat, by, *up_to),
        Action::Rename { title } => chats::rename(conn, rules, chat, by, title.as_ref()),
        Action::AddMembers { users } => members::add(conn, rules, chat, by, users),
        Action::RemoveMember { user } => members::remove(conn, chat, by, *user),
        Action::Join => rooms::join(conn, rules, chat, by),
        Action::Leave => members::leave(conn, chat, by),
        Action::ChangeRole { user, role } => members::change_role(conn, chat, by, *user, *role),
        Action::DeleteChat => chats::delete(conn, chat, by),
    }
}

/// Takes the next number of a chat, for one change.
fn take_number(chat: &mut Chat) {
    chat.seq += 1;
}
