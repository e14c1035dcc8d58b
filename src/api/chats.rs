//! `chats/`: list, create, retrieve, update and delete chats.

use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder, web::Data};
use serde::Deserialize;
use utoipa::ToSchema;

use super::{
    HandlerResult,
    body::Body,
    page::{PageNumber, PageView},
    path::Id,
    query::Query,
    rooms::RoomFields,
};
use crate::{
    core::model::{
        ChatId, ChatKind, Command, CustomChange, FieldErrors, GuestAccess, UserId,
        command::{Action, NewChat},
        permission::Ability,
        text::{BLANK, REQUIRED, Title},
    },
    error::ApiError,
    input::{CustomField, Field},
    middleware::authenticate::Authenticated,
    services::{
        chats::{self, CreateChat},
        messages::permitted_change,
    },
    state::AppState,
    storage::{
        AnyConn,
        commands::NOT_PUBLIC,
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
pub async fn list(state: Data<AppState>, caller: Authenticated, request: HttpRequest) -> HandlerResult {
    let query = Query::of(&request);
    let page = PageNumber::of(&query, PAGE_SIZE)?;
    let kind = query.filled("chat_type");
    let kind = kind.map(|text| ChatKind::parse(text).ok_or_else(|| unknown_kind(text))).transpose()?;
    let filter = ChatFilter {
        search: query.get("search").unwrap_or_default().to_owned(),
        matching: query.matching()?,
        kind,
        custom: query.custom(&state.config.custom_keys.chat, caller.is_staff)?,
    };
    let (user, known) = (caller.id(), state.chat_cache.clone());
    let found =
        state.readers.query(move |conn| chat_list::page(conn, &known, user, &filter, page.skip(), page.size));
    let (count, found) = found.await?;
    page.check(count)?;
    let view = |chat| ChatView::shown(chat, &state.links).seen_by(caller.is_staff, chat);
    let results = found.iter().map(view).collect();
    Ok(PageView::numbered(&request, &state, page, count, results).answer())
}

fn unknown_kind(text: &str) -> ApiError {
    FieldErrors::of("chat_type", format!("\"{text}\" is not a valid choice.")).into()
}

/// `POST chats/`
pub async fn create(state: Data<AppState>, caller: Authenticated, body: Body) -> HandlerResult {
    let new = body.json::<CreateFields>()?.check(caller.id())?;
    if let CreateChat::Chat(NewChat { kind: ChatKind::Dm, title: Some(_), .. }) = &new
        && !state.config.allow_renaming_dms
    {
        return Err(ApiError::FORBIDDEN);
    }
    if new.custom().has_private() && !caller.is_staff {
        return Err(ApiError::FORBIDDEN);
    }
    let (chat, is_new) = chats::create(&state, &caller, new).await?;
    let response = if is_new { HttpResponse::Created() } else { HttpResponse::Ok() };
    show(response, &state, &caller, chat).await
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
    /// Rooms only: what guests may do. Default: `none`.
    #[serde(default)]
    #[schema(value_type = GuestAccess)]
    guest_access: Field,
    /// Data of the host.
    #[serde(default)]
    #[schema(value_type = Option<HashMap<String, serde_json::Value>>)]
    custom: CustomField,
}

impl CreateFields {
    fn check(self, creator: UserId) -> Result<CreateChat, FieldErrors> {
        let mut errors = FieldErrors::default();
        let kind = errors.note("chat_type", self.chat_type.choice(ChatKind::parse));
        if kind == Some(ChatKind::Room) {
            let Self { title, object_type, object_id, is_public, guest_access, custom, .. } = self;
            let fields = RoomFields { title, object_type, object_id, is_public, guest_access, custom };
            return fields.check(creator).map(CreateChat::Room);
        }
        let title = errors.note("title", title(&self.title));
        let members = match self.member_ids {
            Field::Missing => Ok(Vec::new()),
            given => given.user_ids(),
        };
        let custom = errors.note("custom", self.custom.new_data());
        match (kind, title, errors.note("member_ids", members), custom) {
            (Some(kind), Some(title), Some(members), Some(custom)) => {
                Ok(CreateChat::Chat(NewChat { kind, title, creator, members, custom }))
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
pub async fn detail(state: Data<AppState>, caller: Authenticated, chat: Id<ChatId>) -> HandlerResult {
    show(HttpResponse::Ok(), &state, &caller, chat.0).await
}

/// `PUT` and `PATCH chats/{chat}/`
pub async fn update(
    state: Data<AppState>,
    caller: Authenticated,
    chat: Id<ChatId>,
    request: HttpRequest,
    body: Body,
) -> HandlerResult {
    let (chat, by) = (chat.0, caller.id());
    let is_whole = request.method() == "PUT";
    let change = body.checked(|fields: UpdateFields| fields.check(is_whole));
    let change = change.and_then(|change| {
        Ok(Update { custom: permitted_change(caller.is_staff, change.custom)?, ..change })
    });
    let (may_see, may_rename) =
        (state.permitted(chat, by, Ability::See), state.permitted(chat, by, Ability::Rename));
    let change = match change.into_result() {
        Ok(change) => change,
        Err(error) if error == ApiError::FORBIDDEN || error.is_about("custom") => {
            may_see.await?;
            return Err(error);
        }
        Err(error) => {
            chats::expect_renamable(&state, chat, by).await?;
            may_rename.await?;
            return Err(error);
        }
    };
    if !change.leaves_title() {
        chats::expect_renamable(&state, chat, by).await?;
        may_rename.await?;
    }
    expect_applicable(&state, chat, by, &change).await?;
    let Update { title, is_public, guest_access, custom } = change;
    let rename = match title {
        TitleChange::Unchanged => None,
        TitleChange::Automatic => Some(Action::Rename { title: None }),
        TitleChange::Given(title) => Some(Action::Rename { title: Some(title) }),
    };
    let open = is_public.map(|is_public| Action::Open { is_public });
    let guest_access = guest_access.map(Action::ChangeGuestAccess);
    let custom = custom.map(Action::ChangeCustom);
    // The actions that can be refused while the others are allowed run first.
    for action in open.into_iter().chain(guest_access).chain(custom).chain(rename) {
        state.directory.command(Command { chat, by, action }).await?;
    }
    show(HttpResponse::Ok(), &state, &caller, chat).await
}

/// Checks all parts of an update, so that none is stored if another one is refused. Each part is a command of its own.
async fn expect_applicable(
    state: &AppState,
    chat: ChatId,
    by: UserId,
    update: &Update,
) -> Result<(), ApiError> {
    if update.custom.is_some() {
        state.permitted(chat, by, Ability::ChangeCustom).await?;
    }
    if update.guest_access.is_some() {
        state.permitted(chat, by, Ability::ChangeGuestAccess).await?;
    }
    let find = move |conn: &mut AnyConn| Ok(membership::authorized(conn, chat, by, Ability::See)?.chat);
    let found = state.readers.query(find).await?;
    let mut errors = FieldErrors::default();
    if matches!(update.title, TitleChange::Automatic) && found.kind == ChatKind::Room {
        errors.add("title", BLANK);
    }
    if let Some(change) = &update.custom {
        errors.note("custom", found.custom.merge(change));
    }
    let will_be_public = found.is_public || (found.kind == ChatKind::Room && update.is_public == Some(true));
    if update.guest_access.is_some_and(|access| access != found.guest_access) && !will_be_public {
        errors.add("guest_access", NOT_PUBLIC);
    }
    if errors.is_empty() { Ok(()) } else { Err(errors.into()) }
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
    /// What guests may do in a public room. For admins and staff.
    #[serde(default)]
    #[schema(value_type = GuestAccess)]
    guest_access: Field,
    /// Data of the host, merged into the chat's: `null` removes a name, and instead of the object all names.
    #[serde(default)]
    #[schema(value_type = Option<HashMap<String, serde_json::Value>>)]
    custom: CustomField,
}

/// Validated update. `None` leaves a field unchanged.
struct Update {
    title: TitleChange,
    is_public: Option<bool>,
    guest_access: Option<GuestAccess>,
    custom: Option<CustomChange>,
}

impl Update {
    /// Whether it changes something, but neither the title nor the publicity. Permission to rename is not needed then.
    fn leaves_title(&self) -> bool {
        let is_something = self.custom.is_some() || self.guest_access.is_some();
        is_something && self.is_public.is_none() && matches!(self.title, TitleChange::Unchanged)
    }
}

/// Change of a chat's title.
enum TitleChange {
    Unchanged,
    /// Back to the title formed from the members' names.
    Automatic,
    Given(Title),
}

impl UpdateFields {
    fn check(self, is_whole: bool) -> Result<Update, FieldErrors> {
        let mut errors = FieldErrors::default();
        let given = match &self.title {
            Field::Missing if !is_whole => Ok(TitleChange::Unchanged),
            Field::Missing => Err(REQUIRED.to_owned()),
            given => title(given).map(|title| title.map_or(TitleChange::Automatic, TitleChange::Given)),
        };
        let is_public = if self.is_public.is_given() { self.is_public.boolean().map(Some) } else { Ok(None) };
        let guest_access = match &self.guest_access {
            Field::Missing => Ok(None),
            given => given.choice(GuestAccess::parse).map(Some),
        };
        let (title, is_public) = (errors.note("title", given), errors.note("is_public", is_public));
        let guest_access = errors.note("guest_access", guest_access);
        match (title, is_public, guest_access, errors.note("custom", self.custom.change())) {
            (Some(title), Some(is_public), Some(guest_access), Some(custom)) => {
                Ok(Update { title, is_public, guest_access, custom })
            }
            _ => Err(errors),
        }
    }
}

/// `DELETE chats/{chat}/`
pub async fn delete(state: Data<AppState>, caller: Authenticated, chat: Id<ChatId>) -> HandlerResult {
    let command = Command { chat: chat.0, by: caller.id(), action: Action::DeleteChat };
    state.directory.command(command).await?;
    state.purge.notify_one();
    Ok(HttpResponse::NoContent().finish())
}

/// Responds with a chat as the caller sees it.
pub(super) async fn show(
    mut response: HttpResponseBuilder,
    state: &AppState,
    caller: &Authenticated,
    chat: ChatId,
) -> HandlerResult {
    let (known, user) = (state.chat_cache.clone(), caller.id());
    let shown = state.readers.query(move |conn| known.view(conn, chat, user)).await?;
    Ok(response.json(ChatView::shown(&shown, &state.links).seen_by(caller.is_staff, &shown)))
}
