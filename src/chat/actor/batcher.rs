//! Batches the events that go to all members of a large chat.
//!
//! A socket write costs several times as much as one more event in it. Unbatched, every stored event would
//! cost one write on every socket. Events in a batch share one write per socket.

use std::sync::Arc;

use bytestring::ByteString;
use tokio::sync::oneshot;

use crate::{
    core::model::{ChatId, Seq},
    hub::{FrameBatch, frame_batch::SubscriptionChange},
};

/// Largest batch in bytes, unless a single event is larger. Each socket buffers one copy.
const MAX_BATCH: usize = 16 * 1024;

/// Events waiting to be sent to all subscribers.
#[derive(Debug, Default)]
pub(super) struct Batcher {
    pub(super) events: Vec<(Option<Seq>, ByteString)>,
    pub(super) wait: BatchWait,
    /// Number of the latest wait; timeouts of earlier waits are ignored.
    pub(super) turn: u64,
}

/// What the batch waits for before it is sent.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) enum BatchWait {
    /// Nothing: the sockets have taken the previous batch.
    #[default]
    Free,
    /// Commands that the writer is storing.
    Storing,
    /// The sockets to take the current batch.
    Taking,
}

impl Batcher {
    /// Adds a change's event, and its second one, if it has two.
    pub(super) fn put(&mut self, seq: Seq, event: ByteString, second: Option<ByteString>) {
        // After a panic an event may be put a second time.
        if self.events.last().is_none_or(|(last, _)| Some(seq) > *last) {
            self.events.push((Some(seq), event));
            self.events.extend(second.map(|event| (Some(seq), event)));
        }
    }

    pub(super) fn clear(&mut self) {
        self.events.clear();
    }

    /// Returns the held events as batches of at most [`MAX_BATCH`] bytes. The events of a change stay together, since
    /// sockets skip a batch that begins with a number that they have. `on_taken` is dropped once all
    /// sockets have taken the last one.
    pub(super) fn wrap(
        &self,
        chat: ChatId,
        mut on_taken: Option<oneshot::Sender<()>>,
    ) -> Vec<Arc<FrameBatch>> {
        let mut size = self.events.first().map_or(0, |(_, event)| event.len());
        let fits = |(seq, _): &(Option<Seq>, ByteString), (next_seq, next): &(Option<Seq>, ByteString)| {
            size += next.len();
            let fits = size <= MAX_BATCH || seq == next_seq;
            size = if fits { size } else { next.len() };
            fits
        };
        let mut chunks = self.events.chunk_by(fits).peekable();
        let mut batches = Vec::new();
        while let Some(chunk) = chunks.next() {
            let on_taken = if chunks.peek().is_none() { on_taken.take() } else { None };
            batches.push(FrameBatch::of_many(chat, SubscriptionChange::Same, chunk, on_taken));
        }
        batches
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_events_of_a_change_stay_together() {
        let mut batcher = Batcher::default();
        let text = |length| ByteString::from("x".repeat(length));
        batcher.put(1, text(MAX_BATCH - 10), None);
        batcher.put(2, text(5), Some(text(100)));
        batcher.put(2, text(5), Some(text(100)));
        batcher.put(3, text(5), None);
        let counts: Vec<usize> = batcher.wrap(ChatId(1), None).iter().map(|batch| batch.count()).collect();
        assert_eq!(counts, [3, 1]);
    }
}
