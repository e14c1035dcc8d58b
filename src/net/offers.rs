//! Filters protocol upgrade offers from request heads, before actix-http parses them.
//!
//! actix-http 3.20 treats every `Connection: upgrade` as accepted, whatever protocol is offered: it echoes
//! the header and closes the connection. It treats any request with `Upgrade: websocket` as a WebSocket
//! handshake. RFC 9110, section 7.8, lets a server ignore an offer. So other offers are overwritten with
//! blanks. A handshake keeps only the tokens that actix-http knows.

use std::{mem::MaybeUninit, ops::Range};

use bytes::{Buf, BytesMut};
use httparse::{Header, Request, Status};
use tokio::io::ReadBuf;

/// Incremental filter over the requests of a connection. It buffers a head until it is complete.
pub(crate) struct Offers {
    /// Path of the WebSocket endpoint, without trailing slash.
    socket: &'static str,
    place: ParserState,
    /// An incomplete head.
    held: BytesMut,
    /// Filtered bytes that were buffered and can be read now.
    ready: BytesMut,
}

/// Parser state: the part of a request that the next byte belongs to.
enum ParserState {
    Head,
    /// A body with this many remaining bytes.
    Body(u64),
    Chunks(Chunks),
    /// Not HTTP, or no longer: all further bytes are passed through.
    Beyond,
}

/// Parser state in a chunked body (RFC 9112, section 7.1), in the way actix-http parses it.
enum Chunks {
    /// In the digits of a chunk size.
    Size(u64),
    /// After the size, up to the end of the line.
    Extension(u64),
    /// In the chunk data and its final CRLF, with this many remaining bytes.
    Data(u64),
    /// At the start of a line after the last chunk.
    Line,
    /// Within a trailer line.
    Trailer,
    /// After the carriage return of a line; `is_last` for the empty line that ends the body.
    LineEnd { is_last: bool },
}

/// Maximum length of a buffered head, in bytes. actix-http rejects longer ones.
const MAX_HELD: usize = 131_072;

/// Maximum number of headers, as in actix-http.
const MAX_HEADERS: usize = 96;

impl Offers {
    /// Creates a filter. `socket`: the path of the WebSocket endpoint.
    pub(crate) fn new(socket: &'static str) -> Self {
        Self { socket, place: ParserState::Head, held: BytesMut::new(), ready: BytesMut::new() }
    }

    /// Filters received bytes in place. Returns how many of them can be read now; the rest is buffered.
    pub(crate) fn take(&mut self, bytes: &mut [u8]) -> usize {
        if self.held.is_empty() {
            let whole = self.walk(bytes);
            self.held.extend_from_slice(&bytes[whole..]);
            return whole;
        }
        let before = self.held.len();
        self.held.extend_from_slice(bytes);
        if may_end(&self.held, before) || self.held.len() >= MAX_HELD {
            let mut held = std::mem::take(&mut self.held);
            let whole = self.walk(&mut held);
            self.held = held.split_off(whole);
            self.ready = held;
        }
        0
    }

    /// Copies buffered bytes that can be read into `buffer`. Returns whether there were any.
    pub(crate) fn give(&mut self, buffer: &mut ReadBuf<'_>) -> bool {
        let count = self.ready.len().min(buffer.remaining());
        buffer.put_slice(&self.ready[..count]);
        self.ready.advance(count);
        count > 0
    }

    /// Ends the input: what is buffered can be read unchanged.
    pub(crate) fn end(&mut self) {
        self.place = ParserState::Beyond;
        self.ready = std::mem::take(&mut self.held);
    }

    /// Returns all bytes that were not read yet.
    pub(crate) fn into_rest(mut self) -> BytesMut {
        self.ready.unsplit(self.held);
        self.ready
    }

    /// Parses complete requests and blanks their offers. Returns the offset of an incomplete head, or the
    /// length.
    fn walk(&mut self, bytes: &mut [u8]) -> usize {
        let mut at = 0;
        while at < bytes.len() {
            at += match &mut self.place {
                ParserState::Beyond => bytes.len() - at,
                ParserState::Body(left) => {
                    let passed = skip(left, bytes.len() - at);
                    if *left == 0 {
                        self.place = ParserState::Head;
                    }
                    passed
                }
                ParserState::Chunks(chunks) => {
                    let (passed, is_over) = chunks.pass(&bytes[at..]);
                    if is_over {
                        self.place = ParserState::Head;
                    }
                    passed
                }
                ParserState::Head => match read(&bytes[at..], self.socket) {
                    Ok(Some(head)) => {
                        head.blanks.into_iter().for_each(|range| bytes[at..][range].fill(b' '));
                        self.place = head.then;
                        head.length
                    }
                    Ok(None) if bytes.len() - at < MAX_HELD => return at,
                    Ok(None) | Err(()) => {
                        self.place = ParserState::Beyond;
                        0
                    }
                },
            };
        }
        at
    }
}

/// Whether a head may end in the bytes after `before`: whether they complete an empty line.
fn may_end(bytes: &[u8], before: usize) -> bool {
    let mut lines = bytes[before.saturating_sub(3)..].split(|byte| *byte == b'\n').skip(1).peekable();
    while let Some(line) = lines.next() {
        if lines.peek().is_some() && matches!(line, b"" | b"\r") {
            return true;
        }
    }
    false
}

fn skip(left: &mut u64, available: usize) -> usize {
    let passed = (*left).min(available as u64);
    *left -= passed;
    passed as usize
}

impl Chunks {
    /// Consumes bytes of the body. Returns how many, and whether the body ends there.
    fn pass(&mut self, bytes: &[u8]) -> (usize, bool) {
        let mut at = 0;
        while let Some(byte) = bytes.get(at) {
            if let Self::Data(left) = self {
                at += skip(left, bytes.len() - at);
                if *left == 0 {
                    *self = Self::Size(0);
                }
                continue;
            }
            at += 1;
            *self = match (&*self, byte) {
                (Self::LineEnd { is_last: true }, _) => return (at, true),
                (Self::Size(0) | Self::Extension(0), b'\n') => Self::Line,
                (Self::Size(size) | Self::Extension(size), b'\n') => Self::Data(size.saturating_add(2)),
                (Self::Size(size), digit) => match char::from(*digit).to_digit(16) {
                    Some(digit) => Self::Size(size.saturating_mul(16).saturating_add(u64::from(digit))),
                    None => Self::Extension(*size),
                },
                (Self::Extension(size), _) => Self::Extension(*size),
                (Self::Line, b'\r') => Self::LineEnd { is_last: true },
                (Self::Trailer, b'\r') => Self::LineEnd { is_last: false },
                (Self::LineEnd { is_last: false }, _) => Self::Line,
                (Self::Line | Self::Trailer | Self::Data(_), _) => Self::Trailer,
            };
        }
        (at, false)
    }
}

/// A parsed request head.
struct RequestHead {
    length: usize,
    /// Parser state after the head.
    then: ParserState,
    /// Ranges to overwrite with blanks.
    blanks: Vec<Range<usize>>,
}

/// Parses a head. `None`: it is incomplete. An error: it is not an HTTP head.
fn read(bytes: &[u8], socket: &str) -> Result<Option<RequestHead>, ()> {
    let mut headers = [const { MaybeUninit::<Header<'_>>::uninit() }; MAX_HEADERS];
    let mut request = Request::new(&mut []);
    let Status::Complete(length) = request.parse_with_uninit_headers(bytes, &mut headers).map_err(|_| ())?
    else {
        return Ok(None);
    };
    let values = |name: &'static str| {
        let named = request.headers.iter().filter(move |header| header.name.eq_ignore_ascii_case(name));
        named.map(|header| header.value)
    };
    let method = request.method.unwrap_or_default();
    let body = if method == "CONNECT" {
        ParserState::Beyond
    } else if values("transfer-encoding").next().is_some() {
        ParserState::Chunks(Chunks::Size(0))
    } else {
        match values("content-length").next().map(number) {
            None | Some(Some(0)) => ParserState::Head,
            Some(Some(length)) => ParserState::Body(length),
            Some(None) => return Err(()),
        }
    };
    let words = |name: &'static str, word: &'static str| {
        let words = values(name).flat_map(|value| value.split(|byte| *byte == b',')).map(<[u8]>::trim_ascii);
        words.filter(move |other| other.eq_ignore_ascii_case(word.as_bytes()))
    };
    let range = |part: &[u8]| {
        let start = part.as_ptr() as usize - bytes.as_ptr() as usize;
        start..start + part.len()
    };
    let mut blanks = Vec::new();
    if let (Some(upgrade), Some(websocket)) =
        (words("connection", "upgrade").next(), words("upgrade", "websocket").next())
        && method == "GET"
        && request.version == Some(1)
        && matches!(body, ParserState::Head)
        && is_at(request.path.unwrap_or_default(), socket)
    {
        for (name, kept) in [("connection", range(upgrade)), ("upgrade", range(websocket))] {
            for Range { start, end } in values(name).map(range) {
                blanks.push(start..kept.start.clamp(start, end));
                blanks.push(kept.end.clamp(start, end)..end);
            }
        }
        return Ok(Some(RequestHead { length, then: ParserState::Beyond, blanks }));
    }
    blanks.extend(words("connection", "upgrade").map(range));
    blanks.extend(values("upgrade").map(range));
    Ok(Some(RequestHead { length, then: body, blanks }))
}

/// Whether a request target has this path, with any query.
fn is_at(target: &str, address: &str) -> bool {
    let path = target.split('?').next().unwrap_or_default();
    // Some proxies send an absolute URL.
    let path = path.split_once("://").map_or(path, |(_, rest)| rest.find('/').map_or("", |at| &rest[at..]));
    path.strip_prefix(address).is_some_and(|rest| matches!(rest, "" | "/"))
}

fn number(value: &[u8]) -> Option<u64> {
    std::str::from_utf8(value).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns what is read if the bytes arrive in pieces of `size`.
    fn read_of(bytes: &[u8], size: usize) -> String {
        let mut offers = Offers::new("/messages/ws");
        let mut read = Vec::new();
        let give = |offers: &mut Offers, read: &mut Vec<u8>| {
            let mut space = [0; 7];
            let mut buffer = ReadBuf::new(&mut space);
            while offers.give(&mut buffer) {
                read.extend_from_slice(buffer.filled());
                buffer.clear();
            }
        };
        for piece in bytes.chunks(size) {
            let mut piece = piece.to_vec();
            let now = offers.take(&mut piece);
            read.extend_from_slice(&piece[..now]);
            give(&mut offers, &mut read);
        }
        offers.end();
        give(&mut offers, &mut read);
        assert_eq!(read.len(), bytes.len());
        String::from_utf8(read).unwrap()
    }

    /// Asserts that pieces of all sizes give the same result, and returns it with runs of blanks collapsed.
    fn read(bytes: &str) -> String {
        let whole = read_of(bytes.as_bytes(), bytes.len());
        for size in [1, 2, 3, 7, 50, 64] {
            assert_eq!(read_of(bytes.as_bytes(), size), whole, "in pieces of {size}");
        }
        let words: Vec<_> = whole.split(' ').filter(|word| !word.is_empty()).collect();
        words.join(" ")
    }

    #[test]
    fn offers_that_are_not_ours_are_blanked_in_each_request_and_nowhere_else() {
        let head = "Host: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n";
        let blank = "Host: a\r\nConnection: , HTTP2-Settings\r\nUpgrade: \r\n";
        let plain = "Host: a\r\nConnection: keep-alive\r\n";
        let length = head.len();
        let all = format!(
            "\r\nGET / HTTP/1.1\r\n{head}\r\nPOST / HTTP/1.1\r\n{head}Content-Length: {length}\r\n\r\n{head}\
             GET / HTTP/1.1\r\n{plain}\r\nPOST / HTTP/1.1\r\n{head}Transfer-Encoding: chunked\r\n\r\n\
             {length:X};a=b\r\n{head}\r\n2\r\n\r\n\r\n0\r\nTrailer: a\r\n\r\nHEAD / HTTP/1.0\r\n{head}\r\n"
        );
        let expected = format!(
            "\r\nGET / HTTP/1.1\r\n{blank}\r\nPOST / HTTP/1.1\r\n{blank}Content-Length: {length}\r\n\r\n{head}\
             GET / HTTP/1.1\r\n{plain}\r\nPOST / HTTP/1.1\r\n{blank}Transfer-Encoding: chunked\r\n\r\n\
             {length:X};a=b\r\n{head}\r\n2\r\n\r\n\r\n0\r\nTrailer: a\r\n\r\nHEAD / HTTP/1.0\r\n{blank}\r\n"
        );
        assert_eq!(read(&all), expected);
    }

    #[test]
    fn a_handshake_keeps_its_two_words_and_what_comes_behind_it_is_passed_on() {
        let frames = "\u{1}GET / HTTP/1.1\r\nConnection: upgrade\r\n\r\n";
        for target in ["/messages/ws/", "/messages/ws", "/messages/ws/?resume=1", "http://a:8/messages/ws/?a"]
        {
            let head = format!(
                "GET {target} HTTP/1.1\r\nConnection: close, UPGRADE ,x\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\
                 Upgrade: foo, WebSocket\r\n\r\n{frames}"
            );
            let expected = format!(
                "GET {target} HTTP/1.1\r\nConnection: UPGRADE \r\nUpgrade: \r\nConnection: \r\n\
                 Upgrade: WebSocket\r\n\r\n{frames}"
            );
            assert_eq!(read(&head), expected);
        }
    }

    #[test]
    fn what_is_no_handshake_is_no_upgrade() {
        for (line, lines) in [
            ("POST /messages/ws/ HTTP/1.1", ""),
            ("GET /messages/ws/ HTTP/1.0", ""),
            ("GET /healthz HTTP/1.1", ""),
            ("GET /messages/ws/more HTTP/1.1", ""),
            ("GET /messages/ws/ HTTP/1.1", "Content-Length: 5\r\n"),
            ("GET /messages/ws/ HTTP/1.1", "Transfer-Encoding: chunked\r\n"),
        ] {
            let offer = |connection, upgrade| {
                format!("{line}\r\n{lines}Connection: {connection}\r\nUpgrade: {upgrade}\r\n\r\n")
            };
            assert_eq!(read(&offer("upgrade", "websocket")), offer("", ""), "{line} {lines}");
        }
    }

    #[test]
    fn what_is_no_request_is_passed_on() {
        let long = format!("GET /{} HTTP/1.1\r\n", "x".repeat(MAX_HELD));
        for bytes in ["\u{16}\u{3}\u{1}\r\n\r\nUpgrade: h2c\r\n\r\n", "GET / HT", &long] {
            assert_eq!(read_of(bytes.as_bytes(), 1_000), bytes);
        }
    }
}
