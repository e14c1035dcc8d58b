//! Services for guests.

use std::{
    net::IpAddr,
    time::{Duration, Instant},
};

use crate::{
    auth::{
        Caller,
        audit::{self, AuditUser},
    },
    chat::Answered,
    core::{
        model::{Command, Guests, Refusal, UserId, command::Action},
        secrets,
    },
    error::ApiError,
    state::AppState,
    storage::{commands::guests, tables::users::User},
};

/// A new guest.
pub struct NewGuest {
    pub user: User,
    /// The secret key, which is not stored.
    pub key: String,
}

/// Creates a guest, if the settings allow it. `name`: the display name; empty for a generated one. `from`: the
/// client's address, which may create a limited number.
pub async fn create(state: &AppState, from: IpAddr, name: String) -> Result<NewGuest, ApiError> {
    if state.config.guests == Guests::Closed {
        return Err(ApiError::FORBIDDEN);
    }
    let throttled = |seconds| ApiError::Throttled { seconds };
    let mut place = state.guest_registrations.place(from).map_err(throttled)?;
    let key = secrets::draw();
    let hash = secrets::hash(&key);
    place.keep();
    let create = move |conn: &mut _, _: &_| guests::create(conn, &name, &hash);
    let user = match state.writer.run("create_guest", create).await {
        Ok(user) => user,
        Err(refusal) => {
            place.give_back();
            return Err(refusal.into());
        }
    };
    audit::note("became a guest", AuditUser::from(&user), from);
    Ok(NewGuest { user, key })
}

/// How long one request hands over chats. The next one continues.
const MAX_TIME: Duration = Duration::from_secs(2);

/// A guest that becomes the caller.
pub struct Claim {
    pub guest: UserId,
    /// Whether everything is handed over.
    pub is_done: bool,
}

/// Makes a guest the caller: ends the guest's credentials, and hands over chats and messages, in steps, for at most two
/// seconds. Idempotent: a further call continues. `from`: the client's address, for the audit log.
pub async fn claim(state: &AppState, caller: &Caller, from: IpAddr, key: &str) -> Result<Claim, ApiError> {
    let began = Instant::now();
    let (hash, by) = (secrets::hash(key), caller.id());
    let guest = state.writer.run("claim_guest", move |conn, _| guests::claim(conn, &hash, by)).await?;
    state.identities.invalidate(guest).await;
    audit::note(&format!("took over guest {guest}"), AuditUser::from(&*caller.card), from);
    while let Some(chat) = state.readers.query_one(move |conn| guests::next_chat(conn, guest)).await? {
        if began.elapsed() > MAX_TIME {
            return Ok(Claim { guest, is_done: false });
        }
        let command = Command { chat, by, action: Action::TakeOver { guest } };
        match state.directory.command(command).await {
            Ok(Answered::HandedOver { .. }) => {}
            // The chat was deleted meanwhile.
            Err(Refusal::NotFound) => {}
            Ok(_) => return Err(Refusal::Internal.into()),
            Err(refusal) => return Err(refusal.into()),
        }
    }
    Ok(Claim { guest, is_done: true })
}
