//! A client for server-sent events.

use std::collections::VecDeque;

use actix_web::{
    error::PayloadError,
    rt::time::timeout,
    web::{Bytes, BytesMut},
};
use awc::Client;
use futures_util::{Stream, StreamExt};
use serde_json::Value;

use super::{DEADLINE, User, reference};

/// An open event stream.
pub(crate) struct EventStream {
    chunks: Box<dyn Stream<Item = Result<Bytes, PayloadError>> + Unpin>,
    buffer: BytesMut,
    ready: VecDeque<Value>,
    /// The cursor of the latest event that had one.
    pub last_id: String,
    pub hello: Value,
}

impl User {
    /// Opens an event stream that starts now, and receives its `hello`.
    pub(crate) async fn streams(&self) -> EventStream {
        self.streams_from("", "").await.expect("the stream opens")
    }

    /// Opens an event stream with a query, starting at a cursor. Returns the status if the request is
    /// rejected.
    pub(crate) async fn streams_from(&self, query: &str, cursor: &str) -> Result<EventStream, u16> {
        let client = Client::builder().disable_timeout().finish();
        let mut request = client.get(format!("http://{}/messages/api/events/{query}", self.address));
        for (name, value) in &self.headers {
            request = request.insert_header((name.as_str(), value.as_str()));
        }
        if !cursor.is_empty() {
            request = request.insert_header(("Last-Event-ID", cursor));
        }
        let response = timeout(DEADLINE, request.send()).await.expect("an answer in time").unwrap();
        if response.status() != 200 {
            return Err(response.status().as_u16());
        }
        assert_eq!(response.headers().get("content-type").unwrap(), "text/event-stream");
        let mut stream = EventStream {
            chunks: Box::new(response),
            buffer: BytesMut::new(),
            ready: VecDeque::new(),
            last_id: String::new(),
            hello: Value::Null,
        };
        stream.hello = stream.receives("hello").await;
        assert!(!stream.last_id.is_empty(), "hello has a cursor");
        Ok(stream)
    }
}

impl EventStream {
    /// Returns the next event, skipping `presence`.
    pub(crate) async fn next(&mut self) -> Value {
        self.next_or_end().await.expect("the stream stays open")
    }

    /// Returns the next event, skipping `presence`, or `None` at the end of the stream.
    pub(crate) async fn next_or_end(&mut self) -> Option<Value> {
        loop {
            let event = timeout(DEADLINE, self.next_of_all()).await.expect("something arrives in time")?;
            if event["type"] != "presence" {
                return Some(event);
            }
        }
    }

    /// Returns the next event, which must have this type.
    pub(crate) async fn receives(&mut self, kind: &str) -> Value {
        let event = self.next().await;
        assert_eq!(event["type"], kind, "{event}");
        event
    }

    /// Waits for a comment, which the server sends as a heartbeat.
    pub(crate) async fn gets_a_sign_of_life(&mut self) {
        let waiting = async {
            while !self.buffer.windows(3).any(|three| three == b":\n\n") {
                let chunk = self.chunks.next().await.expect("the stream stays open").unwrap();
                self.buffer.extend_from_slice(&chunk);
            }
        };
        timeout(DEADLINE, waiting).await.expect("a sign of life in time");
    }

    pub(crate) async fn next_of_all(&mut self) -> Option<Value> {
        loop {
            if let Some(end) = self.buffer.windows(2).position(|two| two == b"\n\n") {
                let block = self.buffer.split_to(end + 2);
                if let Some(event) = self.read(std::str::from_utf8(&block).unwrap()) {
                    return Some(event);
                }
                continue;
            }
            let chunk = self.chunks.next().await?.ok()?;
            self.buffer.extend_from_slice(&chunk);
        }
    }

    fn read(&mut self, block: &str) -> Option<Value> {
        let mut event = None;
        for line in block.lines() {
            if let Some(id) = line.strip_prefix("id: ") {
                self.last_id = id.to_owned();
            } else if let Some(data) = line.strip_prefix("data: ") {
                let value = serde_json::from_str(data).unwrap();
                reference::check_frame(&value);
                event = Some(value);
            }
        }
        event
    }
}
