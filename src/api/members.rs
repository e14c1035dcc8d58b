//! `chats/{chat}/members/`: list, add and remove members, join, leave, change roles.

use actix_web::{HttpRequest, HttpResponse, web::Data};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    HandlerResult,
    body::Body,
    chats::show,
    page::{PageNumber, PageView},
    path::Id,
    query::Query,
};
use crate::{
    chat::Answered,
    core::model::{
        ChatId, Command, FieldErrors, Refusal, Role, UserId, command::Action, permission::Ability,
    },
    input::Field,
    middleware::authenticate::Authenticated,
    rate_limit::MANY,
    services::checked::Checked,
    state::AppState,
    storage::{
        queries::{member_search, membership},
        tables::members,
    },
    view::MemberView,
};

const PAGE_SIZE: i64 = 100;

/// `GET chats/{chat}/members/`
pub async fn list(
    state: Data<AppState>,
    caller: Authenticated,
    chat: Id<ChatId>,
    request: HttpRequest,
) -> HandlerResult {
    let (chat, user) = (chat.0, caller.id());
    let query = Query::of(&request);
    let search = query.get("search").unwrap_or_default().trim().to_owned();
    let asked = PageNumber::of(&query, PAGE_SIZE).and_then(|page| Ok((page, query.matching()?)));
    let (page, matching) =
        Checked::from(asked).authorize_errors(state.permitted(chat, user, Ability::TakePart)).await?;
    let found = state.readers.query(move |conn| {
        let chat = membership::authorized(conn, chat, user, Ability::TakePart)?.chat;
        if search.is_empty() {
            return Ok((chat.member_count, members::page(conn, chat.id, page.skip(), page.size)?));
        }
        member_search::search(conn, chat.id, (&search, matching), page.skip(), page.size)
    });
    let (count, members) = found.await?;
    page.check(count)?;
    let results = members.iter().map(|member| MemberView::new(member, &state.links)).collect();
    Ok(PageView::numbered(&request, &state, page, count, results).answer())
}

/// `POST chats/{chat}/members/add/`
pub async fn add(
    state: Data<AppState>,
    caller: Authenticated,
    chat: Id<ChatId>,
    body: Body,
) -> HandlerResult {
    let (chat, by) = (chat.0, caller.id());
    let permission = state.permitted(chat, by, Ability::AddMembers);
    let users = body.checked(AddFields::check).authorize_errors(permission).await?;
    let is_large = users.len() > MANY;
    let directory = state.directory.clone();
    let command = Command { chat, by, action: Action::AddMembers { users } };
    let adding = async move { directory.command(command).await };
    let answered = if is_large { state.bulk_locks.run_exclusive(by, adding).await? } else { adding.await? };
    let Answered::Added(added_count) = answered else { return Err(Refusal::Internal.into()) };
    Ok(HttpResponse::Ok().json(AddedView { status: "success", added_count }))
}

#[derive(Deserialize, ToSchema)]
#[schema(as = NewMembers)]
pub(crate) struct AddFields {
    #[serde(default)]
    #[schema(value_type = Vec<UserId>, max_items = 200, required)]
    user_ids: Field,
}

impl AddFields {
    fn check(self) -> Result<Vec<UserId>, FieldErrors> {
        self.user_ids.user_ids().map_err(|sentence| FieldErrors::of("user_ids", sentence))
    }
}

#[derive(Serialize, ToSchema)]
#[schema(as = MembersAdded)]
pub(crate) struct AddedView {
    status: &'static str,
    /// Number of users added. Existing members are not counted.
    added_count: usize,
}

/// `DELETE chats/{chat}/members/{user}/remove/`
pub async fn remove(
    state: Data<AppState>,
    caller: Authenticated,
    chat: Id<ChatId>,
    user: Id<UserId>,
) -> HandlerResult {
    let action = Action::RemoveMember { user: user.0 };
    remove_member(&state, Command { chat: chat.0, by: caller.id(), action }).await
}

/// `POST chats/{chat}/join/`
pub async fn join(state: Data<AppState>, caller: Authenticated, chat: Id<ChatId>) -> HandlerResult {
    let (chat, by) = (chat.0, caller.id());
    state.directory.command(Command { chat, by, action: Action::Join }).await?;
    show(HttpResponse::Ok(), &state, &caller, chat).await
}

/// `POST chats/{chat}/leave/`
pub async fn leave(state: Data<AppState>, caller: Authenticated, chat: Id<ChatId>) -> HandlerResult {
    remove_member(&state, Command { chat: chat.0, by: caller.id(), action: Action::Leave }).await
}

async fn remove_member(state: &AppState, command: Command) -> HandlerResult {
    state.directory.command(command).await?;
    state.purge.notify_one();
    Ok(HttpResponse::NoContent().finish())
}

/// `PATCH chats/{chat}/members/{user}/`
pub async fn change_role(
    state: Data<AppState>,
    caller: Authenticated,
    chat: Id<ChatId>,
    user: Id<UserId>,
    body: Body,
) -> HandlerResult {
    let (chat, by, user) = (chat.0, caller.id(), user.0);
    let permission = async {
        state.permitted(chat, by, Ability::ChangeRole).await?;
        let member = state.readers.query(move |conn| members::find(conn, chat, user)).await?;
        member.map(drop).ok_or(Refusal::NotFound)
    };
    let role = body.checked(RoleFields::check).authorize_errors(permission).await?;
    let answered =
        state.directory.command(Command { chat, by, action: Action::ChangeRole { user, role } }).await?;
    let Answered::Member(member) = answered else { return Err(Refusal::Internal.into()) };
    Ok(HttpResponse::Ok().json(MemberView::new(&member, &state.links)))
}

#[derive(Deserialize, ToSchema)]
#[schema(as = RoleUpdate)]
pub(crate) struct RoleFields {
    #[serde(default)]
    #[schema(value_type = Role, required)]
    role: Field,
}

impl RoleFields {
    fn check(self) -> Result<Role, FieldErrors> {
        self.role.choice(Role::parse).map_err(|sentence| FieldErrors::of("role", sentence))
    }
}
