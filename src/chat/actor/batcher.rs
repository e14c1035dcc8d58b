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

/// Rendered events in order, each with its `seq`.
type Events = Vec<(Option<Seq>, ByteString)>;

/// The events of a change, in the two forms that connections get.
#[derive(Debug, Default)]
pub(super) struct Forms {
    pub(super) all: Vec<ByteString>,
    /// For connections that do not know threads; `None`: the same.
    pub(super) without_threads: Option<Vec<ByteString>>,
}

/// Events waiting to be sent to all subscribers.
#[derive(Debug, Default)]
pub(super) struct Batcher {
    pub(super) events: Events,
    /// The events as connections that do not know threads get them; `None` while they are the same.
    without_threads: Option<Events>,
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
    /// Adds the events of a change.
    pub(super) fn put(&mut self, seq: Seq, forms: Forms) {
        // After a panic an event may be put a second time.
        if self.events.last().is_some_and(|(last, _)| Some(seq) <= *last) {
            return;
        }
        let numbered = |events: Vec<ByteString>| events.into_iter().map(move |event| (Some(seq), event));
        if forms.without_threads.is_some() && self.without_threads.is_none() {
            self.without_threads = Some(self.events.clone());
        }
        if let Some(events) = &mut self.without_threads {
            let other = forms.without_threads.unwrap_or_else(|| forms.all.clone());
            events.extend(numbered(other));
        }
        self.events.extend(numbered(forms.all));
    }

    pub(super) fn clear(&mut self) {
        self.events.clear();
        self.without_threads = None;
    }

    /// Returns the batches for connections that do not know threads, if these differ.
    pub(super) fn wrap_without_threads(&self, chat: ChatId) -> Option<Vec<Arc<FrameBatch>>> {
        self.without_threads.as_ref().map(|events| wrap(events, chat, None))
    }

    /// Returns the held events as batches of at most [`MAX_BATCH`] bytes. The events of a change stay together, since
    /// sockets skip a batch that begins with a number that they have. `on_taken` is dropped once all
    /// sockets have taken the last one.
    pub(super) fn wrap(&self, chat: ChatId, on_taken: Option<oneshot::Sender<()>>) -> Vec<Arc<FrameBatch>> {
        wrap(&self.events, chat, on_taken)
    }
}

fn wrap(events: &Events, chat: ChatId, mut on_taken: Option<oneshot::Sender<()>>) -> Vec<Arc<FrameBatch>> {
    let mut size = events.first().map_or(0, |(_, event)| event.len());
    let fits = |(seq, _): &(Option<Seq>, ByteString), (next_seq, next): &(Option<Seq>, ByteString)| {
        size += next.len();
        let fits = size <= MAX_BATCH || seq == next_seq;
        size = if fits { size } else { next.len() };
        fits
    };
    let mut chunks = events.chunk_by(fits).peekable();
    let mut batches = Vec::new();
    while let Some(chunk) = chunks.next() {
        let on_taken = if chunks.peek().is_none() { on_taken.take() } else { None };
        batches.push(FrameBatch::of_many(chat, SubscriptionChange::Same, chunk, on_taken));
    }
    batches
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_events_of_a_change_stay_together() {
        let mut batcher = Batcher::default();
        let text = |length| ByteString::from("x".repeat(length));
        let forms = |lengths: &[usize]| Forms {
            all: lengths.iter().map(|length| text(*length)).collect(),
            without_threads: None,
        };
        batcher.put(1, forms(&[MAX_BATCH - 10]));
        batcher.put(2, forms(&[5, 100]));
        batcher.put(2, forms(&[5, 100]));
        batcher.put(3, forms(&[5]));
        let counts: Vec<usize> = batcher.wrap(ChatId(1), None).iter().map(|batch| batch.count()).collect();
        assert_eq!(counts, [3, 1]);
    }

    #[test]
    fn connections_without_threads_get_their_own_form_of_the_same_changes() {
        let (mut batcher, text) = (Batcher::default(), |length| ByteString::from("x".repeat(length)));
        batcher.put(1, Forms { all: vec![text(1)], without_threads: None });
        assert!(batcher.wrap_without_threads(ChatId(1)).is_none());
        batcher.put(2, Forms { all: vec![text(2), text(3)], without_threads: Some(vec![text(4)]) });
        batcher.put(3, Forms { all: vec![text(5)], without_threads: None });
        let size = |batches: Vec<Arc<FrameBatch>>| {
            batches.iter().map(|batch| (batch.count(), batch.size())).collect::<Vec<_>>()
        };
        assert_eq!(size(batcher.wrap(ChatId(1), None)), [(4, 2 * 4 + 11)]);
        assert_eq!(size(batcher.wrap_without_threads(ChatId(1)).unwrap()), [(3, 2 * 3 + 10)]);
        batcher.clear();
        assert!(batcher.wrap_without_threads(ChatId(1)).is_none());
    }
}
