//! Accounts, as clients ask of them.

use crate::{
    core::model::{Refusal, UserId},
    state::State,
    storage::tables::users,
};

/// A user who must exist.
pub async fn exists(state: &State, user: UserId) -> Result<(), Refusal> {
    let found = state.readers.ask_one(move |conn| users::find(conn, user)).await?;
    found.map(drop).ok_or(Refusal::NotFound)
}
