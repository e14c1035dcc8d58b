//! `sync/`: the data of the first screen, and the events since then for clients that poll.

use std::{
    collections::{BTreeMap, VecDeque},
    convert::Infallible,
    time::{Duration, Instant},
};

use actix_rt::task::yield_now;
use actix_web::{HttpResponse, body::SizedStream, http::header::ContentType, web::Data};
use bytes::{Bytes, BytesMut};
use bytestring::ByteString;
use futures_util::stream;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::{HandlerResult, body::Body, chats::PAGE_SIZE};
use crate::{
    core::model::{ChatId, FieldErrors, Refusal, Timestamp, UserId},
    error::ApiError,
    feed::{CatchUp, Heads, PullReader, pull_reader::FeedItem},
    hub::CloseReason,
    input::{Field, HeadsField},
    middleware::authenticate::Authenticated,
    state::AppState,
    storage::{
        queries::{
            chat_list::{self, ChatFilter},
            unread_overview,
        },
        tables::{chats, dm_partners},
    },
    view::{ChatView, LiveEvent, UnreadView, frames},
};

/// Maximum size of the events that one request replays, in bytes.
const MAX_BYTES: usize = 8 << 20;

/// Maximum duration of a long poll, in seconds.
const LONGEST_WAIT: i64 = 25;

#[derive(Serialize, ToSchema)]
#[schema(as = SyncStart)]
pub(crate) struct StartView<'a> {
    /// The first page of the caller's chats.
    chats: Vec<ChatView<'a>>,
    /// Sequence number of the latest event of each of the caller's chats, by chat id.
    #[schema(value_type = BTreeMap<String, i64>)]
    heads: Heads,
    #[serde(flatten)]
    unread: UnreadView,
    /// Ids of the caller's dm partners that are online.
    users_online: Vec<UserId>,
    /// When dm partners were last seen, by user id. Partners that were never online are left out.
    #[schema(value_type = BTreeMap<String, Timestamp>)]
    last_seen: BTreeMap<UserId, Timestamp>,
}

/// `GET sync/`
pub async fn start(state: Data<AppState>, caller: Authenticated) -> HandlerResult {
    let (user, known) = (caller.id(), state.chat_cache.clone());
    let look = move |conn: &mut crate::storage::AnyConn| {
        let heads = chats::heads(conn, user)?;
        let (_, page) = chat_list::page(conn, &known, user, &ChatFilter::default(), 0, PAGE_SIZE)?;
        Ok((heads, page, unread_overview::of_user(conn, user)?, dm_partners::last_seen(conn, user)?))
    };
    let (heads, page, unread, last_seen) = state.readers.query(look).await?;
    let users_online = state.presence.partners_of(user).await?;
    Ok(HttpResponse::Ok().json(StartView {
        chats: page
            .iter()
            .map(|chat| ChatView::shown(chat, &state.links).seen_by(caller.is_staff, chat))
            .collect(),
        heads: heads.into_iter().collect(),
        unread: UnreadView::of(&unread),
        users_online,
        last_seen: last_seen.into_iter().collect(),
    }))
}

#[derive(Deserialize, ToSchema)]
#[schema(as = SyncRequest)]
pub(crate) struct SinceFields {
    /// Sequence number of the last event that the client has, by chat id. A chat that is not listed is sent
    /// as `chat_created`.
    #[serde(default)]
    #[schema(value_type = BTreeMap<String, i64>, required)]
    chats: HeadsField,
    /// Seconds to wait for an event if there is none yet. Default: 0.
    #[serde(default)]
    #[schema(value_type = Option<i64>, minimum = 0, maximum = 25)]
    wait: Field,
    /// Whether replies that are only in threads are sent. Otherwise their root is. Default: false.
    #[serde(default)]
    #[schema(value_type = Option<bool>)]
    threads: Field,
}

impl SinceFields {
    fn check(&self) -> Result<(Heads, Duration, bool), FieldErrors> {
        let mut errors = FieldErrors::default();
        let heads = errors.note("chats", self.chats.heads());
        let wait = self.wait.optional_integer().and_then(|seconds| match seconds.unwrap_or(0) {
            seconds @ 0..=LONGEST_WAIT => Ok(Duration::from_secs(seconds.unsigned_abs())),
            _ => Err(format!("Ensure this value is from 0 to {LONGEST_WAIT}.")),
        });
        let threads = match self.threads {
            Field::Missing | Field::Null => Ok(false),
            ref threads => threads.boolean(),
        };
        match (heads, errors.note("wait", wait), errors.note("threads", threads)) {
            (Some(heads), Some(wait), Some(threads)) => Ok((heads, wait, threads)),
            _ => Err(errors),
        }
    }
}

/// Events collected for the response, with their chats; `None` for ephemeral events.
#[derive(Default)]
struct Told(Vec<(Option<ChatId>, ByteString)>);

#[derive(Serialize, ToSchema)]
#[schema(as = SyncResult)]
pub(crate) struct SinceView<'a> {
    /// Events in the form that a WebSocket delivers, see `/messages/api/schema/websocket/`.
    #[schema(value_type = Vec<LiveEvent>)]
    events: Vec<&'a RawValue>,
    /// Sequence numbers to send as `chats` in the next request.
    #[schema(value_type = BTreeMap<String, i64>)]
    heads: &'a Heads,
    #[serde(flatten)]
    unread: UnreadView,
    /// Chats listed in the request that the caller is not a member of.
    removed: &'a [ChatId],
}

/// `POST sync/`
pub async fn since(state: Data<AppState>, caller: Authenticated, body: Body<{ 1 << 20 }>) -> HandlerResult {
    let (known, wait, knows_threads) = body.json::<SinceFields>()?.check()?;
    let mut collected = Told::default();
    if wait.is_zero() {
        let catch_up = CatchUp::new(state.feed.clone(), caller.id(), None, known);
        let mut catch_up = catch_up.knowing_threads(knows_threads);
        catch_up.limit(MAX_BYTES);
        catch_up.compare().await?;
        while let Some(update) = catch_up.next().await? {
            catch_up.mark_delivered(&update);
            collected.add(update.chat, update.frames);
        }
        let now = Timestamp::now();
        if let Some(jwt) = caller.credential.jwt().filter(|jwt| jwt.warned_at() <= now) {
            collected.0.push((None, frames::token_expiring(jwt.seconds_left(now))));
        }
        return collected.answer(&catch_up);
    }
    if state.is_draining() {
        return Err(Refusal::Busy.into());
    }
    let mut reader =
        PullReader::open(state.feed.clone(), &caller, (None, knows_threads), Some(known)).await?;
    reader.limit(MAX_BYTES);
    let warning = reader.due_warning();
    let deadline = Instant::now() + wait;
    loop {
        match collected.take(&mut reader).await? {
            Some(CloseReason::SignedOut) => return Err(ApiError::ended(&caller.credential)),
            Some(_) => break,
            None if collected.0.is_empty() => {}
            None => break,
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            break;
        }
        reader.wait(left).await;
    }
    collected.replace_left_chats(&mut reader);
    collected.0.extend(warning.map(|frame| (None, frame)));
    collected.answer(reader.catch_up())
}

impl Told {
    fn add<T>(&mut self, chat: ChatId, frames: Vec<(T, ByteString)>) {
        self.0.extend(frames.into_iter().map(|(_, frame)| (Some(chat), frame)));
    }

    /// Collects all pending events. Returns the close reason if the subscription has ended.
    async fn take(&mut self, reader: &mut PullReader) -> Result<Option<CloseReason>, Refusal> {
        while let Some(heard) = reader.next_now().await? {
            match heard {
                FeedItem::Update(update) => self.add(update.chat, update.frames),
                FeedItem::Ephemeral(frame) => self.0.push((None, frame)),
                FeedItem::Closed(reason) => return Ok(Some(reason)),
            }
        }
        Ok(None)
    }

    /// For chats that the caller has left since, replaces all collected events by the removal event.
    fn replace_left_chats(&mut self, reader: &mut PullReader) {
        for gone in reader.left() {
            self.0.retain(|(chat, _)| *chat != Some(gone.chat));
            self.add(gone.chat, gone.frames);
        }
    }

    /// Renders the response. The body is streamed in parts, with a yield to other tasks between them.
    fn answer(self, catch_up: &CatchUp) -> HandlerResult {
        let view = SinceView {
            events: Vec::new(),
            heads: catch_up.known(),
            unread: UnreadView::of(catch_up.unread()),
            removed: catch_up.removed(),
        };
        let rest = serde_json::to_vec(&view).map_err(|_| Refusal::Internal)?;
        let frames = self.0.into_iter().map(|(_, frame)| frame);
        let parts = Parts::new(rest.into(), frames.collect());
        let size = parts.size() as u64;
        let parts = stream::unfold(parts, |mut parts| async move {
            yield_now().await;
            parts.next().map(|part| (Ok::<_, Infallible>(part), parts))
        });
        Ok(HttpResponse::Ok().content_type(ContentType::json()).body(SizedStream::new(size, parts)))
    }
}

/// Prefix of a serialized [`SinceView`] without events.
const EVENTS: &[u8] = b"{\"events\":[";

/// Target size of one part of the body, in bytes.
const PART: usize = 64 << 10;

/// Body of a [`SinceView`] with its events. The events are already JSON and are inserted as they are.
struct Parts {
    next: BytesMut,
    frames: VecDeque<ByteString>,
    rest: Bytes,
}

impl Parts {
    /// `view`: a serialized [`SinceView`] without events.
    fn new(mut view: Bytes, frames: VecDeque<ByteString>) -> Self {
        debug_assert!(view.starts_with(EVENTS));
        let begin = view.split_to(EVENTS.len());
        Self { next: begin.as_ref().into(), frames, rest: view }
    }

    fn size(&self) -> usize {
        let frames: usize = self.frames.iter().map(|frame| frame.len()).sum();
        self.next.len() + frames + self.frames.len().saturating_sub(1) + self.rest.len()
    }

    fn next(&mut self) -> Option<Bytes> {
        while self.next.len() < PART
            && let Some(frame) = self.frames.pop_front()
        {
            self.next.extend_from_slice(frame.as_bytes());
            if !self.frames.is_empty() {
                self.next.extend_from_slice(b",");
            }
        }
        if self.frames.is_empty() {
            self.next.extend_from_slice(&std::mem::take(&mut self.rest));
        }
        Some(self.next.split().freeze()).filter(|part| !part.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined(frames: &[&'static str]) -> (usize, usize, Vec<u8>) {
        let frames = frames.iter().map(|frame| ByteString::from_static(frame)).collect();
        let mut parts = Parts::new(Bytes::from_static(b"{\"events\":[],\"heads\":{}}"), frames);
        let (size, mut count, mut whole) = (parts.size(), 0, Vec::new());
        while let Some(part) = parts.next() {
            count += 1;
            whole.extend_from_slice(&part);
        }
        (size, count, whole)
    }

    #[test]
    fn events_come_in_parts_that_make_one_answer() {
        assert_eq!(joined(&[]), (24, 1, b"{\"events\":[],\"heads\":{}}".to_vec()));
        assert_eq!(joined(&["1", "{}"]), (28, 1, b"{\"events\":[1,{}],\"heads\":{}}".to_vec()));
        let long: &'static str = "7".repeat(PART).leak();
        let (size, count, whole) = joined(&[long, long, "8"]);
        assert_eq!((size, count), (whole.len(), 3));
        assert_eq!(whole, format!("{{\"events\":[{long},{long},8],\"heads\":{{}}}}").as_bytes());
    }
}
