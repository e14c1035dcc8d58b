//! `rooms/`: the list of public rooms, and the fields of a new room.

use actix_web::{HttpRequest, web::Data};

use super::{
    HandlerResult,
    page::{PageNumber, PageView},
    query::Query,
};
use crate::{
    core::{
        model::{
            FieldErrors, GuestAccess, HostObject, UserId,
            command::NewRoom,
            text::{self, BLANK, Title},
        },
        text_index::Matching,
    },
    input::{CustomField, Field},
    middleware::authenticate::Authenticated,
    state::AppState,
    storage::{
        commands::NOT_PUBLIC,
        queries::rooms::{self, RoomFilter},
    },
    view::ChatView,
};

const PAGE_SIZE: i64 = 10;

/// `GET rooms/`
pub async fn list(state: Data<AppState>, caller: Authenticated, request: HttpRequest) -> HandlerResult {
    let query = Query::of(&request);
    let page = PageNumber::of(&query, PAGE_SIZE)?;
    let (user, known, filter) = (caller.id(), state.chat_cache.clone(), filter(&query, query.matching()?));
    let (count, found) = match filter {
        Some(filter) => {
            let find = move |conn: &mut _| rooms::page(conn, &known, user, &filter, page.skip(), page.size);
            state.readers.query(find).await?
        }
        None => (0, Vec::new()),
    };
    page.check(count)?;
    let view = |chat| ChatView::shown(chat, &state.links).seen_by(caller.is_staff, chat);
    let results = found.iter().map(view).collect();
    Ok(PageView::numbered(&request, &state, page, count, results).answer())
}

/// Reads the filter. `None` if an object name is invalid, because no room can match it.
fn filter(query: &Query, matching: Matching) -> Option<RoomFilter> {
    let name = |parameter: &str| query.filled(parameter).map(text::object_name).transpose().ok();
    Some(RoomFilter {
        search: query.get("search").unwrap_or_default().to_owned(),
        matching,
        object_type: name("object_type")?,
        object_id: name("object_id")?,
    })
}

/// The fields of a chat creation that apply to rooms.
pub(super) struct RoomFields {
    pub title: Field,
    pub object_type: Field,
    pub object_id: Field,
    pub is_public: Field,
    pub guest_access: Field,
    pub custom: CustomField,
}

impl RoomFields {
    /// Validates the fields. Unlike other chats, a room needs a title.
    pub(super) fn check(&self, creator: UserId) -> Result<NewRoom, FieldErrors> {
        let mut errors = FieldErrors::default();
        let title = self.title.text().and_then(|text| Title::parse(&text)?.ok_or_else(|| BLANK.to_owned()));
        let title = errors.note("title", title);
        let object = self.object(&mut errors);
        let is_public = if self.is_public.is_given() { self.is_public.boolean() } else { Ok(true) };
        let guest_access = match &self.guest_access {
            Field::Missing => Ok(GuestAccess::None),
            given => given.choice(GuestAccess::parse),
        };
        let guest_access = match (guest_access, &is_public) {
            (Ok(GuestAccess::Read | GuestAccess::Write), Ok(false)) => Err(NOT_PUBLIC.to_owned()),
            (access, _) => access,
        };
        let (is_public, guest_access) =
            (errors.note("is_public", is_public), errors.note("guest_access", guest_access));
        match (title, is_public, guest_access, errors.note("custom", self.custom.new_data())) {
            (Some(title), Some(is_public), Some(guest_access), Some(custom)) if errors.is_empty() => {
                Ok(NewRoom { title, is_public, object, creator, guest_access, custom })
            }
            _ => Err(errors),
        }
    }

    /// Validates the host object: both of its names are given, or neither.
    fn object(&self, errors: &mut FieldErrors) -> Option<HostObject> {
        let is_named = |field: &Field| !matches!(field, Field::Missing | Field::Null);
        if !is_named(&self.object_type) && !is_named(&self.object_id) {
            return None;
        }
        let name = |field: &Field| field.text().and_then(|name| text::object_name(&name));
        let kind = errors.note("object_type", name(&self.object_type));
        let id = errors.note("object_id", name(&self.object_id));
        Some(HostObject { kind: kind?, id: id? })
    }
}
