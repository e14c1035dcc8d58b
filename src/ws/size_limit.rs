//! Message size limit: reads frame headers before anything is buffered, and decides by the declared length.
//!
//! The codec of actix-web-actors buffers a frame until it is complete, and checks its size only then. A frame
//! that declares gigabytes would be buffered as it arrives. This stream ends before such a frame instead.

use std::{
    cell::RefCell,
    fmt,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, Waker, ready},
};

use actix_web::{
    error::PayloadError,
    web::{Bytes, Payload},
};
use futures_util::Stream;

use crate::core::websocket::{CLOSE, CONTINUATION, LONGEST_HEADER, MASKING_KEY, read_header};

/// A socket's incoming bytes, cut off before the first message that is too large. Clones share one stream.
///
/// The stream yields no errors: actix-web-actors would handle an error before the frames that precede it.
#[derive(Clone)]
pub(super) struct MessageSizeLimit(Rc<RefCell<Incoming>>);

struct Incoming {
    stream: Payload,
    headers: Headers,
    is_too_large: bool,
    is_closed: bool,
    /// Waker of the reader that waits for [`MessageSizeLimit::open`].
    reader: Option<Waker>,
}

impl MessageSizeLimit {
    /// Creates a closed guard: nothing is read until [`Self::open`]. `max`: the largest message, in bytes.
    pub(super) fn new(stream: Payload, max: u64) -> Self {
        let headers = Headers::new(max);
        Self(Rc::new(RefCell::new(Incoming {
            stream,
            headers,
            is_too_large: false,
            is_closed: true,
            reader: None,
        })))
    }

    /// Starts to read the client's bytes. Until then, TCP backpressure holds them at the client.
    pub(super) fn open(&self) {
        let mut input = self.0.borrow_mut();
        input.is_closed = false;
        if let Some(reader) = input.reader.take() {
            reader.wake();
        }
    }

    /// Returns whether the stream was cut off: a frame, or all fragments of a message, declared too much.
    pub(super) fn is_too_large(&self) -> bool {
        self.0.borrow().is_too_large
    }

    /// Waits until the client has sent its close frame or disconnected. Discards all other input.
    pub(super) fn poll_close_frame(&self, cx: &mut Context<'_>) -> Poll<()> {
        let Incoming { stream, headers, .. } = &mut *self.0.borrow_mut();
        while !headers.has_read_close() {
            let Some(Ok(chunk)) = ready!(Pin::new(&mut *stream).poll_next(cx)) else { break };
            headers.pass(&chunk);
        }
        Poll::Ready(())
    }
}

impl Stream for MessageSizeLimit {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Incoming { stream, headers, is_too_large, is_closed, reader } = &mut *self.0.borrow_mut();
        if *is_closed {
            *reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        if *is_too_large {
            return Poll::Ready(None);
        }
        let Some(Ok(chunk)) = ready!(Pin::new(stream).poll_next(cx)) else { return Poll::Ready(None) };
        let taken = headers.pass(&chunk);
        *is_too_large = taken < chunk.len();
        Poll::Ready(Some(Ok(chunk.slice(..taken))))
    }
}

impl fmt::Debug for MessageSizeLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MessageSizeLimit").field("is_too_large", &self.is_too_large()).finish_non_exhaustive()
    }
}

/// Parser that skips from frame header to frame header (RFC 6455, section 5.2).
struct Headers {
    max: u64,
    /// Bytes of the current message so far, including all its fragments.
    message: u64,
    header: Vec<u8>,
    /// Payload bytes of the current frame still to be read.
    payload: u64,
    /// Whether the header of a close frame was read.
    has_begun_close: bool,
}

impl Headers {
    fn new(max: u64) -> Self {
        Self {
            max,
            message: 0,
            header: Vec::with_capacity(LONGEST_HEADER + MASKING_KEY),
            payload: 0,
            has_begun_close: false,
        }
    }

    fn has_read_close(&self) -> bool {
        self.has_begun_close && self.payload == 0
    }

    /// Returns how many bytes of the chunk may be passed on: all of it, or the bytes before the last byte of
    /// a header that declares too much.
    fn pass(&mut self, chunk: &[u8]) -> usize {
        let (mut at, mut taken) = (0, chunk.len());
        while at < chunk.len() {
            if self.payload > 0 {
                let skipped = self.payload.min((chunk.len() - at) as u64);
                self.payload -= skipped;
                at += skipped as usize;
                continue;
            }
            self.header.push(chunk[at]);
            if let Some(header) = read_header(&self.header) {
                if !self.count(header.opcode(), header.length) {
                    taken = taken.min(at);
                }
                self.payload = header.length;
                self.header.clear();
            }
            at += 1;
        }
        taken
    }

    fn count(&mut self, opcode: u8, length: u64) -> bool {
        self.has_begun_close |= opcode == CLOSE;
        match opcode {
            // A continuation adds to its message. Control frames may be interleaved. Any other opcode begins
            // a message.
            CONTINUATION => self.message = self.message.saturating_add(length),
            CLOSE.. => return length <= self.max,
            _ => self.message = length,
        }
        self.message <= self.max
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Headers {
        fn passes(&mut self, chunk: &[u8]) -> bool {
            self.pass(chunk) == chunk.len()
        }
    }

    /// Encodes a frame without the code under test. The declared length may differ from the payload's.
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
        assert!(whole.iter().all(|byte| headers.passes(&[*byte])));
        assert!(headers.passes(&whole));
        assert!(!headers.passes(&frame(0x81, 1_001, 0)));
        assert!(!Headers::new(1_000).passes(&frame(0x82, u64::MAX, 0)));
    }

    #[test]
    fn fragments_count_together_and_a_new_message_counts_anew() {
        let mut headers = Headers::new(1_000);
        for _ in 0..5 {
            assert!(headers.passes(&frame(0x01, 600, 600)));
            assert!(headers.passes(&frame(0x89, 4, 4)));
            assert!(headers.passes(&frame(0x80, 400, 400)));
        }
        assert!(headers.passes(&frame(0x01, 600, 600)));
        assert!(headers.passes(&frame(0x00, 400, 400)));
        assert!(!headers.passes(&frame(0x00, 1, 0)));
    }

    #[test]
    fn what_comes_before_the_first_that_is_too_large_is_taken() {
        let (small, large) = (frame(0x81, 5, 5), frame(0x81, 1_001, 20));
        let taken = Headers::new(1_000).pass(&[&small[..], &small, &large].concat());
        // All of the header but its last byte, so that the codec waits for more.
        assert_eq!(taken, 2 * small.len() + 7);
    }

    #[test]
    fn a_close_frame_counts_once_it_is_complete_whatever_precedes_it() {
        let mut headers = Headers::new(1_000);
        headers.pass(&frame(0x81, 1_001, 1_001));
        let close = frame(0x88, 2, 2);
        headers.pass(&close[..7]);
        assert!(!headers.has_read_close());
        headers.pass(&close[7..]);
        assert!(headers.has_read_close());
    }
}
