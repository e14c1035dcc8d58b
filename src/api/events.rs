//! `events/`: the event feed as server-sent events, for networks that block WebSockets.

use std::{fmt::Write, time::Duration};

use actix_web::{
    HttpRequest, HttpResponse,
    http::{
        Method,
        header::{CONTENT_TYPE, HeaderName},
    },
    web::{Bytes, Data},
};
use bytestring::ByteString;
use futures_util::stream::unfold;
use tokio::time::sleep;

use super::{HandlerResult, query::Query};
use crate::{
    auth::Caller,
    core::model::{ChatId, Refusal, UserId},
    feed::{self, Cursor, Heads, Only, PullReader, Update, pull_reader::FeedItem},
    middleware::authenticate::Authenticated,
    state::AppState,
    storage::Principal,
    view::frames,
};

/// Interval between heartbeat comments on an idle stream.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// Delay before a read is retried after storage was busy or unavailable.
const STORAGE_RETRY_DELAY: Duration = Duration::from_secs(1);

/// Reconnection delay that clients are given in the `retry` field, in milliseconds.
const RECONNECT_DELAY_MS: u64 = 2_000;

/// `GET events/`
pub async fn stream(state: Data<AppState>, caller: Authenticated, request: HttpRequest) -> HandlerResult {
    if state.is_draining() {
        return Err(Refusal::Busy.into());
    }
    if request.method() == Method::HEAD {
        return Ok(HttpResponse::Ok().insert_header((CONTENT_TYPE, "text/event-stream")).finish());
    }
    let query = Query::of(&request);
    let only = query.get("chats").and_then(feed::only);
    let knows_threads = query.get("threads").is_some_and(|value| value == "1");
    let last = request.headers().get("last-event-id").and_then(|value| value.to_str().ok());
    let last = last.filter(|last| !last.is_empty()).map(str::to_owned);
    let principal = Principal::User(caller.id());
    let stream = EventStream::open(state, &caller, (only, knows_threads), last).await?;
    let chunks = unfold(stream, move |mut stream| async move {
        let chunk = principal.scope(stream.next()).await?;
        Some((Ok::<_, actix_web::Error>(chunk), stream))
    });
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "text/event-stream"))
        // Disables response buffering in proxies such as nginx.
        .insert_header((HeaderName::from_static("x-accel-buffering"), "no"))
        .streaming(Box::pin(chunks)))
}

/// One client's stream.
struct EventStream {
    state: Data<AppState>,
    user: UserId,
    reader: PullReader,
    cursor: Cursor,
    /// First chunk of the stream: the `retry` field and the `hello` event.
    first: Option<Bytes>,
}

impl EventStream {
    async fn open(
        state: Data<AppState>,
        caller: &Caller,
        wanted: (Only, bool),
        last: Option<String>,
    ) -> Result<Self, crate::error::ApiError> {
        let user = caller.id();
        let (is_back, place) = match last {
            Some(last) => (true, Cursor::find(&state.feed, user, &last).await?),
            None => (false, None),
        };
        let (cursor, known) = place.unzip();
        let is_lost = is_back && known.is_none();
        let reader = PullReader::open(state.feed.clone(), caller, wanted, known).await?;
        let known = reader.catch_up().known();
        let mut cursor = cursor.unwrap_or_else(|| Cursor::at(known));
        cursor.keep(&state.feed, user, known).await;
        let users_online = state.presence.partners_of(user).await?;
        let hello = frames::hello(user, HEARTBEAT.as_secs(), known, &users_online);
        let mut text = format!("retry: {RECONNECT_DELAY_MS}\n");
        write_event(&mut text, Some(&cursor), &hello);
        if is_lost {
            resync_all(&mut text, &cursor, known);
        }
        Ok(Self { state, user, reader, cursor, first: Some(text.into()) })
    }

    /// Returns the next chunk; `None` ends the stream.
    async fn next(&mut self) -> Option<Bytes> {
        if let Some(first) = self.first.take() {
            return Some(first);
        }
        loop {
            let known = self.reader.catch_up().known();
            self.cursor.keep(&self.state.feed, self.user, known).await;
            match self.reader.next_now().await {
                Ok(Some(FeedItem::Update(update))) => return Some(self.written(&update)),
                Ok(Some(FeedItem::Ephemeral(frame))) => {
                    let mut text = String::new();
                    write_event(&mut text, None, &frame);
                    return Some(text.into());
                }
                // A client that reconnects gets the reason as an error response.
                Ok(Some(FeedItem::Closed(_))) => return None,
                Ok(None) => {}
                // Storage is busy or unavailable. Sends a heartbeat and retries the chat after a delay.
                Err(Refusal::Busy | Refusal::StorageAway | Refusal::Throttled)
                    if !self.state.is_draining() =>
                {
                    sleep(STORAGE_RETRY_DELAY).await;
                    return Some(Bytes::from_static(b":\n\n"));
                }
                Err(refusal) => {
                    tracing::warn!(
                        user_id = self.user.0,
                        ?refusal,
                        "event stream closed; the client retries"
                    );
                    return None;
                }
            }
            if !self.reader.wait(HEARTBEAT).await {
                return Some(Bytes::from_static(b":\n\n"));
            }
        }
    }

    fn written(&mut self, update: &Update) -> Bytes {
        let mut text = String::new();
        for (number, (seq, frame)) in update.frames.iter().enumerate() {
            // A client that reconnects gets both events of a change again, unless it has the second one.
            let next = update.frames.get(number + 1);
            let is_last = next.is_none_or(|(next, _)| next != seq && !update.is_whole);
            if is_last {
                self.cursor.pass(update.chat, if update.is_gone() { None } else { *seq });
            }
            write_event(&mut text, Some(&self.cursor), frame);
        }
        text.into()
    }
}

/// Writes a `resync` event for every chat, because the client's cursor is unknown or expired. The client
/// reloads each chat.
fn resync_all(text: &mut String, cursor: &Cursor, heads: &Heads) {
    let resync = |(chat, seq): (&ChatId, &i64)| frames::resync(*chat, *seq);
    heads.iter().map(resync).for_each(|frame| write_event(text, Some(cursor), &frame));
}

/// Writes one event. Ephemeral events have no cursor. Serialized JSON contains no line breaks, so one `data`
/// line is enough.
fn write_event(text: &mut String, cursor: Option<&Cursor>, frame: &ByteString) {
    if let Some(cursor) = cursor {
        let _ = writeln!(text, "id: {}", cursor.text());
    }
    let _ = write!(text, "data: {frame}\n\n");
}
