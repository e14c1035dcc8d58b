//! A minimal WebSocket frame codec (RFC 6455). A client of ten thousand sockets must use less CPU than the
//! server that it measures.

use crate::core::websocket::{CLOSE, CONTINUATION, FIN, MASKED, PING, PONG, TEXT, read_header, write_header};

/// Longest payload accepted, in bytes: more than our server sends in a frame.
const MAX_PAYLOAD: u64 = 64 << 20;

/// A complete frame or message of the server.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum ServerFrame<'a> {
    Text(&'a [u8]),
    Ping(&'a [u8]),
    /// A close frame with its code; 1005 if it has none.
    Close(u16),
}

/// The server sent an invalid frame.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ProtocolError;

/// Decoder of the server's byte stream into frames.
#[derive(Debug, Default)]
pub(crate) struct FrameDecoder {
    /// The beginning of an incomplete frame.
    part: Vec<u8>,
    /// The fragments received so far of a fragmented message.
    message: Option<Vec<u8>>,
}

impl FrameDecoder {
    /// Feeds received bytes and calls `each` for every complete frame.
    pub(crate) fn feed(
        &mut self,
        bytes: &[u8],
        mut each: impl FnMut(ServerFrame),
    ) -> Result<(), ProtocolError> {
        if self.part.is_empty() {
            let used = decode(&mut self.message, bytes, &mut each)?;
            self.part.extend_from_slice(&bytes[used..]);
            return Ok(());
        }
        self.part.extend_from_slice(bytes);
        let used = decode(&mut self.message, &self.part, &mut each)?;
        self.part.drain(..used);
        if self.part.is_empty() {
            // Free the buffer: most sockets are idle most of the time.
            self.part = Vec::new();
        }
        Ok(())
    }
}

/// Decodes the complete frames at the beginning of `bytes`. Returns how many bytes they occupy.
fn decode(
    message: &mut Option<Vec<u8>>,
    bytes: &[u8],
    each: &mut impl FnMut(ServerFrame),
) -> Result<usize, ProtocolError> {
    let mut used = 0;
    while let Some((first, from, to)) = next(&bytes[used..])? {
        let payload = &bytes[used + from..used + to];
        used += to;
        match (first & 0x0f, first & FIN != 0) {
            (TEXT, true) => each(ServerFrame::Text(payload)),
            (TEXT, false) => *message = Some(payload.to_vec()),
            (CONTINUATION, is_last) => {
                let whole = message.as_mut().ok_or(ProtocolError)?;
                whole.extend_from_slice(payload);
                if is_last && let Some(whole) = message.take() {
                    each(ServerFrame::Text(&whole));
                }
            }
            (PING, _) => each(ServerFrame::Ping(payload)),
            (PONG, _) => {}
            (CLOSE, _) => each(ServerFrame::Close(match payload {
                [high, low, ..] => u16::from_be_bytes([*high, *low]),
                _ => 1005,
            })),
            _ => return Err(ProtocolError),
        }
    }
    Ok(used)
}

/// Returns the first byte of the first frame, and where its payload begins and ends.
/// `None` if the frame is incomplete.
fn next(bytes: &[u8]) -> Result<Option<(u8, usize, usize)>, ProtocolError> {
    if bytes.get(1).is_some_and(|second| second & MASKED != 0) {
        return Err(ProtocolError);
    }
    let Some(header) = read_header(bytes) else { return Ok(None) };
    if header.length > MAX_PAYLOAD {
        return Err(ProtocolError);
    }
    let to = header.size + header.length as usize;
    Ok((bytes.len() >= to).then_some((header.first, header.size, to)))
}

/// Appends a text frame to `out`.
pub(crate) fn text(out: &mut Vec<u8>, payload: &[u8]) {
    frame(out, FIN | TEXT, payload);
}

/// Appends a pong frame to `out`.
pub(crate) fn pong(out: &mut Vec<u8>, payload: &[u8]) {
    frame(out, FIN | PONG, payload);
}

/// Appends a close frame to `out`.
pub(crate) fn close(out: &mut Vec<u8>, code: u16) {
    frame(out, FIN | CLOSE, &code.to_be_bytes());
}

/// Appends a client frame, which must be masked. A mask of zeros leaves the payload unchanged.
fn frame(out: &mut Vec<u8>, first: u8, payload: &[u8]) {
    write_header(out, first, payload.len(), true);
    out.extend_from_slice(payload);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Encodes a frame as a server sends it: unmasked.
    fn sent(first: u8, payload: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        write_header(&mut bytes, first, payload.len(), false);
        bytes.extend_from_slice(payload);
        bytes
    }

    fn decoded(pieces: &[&[u8]]) -> Vec<String> {
        let (mut decoder, mut frames) = (FrameDecoder::default(), Vec::new());
        for piece in pieces {
            decoder
                .feed(piece, |frame| {
                    frames.push(match frame {
                        ServerFrame::Text(text) => String::from_utf8_lossy(text).into_owned(),
                        other => format!("{other:?}"),
                    });
                })
                .unwrap();
        }
        frames
    }

    #[test]
    fn frames_are_found_however_they_are_cut() {
        let long = "x".repeat(70_000);
        let mut bytes = sent(FIN | TEXT, b"one");
        bytes.extend(sent(FIN | PING, b"?"));
        bytes.extend(sent(FIN | TEXT, "y".repeat(300).as_bytes()));
        bytes.extend(sent(FIN | TEXT, long.as_bytes()));
        bytes.extend(sent(FIN | CLOSE, &4408_u16.to_be_bytes()));
        let whole = decoded(&[&bytes]);
        assert_eq!(whole, ["one", "Ping([63])", &"y".repeat(300), &long, "Close(4408)"]);
        for cut in [1, 2, 5, 7, 9, 11, 300, 320, bytes.len() - 1] {
            assert_eq!(decoded(&[&bytes[..cut], &bytes[cut..]]), whole, "{cut}");
        }
    }

    #[test]
    fn fragments_are_one_message() {
        let pieces = [sent(TEXT, b"a"), sent(FIN | PING, b""), sent(CONTINUATION, b"b"), sent(FIN, b"c")];
        assert_eq!(decoded(&[&pieces.concat()]), ["Ping([])", "abc"]);
    }

    #[test]
    fn invalid_frames_are_rejected() {
        assert_eq!(FrameDecoder::default().feed(&[FIN | TEXT, MASKED], |_| {}), Err(ProtocolError));
        assert_eq!(FrameDecoder::default().feed(&sent(FIN | 0x3, b""), |_| {}), Err(ProtocolError));
        assert_eq!(
            FrameDecoder::default().feed(&[FIN | TEXT, 127, 255, 0, 0, 0, 0, 0, 0, 0], |_| {}),
            Err(ProtocolError)
        );
    }
}
