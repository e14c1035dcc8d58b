//! A client's connection, for as long as HTTP is spoken on it.
//!
//! actix-http 3.20 has a time limit for the head of a connection's first request, and for none after it. And where a
//! client sends on without taking its answers, it reads until its buffer is full and then wakes itself for ever.

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

/// Reads and writes as the stream does, within limits.
pub struct Connection {
    stream: TcpStream,
    offers: Offers,
    /// When it was written to, or opened.
    spoken: Instant,
    silence: Duration,
    /// Looks after the silence.
    watch: Pin<Box<Sleep>>,
    /// The client does not take what it is sent, and so is not heard.
    is_stuck: bool,
}

impl Connection {
    /// One that ends where nothing has been written to it for so long. `socket`: the address at which sockets open.
    pub fn new(stream: TcpStream, silence: Duration, socket: &'static str) -> Self {
        let spoken = Instant::now();
        Self {
            stream,
            offers: Offers::new(socket),
            spoken,
            silence,
            watch: Box::pin(sleep_until(spoken + silence)),
            is_stuck: false,
        }
    }

    /// The stream, for another protocol than HTTP from now on, and what has come over it and was not read.
    pub fn into_parts(self) -> (TcpStream, BytesMut) {
        (self.stream, self.offers.into_rest())
    }

    /// Reads from the stream into the buffer what HTTP may read of it.
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

    /// Whether nothing has been written for too long; if not, the task is woken when that may be so.
    fn is_silent(&mut self, cx: &mut Context<'_>) -> bool {
        while self.watch.as_mut().poll(cx).is_ready() {
            let end = self.spoken + self.silence;
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
                self.spoken = Instant::now();
                if std::mem::take(&mut self.is_stuck) {
                    // To read what was not read meanwhile.
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

    async fn pair(silence: Duration) -> (TcpStream, Connection) {
        let listener = actix_rt::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        (client, Connection::new(listener.accept().await.unwrap().0, silence, "/socket"))
    }

    #[actix_rt::test]
    async fn who_says_half_a_thing_is_not_listened_to_for_ever() {
        let (mut client, mut server) = pair(Duration::from_millis(50)).await;
        client.write_all(b"GET / HT").await.unwrap();
        let mut heard = [0; 100];
        assert_eq!(server.read(&mut heard).await.unwrap_err().kind(), io::ErrorKind::TimedOut);
    }

    #[actix_rt::test]
    async fn who_takes_nothing_is_heard_again_once_they_do() {
        let (mut client, mut server) = pair(Duration::from_secs(60)).await;
        let mut written = 0;
        while let Some(count) = server.write(&[0; 65_536]).now_or_never() {
            written += count.unwrap();
        }
        client.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
        let mut heard = [0; 100];
        assert!(server.read(&mut heard).now_or_never().is_none());
        let mut taken = vec![0; written];
        let take = client.read_exact(&mut taken);
        let (_, last) = futures_util::future::join(take, server.write(b"last")).await;
        assert_eq!(last.unwrap(), 4);
        assert_eq!(server.read(&mut heard).await.unwrap(), 18);
    }
}
