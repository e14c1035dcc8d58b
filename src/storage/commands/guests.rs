//! Guests: created with their first key, removed after a month without a visit, or merged into a user.

use super::{generated_name, succession};
use crate::{
    core::model::{ChatId, Custom, FieldErrors, Refusal, Timestamp, UserId},
    storage::{
        AnyConn, StorageError,
        tables::{
            blocks,
            guests::{self, KEY_LIFE},
            locks, members, merged_guests, revocations, sessions, tokens, user_custom,
            users::{self, NO_PASSWORD, NewUser, User},
        },
    },
};

/// Creates a guest with a key. `name`: the display name; empty for the generated username.
pub fn create(conn: &mut AnyConn, name: &str, key_hash: &str) -> Result<User, StorageError> {
    let new = NewUser {
        username: generated_name::temporary(),
        password: NO_PASSWORD.to_owned(),
        email: String::new(),
        first_name: name.to_owned(),
        last_name: String::new(),
        avatar_url: String::new(),
        is_staff: false,
        is_registered: false,
    };
    let mut user = users::create(conn, &new)?;
    users::make_guest(conn, &mut user)?;
    generated_name::assign(conn, &mut user, "guest")?;
    let token = tokens::create(conn, user.id(), key_hash, Some(Timestamp::now().plus(KEY_LIFE)))?;
    guests::insert(conn, user.id(), token)?;
    Ok(user)
}

/// Error for a key that belongs to no guest.
const NO_KEY: &str = "This is not the key of a guest.";

/// Begins to make a guest the user `by`, and ends the guest's credentials. The chats are handed over afterwards. Returns
/// the guest. Idempotent. `key_hash`: the hash of the guest's key.
pub fn claim(conn: &mut AnyConn, key_hash: &str, by: UserId) -> Result<UserId, StorageError> {
    let id = tokens::find(conn, key_hash)?.map(|token| token.user);
    if let Some(id) = id {
        locks::users(conn, &[id.min(by), id.max(by)])?;
    }
    // Read after the lock: another request may have begun the same.
    match merged_guests::by_key(conn, key_hash)? {
        Some((guest, user)) if user == by => return Ok(guest),
        Some(_) => return Err(FieldErrors::of("key", NO_KEY).into()),
        None => {}
    }
    let id = id.ok_or_else(|| FieldErrors::of("key", NO_KEY))?;
    let guest = users::find(conn, id)?.filter(|guest| guest.is_guest && guest.is_active);
    let mut guest = guest.ok_or_else(|| FieldErrors::of("key", NO_KEY))?;
    merged_guests::insert(conn, id, by, key_hash)?;
    guests::remove(conn, id)?;
    blocks::copy(conn, id, by)?;
    succession::change_standing(conn, &mut guest, false)?;
    sessions::end_all(conn, id, None)?;
    tokens::revoke_all(conn, id)?;
    revocations::record(conn, id)?;
    Ok(id)
}

/// Refuses a guest who is becoming a user: the chat would stay behind. Locks the guest, so that this holds until the
/// transaction ends.
pub(super) fn expect_not_merged(conn: &mut AnyConn, user: UserId) -> Result<(), StorageError> {
    if !users::is_guest(conn, user)? {
        return Ok(());
    }
    let guest = users::find_for_update(conn, user)?;
    if guest.is_some_and(|guest| guest.is_active) { Ok(()) } else { Err(Refusal::NotFound.into()) }
}

/// Returns a chat that the guest is still in.
pub fn next_chat(conn: &mut AnyConn, guest: UserId) -> Result<Option<ChatId>, StorageError> {
    Ok(members::chats_of_after(conn, guest, ChatId(0), 1)?.pop())
}

/// Removes one guest whose last visit was long ago: deactivates the user, and clears the profile and the credentials.
/// Messages stay. Returns whether there was one.
pub fn remove_outdated(conn: &mut AnyConn) -> Result<bool, StorageError> {
    let Some(id) = guests::find_outdated(conn)? else { return Ok(false) };
    let user = succession::lock_for_status_change(conn, id)?;
    // It may have come back until the row was locked.
    if guests::find_outdated(conn)? != Some(id) {
        return Ok(true);
    }
    guests::remove(conn, id)?;
    let Some(mut user) = user else { return Ok(true) };
    for text in [&mut user.first_name, &mut user.last_name, &mut user.email, &mut user.avatar_url] {
        text.clear();
    }
    succession::change_standing(conn, &mut user, false)?;
    user_custom::set(conn, id, &Custom::default())?;
    sessions::end_all(conn, id, None)?;
    tokens::revoke_all(conn, id)?;
    revocations::record(conn, id)?;
    Ok(true)
}
