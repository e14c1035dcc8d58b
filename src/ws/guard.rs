//! A look at frames' headers before anything is buffered: what a client declares decides, not what it sends.
//!
//! The codec below actix-web-actors keeps a frame until it is whole and only then looks at its size, so that a frame
//! that declares gigabytes is buffered as it comes. This stream ends at the header instead.

use std::{
    cell::Cell,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
};

use actix_web::{error::PayloadError, web::Bytes};
use futures_util::Stream;

/// Why the stream ended, apart from an orderly end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing was wrong so far.
    Fine,
    /// A frame, or the fragments of a message together, declared more than is taken.
    TooLarge,
    /// The connection broke.
    Broken,
}

/// The verdict, for the session, which learns of errors only by their text.
pub type SharedVerdict = Rc<Cell<Verdict>>;

/// What comes in over a socket, ended at the first message that is too large.
pub struct Guard<S> {
    stream: S,
    headers: Headers,
    verdict: SharedVerdict,
}

impl<S> Guard<S> {
    /// `max`: the largest message, in bytes.
    pub fn new(stream: S, max: u64) -> (Self, SharedVerdict) {
        let verdict = SharedVerdict::new(Cell::new(Verdict::Fine));
        (Self { stream, headers: Headers::new(max), verdict: verdict.clone() }, verdict)
    }
}

impl<S> Stream for Guard<S>
where
    S: Stream<Item = Result<Bytes, PayloadError>> + Unpin,
{
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.verdict.get() != Verdict::Fine {
            return Poll::Ready(None);
        }
        let item = Pin::new(&mut self.stream).poll_next(cx);
        match &item {
            Poll::Ready(Some(Ok(chunk))) if !self.headers.pass(chunk) => {
                self.verdict.set(Verdict::TooLarge);
                return Poll::Ready(Some(Err(PayloadError::Overflow)));
            }
            Poll::Ready(Some(Err(_))) => self.verdict.set(Verdict::Broken),
            _ => {}
        }
        item
    }
}

/// Walks from header to header (RFC 6455, section 5.2).
struct Headers {
    max: u64,
    /// Bytes of the message so far, of all its fragments.
    message: u64,
    header: Vec<u8>,
    /// Bytes of the current frame still to come.
    payload: u64,
}

impl Headers {
    fn new(max: u64) -> Self {
        Self { max, message: 0, header: Vec::with_capacity(14), payload: 0 }
    }

    /// Whether everything declared so far may be taken.
    fn pass(&mut self, mut chunk: &[u8]) -> bool {
        while !chunk.is_empty() {
            if self.payload > 0 {
                let skipped = self.payload.min(chunk.len() as u64);
                self.payload -= skipped;
                chunk = &chunk[skipped as usize..];
                continue;
            }
            self.header.push(chunk[0]);
            chunk = &chunk[1..];
            if let Some(length) = self.declared() {
                if !self.count(self.header[0] & 0x0f, length) {
                    return false;
                }
                self.payload = length;
                self.header.clear();
            }
        }
        true
    }

    /// The length that the header declares, once the header is whole.
    fn declared(&self) -> Option<u64> {
        let second = *self.header.get(1)?;
        let (extra, mask) = match second & 0x7f {
            126 => (2, second & 0x80),
            127 => (8, second & 0x80),
            _ => (0, second & 0x80),
        };
        let size = 2 + extra + if mask == 0 { 0 } else { 4 };
        let declared = || self.header[2..2 + extra].iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte));
        (self.header.len() == size).then(|| if extra == 0 { u64::from(second & 0x7f) } else { declared() })
    }

    fn count(&mut self, opcode: u8, length: u64) -> bool {
        match opcode {
            // A continuation adds to its message, control frames come in between, anything else begins a message.
            0 => self.message = self.message.saturating_add(length),
            8.. => return length <= self.max,
            _ => self.message = length,
        }
        self.message <= self.max
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(first: u8, length: u64, payload: usize) -> Vec<u8> {
        let mut bytes = vec![first];
        match length {
            0..126 => bytes.push(0x80 | length as u8),
            126..65_536 => {
                bytes.push(0x80 | 126);
                bytes.extend((length as u16).to_be_bytes());
            }
            _ => {
                bytes.push(0x80 | 127);
                bytes.extend(length.to_be_bytes());
            }
        }
        bytes.extend([0; 4]);
        bytes.extend(vec![b'x'; payload]);
        bytes
    }

    #[test]
    fn what_is_declared_decides_however_it_is_cut() {
        let whole = [frame(0x81, 5, 5), frame(0x81, 1_000, 1_000), frame(0x89, 0, 0)].concat();
        let mut headers = Headers::new(1_000);
        assert!(whole.iter().all(|byte| headers.pass(&[*byte])));
        assert!(headers.pass(&whole));
        assert!(!headers.pass(&frame(0x81, 1_001, 0)));
        assert!(!Headers::new(1_000).pass(&frame(0x82, u64::MAX, 0)));
    }

    #[test]
    fn fragments_count_together_and_a_new_message_counts_anew() {
        let mut headers = Headers::new(1_000);
        for _ in 0..5 {
            assert!(headers.pass(&frame(0x01, 600, 600)));
            assert!(headers.pass(&frame(0x89, 4, 4)));
            assert!(headers.pass(&frame(0x80, 400, 400)));
        }
        assert!(headers.pass(&frame(0x01, 600, 600)));
        assert!(headers.pass(&frame(0x00, 400, 400)));
        assert!(!headers.pass(&frame(0x00, 1, 0)));
    }
}
