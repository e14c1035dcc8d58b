//! `users/`: user search, and user management by staff.

use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder, web::Data};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    HandlerResult,
    body::Body,
    page::{PageNumber, PageView},
    path::Id,
    query::Query,
    user_fields::{UserFields, expect_source},
};
use crate::{
    core::model::{Custom, FieldErrors, Refusal, UserId, text},
    error::ApiError,
    middleware::authenticate::Authenticated,
    net::forwarded,
    services::{accounts, checked::Checked},
    state::AppState,
    storage::{
        AnyConn,
        queries::{
            contact_policy, contact_search,
            user_list::{self, ListedUser, UserFilter},
            user_search::{self, FoundUser},
        },
        tables::{
            external_users, merged_guests, user_custom,
            users::{self, User},
        },
    },
    view::{FoundUserView, OwnUserView, ProfileView, UserExtras, UserView},
};

/// Answers with the view of a user that the user and staff see. `to_staff`: whether the caller is staff.
pub(super) async fn answer_own(
    state: &AppState,
    mut response: HttpResponseBuilder,
    user: &User,
    to_staff: bool,
) -> HandlerResult {
    let id = user.id();
    let find = move |conn: &mut AnyConn| {
        let (external_id, custom) = (external_users::external_id(conn, id)?, user_custom::find(conn, id)?);
        Ok(UserExtras { external_id, custom })
    };
    let extras = state.readers.query(find).await?;
    let card = user.card();
    Ok(response.json(OwnUserView::new(user, &card, &extras, to_staff, &state.links)))
}

#[derive(Serialize, ToSchema)]
#[schema(as = FoundUsers)]
pub(crate) struct FoundView<'a> {
    /// At most 20 users, best match first.
    results: Vec<FoundUserView<'a>>,
}

/// `GET users/search/`
pub async fn search(state: Data<AppState>, caller: Authenticated, request: HttpRequest) -> HandlerResult {
    let query = Query::of(&request);
    let wanted = query.get("q").unwrap_or_default().trim().to_owned();
    if wanted.is_empty() {
        let sentence = if query.get("q").is_some() { text::BLANK } else { text::REQUIRED };
        return Err(FieldErrors::of("q", sentence).into());
    }
    let matching = query.matching()?;
    let (user, is_guest) = (caller.id(), caller.card.is_guest);
    let policy = state.policy.clone();
    let find = move |conn: &mut AnyConn| {
        let found = if is_guest {
            user_search::search_staff(conn, &wanted, matching)?
        } else if contact_policy::is_limited(conn, &policy, user)? {
            contact_search::search(conn, user, &wanted, matching)?
        } else {
            user_search::search(conn, user, &wanted, matching)?
        };
        let ids: Vec<UserId> = found.iter().map(|found| found.card.id).collect();
        Ok((found, user_custom::of_users(conn, &ids)?))
    };
    let (found, custom) = state.readers.query(find).await?;
    let none = Custom::default();
    let results = found
        .iter()
        .map(|FoundUser { card, email }| FoundUserView {
            user: UserView::new(card, &state.links),
            email,
            custom: custom.get(&card.id).unwrap_or(&none).shown(caller.is_staff),
        })
        .collect();
    Ok(HttpResponse::Ok().json(FoundView { results }))
}

/// Number of users on a page.
const PAGE_SIZE: i64 = 50;

/// `GET users/`, staff only: users by id; all, or the one with an `external_id`, or those with some custom data.
pub async fn list(state: Data<AppState>, caller: Authenticated, request: HttpRequest) -> HandlerResult {
    staff_only(&caller)?;
    let query = Query::of(&request);
    let page = PageNumber::of(&query, PAGE_SIZE)?;
    let filter = UserFilter {
        external_id: query.get("external_id").map(str::to_owned),
        custom: query.custom(&state.config.custom_keys.user, true)?,
    };
    let find = move |conn: &mut AnyConn| user_list::page(conn, &filter, page.skip(), page.size);
    let (count, found) = state.readers.query(find).await?;
    page.check(count)?;
    let details = |ListedUser { user, external_id, custom }| {
        let card = user.card();
        (user, card, UserExtras { external_id, custom })
    };
    let found: Vec<_> = found.into_iter().map(details).collect();
    let results =
        found.iter().map(|(user, card, extras)| OwnUserView::new(user, card, extras, true, &state.links));
    let results = results.collect();
    Ok(PageView::numbered(&request, &state, page, count, results).answer())
}

/// `POST users/`, staff only: creates a user, or returns the existing one of that external id or name. If that one
/// registered themselves, the request fails.
pub async fn create(
    state: Data<AppState>,
    caller: Authenticated,
    request: HttpRequest,
    body: Body,
) -> HandlerResult {
    staff_only(&caller)?;
    let fields = body.json::<UserFields>()?;
    let (new, password) = fields.check_new(false)?;
    let (external_id, custom) = (fields.check_external_id()?, fields.check_custom()?);
    expect_source(&state, &new.avatar_url)?;
    let from = forwarded::client_address(&request, &state.config);
    let extras = UserExtras { external_id, custom };
    let (user, is_new) = accounts::create_user(&state, &caller, from, new, extras, password).await?;
    let response = if is_new { HttpResponse::Created() } else { HttpResponse::Ok() };
    answer_own(&state, response, &user, true).await
}

/// Finds a user that `by` may see. Returns 404 for all others.
pub(super) async fn known(state: &AppState, by: UserId, user: UserId) -> Result<User, Refusal> {
    let policy = state.policy.clone();
    let find = move |conn: &mut AnyConn| {
        // A guest that became a user with an account is that user.
        let user = merged_guests::user_of(conn, user)?.unwrap_or(user);
        contact_policy::expect_known(conn, &policy, by, user)?;
        users::find(conn, user)
    };
    state.readers.query(find).await?.ok_or(Refusal::NotFound)
}

/// `GET users/{user}/`: the public view, for callers that may see the user. The user and staff get the full
/// view.
pub async fn detail(state: Data<AppState>, caller: Authenticated, user: Id<UserId>) -> HandlerResult {
    let user = known(&state, caller.id(), user.0).await?;
    let id = user.id();
    if caller.is_staff || caller.id() == id {
        return answer_own(&state, HttpResponse::Ok(), &user, caller.is_staff).await;
    }
    let custom = state.readers.query_one(move |conn| user_custom::find(conn, id)).await?;
    Ok(HttpResponse::Ok().json(ProfileView::new(&user.card(), &custom, &state.links)))
}

/// `PATCH users/{user}/`, staff only.
pub async fn update(
    state: Data<AppState>,
    caller: Authenticated,
    request: HttpRequest,
    user: Id<UserId>,
    body: Body,
) -> HandlerResult {
    staff_only(&caller)?;
    let id = user.0;
    let change = async {
        let mut fields = body.json::<UserFields>()?;
        if fields.has_picture()
            && let Some(user) = state.readers.query_one(move |conn| users::find(conn, id)).await?
        {
            fields.leave_out_picture_of(&user.card(), &state.links);
        }
        let change = fields.check_change(true)?;
        expect_source(&state, change.profile.avatar_url.as_deref().unwrap_or_default())?;
        Ok::<_, ApiError>(change)
    };
    let change = Checked::from(change.await).authorize_errors(accounts::exists(&state, id)).await?;
    let from = forwarded::client_address(&request, &state.config);
    let user = accounts::change_user(&state, &caller, from, id, change).await?;
    answer_own(&state, HttpResponse::Ok(), &user, true).await
}

pub(super) fn staff_only(caller: &Authenticated) -> Result<(), ApiError> {
    if caller.is_staff { Ok(()) } else { Err(ApiError::FORBIDDEN) }
}
