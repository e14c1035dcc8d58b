//! What a client's frames come to: whole messages, or how the socket ends over them (RFC 6455).
//!
//! actix-web-actors hands frames on one by one and reports most breaches without acting upon them. Fragments are put
//! together here, pings and goodbyes are answered, and each breach gets its close code.

use std::io;

use actix::{Actor, ActorContext, StreamHandler};
use actix_http::ws::Item;
use actix_web::{
    Error, HttpRequest, HttpResponse,
    body::{BoxBody, MessageBody},
    web::{Bytes, Payload},
};
use actix_web_actors::ws::{
    CloseCode, CloseReason, Message, ProtocolError, WebsocketContext, WsResponseBuilder,
};
use bytes::BytesMut;
use bytestring::ByteString;

use super::{closing::Parting, size_limit::Guard};

/// Largest message that a client may send, in bytes, its fragments together.
const MAX_MESSAGE: usize = 64 * 1024;

/// The frames of one client.
#[derive(Debug)]
pub struct Frames {
    guard: Guard,
    /// The message that comes in fragments, as far as it has come; the guard bounds it.
    fragments: Option<BytesMut>,
}

/// Opens a socket with one of these subprotocols; its actor is made for the client's frames, and `outflow` has what the
/// actor says go out.
pub fn open<A, O>(
    request: &HttpRequest,
    stream: Payload,
    protocols: &[&str],
    actor: impl FnOnce(Frames) -> A,
    outflow: impl FnOnce(BoxBody) -> O,
) -> Result<HttpResponse, Error>
where
    A: Actor<Context = WebsocketContext<A>> + StreamHandler<Result<Message, ProtocolError>>,
    O: MessageBody<Error = <BoxBody as MessageBody>::Error> + Unpin + 'static,
{
    let guard = Guard::new(stream, MAX_MESSAGE as u64);
    let actor = actor(Frames { guard: guard.clone(), fragments: None });
    let socket = WsResponseBuilder::new(actor, request, guard.clone()).protocols(protocols);
    let response = socket.frame_size(MAX_MESSAGE).start()?;
    Ok(response.map_body(|_, body| Parting::new(outflow(body), guard).boxed()))
}

/// What came of a frame.
enum Heard {
    Text(ByteString),
    Ping(Bytes),
    /// A sign of life and nothing more: a pong, or a part of a message.
    Nothing,
    /// The client says goodbye, and is to have its own words back.
    Goodbye(Option<CloseReason>),
    Breach(Breach),
}

/// A rule that a client broke.
#[derive(Clone, Copy)]
enum Breach {
    BrokenFrame,
    Binary,
    NotUtf8,
    TooLarge,
}

impl Breach {
    fn code(self) -> CloseCode {
        match self {
            Self::BrokenFrame => CloseCode::Protocol,
            Self::Binary => CloseCode::Unsupported,
            Self::NotUtf8 => CloseCode::Invalid,
            Self::TooLarge => CloseCode::Size,
        }
    }

    fn text(self) -> &'static str {
        match self {
            Self::BrokenFrame => "broken frame",
            Self::Binary => "binary frames are not taken",
            Self::NotUtf8 => "text is not UTF-8",
            Self::TooLarge => "the message is too large",
        }
    }
}

impl Frames {
    /// From now on the client's frames are taken.
    pub fn open(&self) {
        self.guard.open();
    }

    /// Takes the next frame. Returns a message that has come to its end; all else is seen to here.
    pub fn take<A>(
        &mut self,
        frame: Result<Message, ProtocolError>,
        ctx: &mut WebsocketContext<A>,
    ) -> Option<ByteString>
    where
        A: Actor<Context = WebsocketContext<A>>,
    {
        match self.hear(frame) {
            Heard::Text(text) => return Some(text),
            Heard::Ping(payload) => ctx.pong(&payload),
            Heard::Nothing => {}
            Heard::Goodbye(reason) => {
                ctx.close(reason);
                ctx.stop();
            }
            Heard::Breach(breach) => fail(ctx, breach),
        }
        None
    }

    fn hear(&mut self, frame: Result<Message, ProtocolError>) -> Heard {
        match frame {
            Ok(Message::Text(text)) => Heard::Text(text),
            Ok(Message::Ping(payload)) => Heard::Ping(payload),
            Ok(Message::Pong(_) | Message::Nop) => Heard::Nothing,
            Ok(Message::Binary(_)) => Heard::Breach(Breach::Binary),
            Ok(Message::Continuation(fragment)) => self.hear_fragment(fragment),
            Ok(Message::Close(reason)) => Heard::Goodbye(reason),
            Err(error) => Heard::Breach(breach_of(&error)),
        }
    }

    fn hear_fragment(&mut self, fragment: Item) -> Heard {
        match (fragment, self.fragments.take()) {
            (Item::FirstText(bytes), None) => self.keep(BytesMut::from(&*bytes)),
            (Item::FirstBinary(_), None) => Heard::Breach(Breach::Binary),
            (Item::Continue(bytes), Some(mut message)) => {
                message.extend_from_slice(&bytes);
                self.keep(message)
            }
            (Item::Last(bytes), Some(mut message)) => {
                message.extend_from_slice(&bytes);
                let text = ByteString::try_from(message.freeze());
                text.map_or(Heard::Breach(Breach::NotUtf8), Heard::Text)
            }
            _ => Heard::Breach(Breach::BrokenFrame),
        }
    }

    fn keep(&mut self, message: BytesMut) -> Heard {
        self.fragments = Some(message);
        Heard::Nothing
    }

    /// The client sends nothing more, or nothing more is taken.
    pub fn end<A>(&self, ctx: &mut WebsocketContext<A>)
    where
        A: Actor<Context = WebsocketContext<A>>,
    {
        if self.guard.is_too_large() {
            fail(ctx, Breach::TooLarge);
        } else {
            ctx.stop();
        }
    }
}

fn breach_of(error: &ProtocolError) -> Breach {
    match error {
        ProtocolError::Overflow => Breach::TooLarge,
        // Text that is not UTF-8 comes as an error of no kind, reserved bits as one of bad data.
        ProtocolError::Io(error) if error.kind() == io::ErrorKind::Other => Breach::NotUtf8,
        _ => Breach::BrokenFrame,
    }
}

fn fail<A>(ctx: &mut WebsocketContext<A>, breach: Breach)
where
    A: Actor<Context = WebsocketContext<A>>,
{
    close(ctx, breach.code(), breach.text());
}

/// Says goodbye behind everything that is queued, and ends.
pub fn close<A>(ctx: &mut WebsocketContext<A>, code: CloseCode, reason: &str)
where
    A: Actor<Context = WebsocketContext<A>>,
{
    ctx.close(Some(CloseReason { code, description: Some(reason.to_owned()) }));
    ctx.stop();
}
