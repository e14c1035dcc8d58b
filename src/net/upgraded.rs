//! A connection after the upgrade to WebSocket, taken over from actix-http, whose two 8 KiB buffers are
//! freed.
//!
//! Outgoing frames are written from a buffer that all sockets share. Incoming bytes are read into a buffer of
//! the thread. So an idle connection holds no buffer.

use std::{
    cell::RefCell,
    collections::VecDeque,
    io::{self, IoSlice},
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use actix_codec::{Encoder, Framed};
use actix_http::{
    ConnectionType, HttpMessage, Payload, Request, Response, StatusCode,
    error::PayloadError,
    h1::{Codec, Message},
    header::{CONNECTION, HeaderMap, HeaderValue, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE},
};
use actix_rt::{
    net::TcpStream,
    time::{Sleep, sleep},
};
use actix_web::{
    body::{BoxBody, MessageBody},
    dev::Service,
};
use bytes::{Buf, Bytes, BytesMut};
use futures_util::Stream;
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::connection::Connection;
use crate::hub::ConnectionAbort;

/// Size of the kernel's send buffer of a socket, in bytes.
const SEND_BUFFER: usize = 128 * 1024;

/// Timeout for writing the remaining data and receiving the client's close frame after the session has ended.
const ENDS_WITHIN: Duration = Duration::from_secs(3);

/// Maximum bytes queued for writing before the body is polled again.
const MAX_OUT: usize = 32 * 1024;

/// Maximum bytes received before reading pauses.
const MAX_IN: usize = 16 * 1024;

/// Maximum frames that one vectored write takes.
const MAX_SLICES: usize = 32;

/// Serves an upgrade request, and then the WebSocket until it ends.
pub(crate) async fn serve<S, B>(
    app: Rc<S>,
    mut request: Request,
    framed: Framed<Connection, Codec>,
) -> Result<(), actix_web::Error>
where
    S: Service<Request>,
    S::Response: Into<Response<B>>,
    S::Error: Into<Response<BoxBody>>,
    B: MessageBody + 'static,
{
    let parts = framed.into_parts();
    let ((io, rest), mut codec) = (parts.io.into_parts(), parts.codec);
    let (inflow, abort) = (Rc::<RefCell<Inflow>>::default(), ConnectionAbort::default());
    inflow.borrow_mut().feed(&parts.read_buf);
    inflow.borrow_mut().feed(&rest);
    drop((parts.read_buf, rest));
    normalize_headers(request.headers_mut());
    *request.payload() = Payload::Stream { payload: Box::pin(Incoming(inflow.clone())) };
    request.extensions_mut().insert(abort.clone());
    let response = match app.call(request).await {
        Ok(response) => response.into().map_body(|_, body| body.boxed()),
        Err(error) => error.into(),
    };
    let (mut response, body) = response.into_parts();
    let is_socket = response.status() == StatusCode::SWITCHING_PROTOCOLS;
    if is_socket {
        shrink_send_buffer(&io);
    } else {
        response.head_mut().set_connection_type(ConnectionType::Close);
    }
    let mut head = BytesMut::new();
    codec.encode(Message::Item((response, body.size())), &mut head)?;
    let mut outgoing = BytesOut { codec: (!is_socket).then_some(codec), ..BytesOut::default() };
    // Responses to earlier pipelined requests may not have been written yet.
    [parts.write_buf, head]
        .into_iter()
        .filter(|bytes| !bytes.is_empty())
        .for_each(|bytes| outgoing.put(bytes.freeze()));
    let mut connection = UpgradedConnection { io, abort, inflow, body, outgoing, close_timer: None };
    // The connection has ended, so an error cannot be reported to the client.
    let _ = std::future::poll_fn(|cx| connection.poll(cx)).await;
    Ok(())
}

/// Normalizes handshake headers: joins lists and repeated headers into one value. The code that validates a
/// handshake reads only the first header of a name.
fn normalize_headers(headers: &mut HeaderMap) {
    for name in [CONNECTION, UPGRADE, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION] {
        let values = headers.get_all(&name).filter_map(|value| value.to_str().ok());
        let words = values.flat_map(|value| value.split(',')).map(str::trim).filter(|word| !word.is_empty());
        let words: Vec<_> = words.collect();
        let is_ours = name == SEC_WEBSOCKET_VERSION && words.contains(&"13");
        let text = if is_ours { "13".to_owned() } else { words.join(", ") };
        if !text.is_empty()
            && let Ok(value) = HeaderValue::try_from(text)
        {
            headers.insert(name, value);
        }
    }
}

/// Limits the kernel's send buffer. A socket needs little, because its client can fetch missed events again.
fn shrink_send_buffer(io: &TcpStream) {
    if let Err(error) = SockRef::from(io).set_send_buffer_size(SEND_BUFFER) {
        tracing::warn!(%error, "cannot set the send buffer of a socket; using the system default");
    }
}

/// Bytes received from the client that the session has not read yet.
#[derive(Default)]
struct Inflow {
    chunks: VecDeque<Bytes>,
    bytes: usize,
    is_over: bool,
    reader: Option<Waker>,
}

impl Inflow {
    fn feed(&mut self, chunk: &[u8]) {
        if !chunk.is_empty() {
            self.bytes += chunk.len();
            self.chunks.push_back(Bytes::copy_from_slice(chunk));
        }
        self.wake();
    }

    fn end(&mut self) {
        self.is_over = true;
        self.wake();
    }

    fn wake(&mut self) {
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
    }

    fn wants_more(&self) -> bool {
        !self.is_over && self.bytes < MAX_IN
    }
}

/// Stream of received bytes, as the session reads them.
struct Incoming(Rc<RefCell<Inflow>>);

impl Stream for Incoming {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut inflow = self.0.borrow_mut();
        if let Some(chunk) = inflow.chunks.pop_front() {
            inflow.bytes -= chunk.len();
            if inflow.chunks.is_empty() {
                inflow.chunks = VecDeque::new();
            }
            return Poll::Ready(Some(Ok(chunk)));
        }
        if inflow.is_over {
            return Poll::Ready(None);
        }
        inflow.reader = Some(cx.waker().clone());
        Poll::Pending
    }
}

/// Bytes to be written to the client.
#[derive(Default)]
struct BytesOut {
    chunks: VecDeque<Bytes>,
    bytes: usize,
    is_over: bool,
    /// Encoder of an HTTP response; `None` once the connection is a WebSocket.
    codec: Option<Codec>,
}

impl BytesOut {
    fn put(&mut self, chunk: Bytes) {
        self.bytes += chunk.len();
        self.chunks.push_back(chunk);
    }

    fn put_encoded(&mut self, chunk: Option<Bytes>) -> io::Result<()> {
        match (&mut self.codec, chunk) {
            (None, Some(chunk)) => self.put(chunk),
            (None, None) => {}
            (Some(codec), chunk) => {
                let mut encoded = BytesMut::new();
                codec.encode(Message::Chunk(chunk), &mut encoded)?;
                self.put(encoded.freeze());
            }
        }
        Ok(())
    }

    fn written(&mut self, mut count: usize) {
        self.bytes -= count;
        while let Some(chunk) = self.chunks.front_mut() {
            if chunk.len() > count {
                chunk.advance(count);
                return;
            }
            count -= chunk.len();
            self.chunks.pop_front();
        }
        self.chunks.shrink_to(MAX_SLICES);
    }
}

struct UpgradedConnection {
    io: TcpStream,
    abort: ConnectionAbort,
    inflow: Rc<RefCell<Inflow>>,
    body: BoxBody,
    outgoing: BytesOut,
    /// Timer that runs once the session has ended.
    close_timer: Option<Pin<Box<Sleep>>>,
}

thread_local! {
    /// Read buffer of all connections on the thread.
    static SCRATCH: RefCell<Box<[u8]>> = RefCell::new(vec![0; MAX_IN].into());
}

impl UpgradedConnection {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.abort.is_cut(cx.waker()) || self.is_out_of_time(cx) {
            // Resets the connection. Otherwise the kernel would keep unsent data until `TCP_USER_TIMEOUT`.
            return Poll::Ready(SockRef::from(&self.io).set_linger(Some(Duration::ZERO)));
        }
        self.read(cx)?;
        let is_full = !self.inflow.borrow().wants_more();
        let has_written = self.write(cx)?.is_ready();
        if has_written && self.outgoing.is_over {
            return Pin::new(&mut self.io).poll_shutdown(cx);
        }
        // Reading paused because the queue was full, and there is room now. Yield before reading on, so that
        // a client that sends much does not starve other tasks on this thread.
        if is_full && self.inflow.borrow().wants_more() {
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }

    /// Whether the session has ended and the timeout for the remaining data has passed.
    fn is_out_of_time(&mut self, cx: &mut Context<'_>) -> bool {
        if !self.abort.has_ended() {
            return false;
        }
        let close_timer = self.close_timer.get_or_insert_with(|| Box::pin(sleep(ENDS_WITHIN)));
        close_timer.as_mut().poll(cx).is_ready()
    }

    /// Reads until the stream has no more data or the queue is full.
    fn read(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        let mut inflow = self.inflow.borrow_mut();
        SCRATCH.with_borrow_mut(|scratch| {
            while inflow.wants_more() {
                let mut buffer = ReadBuf::new(scratch);
                match Pin::new(&mut self.io).poll_read(cx, &mut buffer)? {
                    Poll::Ready(()) if buffer.filled().is_empty() => inflow.end(),
                    Poll::Ready(()) => inflow.feed(buffer.filled()),
                    Poll::Pending => break,
                }
            }
            Ok(())
        })
    }

    /// Writes all available data. Pending while the client does not read it.
    fn write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut has_all = false;
        loop {
            while !has_all && !self.outgoing.is_over && self.outgoing.bytes < MAX_OUT {
                match Pin::new(&mut self.body).poll_next(cx) {
                    Poll::Ready(Some(Ok(chunk))) => self.outgoing.put_encoded(Some(chunk))?,
                    Poll::Ready(Some(Err(error))) => {
                        return Poll::Ready(Err(io::Error::other(error.to_string())));
                    }
                    Poll::Ready(None) => {
                        self.outgoing.put_encoded(None)?;
                        self.outgoing.is_over = true;
                    }
                    Poll::Pending => has_all = true,
                }
            }
            if self.outgoing.bytes == 0 {
                return Poll::Ready(Ok(()));
            }
            let written = std::task::ready!(self.write_some(cx))?;
            self.outgoing.written(written);
        }
    }

    fn write_some(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let (io, chunks) = (Pin::new(&mut self.io), &self.outgoing.chunks);
        if let [chunk] = chunks.as_slices().0
            && chunks.len() == 1
        {
            return io.poll_write(cx, chunk);
        }
        let mut slices = [IoSlice::new(&[]); MAX_SLICES];
        slices.iter_mut().zip(chunks).for_each(|(slice, chunk)| *slice = IoSlice::new(chunk));
        io.poll_write_vectored(cx, &slices[..chunks.len().min(MAX_SLICES)])
    }
}

#[cfg(test)]
mod tests {
    use actix_http::body::BodySize;
    use tokio::io::AsyncWriteExt;
    use tokio::net::TcpListener;

    use super::*;

    /// Reads all received bytes, as a session does, and counts them.
    struct Counting(Incoming, Rc<RefCell<usize>>);

    impl MessageBody for Counting {
        type Error = PayloadError;

        fn size(&self) -> BodySize {
            BodySize::Stream
        }

        fn poll_next(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
        ) -> Poll<Option<Result<Bytes, PayloadError>>> {
            while let Poll::Ready(Some(Ok(chunk))) = Pin::new(&mut self.0).poll_next(cx) {
                *self.1.borrow_mut() += chunk.len();
            }
            Poll::Pending
        }
    }

    #[actix_rt::test]
    async fn a_client_that_sends_much_does_not_starve_others_on_the_thread() {
        const SENT: usize = 1 << 20;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (io, _) = listener.accept().await.unwrap();
        let sending = actix_rt::spawn(async move {
            client.write_all(&vec![0; SENT]).await.unwrap();
            client
        });
        let (inflow, taken) = (Rc::<RefCell<Inflow>>::default(), Rc::<RefCell<usize>>::default());
        let body = Counting(Incoming(inflow.clone()), taken.clone()).boxed();
        let (abort, outgoing) = (ConnectionAbort::default(), BytesOut::default());
        let mut connection = UpgradedConnection { io, abort, inflow, body, outgoing, close_timer: None };
        let mut most = 0;
        std::future::poll_fn(|cx| {
            let before = *taken.borrow();
            assert!(connection.poll(cx).is_pending());
            most = most.max(*taken.borrow() - before);
            if *taken.borrow() == SENT { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        assert!(most <= 2 * MAX_IN, "{most}");
        sending.await.unwrap();
    }
}
