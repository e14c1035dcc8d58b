//! Open sockets, and what users receive on them.

use actix_codec::Framed;
use actix_web::rt::time::timeout;
use awc::{
    BoxedSocket,
    ws::{self, Codec, Frame},
};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};

use super::{DEADLINE, User, reference};

/// An open socket.
pub(crate) struct Listener {
    socket: Framed<BoxedSocket, Codec>,
    pub hello: Value,
}

impl Listener {
    /// Wraps a socket that has just opened.
    pub(crate) fn of(socket: Framed<BoxedSocket, Codec>) -> Self {
        Self { socket, hello: Value::Null }
    }

    /// Returns the next event of any type except `presence`.
    pub(crate) async fn next(&mut self) -> Value {
        match self.next_or_close().await {
            Ok(event) => event,
            Err(code) => panic!("closed with {code}"),
        }
    }

    /// Returns the next event, or the server's close code. Skips `presence`: it depends on which users happen
    /// to be connected.
    pub(crate) async fn next_or_close(&mut self) -> Result<Value, u16> {
        loop {
            match self.next_of_all().await {
                Ok(event) if event["type"] == "presence" => {}
                next => return next,
            }
        }
    }

    /// Returns the next `presence` event of a user.
    pub(crate) async fn receives_presence_of(&mut self, user: &User) -> Value {
        loop {
            let event = self.next_of_all().await.expect("the socket stays open");
            if event["type"] == "presence" && event["user_id"] == user.id {
                return event;
            }
        }
    }

    pub(crate) async fn next_of_all(&mut self) -> Result<Value, u16> {
        loop {
            let frame = timeout(DEADLINE, self.socket.next()).await.expect("something arrives in time");
            match frame {
                Some(Ok(Frame::Text(text))) => {
                    let frame = serde_json::from_slice(&text).unwrap();
                    reference::check_frame(&frame);
                    return Ok(frame);
                }
                Some(Ok(Frame::Ping(payload))) => self.socket.send(ws::Message::Pong(payload)).await.unwrap(),
                Some(Ok(Frame::Close(reason))) => {
                    return Err(reason.map_or(1005, |reason| reason.code.into()));
                }
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Err(1006),
            }
        }
    }

    /// Returns the next event, which must have this type.
    pub(crate) async fn receives(&mut self, kind: &str) -> Value {
        let event = self.next().await;
        assert_eq!(event["type"], kind, "{event}");
        event
    }

    /// Sends a `resume` with the known head of each chat, and receives the missed events up to the `ack`.
    pub(crate) async fn catches_up(&mut self, known: Value) -> (Vec<Value>, Value) {
        self.says(&json!({"type": "resume", "id": "r", "chats": known}).to_string()).await;
        let mut missed = Vec::new();
        loop {
            let frame = self.next().await;
            match frame["type"].as_str().unwrap() {
                "ack" => return (missed, frame),
                _ => missed.push(frame),
            }
        }
    }

    /// Skips remaining events and returns the server's close code.
    pub(crate) async fn is_closed(&mut self) -> u16 {
        loop {
            if let Err(code) = self.next_or_close().await {
                return code;
            }
        }
    }

    pub(crate) async fn says(&mut self, text: &str) {
        self.socket.send(ws::Message::Text(text.to_owned().into())).await.unwrap();
    }

    pub(crate) async fn sends(&mut self, message: ws::Message) {
        self.socket.send(message).await.unwrap();
    }
}
