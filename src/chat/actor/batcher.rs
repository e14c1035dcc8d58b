//! What goes to everybody in a large chat, held together with what comes right behind it.
//!
//! A write costs several times what an event costs. One event after the other, as they are stored, would be a write
//! each; events that go out together share one on every socket.

use std::sync::Arc;

use bytestring::ByteString;
use tokio::sync::oneshot;

use crate::{
    core::model::{ChatId, Seq},
    hub::Parcel,
};

/// Most bytes that are sent in one piece, unless a single event is larger: each socket has a copy on its way.
const PIECE: usize = 16 * 1024;

/// Events on their way to all who hear of the chat.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    pub(super) events: Vec<(Option<Seq>, ByteString)>,
    pub(super) pace: Pace,
    /// Tells an old reminder from the latest.
    pub(super) turn: u64,
}

/// What is waited for.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) enum Pace {
    /// Nothing: the sockets are through with what went before.
    #[default]
    Free,
    /// Commands that are with the writer.
    Storing,
    /// That the sockets take what they were given.
    Taking,
}

impl Outbox {
    pub(super) fn put(&mut self, seq: Seq, event: ByteString) {
        // After a failure an event may come once more.
        if self.events.last().is_none_or(|(last, _)| Some(seq) > *last) {
            self.events.push((Some(seq), event));
        }
    }

    pub(super) fn clear(&mut self) {
        self.events.clear();
    }

    /// What is held, in pieces. The last of them tells when all sockets have taken it.
    pub(super) fn wrap(&self, chat: ChatId, mut on_taken: Option<oneshot::Sender<()>>) -> Vec<Arc<Parcel>> {
        let mut size = self.events.first().map_or(0, |(_, event)| event.len());
        let fits = |_: &(Option<Seq>, ByteString), (_, next): &(Option<Seq>, ByteString)| {
            size += next.len();
            let fits = size <= PIECE;
            size = if fits { size } else { next.len() };
            fits
        };
        let mut pieces = self.events.chunk_by(fits).peekable();
        let mut parcels = Vec::new();
        while let Some(piece) = pieces.next() {
            let on_taken = if pieces.peek().is_none() { on_taken.take() } else { None };
            parcels.push(Parcel::of_many(chat, piece, on_taken));
        }
        parcels
    }
}
