//! Creating, renaming and deleting chats.

use super::{guests, outcome::take_number};
use crate::{
    core::model::{
        Change, Chat, ChatId, ChatKind, ChatSnapshot, CustomChange, FieldErrors, GuestAccess, JoinCount,
        Refusal, Role, Timestamp, UserId,
        command::NewChat,
        event::{Answer, Done},
        permission::Ability,
        text::{BLANK, Title},
    },
    storage::{
        AnyConn, StorageError, StoragePolicy,
        queries::{chat_snapshot, contact_policy, membership, own_chats},
        tables::{
            blocks,
            chats::{self, NewRow},
            join_counts,
            members::{self, Deed},
            users,
        },
    },
};

/// Result of creating a chat.
#[derive(Debug, Clone)]
pub enum Made {
    New {
        snapshot: Box<ChatSnapshot>,
        members: Vec<(UserId, Role)>,
        join_counts: Vec<(UserId, JoinCount)>,
    },
    /// The dm of the two users, or the room of the object, already exists.
    Existing(ChatId),
}

impl Made {
    /// Builds the result for a new chat whose members are stored, and raises their join counts.
    pub(crate) fn new(conn: &mut AnyConn, policy: &StoragePolicy, chat: Chat) -> Result<Self, StorageError> {
        let members = members::roles(conn, chat.id)?;
        let ids: Vec<UserId> = members.iter().map(|(user, _)| *user).collect();
        let join_counts = join_counts::raise(conn, &ids)?;
        Ok(Self::New {
            snapshot: Box::new(chat_snapshot::snapshot_of(conn, policy, chat)?),
            members,
            join_counts,
        })
    }
}

/// Creates a chat with its members; its creator becomes admin. Returns an existing dm instead of a second
/// one.
pub fn create_chat(conn: &mut AnyConn, policy: &StoragePolicy, new: &NewChat) -> Result<Made, StorageError> {
    if let Some(existing) = existing_dm(conn, new)? {
        return Ok(Made::Existing(existing));
    }
    let others = others(new);
    let partner = others.first().copied().unwrap_or(new.creator);
    let is_pair = new.kind == ChatKind::Dm && others.len() <= 1;
    if !others.is_empty() {
        contact_policy::expect_may_begin(conn, policy, new.creator)?;
    }
    // Checked first, so that the error does not reveal whether a user outside the caller's reach exists.
    if users::is_guest(conn, new.creator)? {
        expect_dm_with_staff(conn, new.kind, &others)?;
    } else {
        contact_policy::expect_may_contact(conn, policy, new.creator, &others)?;
    }
    users::expect_users(conn, "member_ids", &others)?;
    if new.kind == ChatKind::Dm && !is_pair {
        let sentence = "A direct message chat is with exactly one other user, or with oneself.";
        return Err(FieldErrors::of("member_ids", sentence).into());
    }
    if is_pair && partner != new.creator {
        blocks::expect_no_block(conn, new.creator, partner)?;
        guests::expect_not_merged(conn, new.creator)?;
    } else if !others.is_empty() {
        blocks::expect_none(conn, new.creator, &others)?;
    }
    own_chats::expect_below_chat_limit(conn, policy, new.creator)?;
    let row = NewRow {
        kind: new.kind,
        title: new.title.as_ref().map(Title::as_str),
        member_count: 1 + others.len() as i64,
        is_public: false,
        object: None,
        guest_access: GuestAccess::None,
        custom: &new.custom,
    };
    let chat = chats::insert(conn, &row)?;
    members::join(conn, &chat, &[new.creator], (Role::Admin, Deed::Own), None)?;
    members::join(conn, &chat, &others, (Role::Member, Deed::Others), None)?;
    if new.kind == ChatKind::Dm {
        chats::insert_dm(conn, new.creator, partner, chat.id)?;
    }
    Made::new(conn, policy, chat)
}

/// Refuses all chats that guests may not begin: they only write to staff.
fn expect_dm_with_staff(conn: &mut AnyConn, kind: ChatKind, others: &[UserId]) -> Result<(), StorageError> {
    match (kind, others) {
        (ChatKind::Dm, [partner]) if users::is_staff(conn, *partner)? => Ok(()),
        _ => Err(Refusal::NotAllowed("Guests may only write to staff.").into()),
    }
}

/// Finds the existing dm of the two users of a new one.
pub fn existing_dm(conn: &mut AnyConn, new: &NewChat) -> Result<Option<ChatId>, StorageError> {
    match (new.kind, others(new).as_slice()) {
        (ChatKind::Dm, []) => chats::dm_of(conn, new.creator, new.creator),
        (ChatKind::Dm, [partner]) => chats::dm_of(conn, new.creator, *partner),
        _ => Ok(None),
    }
}

/// Returns the members of a new chat other than its creator, sorted and without duplicates.
fn others(new: &NewChat) -> Vec<UserId> {
    let mut others = new.members.clone();
    others.retain(|user| *user != new.creator);
    others.sort();
    others.dedup();
    others
}

pub(crate) fn rename(
    conn: &mut AnyConn,
    policy: &StoragePolicy,
    chat: ChatId,
    by: UserId,
    title: Option<&Title>,
) -> Result<Done, StorageError> {
    let mut chat = membership::authorized(conn, chat, by, Ability::Rename)?.chat;
    let title = title.map(|title| title.as_str().to_owned());
    if title.is_none() && chat.kind == ChatKind::Room {
        return Err(FieldErrors::of("title", BLANK).into());
    }
    if chat.title == title {
        return Ok(Done::unchanged(Answer::Done));
    }
    take_number(&mut chat);
    chat.title = title;
    chat.updated_at = Timestamp::now().max(chat.updated_at);
    chats::rename(conn, &chat)?;
    chats::update(conn, &chat)?;
    let change = Change::ChatRenamed { snapshot: chat_snapshot::snapshot_of(conn, policy, chat.clone())? };
    Ok(Done::changed(&chat, Answer::Done, change))
}

pub(crate) fn change_custom(
    conn: &mut AnyConn,
    policy: &StoragePolicy,
    chat: ChatId,
    by: UserId,
    change: &CustomChange,
) -> Result<Done, StorageError> {
    let mut chat = membership::authorized(conn, chat, by, Ability::ChangeCustom)?.chat;
    let custom = chat.custom.merge(change).map_err(|sentence| FieldErrors::of("custom", sentence))?;
    if chat.custom == custom {
        return Ok(Done::unchanged(Answer::Done));
    }
    take_number(&mut chat);
    let before = std::mem::replace(&mut chat.custom, custom);
    chats::set_custom(conn, &chat, &before)?;
    chats::update(conn, &chat)?;
    let change = Change::ChatRenamed { snapshot: chat_snapshot::snapshot_of(conn, policy, chat.clone())? };
    Ok(Done::changed(&chat, Answer::Done, change))
}

pub(crate) fn delete(conn: &mut AnyConn, chat: ChatId, by: UserId) -> Result<Done, StorageError> {
    let chat = membership::authorized(conn, chat, by, Ability::DeleteChat)?.chat;
    end(conn, chat)
}

/// Deletes a chat for all its members.
pub(crate) fn end(conn: &mut AnyConn, mut chat: Chat) -> Result<Done, StorageError> {
    take_number(&mut chat);
    chats::mark_deleted(conn, &chat)?;
    Ok(Done::changed(&chat, Answer::Done, Change::ChatDeleted))
}
