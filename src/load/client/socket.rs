//! A socket to the server: its handshake, what it hears, what it says.

use std::{
    cell::RefCell,
    fmt::{self, Display, Formatter},
    future::poll_fn,
    io,
    rc::Rc,
    task::{Context, Poll, Waker, ready},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, ReadBuf},
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
};

use super::{
    frame::{self, Incoming, ServerFrame},
    http,
    target::Target,
};

/// How much is read at once, into one buffer for all sockets.
const PIECE: usize = 64 << 10;

thread_local! {
    static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; PIECE]);
}

/// Why there is no socket.
#[derive(Debug)]
pub(crate) enum Refused {
    /// The server's answer was another than 101; seconds after which to try again, where it names them.
    Status(u16, Option<u64>),
    /// It ended before it was live.
    Ended(End),
    Io(io::Error),
}

impl Display for Refused {
    fn fmt(&self, out: &mut Formatter) -> fmt::Result {
        match self {
            Self::Status(status, _) => write!(out, "{status}"),
            Self::Ended(end) => write!(out, "ended at once: {end}"),
            Self::Io(error) => write!(out, "{error}"),
        }
    }
}

impl From<io::Error> for Refused {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// How a socket ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// The server said goodbye, with this code.
    Closed(u16),
    /// The connection ended without one.
    Cut,
    /// The server sent what is no frame.
    Broken,
}

impl Display for End {
    fn fmt(&self, out: &mut Formatter) -> fmt::Result {
        match self {
            Self::Closed(code) => write!(out, "{code}"),
            Self::Cut => out.write_str("cut"),
            Self::Broken => out.write_str("broken frame"),
        }
    }
}

/// What a socket says: written at once where there is room, else as soon as there is.
pub(crate) struct Line {
    half: OwnedWriteHalf,
    waiting: RefCell<Vec<u8>>,
    /// Wakes the reader, who also sees to what waits.
    reader: RefCell<Option<Waker>>,
}

/// What waits is kept in memory of this size for the next time.
const KEPT: usize = 4 << 10;

/// An open socket.
pub(crate) struct Socket {
    pub(crate) line: Rc<Line>,
    half: OwnedReadHalf,
    incoming: Incoming,
    /// What came along with the answer to the handshake.
    early: Vec<u8>,
}

impl Socket {
    /// Opens a socket for whoever the header names. `query`: such as `?resume=1`, or nothing.
    pub(crate) async fn open(target: &Target, header: &str, query: &str) -> Result<Self, Refused> {
        let mut stream = target.connect().await?;
        let (path, host) = (target.path("/messages/ws/"), &target.host);
        let request = format!(
            "GET {path}{query} HTTP/1.1\r\nHost: {host}\r\n{header}Upgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: Z3JlZW5yb29tIGxvYWQhIQ==\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await?;
        let early = shake_hands(&mut stream).await?;
        let (half, writing) = stream.into_split();
        let line = Rc::new(Line { half: writing, waiting: RefCell::default(), reader: RefCell::default() });
        Ok(Self { line, half, incoming: Incoming::default(), early })
    }

    /// Hands on each text until the socket ends.
    pub(crate) async fn listen(mut self, mut each: impl FnMut(&[u8])) -> End {
        let early = std::mem::take(&mut self.early);
        if let Some(end) = self.take(&early, &mut each) {
            return end;
        }
        drop(early);
        poll_fn(|context| self.poll(context, &mut each)).await
    }

    fn poll(&mut self, context: &mut Context, each: &mut impl FnMut(&[u8])) -> Poll<End> {
        self.line.flush(context);
        loop {
            let end = BUFFER.with_borrow_mut(|buffer| {
                let mut room = ReadBuf::new(buffer);
                let half = std::pin::Pin::new(&mut self.half);
                if ready!(tokio::io::AsyncRead::poll_read(half, context, &mut room)).is_err() {
                    return Poll::Ready(Some(End::Cut));
                }
                let bytes = room.filled();
                Poll::Ready(if bytes.is_empty() { Some(End::Cut) } else { self.take(bytes, each) })
            });
            if let Some(end) = ready!(end) {
                return Poll::Ready(end);
            }
        }
    }

    fn take(&mut self, bytes: &[u8], each: &mut impl FnMut(&[u8])) -> Option<End> {
        let mut end = None;
        let line = &self.line;
        let taken = self.incoming.take(bytes, |frame| match frame {
            ServerFrame::Text(text) => each(text),
            ServerFrame::Ping(payload) => line.write(|out| frame::pong(out, payload)),
            ServerFrame::Close(code) => {
                line.write(|out| frame::close(out, if code == 1005 { 1000 } else { code }));
                end = Some(End::Closed(code));
            }
        });
        if taken.is_err() { Some(End::Broken) } else { end }
    }
}

impl Line {
    /// Sends a text.
    pub(crate) fn say(&self, text: &[u8]) {
        self.write(|out| frame::text(out, text));
    }

    /// Says goodbye.
    pub(crate) fn close(&self) {
        self.write(|out| frame::close(out, 1000));
    }

    fn write(&self, add: impl FnOnce(&mut Vec<u8>)) {
        let mut waiting = self.waiting.borrow_mut();
        add(&mut waiting);
        self.push(&mut waiting);
        if !waiting.is_empty()
            && let Some(reader) = &*self.reader.borrow()
        {
            reader.wake_by_ref();
        }
    }

    /// Writes as much as there is room for.
    fn push(&self, waiting: &mut Vec<u8>) {
        while !waiting.is_empty() {
            match self.half.try_write(waiting) {
                Ok(count) => drop(waiting.drain(..count)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                // Whoever reads learns of it.
                Err(_) => waiting.clear(),
            }
        }
        if waiting.capacity() > KEPT {
            *waiting = Vec::new();
        }
    }

    /// Writes what waits, and has the reader woken where there is no room for it.
    fn flush(&self, context: &mut Context) {
        let mut reader = self.reader.borrow_mut();
        if !reader.as_ref().is_some_and(|reader| reader.will_wake(context.waker())) {
            *reader = Some(context.waker().clone());
        }
        let mut waiting = self.waiting.borrow_mut();
        while !waiting.is_empty() && self.half.as_ref().poll_write_ready(context).is_ready() {
            self.push(&mut waiting);
        }
    }
}

/// Reads the answer to a handshake. Returns what came after it.
async fn shake_hands(stream: &mut TcpStream) -> Result<Vec<u8>, Refused> {
    let mut bytes = Vec::with_capacity(1_024);
    loop {
        if stream.read_buf(&mut bytes).await? == 0 {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        let head = http::read_head(&bytes)?;
        let Some(end) = head.end() else { continue };
        return match head.status {
            101 => Ok(bytes.split_off(end)),
            status => Err(Refused::Status(status, head.retry_after)),
        };
    }
}
