//! Whether a caller may do something, as storage has it now.

use crate::{
    core::model::{ChatId, Refusal, UserId, permission::Ability},
    state::State,
    storage::queries::membership,
};

impl State {
    /// Whether the caller may do something in a chat, as storage has it now.
    pub async fn permitted(&self, chat: ChatId, caller: UserId, ability: Ability) -> Result<(), Refusal> {
        self.readers.ask_one(move |conn| membership::authorized(conn, chat, caller, ability).map(drop)).await
    }
}
