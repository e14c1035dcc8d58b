//! Users of an identity provider or of the host application, and what the provider's tokens said last.

use crate::{
    core::model::{FieldErrors, Timestamp, UserId},
    storage::{
        AnyConn, StorageError,
        db::{row::row, sql::sql},
    },
};

row! {
    /// A user with an external id.
    #[derive(Debug, Clone, Copy)]
    pub struct ExternalUser from external_users e {
        user_id: UserId,
        is_active: bool = "u.is_active",
        is_staff: bool = "u.is_staff",
        /// When the newest token was issued whose profile was taken.
        claims_at: Option<Timestamp>,
        /// Whether a profile that was taken had names. The user may not change them then.
        has_claimed_name: bool,
        /// Tokens issued at this time or earlier are revoked.
        revoked_until: Option<Timestamp>,
    }
}

impl ExternalUser {
    /// Whether tokens that were issued then are revoked. A token without a time counts as old.
    pub fn has_revoked(&self, issued_at: Option<Timestamp>) -> bool {
        self.revoked_until.is_some_and(|until| issued_at.is_none_or(|issued_at| issued_at <= until))
    }
}

/// Finds the user with an external id.
pub fn find(conn: &mut AnyConn, external_id: &str) -> Result<Option<ExternalUser>, StorageError> {
    // PostgreSQL rejects text with a NUL, and no id has one.
    if external_id.contains('\0') {
        return Ok(None);
    }
    let row = sql!(
        "SELECT {} FROM external_users e JOIN users u ON u.id = e.user_id WHERE e.external_id = ?",
        external_id
    );
    Ok(row.first(conn)?)
}

/// Returns the external id of a user, if there is one.
pub fn external_id(conn: &mut AnyConn, user: UserId) -> Result<Option<String>, StorageError> {
    Ok(sql!("SELECT external_id FROM external_users WHERE user_id = ?", user).first(conn)?)
}

/// Returns whether an identity provider sets the names of a user.
pub fn has_claimed_name(conn: &mut AnyConn, user: UserId) -> Result<bool, StorageError> {
    let row = sql!("SELECT has_claimed_name FROM external_users WHERE user_id = ?", user);
    Ok(row.first(conn)?.unwrap_or(false))
}

/// Gives a user an external id. Fails if it belongs to another user, or if the user has another one.
pub fn assign(conn: &mut AnyConn, user: UserId, external_id: &str) -> Result<(), StorageError> {
    let holder = find(conn, external_id)?.map(|holder| holder.user_id);
    if holder == Some(user) {
        return Ok(());
    }
    if holder.is_some() || self::external_id(conn, user)?.is_some() {
        return Err(FieldErrors::of(
            "external_id",
            "Another user has this id, or this user has another one.",
        )
        .into());
    }
    insert(conn, user, external_id)
}

/// Gives an external id to a user who has none. No other user may have it.
pub fn insert(conn: &mut AnyConn, user: UserId, external_id: &str) -> Result<(), StorageError> {
    sql!("INSERT INTO external_users (user_id, external_id) VALUES (?, ?)", user, external_id).run(conn)?;
    Ok(())
}

/// Stores when the token was issued whose profile was taken, and whether a profile had names.
pub fn note_claims(
    conn: &mut AnyConn,
    user: UserId,
    issued_at: Option<Timestamp>,
    has_name: bool,
) -> Result<(), StorageError> {
    sql!(
        "UPDATE external_users SET claims_at = ?, has_claimed_name = ? WHERE user_id = ?",
        issued_at.map(|at| at.0),
        has_name,
        user
    )
    .run(conn)?;
    Ok(())
}

/// Revokes the tokens of a user that were issued at `until` or earlier. An earlier time than the last one changes
/// nothing.
pub fn revoke_tokens(conn: &mut AnyConn, user: UserId, until: Timestamp) -> Result<(), StorageError> {
    sql!(
        "UPDATE external_users SET revoked_until = ? WHERE user_id = ? AND coalesce(revoked_until, 0) < ?",
        until,
        user,
        until
    )
    .run(conn)?;
    Ok(())
}
