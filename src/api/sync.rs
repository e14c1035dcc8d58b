//! `sync/`: the first screen, and what changed since, for who asks again and again.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use actix_web::{HttpResponse, http::header::ContentType, web::Data};
use bytestring::ByteString;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::{Answer, body::Body, chats::PAGE_SIZE};
use crate::{
    core::model::{ChatId, FieldErrors, Refusal, Timestamp, UserId},
    error::ApiError,
    feed::{Follower, Heads, Listener, pull_reader::Heard},
    hub::CloseReason,
    input::{Field, HeadsField},
    middleware::authenticate::Authenticated,
    state::State,
    storage::{
        queries::chat_list::{self, ChatFilter},
        tables::{chats, dm_partners},
    },
    view::{ChatView, LiveEvent},
};

/// More than this is not replayed at once, in bytes.
const MOST_BYTES: usize = 8 << 20;

/// Longest wait for something to happen, in seconds.
const LONGEST_WAIT: i64 = 25;

#[derive(Serialize, ToSchema)]
#[schema(as = SyncStart)]
pub(crate) struct StartView<'a> {
    /// The first page of the caller's chats.
    chats: Vec<ChatView<'a>>,
    /// The number of the latest change of each of the caller's chats, by chat id.
    #[schema(value_type = BTreeMap<String, i64>)]
    heads: Heads,
    /// Unread counts by chat id, of chats that have any.
    #[schema(value_type = BTreeMap<String, i64>)]
    unread: BTreeMap<ChatId, i64>,
    /// Those online with whom one shares a dm.
    users_online: Vec<UserId>,
    /// When the others with whom one shares a dm were last seen, by user id.
    #[schema(value_type = BTreeMap<String, Timestamp>)]
    last_seen: BTreeMap<UserId, Timestamp>,
}

/// `GET sync/`
pub async fn start(state: Data<State>, caller: Authenticated) -> Answer {
    let (user, known) = (caller.id(), state.known.clone());
    let look = move |conn: &mut crate::storage::AnyConn| {
        let heads = chats::heads(conn, user)?;
        let (_, page) = chat_list::page(conn, &known, user, &ChatFilter::default(), 0, PAGE_SIZE)?;
        Ok((heads, page, chat_list::unread_by_chat(conn, user)?, dm_partners::last_seen(conn, user)?))
    };
    let (heads, page, unread, last_seen) = state.readers.ask(look).await?;
    let users_online = state.presence.partners_of(user).await?;
    Ok(HttpResponse::Ok().json(StartView {
        chats: page.iter().map(|chat| ChatView::shown(chat, &state.links)).collect(),
        heads: heads.into_iter().collect(),
        unread: unread.into_iter().collect(),
        users_online,
        last_seen: last_seen.into_iter().collect(),
    }))
}

#[derive(Deserialize, ToSchema)]
#[schema(as = SyncRequest)]
pub(crate) struct SinceFields {
    /// How far one has heard of each chat, by chat id; a chat that is not named comes as `chat_created`.
    #[serde(default)]
    #[schema(value_type = BTreeMap<String, i64>, required)]
    chats: HeadsField,
    /// Seconds to wait until there is something; as if 0 where it is missing.
    #[serde(default)]
    #[schema(value_type = Option<i64>, minimum = 0, maximum = 25)]
    wait: Field,
}

impl SinceFields {
    fn check(&self) -> Result<(Heads, Duration), FieldErrors> {
        let mut errors = FieldErrors::default();
        let heads = errors.note("chats", self.chats.heads());
        let wait = self.wait.optional_integer().and_then(|seconds| match seconds.unwrap_or(0) {
            seconds @ 0..=LONGEST_WAIT => Ok(Duration::from_secs(seconds.unsigned_abs())),
            _ => Err(format!("Ensure this value is from 0 to {LONGEST_WAIT}.")),
        });
        match (heads, errors.note("wait", wait)) {
            (Some(heads), Some(wait)) => Ok((heads, wait)),
            _ => Err(errors),
        }
    }
}

/// What came since, told.
#[derive(Default)]
struct Told(Vec<(Option<ChatId>, ByteString)>);

#[derive(Serialize, ToSchema)]
#[schema(as = SyncResult)]
pub(crate) struct SinceView<'a> {
    /// What a socket would have brought, see `/messages/api/schema/websocket/`.
    #[schema(value_type = Vec<LiveEvent>)]
    events: Vec<&'a RawValue>,
    /// To be named by the next request.
    #[schema(value_type = BTreeMap<String, i64>)]
    heads: &'a Heads,
    /// Unread counts by chat id, of chats that have any.
    #[schema(value_type = BTreeMap<String, i64>)]
    unread: &'a BTreeMap<ChatId, i64>,
    /// The named ones that the caller is not in.
    removed: &'a [ChatId],
}

/// `POST sync/`
pub async fn since(state: Data<State>, caller: Authenticated, body: Body<{ 1 << 20 }>) -> Answer {
    let (known, wait) = body.json::<SinceFields>()?.check()?;
    let mut told = Told::default();
    if wait.is_zero() {
        let mut follower = Follower::new(state.feed.clone(), caller.id(), None, known);
        follower.limit(MOST_BYTES);
        follower.compare().await?;
        while let Some(update) = follower.next().await? {
            follower.tell(&update);
            told.add(update.chat, update.frames);
        }
        return told.answer(&follower);
    }
    if state.is_draining() {
        return Err(Refusal::Busy.into());
    }
    let mut listener = Listener::open(state.feed.clone(), &caller, None, Some(known)).await?;
    listener.limit(MOST_BYTES);
    let deadline = Instant::now() + wait;
    loop {
        match told.take(&mut listener).await? {
            Some(CloseReason::SignedOut) => return Err(ApiError::Unauthenticated),
            Some(_) => break,
            None if told.0.is_empty() => {}
            None => break,
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            break;
        }
        listener.wait(left).await;
    }
    told.forget_left(&mut listener);
    told.answer(listener.follower())
}

impl Told {
    fn add<T>(&mut self, chat: ChatId, frames: Vec<(T, ByteString)>) {
        self.0.extend(frames.into_iter().map(|(_, frame)| (Some(chat), frame)));
    }

    /// Takes all that is there; the reason where it is the end.
    async fn take(&mut self, listener: &mut Listener) -> Result<Option<CloseReason>, Refusal> {
        while let Some(heard) = listener.next_now().await? {
            match heard {
                Heard::Update(update) => self.add(update.chat, update.frames),
                Heard::Fleeting(frame) => self.0.push((None, frame)),
                Heard::Closed(reason) => return Ok(Some(reason)),
            }
        }
        Ok(None)
    }

    /// Whoever was removed from a chat while this was gathered is told that, and nothing else of it.
    fn forget_left(&mut self, listener: &mut Listener) {
        for gone in listener.left() {
            self.0.retain(|(chat, _)| *chat != Some(gone.chat));
            self.add(gone.chat, gone.frames);
        }
    }

    fn answer(&self, follower: &Follower) -> Answer {
        let view = SinceView {
            events: Vec::new(),
            heads: follower.known(),
            unread: follower.unread(),
            removed: follower.removed(),
        };
        let rest = serde_json::to_vec(&view).map_err(|_| Refusal::Internal)?;
        let frames = self.0.iter().map(|(_, frame)| &frame.as_bytes()[..]);
        Ok(HttpResponse::Ok().content_type(ContentType::json()).body(with_events(&rest, frames)))
    }
}

/// What a [`SinceView`] without events begins with.
const EVENTS: &[u8] = b"{\"events\":[";

/// Puts events into a [`SinceView`] that has none. They are JSON already: to parse megabytes of them again would hold up
/// everybody whom this thread serves.
fn with_events<'a>(view: &[u8], frames: impl Iterator<Item = &'a [u8]> + Clone) -> Vec<u8> {
    let (begin, rest) = view.split_at(EVENTS.len());
    debug_assert_eq!(begin, EVENTS);
    let size: usize = frames.clone().map(|frame| frame.len() + 1).sum();
    let mut body = Vec::with_capacity(view.len() + size);
    body.extend_from_slice(begin);
    for (number, frame) in frames.enumerate() {
        if number > 0 {
            body.push(b',');
        }
        body.extend_from_slice(frame);
    }
    body.extend_from_slice(rest);
    body
}
