//! Permission checks against storage.

use crate::{
    core::model::{ChatId, Refusal, UserId, permission::Ability},
    state::AppState,
    storage::queries::membership,
};

impl AppState {
    /// Checks a permission of the caller in a chat against the current state of storage.
    pub async fn permitted(&self, chat: ChatId, caller: UserId, ability: Ability) -> Result<(), Refusal> {
        self.readers
            .query_one(move |conn| membership::authorized(conn, chat, caller, ability).map(drop))
            .await
    }
}
