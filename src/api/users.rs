//! `users/`: user search, and user management by staff.

use actix_web::{HttpRequest, HttpResponse, web::Data};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    Answer,
    body::Body,
    page::Query,
    path::Id,
    user_fields::{UserChange, UserFields, expect_source},
};
use crate::{
    auth::{
        NewPassword,
        audit::{self, Who},
    },
    bus::BusMessage,
    core::model::{Credential, FieldErrors, Refusal, UserCard, UserId, text},
    error::ApiError,
    middleware::authenticate::Authenticated,
    net::forwarded,
    presence::PresenceChange,
    services::{self, accounts::exists, messages::authorize_before_errors},
    state::AppState,
    storage::{
        AnyConn,
        commands::succession,
        queries::{contact_policy, contact_search, user_search},
        tables::{
            sessions, tokens,
            users::{self, NO_PASSWORD, User},
        },
    },
    view::{FoundUserView, Links, OwnUserView, UserView, frames},
};

/// Builds the view of a user that the user and staff see.
pub(super) fn own_view<'a>(user: &'a User, card: &'a UserCard, links: &Links) -> OwnUserView<'a> {
    OwnUserView {
        user: UserView::new(card, links),
        avatar_source: links.source(card),
        email: &user.email,
        first_name: &user.first_name,
        last_name: &user.last_name,
        is_staff: user.is_staff,
        is_active: user.is_active,
    }
}

#[derive(Serialize, ToSchema)]
#[schema(as = FoundUsers)]
pub(crate) struct FoundView<'a> {
    /// At most 20 users, best match first.
    results: Vec<FoundUserView<'a>>,
}

/// `GET users/search/`
pub async fn search(state: Data<AppState>, caller: Authenticated, request: HttpRequest) -> Answer {
    let query = Query::of(&request);
    let wanted = query.get("q").unwrap_or_default().trim().to_owned();
    if wanted.is_empty() {
        let sentence = if query.get("q").is_some() { text::BLANK } else { text::REQUIRED };
        return Err(FieldErrors::of("q", sentence).into());
    }
    let matching = query.matching()?;
    let user = caller.id();
    let rules = state.rules.clone();
    let look = move |conn: &mut AnyConn| match contact_policy::is_limited(conn, &rules, user)? {
        true => contact_search::search(conn, user, &wanted, matching),
        false => user_search::search(conn, user, &wanted, matching),
    };
    let found = state.readers.query(look).await?;
    let results = found
        .iter()
        .map(|found| FoundUserView { user: UserView::new(&found.card, &state.links), email: &found.email })
        .collect();
    Ok(HttpResponse::Ok().json(FoundView { results }))
}

/// `POST users/`, staff only: creates a user, or returns the existing one of that name. If that one
/// registered themselves, the request fails.
pub async fn create(
    state: Data<AppState>,
    caller: Authenticated,
    request: HttpRequest,
    body: Body,
) -> Answer {
    staff_only(&caller)?;
    let (mut new, password) = body.json::<UserFields>()?.check_new(false)?;
    expect_source(&state, &new.avatar_url)?;
    if let Some(password) = password {
        new.password = state.passwords.hash(NewPassword { password, known: new.known() }).await?;
    }
    let (user, is_new) =
        state.writer.run("create_user", move |conn, _| users::find_or_create(conn, &new)).await?;
    if user.is_registered {
        return Err(ApiError::Registered(user.id()));
    }
    if is_new {
        let from = forwarded::client_address(&request, &state.config);
        audit::note_done_to("made a user", Who::from(&user), Who::from(&*caller.card), from);
    }
    let mut response = if is_new { HttpResponse::Created() } else { HttpResponse::Ok() };
    Ok(response.json(own_view(&user, &user.card(), &state.links)))
}

/// Finds a user that `by` may see. Returns 404 for all others.
pub(super) async fn known(state: &AppState, by: UserId, user: UserId) -> Result<User, Refusal> {
    let rules = state.rules.clone();
    let look = move |conn: &mut AnyConn| {
        contact_policy::expect_known(conn, &rules, by, user)?;
        users::find(conn, user)
    };
    state.readers.query(look).await?.ok_or(Refusal::NotFound)
}

/// `GET users/{user}/`: the public view, for callers that may see the user. The user and staff get the full
/// view.
pub async fn detail(state: Data<AppState>, caller: Authenticated, user: Id<UserId>) -> Answer {
    let id = user.0;
    let user = known(&state, caller.id(), id).await?;
    let card = user.card();
    if caller.is_staff || caller.id() == id {
        return Ok(HttpResponse::Ok().json(own_view(&user, &card, &state.links)));
    }
    Ok(HttpResponse::Ok().json(UserView::new(&card, &state.links)))
}

/// `PATCH users/{user}/`, staff only.
pub async fn update(
    state: Data<AppState>,
    caller: Authenticated,
    request: HttpRequest,
    user: Id<UserId>,
    body: Body,
) -> Answer {
    staff_only(&caller)?;
    let id = user.0;
    let change = async {
        let mut fields = body.json::<UserFields>()?;
        if fields.has_picture() {
            let user = state.readers.query_one(move |conn| users::find(conn, id)).await?;
            user.inspect(|user| fields.leave_out_picture_of(&user.card(), &state.links));
        }
        let change = fields.check_change()?;
        expect_source(&state, change.avatar_url.as_deref().unwrap_or_default())?;
        Ok(change)
    };
    let change = authorize_before_errors(change.await, exists(&state, id)).await?;
    let user = change_user(&state, &caller, &request, id, change).await?;
    Ok(HttpResponse::Ok().json(own_view(&user, &user.card(), &state.links)))
}

/// Error for deactivating the last active staff user. Only active staff can activate users.
const LAST_STAFF: &str = "The last active staff user stays active.";

/// Changes a user, revokes credentials where needed, and publishes the change.
///
/// A new password ends the user's other sessions. Deactivation and transfer end all sessions and tokens.
pub(super) async fn change_user(
    state: &AppState,
    caller: &Authenticated,
    request: &HttpRequest,
    id: UserId,
    change: UserChange,
) -> Result<User, ApiError> {
    let hash = match &change.password {
        Some(password) => {
            let user =
                state.readers.query_one(move |conn| users::find(conn, id)).await?.ok_or(Refusal::NotFound)?;
            let given = [&change.email, &change.first_name, &change.last_name];
            let known = user.known().into_iter().chain(given.into_iter().flatten().cloned()).collect();
            Some(state.passwords.hash(NewPassword { password: password.clone(), known }).await?)
        }
        None => None,
    };
    // A user that changes their own password keeps the current session.
    let spared = match &caller.credential {
        Credential::Session(hash) if caller.id() == id => Some(hash.clone()),
        _ => None,
    };
    let is_standing_given = change.is_active.is_some();
    let is_password_set = hash.is_some();
    let changed = state.writer.run("change_user", move |conn, _| {
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
        let set = |field: &mut String, value: &Option<String>| {
            if let Some(value) = value {
                field.clone_from(value);
            }
        };
        set(&mut user.email, &change.email);
        set(&mut user.first_name, &change.first_name);
        set(&mut user.last_name, &change.last_name);
        set(&mut user.avatar_url, &change.avatar_url);
        let is_taken_over = change.is_taken_over && user.is_registered;
        if is_taken_over {
            // From here on, no credential of the former owner works.
            user.is_registered = false;
            NO_PASSWORD.clone_into(&mut user.password);
        }
        set(&mut user.password, &hash);
        let is_active = change.is_active.unwrap_or(user.is_active);
        let standing = (is_active != user.is_active).then_some(is_active);
        if is_active == user.is_active {
            users::update(conn, &user)?;
        } else {
            succession::change_standing(conn, &mut user, is_active)?;
        }
        if hash.is_some() || is_taken_over || !user.is_active {
            sessions::end_all(conn, id, spared.as_deref().filter(|_| user.is_active))?;
        }
        if is_taken_over || !user.is_active {
            tokens::revoke_all(conn, id)?;
        }
        if user != before {
            crate::storage::tables::revocations::record(conn, id)?;
        }
        let looks_different = user.card() != before.card();
        Ok((user, looks_different, standing))
    });
    let (user, looks_different, standing) = changed.await?;
    let from = forwarded::client_address(request, &state.config);
    let deeds = [
        is_password_set.then_some("set a password"),
        standing.map(|is_active| if is_active { "activated a user" } else { "deactivated a user" }),
    ];
    for deed in deeds.into_iter().flatten() {
        audit::note_done_to(deed, Who::from(&user), Who::from(&*caller.card), from);
    }
    state.identities.invalidate(id).await;
    if is_standing_given {
        // The change is committed. If the handover fails here, the task that watches revocations retries it.
        let _ = services::succession::hand_over_chats_of(state, id).await;
    }
    if looks_different {
        let frame = frames::user_updated(&user.card(), &state.links);
        state.bus.publish(BusMessage::ForPartners { user: id, frame: frame.to_string() });
        state.presence.note(PresenceChange::ProfileChanged(id, frame));
    }
    Ok(user)
}

pub(super) fn staff_only(caller: &Authenticated) -> Result<(), ApiError> {
    if caller.is_staff { Ok(()) } else { Err(ApiError::FORBIDDEN) }
}
