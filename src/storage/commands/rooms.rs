//! Making rooms and coming into them.

use super::{Made, members::bring_in, outcome::take_number};
use crate::{
    core::model::{
        ChatId, ChatKind, FieldErrors, Refusal, Role, UserId,
        command::NewRoom,
        event::{Answer, Change, Done},
        permission::Ability,
    },
    storage::{
        AnyConn, Rules, StorageError,
        queries::{chat_snapshot, membership, own_chats, rooms},
        tables::{
            chats::{self, NewRow},
            members::{self, Deed},
            users,
        },
    },
};

/// Makes a room, or finds the one that its object has. A public room on an object begins without anybody in it; any
/// other one with its creator as admin.
pub fn create_room(conn: &mut AnyConn, rules: &Rules, new: &NewRoom) -> Result<Made, StorageError> {
    if let Some(existing) = existing_room(conn, new)? {
        return Ok(Made::Existing(existing));
    }
    if new.object.is_some()
        && let Err(refusal) = rules.object_rooms.makes(new.is_public)
        && !users::is_staff(conn, new.creator)?
    {
        return Err(refusal.into());
    }
    let is_nobodys = new.is_public && new.object.is_some();
    if !is_nobodys {
        own_chats::expect_room(conn, rules, new.creator)?;
    }
    let row = NewRow {
        kind: ChatKind::Room,
        title: Some(new.title.as_str()),
        member_count: i64::from(!is_nobodys),
        is_public: new.is_public,
        object: new.object.as_ref(),
    };
    let chat = chats::insert(conn, &row)?;
    if !is_nobodys {
        members::join(conn, &chat, &[new.creator], (Role::Admin, Deed::Own), None)?;
    }
    Made::new(conn, rules, chat)
}

/// The room that the object has. Whoever names an object learns that it has one, but a private one is for its members and
/// staff only.
pub fn existing_room(conn: &mut AnyConn, new: &NewRoom) -> Result<Option<ChatId>, StorageError> {
    let Some(object) = &new.object else { return Ok(None) };
    let Some(room) = rooms::of_object(conn, object)? else { return Ok(None) };
    match membership::authorized(conn, room, new.creator, Ability::See) {
        Err(StorageError::Refused(Refusal::NotFound)) => Err(Refusal::Forbidden.into()),
        met => met.map(|_| Some(room)),
    }
}

/// Brings the caller into a public room; who is in it stays as they are.
pub(crate) fn join(
    conn: &mut AnyConn,
    rules: &Rules,
    room: ChatId,
    by: UserId,
) -> Result<Done, StorageError> {
    let membership = membership::authorized(conn, room, by, Ability::Join)?;
    if membership.role.is_some() {
        return Ok(Done::unchanged(Answer::Done));
    }
    let mut chat = membership.chat;
    own_chats::expect_room(conn, rules, by)?;
    let change = bring_in(conn, rules, &mut chat, (&[by], Deed::Own))?;
    Ok(Done::changed(&chat, Answer::Done, change))
}

/// Opens a private room to everybody, or leaves it as it is. A public one is never closed: there is nobody to tell who
/// of those that came in was meant.
pub(crate) fn open(
    conn: &mut AnyConn,
    rules: &Rules,
    room: ChatId,
    by: UserId,
    is_public: bool,
) -> Result<Done, StorageError> {
    let mut chat = membership::authorized(conn, room, by, Ability::See)?.chat;
    if chat.is_public == is_public {
        return Ok(Done::unchanged(Answer::Done));
    }
    if chat.is_public {
        return Err(FieldErrors::of("is_public", "A public room stays public.").into());
    }
    if chat.kind != ChatKind::Room {
        return Err(FieldErrors::of("is_public", "Only a room can be public.").into());
    }
    membership::authorized(conn, room, by, Ability::Open)?;
    take_number(&mut chat);
    chat.is_public = true;
    chats::open(conn, &chat)?;
    chats::update(conn, &chat)?;
    let change = Change::ChatRenamed { snapshot: chat_snapshot::snapshot_of(conn, rules, chat.clone())? };
    Ok(Done::changed(&chat, Answer::Done, change))
}
