//! Services for accounts: creating and changing users, and verifying their passwords.

use std::net::IpAddr;

use crate::{
    auth::{
        Caller, NewPassword,
        audit::{self, AuditUser},
        login_throttle::Attempt,
        passwords::Verdict,
    },
    bus::BusMessage,
    core::model::{Credential, Custom, CustomChange, FieldErrors, Refusal, Timestamp, UserId},
    error::ApiError,
    presence::PresenceChange,
    services::succession::hand_over_chats_of,
    state::AppState,
    storage::{
        AnyConn, StorageError,
        commands::succession,
        tables::{
            external_users, foreign_hashes, revocations, sessions, tokens, user_custom,
            users::{self, NO_PASSWORD, NewUser, User},
        },
    },
    view::{UserExtras, frames},
};

/// Finds a user. Returns 404 if there is none.
pub async fn find(state: &AppState, user: UserId) -> Result<User, Refusal> {
    state.readers.query_one(move |conn| users::find(conn, user)).await?.ok_or(Refusal::NotFound)
}

/// Returns 404 if a user does not exist.
pub async fn exists(state: &AppState, user: UserId) -> Result<(), Refusal> {
    find(state, user).await.map(drop)
}

/// Creates a user, or finds the existing one of that external id or name. Returns the user and whether it is new. If
/// the existing user registered themselves, the request fails. A user without an external id gets the given one.
pub async fn create_user(
    state: &AppState,
    caller: &Caller,
    from: IpAddr,
    mut new: NewUser,
    extras: UserExtras,
    password: Option<String>,
) -> Result<(User, bool), ApiError> {
    if let Some(password) = password {
        new.password = state.passwords.hash(NewPassword { password, known: new.known() }).await?;
    }
    let create = move |conn: &mut AnyConn, _: &_| find_or_create(conn, &new, &extras);
    let (user, is_new) = state.writer.run("create_user", create).await?;
    if user.is_registered || user.is_guest {
        return Err(ApiError::Registered(user.id()));
    }
    if is_new {
        audit::note_done_to("made a user", AuditUser::from(&user), AuditUser::from(&*caller.card), from);
    }
    Ok((user, is_new))
}

fn find_or_create(
    conn: &mut AnyConn,
    new: &NewUser,
    extras: &UserExtras,
) -> Result<(User, bool), StorageError> {
    let external_id = extras.external_id.as_deref();
    if let Some(external_id) = external_id
        && let Some(known) = external_users::find(conn, external_id)?
        && let Some(user) = users::find(conn, known.user_id)?
    {
        return Ok((user, false));
    }
    let (user, is_new) = users::find_or_create(conn, new)?;
    match external_id {
        Some(external_id) if is_new => external_users::insert(conn, user.id(), external_id)?,
        Some(external_id) if !user.is_registered && !user.is_guest => {
            external_users::assign(conn, user.id(), external_id)?;
        }
        _ => {}
    }
    if is_new && !extras.custom.is_empty() {
        user_custom::set(conn, user.id(), &extras.custom)?;
    }
    Ok((user, is_new))
}

/// Ends the credentials of a user on all nodes: JSON Web Tokens that were issued at `before` or earlier, or without it
/// all that were issued until now, and the sessions and access tokens too.
pub async fn revoke_credentials(
    state: &AppState,
    caller: &Caller,
    from: IpAddr,
    id: UserId,
    before: Option<Timestamp>,
) -> Result<(), ApiError> {
    let revoke = move |conn: &mut AnyConn, _: &_| {
        let user = users::find_for_update(conn, id)?.ok_or(Refusal::NotFound)?;
        external_users::revoke_tokens(conn, id, before.unwrap_or_else(Timestamp::now))?;
        if before.is_none() {
            sessions::end_all(conn, id, None)?;
            tokens::revoke_all(conn, id)?;
        }
        revocations::record(conn, id)?;
        Ok(user)
    };
    let user = state.writer.run("revoke_credentials", revoke).await?;
    let deed = if before.is_some() { "revoked JSON Web Tokens" } else { "ended all credentials" };
    audit::note_done_to(deed, AuditUser::from(&user), AuditUser::from(&*caller.card), from);
    state.identities.invalidate(id).await;
    Ok(())
}

/// Returns whether an identity provider sets the names of a user.
pub async fn has_claimed_name(state: &AppState, user: UserId) -> Result<bool, Refusal> {
    state.readers.query_one(move |conn| external_users::has_claimed_name(conn, user)).await
}

/// Validated change of a user. `None` leaves a field unchanged.
#[derive(Debug, Default)]
pub struct UserChange {
    pub profile: ProfileChange,
    pub is_active: Option<bool>,
    /// Whether a self-registered account is transferred to the host.
    pub is_taken_over: bool,
    /// Plain text; not hashed yet.
    pub password: Option<String>,
    pub custom: Option<CustomChange>,
}

/// Validated change of a user's profile. `None` leaves a field unchanged.
#[derive(Debug, Default)]
pub struct ProfileChange {
    pub email: Option<String>,
    pub first_name: Option<String>,
    pub last_name: Option<String>,
    pub avatar_url: Option<String>,
}

/// Changes a user, revokes credentials where needed, and publishes the change. `from`: the client's address,
/// for the audit log.
///
/// A new password ends the user's other sessions. Deactivation and transfer end all sessions and tokens.
pub async fn change_user(
    state: &AppState,
    caller: &Caller,
    from: IpAddr,
    id: UserId,
    change: UserChange,
) -> Result<User, ApiError> {
    let hash = match &change.password {
        Some(password) => Some(hash_new_password(state, id, &change.profile, password.clone()).await?),
        None => None,
    };
    // A user that changes their own password keeps the current session.
    let spared = match &caller.credential {
        Credential::Session(hash) if caller.id() == id => Some(hash.clone()),
        _ => None,
    };
    let is_standing_given = change.is_active.is_some();
    let is_password_set = hash.is_some();
    let apply =
        move |conn: &mut AnyConn, _: &_| apply_change(conn, id, &change, hash.as_deref(), spared.as_deref());
    let Changed { user, news, standing } = state.writer.run("change_user", apply).await?;
    let deeds = [
        is_password_set.then_some("set a password"),
        standing.map(|is_active| if is_active { "activated a user" } else { "deactivated a user" }),
    ];
    for deed in deeds.into_iter().flatten() {
        audit::note_done_to(deed, AuditUser::from(&user), AuditUser::from(&*caller.card), from);
    }
    state.identities.invalidate(id).await;
    if is_standing_given {
        // The change is committed. If the handover fails here, the task that watches revocations retries it.
        let _ = hand_over_chats_of(state, id).await;
    }
    if let Some(custom) = news {
        publish_profile(state, &user, &custom);
    }
    Ok(user)
}

/// Publishes a user's new name, picture or custom data, on all nodes.
pub(super) fn publish_profile(state: &AppState, user: &User, custom: &Custom) {
    let frame = frames::user_updated(&user.card(), custom, &state.links);
    state.bus.publish(BusMessage::ForPartners { user: user.id(), frame: frame.to_string() });
    state.presence.note(PresenceChange::ProfileChanged(user.id(), frame));
}

/// Hashes a user's new password, which must not be one of the user's names, old or new.
async fn hash_new_password(
    state: &AppState,
    id: UserId,
    change: &ProfileChange,
    password: String,
) -> Result<String, ApiError> {
    let user = find(state, id).await?;
    let given = [&change.email, &change.first_name, &change.last_name];
    let known = user.known().into_iter().chain(given.into_iter().flatten().cloned()).collect();
    Ok(state.passwords.hash(NewPassword { password, known }).await?)
}

/// Error for deactivating the last active staff user. Only active staff can activate users.
const LAST_STAFF: &str = "The last active staff user stays active.";

/// Result of a change of a user.
struct Changed {
    user: User,
    /// The custom data, if the public data of the user changed.
    news: Option<Custom>,
    /// Whether the user is active now, if that changed.
    standing: Option<bool>,
}

/// Stores a change of a user, and revokes the user's credentials where needed. `hash`: the new password.
/// `spared`: key hash of the session to keep.
fn apply_change(
    conn: &mut AnyConn,
    id: UserId,
    change: &UserChange,
    hash: Option<&str>,
    spared: Option<&str>,
) -> Result<Changed, StorageError> {
    // `succession::lock_for_status_change` also locks the rows that the check for the last staff user
    // depends on.
    let held = match change.is_active {
        Some(_) => succession::lock_for_status_change(conn, id)?,
        None => users::find_for_update(conn, id)?,
    };
    let mut user = held.ok_or(Refusal::NotFound)?;
    if change.is_active == Some(false) && users::is_last_staff(conn, &user)? {
        return Err(FieldErrors::of("is_active", LAST_STAFF).into());
    }
    let before = user.clone();
    let ProfileChange { email, first_name, last_name, avatar_url } = &change.profile;
    set(&mut user.email, email.as_deref());
    set(&mut user.first_name, first_name.as_deref());
    set(&mut user.last_name, last_name.as_deref());
    set(&mut user.avatar_url, avatar_url.as_deref());
    let is_taken_over = change.is_taken_over && user.is_registered;
    if is_taken_over {
        // From here on, no credential of the former owner works.
        user.is_registered = false;
        NO_PASSWORD.clone_into(&mut user.password);
    }
    set(&mut user.password, hash);
    let is_active = change.is_active.unwrap_or(user.is_active);
    let standing = (is_active != user.is_active).then_some(is_active);
    if is_active == user.is_active {
        users::update(conn, &user)?;
    } else {
        succession::change_standing(conn, &mut user, is_active)?;
    }
    if hash.is_some() || is_taken_over || !user.is_active {
        sessions::end_all(conn, id, spared.filter(|_| user.is_active))?;
    }
    if is_taken_over || !user.is_active {
        tokens::revoke_all(conn, id)?;
    }
    if user != before {
        revocations::record(conn, id)?;
    }
    let is_custom_changed = change_custom(conn, id, change.custom.as_ref())?;
    let looks_different = user.card() != before.card() || is_custom_changed;
    let news = if looks_different { Some(user_custom::find(conn, id)?) } else { None };
    Ok(Changed { user, news, standing })
}

/// Stores a change of a user's custom data. Returns whether others see a difference.
fn change_custom(
    conn: &mut AnyConn,
    user: UserId,
    change: Option<&CustomChange>,
) -> Result<bool, StorageError> {
    let Some(change) = change else { return Ok(false) };
    let before = user_custom::find(conn, user)?;
    let after = before.merge(change).map_err(|sentence| FieldErrors::of("custom", sentence))?;
    if before != after {
        user_custom::set(conn, user, &after)?;
    }
    Ok(before.public() != after.public())
}

/// Sets a field if a value is given.
fn set(field: &mut String, value: Option<&str>) {
    if let Some(value) = value {
        value.clone_into(field);
    }
}

/// Result of verifying a name and a password.
pub enum Verified {
    /// The credentials are those of an active user.
    Right(User),
    /// The credentials are wrong. Has the user of that name, if there is one.
    Wrong(Option<User>),
}

/// Verifies a name and a password. An unknown name is verified against a dummy hash. Stores a new hash if the
/// old one has outdated parameters.
pub async fn verify_credentials(
    state: &AppState,
    username: String,
    password: String,
) -> Result<Verified, Refusal> {
    let find =
        move |conn: &mut AnyConn| Ok((users::by_username(conn, &username)?, foreign_hashes::slowest(conn)?));
    let (named, slowest_hash) = state.readers.query(find).await?;
    state.passwords.expect(slowest_hash);
    let user = named.clone().filter(|user| user.is_active);
    let stored = user.as_ref().map(|user| user.password.clone());
    let verdict = state.passwords.verify(password, stored.clone()).await?;
    let (Some(mut user), Some(old)) = (user, stored) else { return Ok(Verified::Wrong(named)) };
    match verdict {
        Verdict::Wrong => Ok(Verified::Wrong(named)),
        Verdict::Right => Ok(Verified::Right(user)),
        Verdict::RightRehashed(new) => {
            let id = user.id();
            user.password.clone_from(&new);
            state.writer.run("rehash_password", move |conn, _| users::rehash(conn, id, &old, &new)).await?;
            Ok(Verified::Right(user))
        }
    }
}

/// Verifies the caller's own password. A wrong one counts as a failed sign-in.
pub async fn verify_own_password(
    state: &AppState,
    caller: &Caller,
    from: IpAddr,
    password: String,
) -> Result<Attempt, ApiError> {
    let attempt = state.login_throttle.attempt(from, &caller.card.username).await?;
    let user = find(state, caller.id()).await?;
    if matches!(state.passwords.verify(password, Some(user.password)).await?, Verdict::Wrong) {
        record_failure(state, attempt);
        return Err(FieldErrors::of("old_password", "This is not your password.").into());
    }
    Ok(attempt)
}

/// Counts a failed sign-in, on all nodes.
pub fn record_failure(state: &AppState, attempt: Attempt) {
    let (address, account) = attempt.failed();
    state.bus.publish(BusMessage::SignInFailed { address, account });
}
