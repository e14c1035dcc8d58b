//! Adding and removing members, and changing their roles.

use std::collections::HashSet;

use super::{chats::end, outcome::take_number, succession};
use crate::{
    core::model::{
        Change, Chat, ChatId, ChatKind, FieldErrors, GuestAccess, Refusal, Role, UserId,
        event::{Answer, Done, MembersChanged},
        permission::Ability,
    },
    storage::{
        AnyConn, StorageError, StoragePolicy,
        queries::{chat_snapshot, contact_policy, membership},
        tables::{
            blocks, chats, drafts, join_counts,
            members::{self, Deed},
            messages, users,
        },
    },
};

pub(crate) fn add(
    conn: &mut AnyConn,
    policy: &StoragePolicy,
    chat: ChatId,
    by: UserId,
    users: &[UserId],
) -> Result<Done, StorageError> {
    let mut chat = membership::authorized(conn, chat, by, Ability::AddMembers)?.chat;
    if !users.is_empty() {
        contact_policy::expect_may_begin(conn, policy, by)?;
    }
    let mut new = users.to_vec();
    new.sort();
    new.dedup();
    let asked = new.clone();
    let present = members::among(conn, chat.id, &new)?;
    let present: HashSet<UserId> = present.into_iter().map(|member| member.user.id).collect();
    new.retain(|user| !present.contains(user));
    // Checked first, so that the error does not reveal whether a user outside the caller's reach exists.
    contact_policy::expect_may_contact(conn, policy, by, &new)?;
    users::expect_users(conn, "user_ids", &asked)?;
    if new.is_empty() {
        return Ok(Done::unchanged(Answer::Added(0)));
    }
    blocks::expect_none(conn, by, &new)?;
    expect_no_guests(conn, &chat, &new)?;
    let change = bring_in(conn, policy, &mut chat, (&new, Deed::Others))?;
    Ok(Done::changed(&chat, Answer::Added(new.len()), change))
}

/// Adds users to a chat as plain members, in one change. None of them is in the chat yet.
pub(crate) fn bring_in(
    conn: &mut AnyConn,
    policy: &StoragePolicy,
    chat: &mut Chat,
    (new, deed): (&[UserId], Deed),
) -> Result<Change, StorageError> {
    take_number(chat);
    chat.member_count += new.len() as i64;
    let last_message = messages::last_id(conn, chat)?;
    members::join(conn, chat, new, (Role::Member, deed), last_message)?;
    // If all earlier members are deactivated, the chat has no active admin and needs a new one.
    let may_need_admin = chat.kind == ChatKind::Group || members::has_admin(conn, chat.id)?;
    let heir = if may_need_admin { succession::hand_over(conn, chat)? } else { None };
    chats::update(conn, chat)?;
    let join_counts = join_counts::raise(conn, new)?;
    let changed = heir.filter(|heir| !new.contains(heir));
    Ok(Change::MembersChanged(MembersChanged {
        added: members::among(conn, chat.id, new)?,
        removed: Vec::new(),
        changed: members::among(conn, chat.id, changed.as_slice())?,
        member_count: chat.member_count,
        snapshot: Some(chat_snapshot::snapshot_of(conn, policy, chat.clone())?),
        join_counts,
    }))
}

/// Refuses to add guests to a room where they may not write.
fn expect_no_guests(conn: &mut AnyConn, chat: &Chat, new: &[UserId]) -> Result<(), StorageError> {
    if chat.kind != ChatKind::Room || chat.guest_access == GuestAccess::Write {
        return Ok(());
    }
    match users::active_cards(conn, new)?.iter().any(|user| user.is_guest) {
        true => Err(FieldErrors::of("user_ids", "This room is not open to guests.").into()),
        false => Ok(()),
    }
}

pub(crate) fn remove(
    conn: &mut AnyConn,
    chat: ChatId,
    by: UserId,
    user: UserId,
) -> Result<Done, StorageError> {
    // A user outside the chat cannot leave it. The request then needs the ability to remove members.
    let leaves = user == by && members::is_in(conn, chat, user)?;
    let ability = if leaves { Ability::Leave } else { Ability::RemoveMember };
    let chat = membership::authorized(conn, chat, by, ability)?.chat;
    take_out(conn, chat, user)
}

pub(crate) fn leave(conn: &mut AnyConn, chat: ChatId, by: UserId) -> Result<Done, StorageError> {
    let chat = membership::authorized(conn, chat, by, Ability::Leave)?.chat;
    take_out(conn, chat, by)
}

fn take_out(conn: &mut AnyConn, mut chat: Chat, user: UserId) -> Result<Done, StorageError> {
    let leaving = members::find(conn, chat.id, user)?.ok_or(Refusal::NotFound)?;
    if chat.member_count == 1 && chat.kind != ChatKind::Room {
        return end(conn, chat);
    }
    take_number(&mut chat);
    chat.member_count -= 1;
    members::leave(conn, chat.id, user, chat.seq)?;
    drafts::clear_of(conn, &chat, user)?;
    let heir = if leaving.role == Role::Admin { succession::hand_over(conn, &chat)? } else { None };
    chats::update(conn, &chat)?;
    let change = MembersChanged {
        added: Vec::new(),
        removed: vec![user],
        changed: members::among(conn, chat.id, heir.as_slice())?,
        member_count: chat.member_count,
        snapshot: None,
        join_counts: Vec::new(),
    };
    Ok(Done::changed(&chat, Answer::Done, Change::MembersChanged(change)))
}

pub(crate) fn change_role(
    conn: &mut AnyConn,
    chat: ChatId,
    by: UserId,
    user: UserId,
    role: Role,
) -> Result<Done, StorageError> {
    let mut chat = membership::authorized(conn, chat, by, Ability::ChangeRole)?.chat;
    let mut member = members::find(conn, chat.id, user)?.ok_or(Refusal::NotFound)?;
    if member.role == role {
        return Ok(Done::unchanged(Answer::Member(Box::new(member))));
    }
    if role == Role::Admin {
        let sentence = match users::active_cards(conn, &[user])?.first() {
            None => Some("A deactivated user cannot become admin."),
            Some(card) if card.is_guest => Some("A guest cannot become admin."),
            Some(_) => None,
        };
        if let Some(sentence) = sentence {
            return Err(FieldErrors::of("role", sentence).into());
        }
    }
    if role == Role::Member && members::active_admins(conn, chat.id, 2)? == [user] {
        return Err(FieldErrors::of("role", "The last admin of a chat stays its admin.").into());
    }
    take_number(&mut chat);
    members::set_role(conn, chat.id, user, role, chat.seq)?;
    chats::update(conn, &chat)?;
    member.role = role;
    let change = MembersChanged {
        added: Vec::new(),
        removed: Vec::new(),
        changed: vec![member.clone()],
        member_count: chat.member_count,
        snapshot: None,
        join_counts: Vec::new(),
    };
    Ok(Done::changed(&chat, Answer::Member(Box::new(member)), Change::MembersChanged(change)))
}
