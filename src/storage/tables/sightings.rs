//! Last use of sessions and tokens: the time, the address and the user agent.

use diesel::{ExpressionMethods, QueryDsl, RunQueryDsl};

use crate::{
    core::model::{Credential, Origin, Timestamp},
    storage::{
        AnyConn, StorageError,
        schema::{sessions, tokens},
    },
};

/// Stores uses of credentials, in the given order. Credentials that have ended are skipped.
pub fn store(conn: &mut AnyConn, seen: &[(Credential, (Timestamp, Origin))]) -> Result<(), StorageError> {
    for (credential, (at, origin)) in seen {
        match credential {
            Credential::Session(hash) => diesel::update(sessions::table.find(hash))
                .set((
                    sessions::seen_at.eq(at.0),
                    sessions::address.eq(&origin.address),
                    sessions::user_agent.eq(&origin.user_agent),
                ))
                .execute(conn)?,
            Credential::Token(hash) => diesel::update(tokens::table.filter(tokens::key_hash.eq(hash)))
                .set((
                    tokens::seen_at.eq(at.0),
                    tokens::address.eq(&origin.address),
                    tokens::user_agent.eq(&origin.user_agent),
                ))
                .execute(conn)?,
            // Has no row.
            Credential::Jwt(_) => 0,
        };
    }
    Ok(())
}
