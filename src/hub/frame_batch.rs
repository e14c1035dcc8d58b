//! Events on their way to sockets: encoded once, shared by all who are sent them.

use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};
use bytestring::ByteString;
use tokio::sync::oneshot;

use super::clock::millis;
use crate::core::model::{ChatId, Seq};

/// Events of one chat, or of none, that go to the same sockets together.
#[derive(Debug)]
pub struct Parcel {
    /// `None` for what belongs to no chat, somebody's coming online for example.
    pub chat: Option<ChatId>,
    pub standing: Standing,
    /// Where each event begins in the frames, with its number; none for what does not last, such as typing.
    events: Vec<(usize, Option<Seq>)>,
    /// Text frames of a WebSocket, one behind the other.
    frames: Bytes,
    /// What does not last, as it is: readers have no frames.
    pub fleeting: Option<ByteString>,
    /// When it was made, in milliseconds.
    pub at: u64,
    /// Goes with it: whoever waits for this knows then that everybody has taken it.
    _on_taken: Option<oneshot::Sender<()>>,
}

impl Parcel {
    /// A single event.
    pub fn of(chat: Option<ChatId>, seq: Option<Seq>, standing: Standing, event: &ByteString) -> Arc<Self> {
        let fleeting = seq.is_none().then(|| event.clone());
        Arc::new(Self { fleeting, ..Self::wrap(chat, standing, &[(seq, event.clone())]) })
    }

    /// Events that follow each other in a chat.
    pub fn of_many(
        chat: ChatId,
        events: &[(Option<Seq>, ByteString)],
        on_taken: Option<oneshot::Sender<()>>,
    ) -> Arc<Self> {
        Arc::new(Self { _on_taken: on_taken, ..Self::wrap(Some(chat), Standing::Same, events) })
    }

    fn wrap(chat: Option<ChatId>, standing: Standing, texts: &[(Option<Seq>, ByteString)]) -> Self {
        let size = texts.iter().map(|(_, text)| text.len() + LONGEST_HEADER).sum();
        let (mut frames, mut events) = (BytesMut::with_capacity(size), Vec::with_capacity(texts.len()));
        for (seq, text) in texts {
            events.push((frames.len(), *seq));
            put_frame(&mut frames, TEXT, text.as_bytes());
        }
        let frames = frames.freeze();
        Self { chat, standing, events, frames, fleeting: None, at: millis(), _on_taken: None }
    }

    /// The number of the latest event.
    pub fn seq(&self) -> Option<Seq> {
        self.events.last().and_then(|(_, seq)| *seq)
    }

    /// How many events there are.
    pub fn count(&self) -> usize {
        self.events.len()
    }

    /// Bytes of all frames.
    pub fn size(&self) -> usize {
        self.frames.len()
    }

    /// All frames.
    pub fn frames(&self) -> Bytes {
        self.frames.clone()
    }

    /// The frames of what comes after a number, if anything does.
    pub fn frames_after(&self, last: Seq) -> Option<Bytes> {
        let is_old = |seq: Option<Seq>| seq.is_some_and(|seq| seq <= last);
        let (begin, _) = self.events.iter().find(|(_, seq)| !is_old(*seq))?;
        Some(self.frames.slice(begin..))
    }
}

/// Opcodes of whole frames.
const TEXT: u8 = 0x81;
const CLOSE: u8 = 0x88;

const LONGEST_HEADER: usize = 10;

/// The frame of a goodbye.
pub fn goodbye(code: u16, reason: &str) -> Bytes {
    let (mut payload, mut frame) = (code.to_be_bytes().to_vec(), BytesMut::new());
    payload.extend_from_slice(reason.as_bytes());
    put_frame(&mut frame, CLOSE, &payload);
    frame.freeze()
}

/// Encodes a frame as servers send them, without a mask (RFC 6455, section 5.2).
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

/// What happens to a socket's place in a chat with an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It hears of the chat as before.
    Same,
    /// It hears of the chat from this event on.
    Joins,
    /// This is the last that it hears of the chat.
    Leaves,
    /// It follows a public room from outside.
    Watches,
    /// The room that it followed from outside is gone.
    WatchEnds,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parcel(lengths: &[usize]) -> Arc<Parcel> {
        let text = |length: &usize| ByteString::from("x".repeat(*length));
        let events: Vec<_> = lengths.iter().zip(1..).map(|(length, seq)| (Some(seq), text(length))).collect();
        Parcel::of_many(ChatId(1), &events, None)
    }

    #[test]
    fn headers_have_the_length_in_the_shortest_form() {
        for (length, header) in [
            (125, &[0x81, 125][..]),
            (126, &[0x81, 126, 0, 126]),
            (65_535, &[0x81, 126, 255, 255]),
            (65_536, &[0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0]),
        ] {
            let frames = parcel(&[length]).frames();
            assert!(frames.starts_with(header) && frames.len() == header.len() + length, "{length}");
        }
    }

    #[test]
    fn what_comes_after_a_number_is_the_rest() {
        let parcel = parcel(&[1, 2, 3]);
        assert_eq!((parcel.count(), parcel.seq(), parcel.size()), (3, Some(3), 12));
        assert_eq!(parcel.frames_after(0), Some(parcel.frames()));
        assert_eq!(parcel.frames_after(1).unwrap(), &b"\x81\x02xx\x81\x03xxx"[..]);
        assert_eq!(parcel.frames_after(2).unwrap(), &b"\x81\x03xxx"[..]);
        assert_eq!(parcel.frames_after(3), None);
    }
}
