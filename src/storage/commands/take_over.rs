//! Handing over what a guest has in a chat to the user whom the guest has become, in steps. Each step is a change of its
//! own with an event:
//!
//! 1. A dm that the user already has with the same person becomes a group.
//! 2. Messages become the user's, a few hundred at a time: those of the timeline, then those of each thread.
//! 3. The user takes the guest's place among the members, or the guest leaves.

use super::{outcome::take_number, succession, threads};
use crate::{
    core::model::{
        Change, Chat, ChatId, ChatKind, Lane, Member, Pos, Refusal, Role, UserId,
        event::{Answer, Done, MembersChanged},
    },
    storage::{
        AnyConn, StorageError, StoragePolicy,
        queries::chat_snapshot,
        tables::{
            attachments, blocks, chats, drafts, follows, join_counts, members, mentions, merged_guests,
            sent_counts::{self, BLOCK},
            tombstones, users,
        },
    },
};

/// Most blocks of positions whose messages one step hands over.
const BLOCKS: i64 = 32;

/// Takes the next step. `NotFound` if the guest has not become this user.
pub(super) fn step(
    conn: &mut AnyConn,
    policy: &StoragePolicy,
    chat: ChatId,
    guest: UserId,
    user: UserId,
) -> Result<Done, StorageError> {
    let chat = chats::find(conn, chat)?.ok_or(Refusal::NotFound)?;
    if merged_guests::user_of(conn, guest)? != Some(user) {
        return Err(Refusal::NotFound.into());
    }
    let Some(place) = members::find(conn, chat.id, guest)? else {
        return Ok(Done::unchanged(Answer::HandedOver { is_left: false }));
    };
    if let Some(done) = settle_dm(conn, policy, &chat, (guest, user))? {
        return Ok(done);
    }
    if let Some(done) = hand_over_messages(conn, &chat, (guest, user))? {
        return Ok(done);
    }
    hand_over_place(conn, policy, chat, &place, (guest, user))
}

/// Finds the person with whom the user has the dm then: the guest's partner, or the user if that was the guest or the
/// user.
fn partner(conn: &mut AnyConn, chat: &Chat, (guest, user): (UserId, UserId)) -> Result<UserId, StorageError> {
    let members = members::roles(conn, chat.id)?;
    let other = members.into_iter().map(|(member, _)| member).find(|member| *member != guest);
    Ok(other.unwrap_or(user))
}

/// Makes a dm of the guest a group, if the user has a dm with that person already.
fn settle_dm(
    conn: &mut AnyConn,
    policy: &StoragePolicy,
    chat: &Chat,
    (guest, user): (UserId, UserId),
) -> Result<Option<Done>, StorageError> {
    if chat.kind != ChatKind::Dm {
        return Ok(None);
    }
    let partner = partner(conn, chat, (guest, user))?;
    match chats::dm_of(conn, user, partner)? {
        Some(existing) if existing != chat.id => {}
        _ => return Ok(None),
    }
    let other = if members::is_in(conn, chat.id, partner)? { partner } else { guest };
    let mut chat = chat.clone();
    take_number(&mut chat);
    chat.kind = ChatKind::Group;
    chats::remove_dm(conn, guest, other)?;
    chats::make_group(conn, &chat)?;
    if blocks::has_blocked(conn, partner, user)? || blocks::has_blocked(conn, user, partner)? {
        // In a group the block would not count. So the user does not get the chat.
        return leave(conn, chat, guest).map(Some);
    }
    chats::update(conn, &chat)?;
    let change = Change::ChatRenamed { snapshot: chat_snapshot::snapshot_of(conn, policy, chat.clone())? };
    Ok(Some(Done::changed(&chat, Answer::HandedOver { is_left: true }, change)))
}

/// Takes the guest out of a chat that the user does not get. Its messages stay the guest's.
fn leave(conn: &mut AnyConn, mut chat: Chat, guest: UserId) -> Result<Done, StorageError> {
    chat.member_count -= 1;
    members::leave(conn, chat.id, guest, chat.seq)?;
    drafts::clear_of(conn, &chat, guest)?;
    let heir = succession::hand_over(conn, &chat)?;
    chats::update(conn, &chat)?;
    let changed = members::among(conn, chat.id, heir.as_slice())?;
    let change = MembersChanged { removed: vec![guest], changed, ..MembersChanged::none(chat.member_count) };
    Ok(Done::changed(&chat, Answer::HandedOver { is_left: false }, Change::MembersChanged(change)))
}

/// Hands over the guest's first messages in the chat. `None` if there are none, and that was announced.
fn hand_over_messages(
    conn: &mut AnyConn,
    chat: &Chat,
    (guest, user): (UserId, UserId),
) -> Result<Option<Done>, StorageError> {
    let lane = Lane::Chat(chat.id);
    let blocks = sent_counts::first_blocks(conn, lane, guest, BLOCKS)?;
    let mut found: Vec<(Pos, bool)> = Vec::new();
    for (block, _) in &blocks {
        let start = block * BLOCK;
        found.extend(merged_guests::sent_in(conn, chat.id, guest, start..=start + BLOCK - 1)?);
    }
    if (blocks.len() as i64) < BLOCKS {
        // The block that is not complete yet is not counted.
        let start = (chat.last_pos + 1) / BLOCK * BLOCK;
        found.extend(merged_guests::sent_in(conn, chat.id, guest, start..=chat.last_pos)?);
    }
    let mut chat = chat.clone();
    take_number(&mut chat);
    let has_replies = found.is_empty() && threads::hand_over_step(conn, &chat, (guest, user))?;
    if found.is_empty() && !has_replies && merged_guests::is_chat_merged(conn, chat.id, guest)? {
        return Ok(None);
    }
    let places: Vec<Pos> = found.iter().map(|(pos, _)| *pos).collect();
    merged_guests::hand_over_messages(conn, chat.id, user, &places)?;
    sent_counts::hand_over(conn, lane, (guest, user), &blocks)?;
    let deleted = found.iter().filter(|(_, is_deleted)| *is_deleted).map(|(pos, _)| *pos);
    tombstones::hand_over(conn, lane, (guest, user), deleted)?;
    mentions::hand_over(conn, chat.id, (guest, user))?;
    chats::update(conn, &chat)?;
    merged_guests::record_chat(conn, chat.id, (guest, user), chat.seq)?;
    let card = users::cards(conn, &[user])?.pop().ok_or(Refusal::NotFound)?;
    let change = Change::UserMerged { from: guest, user: card };
    Ok(Some(Done::changed(&chat, Answer::HandedOver { is_left: true }, change)))
}

/// Puts the user in the guest's place. If the user is a member already, the guest leaves, and the user keeps the higher
/// role and the further read marker.
fn hand_over_place(
    conn: &mut AnyConn,
    policy: &StoragePolicy,
    mut chat: Chat,
    place: &Member,
    (guest, user): (UserId, UserId),
) -> Result<Done, StorageError> {
    if chat.kind == ChatKind::Dm {
        let partner = partner(conn, &chat, (guest, user))?;
        let other = if members::is_in(conn, chat.id, partner)? { partner } else { guest };
        chats::remove_dm(conn, guest, other)?;
        chats::insert_dm(conn, user, partner, chat.id)?;
    }
    take_number(&mut chat);
    let guest_joined = members::joined_seq(conn, chat.id, guest)?;
    let (mut added, mut changed) = (Vec::new(), Vec::new());
    match members::find(conn, chat.id, user)? {
        None => {
            merged_guests::take_place(conn, &chat, (guest, user))?;
            follows::hand_over(conn, chat.id, (guest, guest_joined), (user, chat.seq), chat.seq)?;
            added.push(user);
        }
        Some(known) => {
            chat.member_count -= 1;
            let joined_seq = members::joined_seq(conn, chat.id, user)?;
            follows::hand_over(conn, chat.id, (guest, guest_joined), (user, joined_seq), chat.seq)?;
            if place.role == Role::Admin && known.role != Role::Admin {
                members::set_role(conn, chat.id, user, Role::Admin, chat.seq)?;
                changed.push(user);
            }
            if let Some(message) = place.last_read_message_id.filter(|_| place.read_pos > known.read_pos) {
                // `changed` has the marker, so it takes no number of its own.
                members::set_marker(conn, chat.id, user, (place.read_pos, message), None)?;
                changed.push(user);
            }
        }
    }
    members::leave(conn, chat.id, guest, chat.seq)?;
    let drafts = drafts::hand_over(conn, &chat, (guest, user))?;
    attachments::hand_over(conn, chat.id, (guest, user))?;
    let ever_had_admin = chat.kind == ChatKind::Group || members::has_admin(conn, chat.id)?;
    if ever_had_admin && let Some(heir) = succession::hand_over(conn, &chat)? {
        changed.push(heir);
    }
    changed.retain(|user| !added.contains(user));
    changed.sort_unstable();
    changed.dedup();
    chats::update(conn, &chat)?;
    let join_counts = join_counts::raise(conn, &added)?;
    let snapshot = match added.is_empty() {
        true => None,
        false => Some(chat_snapshot::snapshot_of(conn, policy, chat.clone())?),
    };
    let change = MembersChanged {
        added: members::among(conn, chat.id, &added)?,
        removed: vec![guest],
        changed: members::among(conn, chat.id, &changed)?,
        member_count: chat.member_count,
        snapshot,
        join_counts,
    };
    let answer = Answer::HandedOver { is_left: false };
    Ok(Done { drafts, ..Done::changed(&chat, answer, Change::MembersChanged(change)) })
}
