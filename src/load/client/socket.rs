//! A WebSocket connection to the server: handshake, receiving and sending.

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
    frame::{self, FrameDecoder, ServerFrame},
    http,
    target::Target,
};

/// Size of the read buffer, in bytes. All sockets share one.
const READ_SIZE: usize = 64 << 10;

thread_local! {
    static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; READ_SIZE]);
}

/// Why a socket could not be opened.
#[derive(Debug)]
pub(crate) enum ConnectError {
    /// The handshake's status was not 101; with `Retry-After` in seconds, if present.
    Status(u16, Option<u64>),
    /// The socket ended before it was live.
    Ended(End),
    Io(io::Error),
}

impl Display for ConnectError {
    fn fmt(&self, out: &mut Formatter) -> fmt::Result {
        match self {
            Self::Status(status, _) => write!(out, "{status}"),
            Self::Ended(end) => write!(out, "ended at once: {end}"),
            Self::Io(error) => write!(out, "{error}"),
        }
    }
}

impl From<io::Error> for ConnectError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// How a socket ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// The server sent a close frame with this code.
    Closed(u16),
    /// The connection ended without a close frame.
    Cut,
    /// The server sent an invalid frame.
    ProtocolError,
}

impl Display for End {
    fn fmt(&self, out: &mut Formatter) -> fmt::Result {
        match self {
            Self::Closed(code) => write!(out, "{code}"),
            Self::Cut => out.write_str("cut"),
            Self::ProtocolError => out.write_str("broken frame"),
        }
    }
}

/// The sending half of a socket. Writes at once if the kernel's buffer has room, else as soon as it has.
pub(crate) struct SocketWriter {
    write_half: OwnedWriteHalf,
    pending: RefCell<Vec<u8>>,
    /// Waker of the task that reads; that task also flushes `pending`.
    reader: RefCell<Option<Waker>>,
}

/// Largest capacity of the pending buffer that is kept for reuse, in bytes.
const KEPT_CAPACITY: usize = 4 << 10;

/// An open socket.
pub(crate) struct Socket {
    pub(crate) writer: Rc<SocketWriter>,
    read_half: OwnedReadHalf,
    decoder: FrameDecoder,
    /// Bytes received together with the handshake response.
    buffered: Vec<u8>,
}

impl Socket {
    /// Opens a socket for the user that `header` authenticates. `query`: such as `?resume=1`, or empty.
    pub(crate) async fn open(target: &Target, header: &str, query: &str) -> Result<Self, ConnectError> {
        let mut stream = target.connect().await?;
        let (path, host) = (target.path("/messages/ws/"), &target.host);
        let request = format!(
            "GET {path}{query} HTTP/1.1\r\nHost: {host}\r\n{header}Upgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: Z3JlZW5yb29tIGxvYWQhIQ==\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await?;
        let buffered = read_handshake_response(&mut stream).await?;
        let (read_half, write_half) = stream.into_split();
        let writer =
            Rc::new(SocketWriter { write_half, pending: RefCell::default(), reader: RefCell::default() });
        Ok(Self { writer, read_half, decoder: FrameDecoder::default(), buffered })
    }

    /// Calls `on_text` for each text message until the socket ends.
    pub(crate) async fn receive(mut self, mut on_text: impl FnMut(&[u8])) -> End {
        let buffered = std::mem::take(&mut self.buffered);
        if let Some(end) = self.feed(&buffered, &mut on_text) {
            return end;
        }
        drop(buffered);
        poll_fn(|context| self.poll(context, &mut on_text)).await
    }

    fn poll(&mut self, context: &mut Context, on_text: &mut impl FnMut(&[u8])) -> Poll<End> {
        self.writer.flush(context);
        loop {
            let end = BUFFER.with_borrow_mut(|buffer| {
                let mut room = ReadBuf::new(buffer);
                let half = std::pin::Pin::new(&mut self.read_half);
                if ready!(tokio::io::AsyncRead::poll_read(half, context, &mut room)).is_err() {
                    return Poll::Ready(Some(End::Cut));
                }
                let bytes = room.filled();
                Poll::Ready(if bytes.is_empty() { Some(End::Cut) } else { self.feed(bytes, on_text) })
            });
            if let Some(end) = ready!(end) {
                return Poll::Ready(end);
            }
        }
    }

    fn feed(&mut self, bytes: &[u8], on_text: &mut impl FnMut(&[u8])) -> Option<End> {
        let mut end = None;
        let writer = &self.writer;
        let taken = self.decoder.feed(bytes, |frame| match frame {
            ServerFrame::Text(text) => on_text(text),
            ServerFrame::Ping(payload) => writer.write(|out| frame::pong(out, payload)),
            ServerFrame::Close(code) => {
                writer.write(|out| frame::close(out, if code == 1005 { 1000 } else { code }));
                end = Some(End::Closed(code));
            }
        });
        if taken.is_err() { Some(End::ProtocolError) } else { end }
    }
}

impl SocketWriter {
    /// Sends a text frame.
    pub(crate) fn send_text(&self, text: &[u8]) {
        self.write(|out| frame::text(out, text));
    }

    /// Sends a close frame with code 1000.
    pub(crate) fn close(&self) {
        self.write(|out| frame::close(out, 1000));
    }

    fn write(&self, add: impl FnOnce(&mut Vec<u8>)) {
        let mut pending = self.pending.borrow_mut();
        add(&mut pending);
        self.push(&mut pending);
        if !pending.is_empty()
            && let Some(reader) = &*self.reader.borrow()
        {
            reader.wake_by_ref();
        }
    }

    /// Writes as much as the kernel's buffer accepts.
    fn push(&self, pending: &mut Vec<u8>) {
        while !pending.is_empty() {
            match self.write_half.try_write(pending) {
                Ok(count) => drop(pending.drain(..count)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                // The reader sees the error too, and ends the socket.
                Err(_) => pending.clear(),
            }
        }
        if pending.capacity() > KEPT_CAPACITY {
            *pending = Vec::new();
        }
    }

    /// Writes the pending bytes. Registers the reader to be woken when the kernel's buffer has room again.
    fn flush(&self, context: &mut Context) {
        let mut reader = self.reader.borrow_mut();
        if !reader.as_ref().is_some_and(|reader| reader.will_wake(context.waker())) {
            *reader = Some(context.waker().clone());
        }
        let mut pending = self.pending.borrow_mut();
        while !pending.is_empty() && self.write_half.as_ref().poll_write_ready(context).is_ready() {
            self.push(&mut pending);
        }
    }
}

/// Reads the handshake response. Returns the bytes that follow it.
async fn read_handshake_response(stream: &mut TcpStream) -> Result<Vec<u8>, ConnectError> {
    let mut bytes = Vec::with_capacity(1_024);
    loop {
        if stream.read_buf(&mut bytes).await? == 0 {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        let head = http::read_head(&bytes)?;
        let Some(end) = head.end() else { continue };
        return match head.status {
            101 => Ok(bytes.split_off(end)),
            status => Err(ConnectError::Status(status, head.retry_after)),
        };
    }
}
