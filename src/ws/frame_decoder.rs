//! Decodes a client's frames into whole messages, or into the close code of a protocol violation (RFC 6455).
//!
//! actix-web-actors passes frames on one by one and reports most violations without acting on them. This
//! module assembles fragments, answers ping and close frames, and maps each violation to its close code.

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

use super::{closing::CloseHandshake, size_limit::MessageSizeLimit};

/// Largest message that a client may send, in bytes, including all fragments.
const MAX_MESSAGE: usize = 64 * 1024;

/// Frame decoder of one client.
#[derive(Debug)]
pub struct FrameDecoder {
    guard: MessageSizeLimit,
    /// The fragmented message received so far; `guard` bounds its size.
    fragments: Option<BytesMut>,
}

/// Opens a socket with one of these subprotocols. `actor` builds the session from its frame decoder.
/// `outgoing` wraps the body that has the session's frames.
pub fn open<A, O>(
    request: &HttpRequest,
    stream: Payload,
    protocols: &[&str],
    actor: impl FnOnce(FrameDecoder) -> A,
    outgoing: impl FnOnce(BoxBody) -> O,
) -> Result<HttpResponse, Error>
where
    A: Actor<Context = WebsocketContext<A>> + StreamHandler<Result<Message, ProtocolError>>,
    O: MessageBody<Error = <BoxBody as MessageBody>::Error> + Unpin + 'static,
{
    let guard = MessageSizeLimit::new(stream, MAX_MESSAGE as u64);
    let actor = actor(FrameDecoder { guard: guard.clone(), fragments: None });
    let socket = WsResponseBuilder::new(actor, request, guard.clone()).protocols(protocols);
    let response = socket.frame_size(MAX_MESSAGE).start()?;
    Ok(response.map_body(|_, body| CloseHandshake::new(outgoing(body), guard).boxed()))
}

/// Result of decoding a frame.
enum Decoded {
    Text(ByteString),
    Ping(Bytes),
    /// A pong, or a part of a message: shows that the client is alive, and needs no action.
    Nothing,
    /// A close frame; its code and reason are echoed.
    Close(Option<CloseReason>),
    Violation(Violation),
}

/// A protocol violation.
#[derive(Clone, Copy)]
enum Violation {
    BrokenFrame,
    Binary,
    NotUtf8,
    TooLarge,
}

impl Violation {
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

impl FrameDecoder {
    /// Starts to read the client's frames.
    pub fn open(&self) {
        self.guard.open();
    }

    /// Handles the next frame. Returns a text message once it is complete.
    pub fn take<A>(
        &mut self,
        frame: Result<Message, ProtocolError>,
        ctx: &mut WebsocketContext<A>,
    ) -> Option<ByteString>
    where
        A: Actor<Context = WebsocketContext<A>>,
    {
        match self.decode(frame) {
            Decoded::Text(text) => return Some(text),
            Decoded::Ping(payload) => ctx.pong(&payload),
            Decoded::Nothing => {}
            Decoded::Close(reason) => {
                ctx.close(reason);
                ctx.stop();
            }
            Decoded::Violation(breach) => fail(ctx, breach),
        }
        None
    }

    fn decode(&mut self, frame: Result<Message, ProtocolError>) -> Decoded {
        match frame {
            Ok(Message::Text(text)) => Decoded::Text(text),
            Ok(Message::Ping(payload)) => Decoded::Ping(payload),
            Ok(Message::Pong(_) | Message::Nop) => Decoded::Nothing,
            Ok(Message::Binary(_)) => Decoded::Violation(Violation::Binary),
            Ok(Message::Continuation(fragment)) => self.decode_fragment(fragment),
            Ok(Message::Close(reason)) => Decoded::Close(reason),
            Err(error) => Decoded::Violation(breach_of(&error)),
        }
    }

    fn decode_fragment(&mut self, fragment: Item) -> Decoded {
        match (fragment, self.fragments.take()) {
            (Item::FirstText(bytes), None) => self.keep_fragments(BytesMut::from(&*bytes)),
            (Item::FirstBinary(_), None) => Decoded::Violation(Violation::Binary),
            (Item::Continue(bytes), Some(mut message)) => {
                message.extend_from_slice(&bytes);
                self.keep_fragments(message)
            }
            (Item::Last(bytes), Some(mut message)) => {
                message.extend_from_slice(&bytes);
                let text = ByteString::try_from(message.freeze());
                text.map_or(Decoded::Violation(Violation::NotUtf8), Decoded::Text)
            }
            _ => Decoded::Violation(Violation::BrokenFrame),
        }
    }

    fn keep_fragments(&mut self, message: BytesMut) -> Decoded {
        self.fragments = Some(message);
        Decoded::Nothing
    }

    /// Ends the session when the client's stream has ended. A message that is too large gets its close code.
    pub fn end<A>(&self, ctx: &mut WebsocketContext<A>)
    where
        A: Actor<Context = WebsocketContext<A>>,
    {
        if self.guard.is_too_large() {
            fail(ctx, Violation::TooLarge);
        } else {
            ctx.stop();
        }
    }
}

fn breach_of(error: &ProtocolError) -> Violation {
    match error {
        ProtocolError::Overflow => Violation::TooLarge,
        // actix reports invalid UTF-8 as `ErrorKind::Other`, reserved bits as invalid data.
        ProtocolError::Io(error) if error.kind() == io::ErrorKind::Other => Violation::NotUtf8,
        _ => Violation::BrokenFrame,
    }
}

fn fail<A>(ctx: &mut WebsocketContext<A>, breach: Violation)
where
    A: Actor<Context = WebsocketContext<A>>,
{
    close(ctx, breach.code(), breach.text());
}

/// Queues a close frame behind all queued frames, and stops the actor.
pub fn close<A>(ctx: &mut WebsocketContext<A>, code: CloseCode, reason: &str)
where
    A: Actor<Context = WebsocketContext<A>>,
{
    ctx.close(Some(CloseReason { code, description: Some(reason.to_owned()) }));
    ctx.stop();
}
