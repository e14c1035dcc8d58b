//! Services for accounts.

use crate::{
    core::model::{Refusal, UserId},
    state::AppState,
    storage::tables::users,
};

/// Returns 404 if a user does not exist.
pub async fn exists(state: &AppState, user: UserId) -> Result<(), Refusal> {
    let found = state.readers.query_one(move |conn| users::find(conn, user)).await?;
    found.map(drop).ok_or(Refusal::NotFound)
}
