//! `chats/`: list, create, retrieve, update and delete chats.

use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder, web::Data};
use serde::Deserialize;
use utoipa::ToSchema;

use super::{
    Answer,
    body::Body,
    page::{PageNumber, PageView, Query},
    path::Id,
    rooms::RoomFields,
};
use crate::{
    auth::Caller,
    core::model::{
        ChatId, ChatKind, Command, FieldErrors, Refusal, UserId,
        command::{Action, NewChat, NewRoom},
        permission::Ability,
        text::{REQUIRED, Title},
    },
    error::ApiError,
    input::Field,
    middleware::authenticate::Authenticated,
    rate_limit::{LimitClass, MANY},
    services::messages::authorize_before_errors,
    state::AppState,
    storage::{
        AnyConn, StorageError,
        commands::{existing_dm, existing_room},
        queries::{
            chat_list::{self, ChatFilter},
            membership,
        },
    },
    view::ChatView,
};

/// Default page size of chat lists.
pub(super) const PAGE_SIZE: i64 = 10;

/// `GET chats/`
pub async fn list(state: Data<AppState>, caller: Authenticated, request: HttpRequest) -> Answer {
    let query = Query::of(&request);
    let page = PageNumber::of(&query, PAGE_SIZE)?;
    let kind = query.filled("chat_type");
    let kind = kind.map(|text| ChatKind::parse(text).ok_or_else(|| unknown_kind(text))).transpose()?;
    let filter = ChatFilter {
        search: query.get("search").unwrap_or_default().to_owned(),
        matching: query.matching()?,
        kind,
    };
    let (user, known) = (caller.id(), state.chat_cache.clone());
    let found =
        state.readers.query(move |conn| chat_list::page(conn, &known, user, &filter, page.skip(), page.size));
    let (count, found) = found.await?;
    page.check(count)?;
    let results = found.iter().map(|chat| ChatView::shown(chat, &state.links)).collect();
    Ok(PageView::numbered(&request, &state, page, count, results).answer())
}

fn unknown_kind(text: &str) -> ApiError {
    FieldErrors::of("chat_type", format!("\"{text}\" is not a valid choice.")).into()
}

/// `POST chats/`
pub async fn create(state: Data<AppState>, caller: Authenticated, body: Body) -> Answer {
    let new = body.json::<CreateFields>()?.check(caller.id())?;
    if let New::Chat(NewChat { kind: ChatKind::Dm, title: Some(_), .. }) = &new
        && !state.config.allow_renaming_dms
    {
        return Err(ApiError::FORBIDDEN);
    }
    let (chat, is_new) = make(&state, &caller, new).await?;
    let response = if is_new { HttpResponse::Created() } else { HttpResponse::Ok() };
    show(response, &state, caller.id(), chat).await
}

/// Creates the chat or finds an existing one. Returns its id and whether it is new.
///
/// Only a created chat counts against the rate limit. A caller over the limit still gets an existing chat.
async fn make(state: &AppState, caller: &Caller, new: New) -> Result<(ChatId, bool), ApiError> {
    let counts = (!caller.is_staff).then(|| new.counts_as());
    if let Some(kind) = counts
        && let Err(seconds) = state.rate_limiter.take(caller.id(), kind)
    {
        let found = state.readers.query(move |conn| new.existing(conn)).await?;
        return found.map(|chat| (chat, false)).ok_or(ApiError::Throttled { seconds });
    }
    let made = match new {
        New::Room(new) => state.directory.create_room(new).await,
        New::Chat(new) if new.members.len() <= MANY => state.directory.create(new).await,
        New::Chat(new) => {
            let directory = state.directory.clone();
            state.crowd_turns.take(caller.id(), async move { directory.create(new).await }).await
        }
    };
    if let Some(kind) = counts
        && !matches!(made, Ok((_, true)))
    {
        state.rate_limiter.give_back(caller.id(), kind);
    }
    Ok(made?)
}

#[derive(Deserialize, ToSchema)]
#[schema(as = NewChat)]
pub(crate) struct CreateFields {
    #[serde(default)]
    #[schema(value_type = ChatKind, required)]
    chat_type: Field,
    /// Missing, null or blank: the title is formed from the members' names. Required for rooms.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 255)]
    title: Field,
    /// The other members; the caller may be listed too. A dm has exactly one other member, or none for
    /// personal notes. Not used for rooms.
    #[serde(default)]
    #[schema(value_type = Vec<UserId>, max_items = 200)]
    member_ids: Field,
    /// With `object_id`: the host object that the room belongs to. An object has at most one room.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 255)]
    object_type: Field,
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 255)]
    object_id: Field,
    /// Whether every user may see and join the room. Default: true.
    #[serde(default)]
    #[schema(value_type = bool)]
    is_public: Field,
}

/// Validated creation request.
enum New {
    Chat(NewChat),
    Room(NewRoom),
}

impl New {
    /// Returns the rate limit class that a creation counts against.
    fn counts_as(&self) -> LimitClass {
        match self {
            Self::Chat(NewChat { kind: ChatKind::Dm, .. }) => LimitClass::Dms,
            Self::Chat(_) | Self::Room(_) => LimitClass::Groups,
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

impl CreateFields {
    fn check(self, creator: UserId) -> Result<New, FieldErrors> {
        let mut errors = FieldErrors::default();
        let kind = errors.note("chat_type", self.chat_type.choice(ChatKind::parse));
        if kind == Some(ChatKind::Room) {
            let Self { title, object_type, object_id, is_public, .. } = self;
            let fields = RoomFields { title, object_type, object_id, is_public };
            return fields.check(creator).map(New::Room);
        }
        let title = errors.note("title", title(&self.title));
        let members = match self.member_ids {
            Field::Missing => Ok(Vec::new()),
            given => given.user_ids(),
        };
        match (kind, title, errors.note("member_ids", members)) {
            (Some(kind), Some(title), Some(members)) => {
                Ok(New::Chat(NewChat { kind, title, creator, members }))
            }
            _ => Err(errors),
        }
    }
}

/// Parses an optional title. Missing, null and blank all mean no title.
fn title(field: &Field) -> Result<Option<Title>, String> {
    field.optional_text()?.map_or(Ok(None), |text| Title::parse(&text))
}

/// `GET chats/{chat}/`
pub async fn detail(state: Data<AppState>, caller: Authenticated, chat: Id<ChatId>) -> Answer {
    show(HttpResponse::Ok(), &state, caller.id(), chat.0).await
}

/// `PUT` and `PATCH chats/{chat}/`
pub async fn update(
    state: Data<AppState>,
    caller: Authenticated,
    chat: Id<ChatId>,
    request: HttpRequest,
    body: Body,
) -> Answer {
    let (chat, by) = (chat.0, caller.id());
    refuse_lasting_titles(&state, chat, by).await?;
    let is_whole = request.method() == "PUT";
    let fields = body.json::<UpdateFields>().and_then(|fields| Ok(fields.check(is_whole)?));
    let change = authorize_before_errors(fields, state.permitted(chat, by, Ability::Rename)).await?;
    let Update { title, is_public } = change;
    if title.is_none() {
        state.permitted(chat, by, Ability::Rename).await?;
    }
    let open = is_public.map(|is_public| Action::Open { is_public });
    // The action that can be refused while the other is allowed runs first.
    for action in open.into_iter().chain(title.map(|title| Action::Rename { title })) {
        state.directory.command(Command { chat, by, action }).await?;
    }
    show(HttpResponse::Ok(), &state, by, chat).await
}

/// Returns 403 if the settings forbid changing the title of this kind of chat.
async fn refuse_lasting_titles(state: &AppState, chat: ChatId, by: UserId) -> Result<(), Refusal> {
    let may_rename = |kind| match kind {
        ChatKind::Dm => state.config.allow_renaming_dms,
        ChatKind::Room => state.config.allow_renaming_rooms,
        ChatKind::Group => true,
    };
    if may_rename(ChatKind::Dm) && may_rename(ChatKind::Room) {
        return Ok(());
    }
    let met = state.readers.query(move |conn| membership::authorized(conn, chat, by, Ability::See)).await?;
    if may_rename(met.chat.kind) { Ok(()) } else { Err(Refusal::Forbidden) }
}

#[derive(Deserialize, ToSchema)]
pub(crate) struct UpdateFields {
    /// Blank or null restores the automatic title. Rooms have no automatic title.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 255)]
    title: Field,
    /// True makes a private room public. Only staff may do this, and it cannot be undone.
    #[serde(default)]
    #[schema(value_type = bool)]
    is_public: Field,
}

/// Validated update. `None` leaves a field unchanged; `Some(None)` restores the automatic title.
struct Update {
    title: Option<Option<Title>>,
    is_public: Option<bool>,
}

impl UpdateFields {
    fn check(self, is_whole: bool) -> Result<Update, FieldErrors> {
        let mut errors = FieldErrors::default();
        let given = match &self.title {
            Field::Missing if !is_whole => Ok(None),
            Field::Missing => Err(REQUIRED.to_owned()),
            given => title(given).map(Some),
        };
        let is_public = if self.is_public.is_given() { self.is_public.boolean().map(Some) } else { Ok(None) };
        match (errors.note("title", given), errors.note("is_public", is_public)) {
            (Some(title), Some(is_public)) => Ok(Update { title, is_public }),
            _ => Err(errors),
        }
    }
}

/// `DELETE chats/{chat}/`
pub async fn delete(state: Data<AppState>, caller: Authenticated, chat: Id<ChatId>) -> Answer {
    let command = Command { chat: chat.0, by: caller.id(), action: Action::DeleteChat };
    state.directory.command(command).await?;
    state.purge.notify_one();
    Ok(HttpResponse::NoContent().finish())
}

/// Responds with a chat as `user` sees it.
pub(super) async fn show(
    mut response: HttpResponseBuilder,
    state: &AppState,
    user: UserId,
    chat: ChatId,
) -> Answer {
    let known = state.chat_cache.clone();
    let shown = state.readers.query(move |conn| known.view(conn, chat, user)).await?;
    Ok(response.json(ChatView::shown(&shown, &state.links)))
}
