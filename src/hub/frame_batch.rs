//! Batches of events as WebSocket frames: encoded once, shared by all subscribers.

use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};
use bytestring::ByteString;
use tokio::sync::oneshot;

use super::clock::millis;
use crate::core::model::{ChatId, Seq};

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
    /// An ephemeral event as JSON, for pull readers, which use no frames.
    pub ephemeral: Option<ByteString>,
    /// When the batch was created, in milliseconds of [`millis`].
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

    /// Creates a batch of consecutive events of a chat.
    pub fn of_many(
        chat: ChatId,
        events: &[(Option<Seq>, ByteString)],
        on_taken: Option<oneshot::Sender<()>>,
    ) -> Arc<Self> {
        Arc::new(Self { _on_taken: on_taken, ..Self::wrap(Some(chat), SubscriptionChange::Same, events) })
    }

    fn wrap(chat: Option<ChatId>, change: SubscriptionChange, texts: &[(Option<Seq>, ByteString)]) -> Self {
        let size = texts.iter().map(|(_, text)| text.len() + LONGEST_HEADER).sum();
        let (mut frames, mut events) = (BytesMut::with_capacity(size), Vec::with_capacity(texts.len()));
        for (seq, text) in texts {
            events.push((frames.len(), *seq));
            put_frame(&mut frames, TEXT, text.as_bytes());
        }
        let frames = frames.freeze();
        Self { chat, change, events, frames, ephemeral: None, at: millis(), _on_taken: None }
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

/// First byte of an unfragmented text frame: FIN and the opcode.
const TEXT: u8 = 0x81;

/// First byte of a close frame: FIN and the opcode.
const CLOSE: u8 = 0x88;

/// Longest header of an unmasked frame, in bytes.
const LONGEST_HEADER: usize = 10;

/// Encodes a close frame.
pub fn close_frame(code: u16, reason: &str) -> Bytes {
    let (mut payload, mut frame) = (code.to_be_bytes().to_vec(), BytesMut::new());
    payload.extend_from_slice(reason.as_bytes());
    put_frame(&mut frame, CLOSE, &payload);
    frame.freeze()
}

/// Encodes an unmasked frame, as servers send them (RFC 6455, section 5.2).
fn put_frame(buffer: &mut BytesMut, opcode: u8, payload: &[u8]) {
    buffer.put_u8(opcode);
    match payload.len() {
        length @ ..=125 => buffer.put_u8(length as u8),
        length @ ..=0xffff => {
            buffer.put_u8(126);
            buffer.put_u16(length as u16);
        }
        length => {
            buffer.put_u8(127);
            buffer.put_u64(length as u64);
        }
    }
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
        FrameBatch::of_many(ChatId(1), &events, None)
    }

    #[test]
    fn headers_have_the_length_in_the_shortest_form() {
        for (length, header) in [
            (125, &[0x81, 125][..]),
            (126, &[0x81, 126, 0, 126]),
            (65_535, &[0x81, 126, 255, 255]),
            (65_536, &[0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0]),
        ] {
            let frames = batch(&[length]).frames();
            assert!(frames.starts_with(header) && frames.len() == header.len() + length, "{length}");
        }
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
