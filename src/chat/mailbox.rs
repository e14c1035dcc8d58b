//! What a chat's actor accepts.

use std::sync::Arc;

use actix::Message;
use bytestring::ByteString;
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};

use crate::{
    core::model::{
        ChatSnapshot, Command, Event, Member, Refusal, Seq, UserId, Viewer,
        event::{Done, MarkerMoved},
    },
    hub::subscriber::{Socket, SocketId},
    storage::queries::changes_since::Missed,
};

/// What a caller is told once a command is durable and its event is on the way.
#[derive(Debug)]
pub enum Answered {
    /// A message, rendered. `created`: it was posted by this very command.
    Message {
        json: ByteString,
        created: bool,
    },
    Done,
    /// Whether there is something of the message to be cleared out.
    Deleted {
        is_left: bool,
    },
    Reacted {
        added: bool,
    },
    Marked(i64),
    Added(usize),
    Member(Box<Member>),
}

/// The way back to a caller, with their place among the commands under way.
#[derive(Debug)]
pub struct Reply {
    pub(super) caller: oneshot::Sender<Result<Answered, Refusal>>,
    pub(super) _place: OwnedSemaphorePermit,
}

impl Reply {
    /// Answers; nobody waits any more where the client has gone.
    pub(super) fn send(self, answer: Result<Answered, Refusal>) {
        let _ = self.caller.send(answer);
    }
}

/// A lasting change is asked for.
#[derive(Debug)]
pub struct Submit {
    pub command: Command,
    pub reply: Reply,
}

/// The writer has settled a command: what it did is durable, or nothing was done.
#[derive(Debug)]
pub struct Settled {
    pub result: Result<Arc<Done>, Refusal>,
    /// Whether it went to the writer through this actor; the making of a chat has not.
    pub was_submitted: bool,
    pub reply: Reply,
}

/// Somebody types, or stops.
#[derive(Debug)]
pub struct Type {
    pub user: UserId,
    pub is_typing: bool,
    pub reply: Reply,
}

/// A member's socket wants this chat's events from now on.
#[derive(Debug)]
pub struct Subscribe {
    pub socket: Arc<Socket>,
    /// Where the chat was before.
    pub head: Seq,
    /// Dropped once it is done.
    pub done: mpsc::Sender<()>,
}

/// A socket wants no more of this chat, as a member's or from outside.
#[derive(Debug)]
pub struct Unsubscribe {
    pub socket: SocketId,
}

/// A socket wants to follow this public room from outside.
#[derive(Debug)]
pub struct Watch {
    pub socket: Arc<Socket>,
    /// Where the room was before.
    pub head: Seq,
    /// Dropped once it is done.
    pub done: mpsc::Sender<()>,
}

/// A socket wants to follow this room from outside no more.
#[derive(Debug)]
pub struct Unwatch {
    pub socket: SocketId,
    /// Dropped once it is done.
    pub done: mpsc::Sender<()>,
}

/// Whether somebody is in the chat, read from storage for an actor that needs to know; `turn` tells which look it was.
#[derive(Debug)]
pub struct LookedUp {
    pub user: UserId,
    pub turn: u64,
    pub is_member: Result<bool, Refusal>,
}

/// Somebody has typed nothing for a while; `turn` tells an old reminder from the latest.
#[derive(Debug)]
pub struct TypingRanOut {
    pub user: UserId,
    pub turn: u64,
}

/// Another node tells of a lasting change.
#[derive(Debug)]
pub struct Learned(pub Arc<Event>);

/// Storage was seen to have reached a number.
#[derive(Debug)]
pub struct Behind {
    pub head: Seq,
}

/// What is missing has had its time to come by itself.
#[derive(Debug)]
pub struct Fill;

/// What storage has after the number `since`, asked for because something is missing.
#[derive(Debug)]
pub struct Filled {
    pub since: Seq,
    /// Those who listened when it was asked, by id.
    pub listeners: Vec<UserId>,
    pub missed: Result<Missed, Refusal>,
}

/// Somebody is in the chat who was perhaps not told.
#[derive(Debug)]
pub struct Admit {
    pub user: UserId,
}

/// The chat as somebody finds it who was not told that they are in it.
#[derive(Debug)]
pub struct Admitted {
    pub user: UserId,
    /// Apart, so that no other message in the mailbox is as large.
    pub found: Box<Result<(ChatSnapshot, Viewer), Refusal>>,
}

/// Somebody types on another node, or stops.
#[derive(Debug)]
pub struct Typed {
    pub user: UserId,
    pub is_typing: bool,
}

/// Somebody's read marker has moved, on another node, in a chat too big for receipts.
#[derive(Debug)]
pub struct Marked(pub MarkerMoved);

/// What waits for others to go out with has waited; `turn` tells an old reminder from the latest.
#[derive(Debug)]
pub struct Waited {
    pub turn: u64,
}

macro_rules! chat_messages {
    ($($kind:ident),* $(,)?) => {
        /// A message of any of these kinds in an actor's mailbox. It was counted in when it was sent.
        #[derive(Debug, Message)]
        #[rtype(result = "()")]
        pub enum ChatMessage {
            $($kind($kind)),*
        }

        $(impl From<$kind> for ChatMessage {
            fn from(message: $kind) -> Self {
                Self::$kind(message)
            }
        })*
    };
}

chat_messages! {
    Submit, Settled, Type, Subscribe, Unsubscribe, Watch, Unwatch, LookedUp, TypingRanOut, Learned, Behind, Fill, Filled,
    Admit, Admitted, Typed, Marked, Waited,
}
