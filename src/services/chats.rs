//! Services for chats: creating and renaming.

use crate::{
    auth::Caller,
    core::model::{
        ChatId, ChatKind, Custom, Refusal, UserId,
        command::{NewChat, NewRoom},
        permission::Ability,
    },
    error::ApiError,
    rate_limit::{LimitClass, MANY},
    state::AppState,
    storage::{
        AnyConn, StorageError,
        commands::{existing_dm, existing_room},
        queries::membership,
    },
};

/// Validated request to create a chat.
pub enum CreateChat {
    Chat(NewChat),
    Room(NewRoom),
}

impl CreateChat {
    /// Returns the rate limit class that a creation counts against.
    fn counts_as(&self) -> LimitClass {
        match self {
            Self::Chat(NewChat { kind: ChatKind::Dm, .. }) => LimitClass::Dms,
            Self::Chat(_) | Self::Room(_) => LimitClass::Groups,
        }
    }

    /// Returns the custom data of the new chat.
    pub fn custom(&self) -> &Custom {
        match self {
            Self::Chat(new) => &new.custom,
            Self::Room(new) => &new.custom,
        }
    }

    /// Finds the existing chat that the request would return.
    fn existing(&self, conn: &mut AnyConn) -> Result<Option<ChatId>, StorageError> {
        match self {
            Self::Room(new) => existing_room(conn, new),
            Self::Chat(new) => existing_dm(conn, new),
        }
    }
}

/// Creates the chat or finds an existing one. Returns its id and whether it is new.
///
/// Only a created chat counts against the rate limit. A caller over the limit still gets an existing chat.
pub async fn create(state: &AppState, caller: &Caller, new: CreateChat) -> Result<(ChatId, bool), ApiError> {
    let counts = (!caller.is_staff).then(|| new.counts_as());
    if let Some(kind) = counts
        && let Err(seconds) = state.rate_limiter.take(caller.id(), kind)
    {
        let found = state.readers.query(move |conn| new.existing(conn)).await?;
        return found.map(|chat| (chat, false)).ok_or(ApiError::Throttled { seconds });
    }
    let made = match new {
        CreateChat::Room(new) => state.directory.create_room(new).await,
        CreateChat::Chat(new) if new.members.len() <= MANY => state.directory.create(new).await,
        CreateChat::Chat(new) => {
            let directory = state.directory.clone();
            state.bulk_locks.run_exclusive(caller.id(), async move { directory.create(new).await }).await
        }
    };
    if let Some(kind) = counts
        && !matches!(made, Ok((_, true)))
    {
        state.rate_limiter.give_back(caller.id(), kind);
    }
    Ok(made?)
}

/// Returns 403 if the settings forbid changing the title of this kind of chat.
pub async fn expect_renamable(state: &AppState, chat: ChatId, by: UserId) -> Result<(), Refusal> {
    let may_rename = |kind| match kind {
        ChatKind::Dm => state.config.allow_renaming_dms,
        ChatKind::Room => state.config.allow_renaming_rooms,
        ChatKind::Group => true,
    };
    if may_rename(ChatKind::Dm) && may_rename(ChatKind::Room) {
        return Ok(());
    }
    let membership =
        state.readers.query(move |conn| membership::authorized(conn, chat, by, Ability::See)).await?;
    if may_rename(membership.chat.kind) { Ok(()) } else { Err(Refusal::Forbidden) }
}
