//! Creating, joining and opening rooms.

use super::{Made, guests, members::bring_in, outcome::take_number};
use crate::{
    core::model::{
        ChatId, ChatKind, FieldErrors, GuestAccess, Refusal, Role, UserId,
        command::NewRoom,
        event::{Answer, Change, Done},
        permission::Ability,
    },
    storage::{
        AnyConn, StorageError, StoragePolicy,
        queries::{chat_snapshot, membership, own_chats, rooms},
        tables::{
            chats::{self, NewRow},
            members::{self, Deed},
            users,
        },
    },
};

/// Creates a room, or finds the existing room of its object. A public room on an object starts without
/// members; any other room starts with its creator as admin.
pub fn create_room(conn: &mut AnyConn, policy: &StoragePolicy, new: &NewRoom) -> Result<Made, StorageError> {
    if let Some(existing) = existing_room(conn, new)? {
        return Ok(Made::Existing(existing));
    }
    // Before all other reasons, which would tell more.
    if users::is_guest(conn, new.creator)? {
        return Err(Refusal::Forbidden.into());
    }
    if new.object.is_some()
        && let Err(refusal) = policy.object_rooms.makes(new.is_public)
        && !users::is_staff(conn, new.creator)?
    {
        return Err(refusal.into());
    }
    let is_unowned = new.is_public && new.object.is_some();
    let has_settings = new.guest_access != GuestAccess::None || !new.custom.is_empty();
    if is_unowned && has_settings && !users::is_staff(conn, new.creator)? {
        let why = "Only staff decide on guests and custom data of rooms on objects.";
        return Err(Refusal::NotAllowed(why).into());
    }
    if !is_unowned {
        own_chats::expect_below_chat_limit(conn, policy, new.creator)?;
    }
    let row = NewRow {
        kind: ChatKind::Room,
        title: Some(new.title.as_str()),
        member_count: i64::from(!is_unowned),
        is_public: new.is_public,
        object: new.object.as_ref(),
        guest_access: new.guest_access,
        custom: &new.custom,
    };
    let chat = chats::insert(conn, &row)?;
    if !is_unowned {
        members::join(conn, &chat, &[new.creator], (Role::Admin, Deed::Own), None)?;
    }
    Made::new(conn, policy, chat)
}

/// Finds the existing room of the object. `Forbidden` if it is private and the caller is neither member nor
/// staff. The caller then learns only that the object has a room.
pub fn existing_room(conn: &mut AnyConn, new: &NewRoom) -> Result<Option<ChatId>, StorageError> {
    let Some(object) = &new.object else { return Ok(None) };
    let Some(room) = rooms::of_object(conn, object)? else { return Ok(None) };
    match membership::authorized(conn, room, new.creator, Ability::See) {
        Err(StorageError::Refused(Refusal::NotFound)) => Err(Refusal::Forbidden.into()),
        authorized => authorized.map(|_| Some(room)),
    }
}

/// Adds the caller to a public room. Idempotent: a member stays as they are.
pub(crate) fn join(
    conn: &mut AnyConn,
    policy: &StoragePolicy,
    room: ChatId,
    by: UserId,
) -> Result<Done, StorageError> {
    let membership = membership::authorized(conn, room, by, Ability::Join)?;
    if membership.role.is_some() {
        return Ok(Done::unchanged(Answer::Done));
    }
    let mut chat = membership.chat;
    guests::expect_not_merged(conn, by)?;
    own_chats::expect_below_chat_limit(conn, policy, by)?;
    let change = bring_in(conn, policy, &mut chat, (&[by], Deed::Own))?;
    Ok(Done::changed(&chat, Answer::Done, change))
}

/// Error for opening other chats than public rooms to guests.
pub const NOT_PUBLIC: &str = "Only a public room can be open to guests.";

/// Decides what guests may do in a public room.
pub(crate) fn change_guest_access(
    conn: &mut AnyConn,
    policy: &StoragePolicy,
    room: ChatId,
    by: UserId,
    access: GuestAccess,
) -> Result<Done, StorageError> {
    let mut chat = membership::authorized(conn, room, by, Ability::ChangeGuestAccess)?.chat;
    if chat.guest_access == access {
        return Ok(Done::unchanged(Answer::Done));
    }
    if !chat.is_public {
        return Err(FieldErrors::of("guest_access", NOT_PUBLIC).into());
    }
    take_number(&mut chat);
    chat.guest_access = access;
    chats::set_guest_access(conn, &chat)?;
    chats::update(conn, &chat)?;
    let change = Change::ChatRenamed { snapshot: chat_snapshot::snapshot_of(conn, policy, chat.clone())? };
    Ok(Done::changed(&chat, Answer::Done, change))
}

/// Makes a private room public. A public room is never made private: it is unknown which of the users that
/// joined it should stay.
pub(crate) fn open(
    conn: &mut AnyConn,
    policy: &StoragePolicy,
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
    let change = Change::ChatRenamed { snapshot: chat_snapshot::snapshot_of(conn, policy, chat.clone())? };
    Ok(Done::changed(&chat, Answer::Done, change))
}
