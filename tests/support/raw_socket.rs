//! A WebSocket client that can send arbitrary bytes.

use std::net::SocketAddr;

use actix_web::rt::time::timeout;
use serde_json::{Value, json};
use socket2::{Domain, SockAddr, Socket, Type};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::{DEADLINE, User};

pub(crate) const TEXT: u8 = 0x1;
pub(crate) const BINARY: u8 = 0x2;
pub(crate) const CLOSE: u8 = 0x8;
pub(crate) const PING: u8 = 0x9;
pub(crate) const PONG: u8 = 0xA;
pub(crate) const FIN: u8 = 0x80;

// The headers are written and read here without `core::websocket`, as an independent check of it.

/// Encodes a frame with a declared length, which may differ from the payload's. The mask is zero, so that the
/// payload is unchanged.
pub(crate) fn declaring(first: u8, length: u64, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    match length {
        0..126 => frame.push(0x80 | length as u8),
        126..65_536 => {
            frame.push(0x80 | 126);
            frame.extend((length as u16).to_be_bytes());
        }
        _ => {
            frame.push(0x80 | 127);
            frame.extend(length.to_be_bytes());
        }
    }
    frame.extend([0; 4]);
    frame.extend(payload);
    frame
}

/// Encodes a frame with the correct length.
pub(crate) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    declaring(first, payload.len() as u64, payload)
}

/// A connection after its handshake.
pub(crate) struct RawSocket(pub TcpStream);

impl RawSocket {
    /// Opens a socket with extra header lines and a receive buffer of `buffer` bytes.
    pub(crate) async fn connect(address: SocketAddr, headers: &str, buffer: usize) -> Self {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.set_recv_buffer_size(buffer).unwrap();
        socket.connect(&SockAddr::from(address)).unwrap();
        socket.set_nonblocking(true).unwrap();
        socket.set_tcp_nodelay(true).unwrap();
        let mut stream = TcpStream::from_std(socket.into()).unwrap();
        let request = format!(
            "GET /messages/ws/ HTTP/1.1\r\nHost: {address}\r\n{headers}Upgrade: websocket\r\n\
             Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        assert!(head.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&head));
        Self(stream)
    }

    /// Opens a socket as a user with a token.
    pub(crate) async fn open(user: &User, buffer: usize) -> Self {
        let token = &user.headers.iter().find(|(name, _)| name == "Authorization").unwrap().1;
        Self::connect(user.address, &format!("Authorization: {token}\r\n"), buffer).await
    }

    /// Opens a socket as a user with a token, and receives the `hello`.
    pub(crate) async fn started(user: &User) -> Self {
        let mut socket = Self::open(user, 65_536).await;
        assert_eq!(socket.next().await.1["type"], "hello");
        socket
    }

    pub(crate) async fn writes(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).await.unwrap();
    }

    pub(crate) async fn declares(&mut self, first: u8, length: u64, payload: &[u8]) {
        self.writes(&declaring(first, length, payload)).await;
    }

    pub(crate) async fn sends(&mut self, first: u8, payload: &[u8]) {
        self.writes(&frame(first, payload)).await;
    }

    /// Returns the next frame: its opcode, and its JSON or close code.
    pub(crate) async fn next(&mut self) -> (u8, Value) {
        let (opcode, payload) = self.receives().await;
        let value = match opcode {
            CLOSE => json!(u16::from_be_bytes([payload[0], payload[1]])),
            TEXT => serde_json::from_slice(&payload).unwrap(),
            _ => Value::Null,
        };
        (opcode, value)
    }

    /// Returns the next frame unparsed: its opcode and its payload.
    pub(crate) async fn receives(&mut self) -> (u8, Vec<u8>) {
        timeout(DEADLINE, self.read()).await.expect("something arrives in time")
    }

    async fn read(&mut self) -> (u8, Vec<u8>) {
        let first = self.0.read_u8().await.unwrap();
        assert_eq!(first & 0xf0, FIN, "whole and without reserved bits");
        let length = match self.0.read_u8().await.unwrap() {
            126 => u64::from(self.0.read_u16().await.unwrap()),
            127 => self.0.read_u64().await.unwrap(),
            short => u64::from(short),
        };
        let mut payload = vec![0; length as usize];
        self.0.read_exact(&mut payload).await.unwrap();
        (first & 0x0f, payload)
    }

    pub(crate) async fn is_closed_with(&mut self, code: u16) {
        assert_eq!(self.next().await, (CLOSE, json!(code)));
    }

    /// Waits for the end of the connection, without another byte.
    pub(crate) async fn receives_no_more(&mut self) {
        let mut rest = Vec::new();
        let _ = timeout(DEADLINE, self.0.read_to_end(&mut rest)).await.expect("it ends in time");
        assert!(rest.is_empty(), "{rest:?}");
    }
}
