//! Offers of another protocol in the heads of requests, looked at before HTTP reads them.
//!
//! actix-http 3.20 takes `Connection: upgrade` for an upgrade that takes place, whatever is offered: it answers with the
//! same and hangs up. `Upgrade: websocket` alone makes a socket of any request. RFC 9110, section 7.8, lets a server
//! ignore an offer. So offers that are not ours are blanked, and a handshake keeps only the words that actix-http knows.

use std::{mem::MaybeUninit, ops::Range};

use bytes::{Buf, BytesMut};
use httparse::{Header, Request, Status};
use tokio::io::ReadBuf;

/// Follows the requests of a connection from head to head, and holds back a head until it is whole.
pub struct Offers {
    /// The address of sockets, without a slash at its end.
    socket: &'static str,
    place: Place,
    /// The beginning of a head.
    held: BytesMut,
    /// What was held back and may be read now.
    ready: BytesMut,
}

/// What the next byte belongs to.
enum Place {
    Head,
    /// A body, of which so much is to come.
    Body(u64),
    Chunks(Chunks),
    /// No request, or none that can be read: it is passed on as it is.
    Beyond,
}

/// Where a body in chunks is (RFC 9112, section 7.1), as actix-http reads it.
enum Chunks {
    /// In the digits of a size.
    Size(u64),
    /// Behind them, up to the end of the line.
    Extension(u64),
    /// The data, with the line's end behind it.
    Data(u64),
    /// At the beginning of a line behind the last chunk.
    Line,
    /// Within such a line.
    Trailer,
    /// Behind its carriage return; the empty line is the last.
    LineEnd { is_last: bool },
}

/// A head that is longer is refused by actix-http.
const MOST_HELD: usize = 131_072;

/// As many as actix-http takes.
const MOST_HEADERS: usize = 96;

impl Offers {
    /// `socket`: the one address at which sockets open.
    pub fn new(socket: &'static str) -> Self {
        Self { socket, place: Place::Head, held: BytesMut::new(), ready: BytesMut::new() }
    }

    /// Takes bytes from the client, in place. Returns how many of them may be read at once; the others are held back.
    pub fn take(&mut self, bytes: &mut [u8]) -> usize {
        if self.held.is_empty() {
            let whole = self.walk(bytes);
            self.held.extend_from_slice(&bytes[whole..]);
            return whole;
        }
        let before = self.held.len();
        self.held.extend_from_slice(bytes);
        if may_end(&self.held, before) || self.held.len() >= MOST_HELD {
            let mut held = std::mem::take(&mut self.held);
            let whole = self.walk(&mut held);
            self.held = held.split_off(whole);
            self.ready = held;
        }
        0
    }

    /// Gives what was held back and may be read. Returns whether there was something.
    pub fn give(&mut self, buffer: &mut ReadBuf<'_>) -> bool {
        let count = self.ready.len().min(buffer.remaining());
        buffer.put_slice(&self.ready[..count]);
        self.ready.advance(count);
        count > 0
    }

    /// The client sends nothing more: what is held back may be read as it is.
    pub fn end(&mut self) {
        self.place = Place::Beyond;
        self.ready = std::mem::take(&mut self.held);
    }

    /// What was not read yet, for who reads on in another way.
    pub fn into_rest(mut self) -> BytesMut {
        self.ready.unsplit(self.held);
        self.ready
    }

    /// Walks over whole requests, and blanks what is not to be read. Returns where an unfinished head begins.
    fn walk(&mut self, bytes: &mut [u8]) -> usize {
        let mut at = 0;
        while at < bytes.len() {
            at += match &mut self.place {
                Place::Beyond => bytes.len() - at,
                Place::Body(left) => {
                    let passed = skip(left, bytes.len() - at);
                    if *left == 0 {
                        self.place = Place::Head;
                    }
                    passed
                }
                Place::Chunks(chunks) => {
                    let (passed, is_over) = chunks.pass(&bytes[at..]);
                    if is_over {
                        self.place = Place::Head;
                    }
                    passed
                }
                Place::Head => match read(&bytes[at..], self.socket) {
                    Ok(Some(head)) => {
                        head.blanks.into_iter().for_each(|range| bytes[at..][range].fill(b' '));
                        self.place = head.then;
                        head.length
                    }
                    Ok(None) if bytes.len() - at < MOST_HELD => return at,
                    Ok(None) | Err(()) => {
                        self.place = Place::Beyond;
                        0
                    }
                },
            };
        }
        at
    }
}

/// Whether a head may end in what came behind `before`: an empty line does it.
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
    /// Passes over bytes of the body. Returns over how many, and whether the body ends there.
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

/// The head of a request.
struct Head {
    length: usize,
    /// What comes behind it.
    then: Place,
    /// What is not to be read of it.
    blanks: Vec<Range<usize>>,
}

/// Reads a head; `None` where it is not whole, an error where it is none.
fn read(bytes: &[u8], socket: &str) -> Result<Option<Head>, ()> {
    let mut headers = [const { MaybeUninit::<Header<'_>>::uninit() }; MOST_HEADERS];
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
        Place::Beyond
    } else if values("transfer-encoding").next().is_some() {
        Place::Chunks(Chunks::Size(0))
    } else {
        match values("content-length").next().map(number) {
            None | Some(Some(0)) => Place::Head,
            Some(Some(length)) => Place::Body(length),
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
        && matches!(body, Place::Head)
        && is_at(request.path.unwrap_or_default(), socket)
    {
        for (name, kept) in [("connection", range(upgrade)), ("upgrade", range(websocket))] {
            for Range { start, end } in values(name).map(range) {
                blanks.push(start..kept.start.clamp(start, end));
                blanks.push(kept.end.clamp(start, end)..end);
            }
        }
        return Ok(Some(Head { length, then: Place::Beyond, blanks }));
    }
    blanks.extend(words("connection", "upgrade").map(range));
    blanks.extend(values("upgrade").map(range));
    Ok(Some(Head { length, then: body, blanks }))
}

/// Whether a request is for an address, whatever stands behind its `?`.
fn is_at(target: &str, address: &str) -> bool {
    let path = target.split('?').next().unwrap_or_default();
    // Some proxies send the whole URL.
    let path = path.split_once("://").map_or(path, |(_, rest)| rest.find('/').map_or("", |at| &rest[at..]));
    path.strip_prefix(address).is_some_and(|rest| matches!(rest, "" | "/"))
}

fn number(value: &[u8]) -> Option<u64> {
    std::str::from_utf8(value).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is read of bytes that come in pieces of a size.
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

    /// The same, whatever the size of the pieces is; blanks are not told from others.
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
        let long = format!("GET /{} HTTP/1.1\r\n", "x".repeat(MOST_HELD));
        for bytes in ["\u{16}\u{3}\u{1}\r\n\r\nUpgrade: h2c\r\n\r\n", "GET / HT", &long] {
            assert_eq!(read_of(bytes.as_bytes(), 1_000), bytes);
        }
    }
}
