//! The messages that a chat actor accepts.

use std::sync::Arc;

use actix::Message;
use bytestring::ByteString;
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};

use crate::{
    core::{
        log_context::LogContext,
        model::{
            self, ChatSnapshot, Command, Draft, Event, Member, MessageId, Refusal, Seq, UserId, Viewer,
            event::{Done, MarkerMoved},
        },
    },
    hub::subscriber::{Subscriber, SubscriberId},
    storage::queries::changes_since::Backfilled,
};

/// The result of a command, returned once it is durable and its event was handed to subscribers.
#[derive(Debug)]
pub enum Answered {
    /// The message as JSON. `created` is true if this command posted it.
    Message {
        json: ByteString,
        created: bool,
    },
    Done,
    /// `is_left`: whether rows of the message remain to be purged.
    Deleted {
        is_left: bool,
    },
    Reacted {
        added: bool,
    },
    /// `is_left`: whether further steps of the handover remain.
    HandedOver {
        is_left: bool,
    },
    Marked(i64),
    Added(usize),
    Member(Box<Member>),
    /// The draft as it is now; `None`: there is none.
    Draft(Option<Box<Draft>>),
}

/// Reply channel of a command. Holds the command's permit of the in-flight limit until it is dropped.
#[derive(Debug)]
pub struct Reply {
    pub(super) caller: oneshot::Sender<Result<Answered, Refusal>>,
    pub(super) _place: OwnedSemaphorePermit,
}

impl Reply {
    /// Sends the result. It is discarded if the caller has gone away.
    pub(super) fn send(self, answer: Result<Answered, Refusal>) {
        let _ = self.caller.send(answer);
    }
}

/// Submits a command that changes the chat durably.
#[derive(Debug)]
pub struct Submit {
    pub command: Command,
    pub reply: Reply,
    /// Log context of the request.
    pub log_context: LogContext,
}

/// The writer's result for a command: either its changes are durable, or nothing was changed.
#[derive(Debug)]
pub struct Settled {
    pub result: Result<Arc<Done>, Refusal>,
    /// Whether this actor submitted the command. The creation of a chat is submitted by the directory.
    pub was_submitted: bool,
    pub reply: Reply,
}

/// A typing signal from a client of this node: started or stopped.
#[derive(Debug)]
pub struct Type {
    pub signal: TypingSignal,
    pub reply: Reply,
}

/// A user started or stopped typing.
#[derive(Debug, Clone, Copy)]
pub struct TypingSignal {
    pub user: UserId,
    /// The root of the thread; `None`: the timeline.
    pub thread: Option<MessageId>,
    pub is_typing: bool,
}

/// Subscribes a member's socket to the chat's events.
#[derive(Debug)]
pub struct Subscribe {
    pub socket: Arc<Subscriber>,
    /// The chat's `seq` when the caller read it.
    pub head: Seq,
    /// Dropped once the subscription is active.
    pub done: mpsc::Sender<()>,
}

/// Removes a socket's subscription, as member or as observer.
#[derive(Debug)]
pub struct Unsubscribe {
    pub socket: SubscriberId,
}

/// Subscribes a socket to a public room as an observer.
#[derive(Debug)]
pub struct Observe {
    pub socket: Arc<Subscriber>,
    /// The room's `seq` when the caller read it.
    pub head: Seq,
    /// Dropped once the subscription is active.
    pub done: mpsc::Sender<()>,
}

/// Ends a socket's subscription as an observer of a room.
#[derive(Debug)]
pub struct Unobserve {
    pub socket: SubscriberId,
    /// Dropped once nothing more is delivered.
    pub done: mpsc::Sender<()>,
}

/// Result of a membership lookup for a typing user. `turn` is the number of the lookup.
#[derive(Debug)]
pub struct LookedUp {
    pub user: UserId,
    pub turn: u64,
    pub is_member: Result<bool, Refusal>,
}

/// Typing timeout. `turn` is the signal that started it; a later signal makes it stale.
#[derive(Debug)]
pub struct TypingTimeout {
    pub user: UserId,
    pub thread: Option<MessageId>,
    pub turn: u64,
}

/// A durable change published by another node.
#[derive(Debug)]
pub struct RemoteEvent(pub Arc<Event>);

/// Gap detected: storage has reached `head`, which may be ahead of this node.
#[derive(Debug)]
pub struct GapDetected {
    pub head: Seq,
}

/// Starts a backfill from storage; the grace period for reordered events has passed.
#[derive(Debug)]
pub struct Backfill;

/// Result of a backfill: what storage has after `since`.
#[derive(Debug)]
pub struct BackfillResult {
    pub since: Seq,
    /// Subscribed users when the query was made, sorted by id.
    pub listeners: Vec<UserId>,
    pub backfilled: Result<Backfilled, Refusal>,
}

/// Ensures that all sockets of a member are subscribed. The event that added the user may not have reached
/// this node.
#[derive(Debug)]
pub struct EnsureSubscribed {
    pub user: UserId,
}

/// The chat as read for a member whose sockets may not be subscribed.
#[derive(Debug)]
pub struct MembershipRead {
    pub user: UserId,
    /// Boxed, to keep the enum of mailbox messages small.
    pub found: Box<Result<(ChatSnapshot, Viewer), Refusal>>,
}

/// The root of a thread as read for the event with this `seq`; `None`: it does not exist.
#[derive(Debug)]
pub struct RootRead {
    pub seq: Seq,
    /// Boxed, to keep the enum of mailbox messages small.
    pub root: Option<Box<model::Message>>,
}

/// The unread mentions of connected users, as they were at the event with this `seq`.
#[derive(Debug)]
pub struct MentionsCounted {
    pub seq: Seq,
    /// In order of user id; `None`: not a member.
    pub of: Vec<(UserId, Option<i64>)>,
}

/// A typing signal from another node: started or stopped.
#[derive(Debug)]
pub struct RemoteTyping(pub TypingSignal);

/// A read marker moved on another node, in a chat too large for read receipts.
#[derive(Debug)]
pub struct Marked(pub MarkerMoved);

/// Batch timeout. `turn` is the batch that started it; a later batch makes it stale.
#[derive(Debug)]
pub struct BatchTimeout {
    pub turn: u64,
}

macro_rules! chat_messages {
    ($($kind:ident),* $(,)?) => {
        /// Any message in an actor's mailbox. It was counted in `Activity::queued` when it was sent.
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
    Submit, Settled, Type, Subscribe, Unsubscribe, Observe, Unobserve, LookedUp, TypingTimeout, RemoteEvent, GapDetected, Backfill, BackfillResult,
    EnsureSubscribed, MembershipRead, RootRead, MentionsCounted, RemoteTyping, Marked, BatchTimeout,
}

impl ChatMessage {
    /// Whether this message counts as activity and so postpones retirement.
    pub(super) fn keeps_active(&self) -> bool {
        !matches!(
            self,
            Self::Marked(_)
                | Self::RemoteEvent(_)
                | Self::RemoteTyping(_)
                | Self::GapDetected(_)
                | Self::Backfill(_)
                | Self::BackfillResult(_)
                | Self::BatchTimeout(_)
        )
    }
}
