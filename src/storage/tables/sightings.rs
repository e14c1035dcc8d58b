//! Last use of sessions and tokens: the time, the address and the user agent.

use diesel::{ExpressionMethods, QueryDsl, RunQueryDsl};

use super::guests;
use crate::{
    core::model::{Credential, Origin, Timestamp},
    storage::{
        AnyConn, StorageError,
        schema::{sessions, tokens},
    },
};

/// A use of a credential.
#[derive(Debug, Clone)]
pub struct Sighting {
    pub at: Timestamp,
    /// `None`: it is unchanged.
    pub origin: Option<Origin>,
    pub is_of_guest: bool,
}

/// Stores uses of credentials, in the given order. Credentials that have ended are skipped.
pub fn store(conn: &mut AnyConn, seen: &[(Credential, Sighting)]) -> Result<(), StorageError> {
    for (credential, sighting) in seen {
        let at = sighting.at;
        match credential {
            Credential::Session(hash) => {
                let session = sessions::table.find(hash);
                diesel::update(session).set(sessions::seen_at.eq(at.0)).execute(conn)?;
                if let Some(Origin { address, user_agent }) = &sighting.origin {
                    let origin = (sessions::address.eq(address), sessions::user_agent.eq(user_agent));
                    diesel::update(session).set(origin).execute(conn)?;
                }
            }
            Credential::Token(hash) => {
                let token = tokens::table.filter(tokens::key_hash.eq(hash));
                diesel::update(token).set(tokens::seen_at.eq(at.0)).execute(conn)?;
                if let Some(Origin { address, user_agent }) = &sighting.origin {
                    let origin = (tokens::address.eq(address), tokens::user_agent.eq(user_agent));
                    diesel::update(token).set(origin).execute(conn)?;
                }
                if sighting.is_of_guest {
                    guests::record_visit(conn, hash, at)?;
                }
            }
            // Has no row.
            Credential::Jwt(_) => {}
        }
    }
    Ok(())
}
