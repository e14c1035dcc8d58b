//! Making rooms and coming into them.

use super::{Made, members::bring_in};
use crate::{
    model::{
        ChatId, ChatKind, Refusal, Role, UserId,
        command::NewRoom,
        event::{Answer, Done},
        permission::Ability,
    },
    storage::{
        AnyConn, Rules, StorageError,
        chats::{self, NewRow},
        members, rooms,
    },
};

/// Makes a room, or finds the one that its object has. A public room on an object begins without anybody in it; any
/// other one with its creator as admin.
pub fn create_room(conn: &mut AnyConn, rules: &Rules, new: &NewRoom) -> Result<Made, StorageError> {
    if let Some(object) = &new.object
        && let Some(existing) = rooms::of_object(conn, object)?
    {
        return visible(conn, existing, new.creator);
    }
    let is_nobodys = new.is_public && new.object.is_some();
    let row = NewRow {
        kind: ChatKind::Room,
        title: Some(new.title.as_str()),
        member_count: i64::from(!is_nobodys),
        is_public: new.is_public,
        object: new.object.as_ref(),
    };
    let chat = chats::insert(conn, &row)?;
    if !is_nobodys {
        members::join(conn, &chat, &[new.creator], Role::Admin, None)?;
    }
    Made::new(conn, rules, chat)
}

/// Whoever names an object learns that it has a room, but a private one is for its members only.
fn visible(conn: &mut AnyConn, room: ChatId, caller: UserId) -> Result<Made, StorageError> {
    match chats::authorized(conn, room, caller, Ability::See) {
        Err(StorageError::Refused(Refusal::NotFound)) => Err(Refusal::Forbidden.into()),
        met => met.map(|_| Made::Existing(room)),
    }
}

/// Brings the caller into a public room; who is in it stays as they are.
pub(super) fn join(
    conn: &mut AnyConn,
    rules: &Rules,
    room: ChatId,
    by: UserId,
) -> Result<Done, StorageError> {
    let membership = chats::authorized(conn, room, by, Ability::Join)?;
    if membership.role.is_some() {
        return Ok(Done::unchanged(Answer::Done));
    }
    let mut chat = membership.chat;
    let change = bring_in(conn, rules, &mut chat, &[by])?;
    Ok(Done::changed(&chat, Answer::Done, change))
}
