//! A client's connection while it speaks HTTP.
//!
//! This wrapper works around two limitations of actix-http 3.20. Its timeout for the head of a request
//! applies to the first request of a connection only. And if a client sends requests without reading the
//! responses, actix-http fills its read buffer and then wakes itself in a busy loop.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use actix_rt::{
    net::TcpStream,
    time::{Instant, Sleep, sleep_until},
};
use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::offers::Offers;

/// TCP stream with an idle timeout and backpressure.
pub(crate) struct Connection {
    stream: TcpStream,
    offers: Offers,
    /// When bytes were last written, or the connection was opened.
    last_write: Instant,
    idle_timeout: Duration,
    /// Timer of the idle timeout.
    watch: Pin<Box<Sleep>>,
    /// The client does not read its responses, so the server reads no further requests.
    is_stuck: bool,
}

impl Connection {
    /// Creates a connection that times out if nothing is written to it for `idle_timeout`. `socket`: the path
    /// of the WebSocket endpoint.
    pub(crate) fn new(stream: TcpStream, idle_timeout: Duration, socket: &'static str) -> Self {
        let last_write = Instant::now();
        Self {
            stream,
            offers: Offers::new(socket),
            last_write,
            idle_timeout,
            watch: Box::pin(sleep_until(last_write + idle_timeout)),
            is_stuck: false,
        }
    }

    /// Returns the stream, for another protocol than HTTP, and the received bytes that were not read yet.
    pub(crate) fn into_parts(self) -> (TcpStream, BytesMut) {
        (self.stream, self.offers.into_rest())
    }

    /// Reads from the stream into the buffer, after upgrade offers have been filtered.
    fn poll_fill(&mut self, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        loop {
            if self.offers.give(buffer) {
                return Poll::Ready(Ok(()));
            }
            let before = buffer.filled().len();
            ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
            if buffer.filled().len() == before {
                self.offers.end();
                self.offers.give(buffer);
                return Poll::Ready(Ok(()));
            }
            let taken = self.offers.take(&mut buffer.filled_mut()[before..]);
            buffer.set_filled(before + taken);
            if taken > 0 {
                return Poll::Ready(Ok(()));
            }
        }
    }

    /// Whether the idle timeout has passed. If not, registers the task to be woken when it may have.
    fn is_silent(&mut self, cx: &mut Context<'_>) -> bool {
        while self.watch.as_mut().poll(cx).is_ready() {
            let end = self.last_write + self.idle_timeout;
            if Instant::now() >= end {
                return true;
            }
            self.watch.as_mut().reset(end);
        }
        false
    }

    fn note(&mut self, written: &Poll<io::Result<usize>>, cx: &Context<'_>) {
        match written {
            Poll::Ready(Ok(count)) if *count > 0 => {
                self.last_write = Instant::now();
                if std::mem::take(&mut self.is_stuck) {
                    // Resume reading.
                    cx.waker().wake_by_ref();
                }
            }
            Poll::Ready(_) => {}
            Poll::Pending => self.is_stuck = true,
        }
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.is_stuck
            && let Poll::Ready(read) = self.poll_fill(cx, buffer)
        {
            return Poll::Ready(read);
        }
        if self.is_silent(cx) { Poll::Ready(Err(io::ErrorKind::TimedOut.into())) } else { Poll::Pending }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.note(&written, cx);
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.note(&written, cx);
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    async fn pair(idle_timeout: Duration) -> (TcpStream, Connection) {
        let listener = actix_rt::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        (client, Connection::new(listener.accept().await.unwrap().0, idle_timeout, "/socket"))
    }

    #[actix_rt::test]
    async fn an_incomplete_request_times_out() {
        let (mut client, mut server) = pair(Duration::from_millis(50)).await;
        client.write_all(b"GET / HT").await.unwrap();
        let mut received = [0; 100];
        assert_eq!(server.read(&mut received).await.unwrap_err().kind(), io::ErrorKind::TimedOut);
    }

    #[actix_rt::test]
    async fn reading_resumes_once_the_client_reads_its_responses() {
        let (mut client, mut server) = pair(Duration::from_secs(60)).await;
        let mut written = 0;
        while let Some(count) = server.write(&[0; 65_536]).now_or_never() {
            written += count.unwrap();
        }
        client.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
        let mut received = [0; 100];
        assert!(server.read(&mut received).now_or_never().is_none());
        let mut taken = vec![0; written];
        let take = client.read_exact(&mut taken);
        let (_, last) = futures_util::future::join(take, server.write(b"last")).await;
        assert_eq!(last.unwrap(), 4);
        assert_eq!(server.read(&mut received).await.unwrap(), 18);
    }
}
