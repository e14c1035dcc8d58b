//! Batches of events as WebSocket frames: encoded once, shared by all subscribers.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use bytestring::ByteString;
use tokio::sync::oneshot;

use crate::core::{
    clock::millis,
    model::{ChatId, Seq},
    websocket::{CLOSE, FIN, LONGEST_HEADER, TEXT, write_header},
};

/// Events of one chat, or of none, that are delivered to the same subscribers together.
#[derive(Debug)]
pub struct FrameBatch {
    /// `None` for events that belong to no chat, such as presence.
    pub chat: Option<ChatId>,
    pub change: SubscriptionChange,
    /// Offset of each event in `frames`, with its `seq`; `None` for ephemeral events such as typing.
    events: Vec<(usize, Option<Seq>)>,
    /// The WebSocket text frames, concatenated.
    frames: Bytes,
    /// Whether it adds to the change with the same `seq`, which the receiver has got before.
    pub is_addition: bool,
    /// An ephemeral event as JSON, for pull readers, which use no frames.
    pub ephemeral: Option<ByteString>,
    /// When the batch was created, in milliseconds of `millis`.
    pub at: u64,
    /// Dropped with the batch: the receiver then knows that all subscribers have taken it.
    _on_taken: Option<oneshot::Sender<()>>,
}

impl FrameBatch {
    /// Creates a batch of a single event.
    pub fn of(
        chat: Option<ChatId>,
        seq: Option<Seq>,
        change: SubscriptionChange,
        event: &ByteString,
    ) -> Arc<Self> {
        let ephemeral = seq.is_none().then(|| event.clone());
        Arc::new(Self { ephemeral, ..Self::wrap(chat, change, &[(seq, event.clone())]) })
    }

    /// Creates a batch of an event that adds to a change.
    pub fn addition(chat: ChatId, seq: Seq, event: &ByteString) -> Arc<Self> {
        let batch = Self::wrap(Some(chat), SubscriptionChange::Same, &[(Some(seq), event.clone())]);
        Arc::new(Self { is_addition: true, ..batch })
    }

    /// Creates a batch of consecutive events of a chat.
    pub fn of_many(
        chat: ChatId,
        change: SubscriptionChange,
        events: &[(Option<Seq>, ByteString)],
        on_taken: Option<oneshot::Sender<()>>,
    ) -> Arc<Self> {
        Arc::new(Self { _on_taken: on_taken, ..Self::wrap(Some(chat), change, events) })
    }

    fn wrap(chat: Option<ChatId>, change: SubscriptionChange, texts: &[(Option<Seq>, ByteString)]) -> Self {
        let size = texts.iter().map(|(_, text)| text.len() + LONGEST_HEADER).sum();
        let (mut frames, mut events) = (BytesMut::with_capacity(size), Vec::with_capacity(texts.len()));
        for (seq, text) in texts {
            events.push((frames.len(), *seq));
            put_frame(&mut frames, FIN | TEXT, text.as_bytes());
        }
        let frames = frames.freeze();
        Self {
            chat,
            change,
            events,
            frames,
            is_addition: false,
            ephemeral: None,
            at: millis(),
            _on_taken: None,
        }
    }

    /// Returns the `seq` of the latest event.
    pub fn seq(&self) -> Option<Seq> {
        self.events.last().and_then(|(_, seq)| *seq)
    }

    /// Returns the number of events.
    pub fn count(&self) -> usize {
        self.events.len()
    }

    /// Returns the size of all frames in bytes.
    pub fn size(&self) -> usize {
        self.frames.len()
    }

    /// Returns all frames.
    pub fn frames(&self) -> Bytes {
        self.frames.clone()
    }

    /// Returns the frames of events after `last`, if there are any.
    pub fn frames_after(&self, last: Seq) -> Option<Bytes> {
        let is_old = |seq: Option<Seq>| seq.is_some_and(|seq| seq <= last);
        let (begin, _) = self.events.iter().find(|(_, seq)| !is_old(*seq))?;
        Some(self.frames.slice(begin..))
    }
}

/// Encodes a close frame.
pub fn close_frame(code: u16, reason: &str) -> Bytes {
    let (mut payload, mut frame) = (code.to_be_bytes().to_vec(), BytesMut::new());
    payload.extend_from_slice(reason.as_bytes());
    put_frame(&mut frame, FIN | CLOSE, &payload);
    frame.freeze()
}

/// Appends an unmasked frame, as servers send them.
fn put_frame(buffer: &mut BytesMut, first: u8, payload: &[u8]) {
    write_header(buffer, first, payload.len(), false);
    buffer.extend_from_slice(payload);
}

/// Effect of an event on the receiver's subscription to the chat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SubscriptionChange {
    /// No change.
    Same,
    /// The subscription begins with this event.
    Joins,
    /// The subscription ends with this event.
    Leaves,
    /// The receiver observes a public room.
    Watches,
    /// The observed room was deleted; the observation ends.
    ObservationEnds,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(lengths: &[usize]) -> Arc<FrameBatch> {
        let text = |length: &usize| ByteString::from("x".repeat(*length));
        let events: Vec<_> = lengths.iter().zip(1..).map(|(length, seq)| (Some(seq), text(length))).collect();
        FrameBatch::of_many(ChatId(1), SubscriptionChange::Same, &events, None)
    }

    #[test]
    fn frames_after_a_seq_are_those_of_later_events() {
        let batch = batch(&[1, 2, 3]);
        assert_eq!((batch.count(), batch.seq(), batch.size()), (3, Some(3), 12));
        assert_eq!(batch.frames_after(0), Some(batch.frames()));
        assert_eq!(batch.frames_after(1).unwrap(), &b"\x81\x02xx\x81\x03xxx"[..]);
        assert_eq!(batch.frames_after(2).unwrap(), &b"\x81\x03xxx"[..]);
        assert_eq!(batch.frames_after(3), None);
    }
}
