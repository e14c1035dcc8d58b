//! Sockets of clients that break the rules or do not read.

use std::time::Duration;

use actix_web::rt::time::timeout;
use serde_json::{Value, json};
use socket2::{Domain, SockAddr, Socket, Type};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::support::{DEADLINE, Server, User};

const TEXT: u8 = 0x1;
const BINARY: u8 = 0x2;
const CLOSE: u8 = 0x8;
const PING: u8 = 0x9;
const FIN: u8 = 0x80;

/// A connection that sends whatever bytes it likes.
struct RawSocket(TcpStream);

impl RawSocket {
    /// Opens a socket as a person who asks with a token, with a receive buffer of so many bytes.
    async fn open(user: &User, buffer: usize) -> Self {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.set_recv_buffer_size(buffer).unwrap();
        socket.connect(&SockAddr::from(user.address)).unwrap();
        socket.set_nonblocking(true).unwrap();
        let mut stream = TcpStream::from_std(socket.into()).unwrap();
        let token = &user.headers.iter().find(|(name, _)| name == "Authorization").unwrap().1;
        let request = format!(
            "GET /messages/ws/ HTTP/1.1\r\nHost: {}\r\nAuthorization: {token}\r\nUpgrade: websocket\r\n\
             Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
            user.address
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        assert!(head.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&head));
        Self(stream)
    }

    async fn started(user: &User) -> Self {
        let mut socket = Self::open(user, 65_536).await;
        assert_eq!(socket.next().await.1["type"], "hello");
        socket
    }

    /// Sends a frame that declares a length; what it bears may be another.
    async fn declares(&mut self, first: u8, length: u64, payload: &[u8]) {
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
        // Masked with zeros, which leaves the payload as it is.
        frame.extend([0; 4]);
        frame.extend(payload);
        self.0.write_all(&frame).await.unwrap();
    }

    async fn sends(&mut self, first: u8, payload: &[u8]) {
        self.declares(first, payload.len() as u64, payload).await;
    }

    /// The next frame: its opcode, and its JSON or the code it closes with.
    async fn next(&mut self) -> (u8, Value) {
        timeout(DEADLINE, self.read()).await.expect("something arrives in time")
    }

    async fn read(&mut self) -> (u8, Value) {
        let opcode = self.0.read_u8().await.unwrap() & 0x0f;
        let length = match self.0.read_u8().await.unwrap() {
            126 => u64::from(self.0.read_u16().await.unwrap()),
            127 => self.0.read_u64().await.unwrap(),
            short => u64::from(short),
        };
        let mut payload = vec![0; length as usize];
        self.0.read_exact(&mut payload).await.unwrap();
        let value = match opcode {
            CLOSE => json!(u16::from_be_bytes([payload[0], payload[1]])),
            TEXT => serde_json::from_slice(&payload).unwrap(),
            _ => Value::Null,
        };
        (opcode, value)
    }

    async fn is_closed_with(&mut self, code: u16) {
        assert_eq!(self.next().await, (CLOSE, json!(code)));
    }
}

#[actix_web::test]
async fn frames_that_declare_too_much_are_refused_by_their_header() {
    let server = Server::start().await;
    let ann = server.user("ann").await;
    for length in [65_537, 4 << 30, u64::MAX >> 1] {
        let mut socket = RawSocket::started(&ann).await;
        socket.declares(FIN | TEXT, length, b"").await;
        socket.is_closed_with(1009).await;
    }
    let mut socket = RawSocket::started(&ann).await;
    socket.sends(TEXT, &[b' '; 40_000]).await;
    socket.declares(0, 40_000, b"").await;
    socket.is_closed_with(1009).await;
}

#[actix_web::test]
async fn fragments_are_put_together_with_control_frames_in_between() {
    let server = Server::start().await;
    let mut socket = RawSocket::started(&server.user("ann").await).await;
    let text = r#"{"type": "ping", "id": "ž"}"#.as_bytes();
    let middle = text.len() - 4;
    socket.sends(TEXT, &text[..middle]).await;
    socket.sends(FIN | PING, b"").await;
    assert_eq!(socket.next().await.0, 0xA);
    socket.sends(0, &text[middle..middle + 1]).await;
    socket.sends(FIN, &text[middle + 1..]).await;
    assert_eq!(socket.next().await.1, json!({"type": "pong", "id": "ž"}));
}

#[actix_web::test]
async fn broken_frames_end_with_their_code() {
    let server = Server::start().await;
    let ann = server.user("ann").await;
    let cases: [(&str, u8, &[u8], u16); 7] = [
        ("binary", FIN | BINARY, b"x", 1003),
        ("a binary fragment", BINARY, b"x", 1003),
        ("text that is not UTF-8", FIN | TEXT, b"\xff\xfe", 1007),
        ("an unknown opcode", FIN | 0x3, b"", 1002),
        ("a continuation of nothing", FIN, b"x", 1002),
        ("a ping that is too long", FIN | PING, &[b'x'; 126], 1002),
        ("a fragmented ping", PING, b"", 1002),
    ];
    for (what, first, payload, code) in cases {
        println!("{what}");
        let mut socket = RawSocket::started(&ann).await;
        socket.sends(first, payload).await;
        socket.is_closed_with(code).await;
    }
    let mut unmasked = RawSocket::started(&ann).await;
    unmasked.0.write_all(&[FIN | TEXT, 0x01, b'x']).await.unwrap();
    unmasked.is_closed_with(1002).await;
}

#[actix_web::test]
async fn a_flood_of_frames_ends_the_socket_after_twice_the_rate() {
    let server = Server::start().await;
    let mut socket = RawSocket::started(&server.user("ann").await).await;
    for _ in 0..250 {
        socket.sends(FIN | TEXT, br#"{"type": "ping"}"#).await;
    }
    let mut pongs = 0;
    let code = loop {
        match socket.next().await {
            (TEXT, _) => pongs += 1,
            (_, code) => break code,
        }
    };
    assert_eq!(code, 1008);
    assert!(pongs >= 200, "{pongs}");
}

#[actix_web::test]
async fn a_reader_that_lags_is_cut_and_nobody_else_waits_for_it() {
    let server = Server::start().await;
    let (ann, bob, eve) = (server.user("ann").await, server.user("bob").await, server.user("eve").await);
    let chat = ann.group("Busy", &[&bob, &eve]).await;
    let mut bobs = bob.listens().await;
    let _stuck = RawSocket::open(&eve, 4_096).await;
    let text = "x".repeat(5_000);
    let mut posted = 0;
    while server.state.registry.count() > 1 {
        posted += 1;
        assert!(posted < 2_000, "it is never cut");
        ann.posts(chat, &text).await;
        assert_eq!(bobs.receives("new_message").await["message"]["content"], text);
    }
}

#[actix_web::test]
async fn a_reader_that_leaves_a_few_events_waiting_is_cut_in_seconds() {
    let server = Server::start().await;
    let (ann, eve) = (server.user("ann").await, server.user("eve").await);
    let chat = ann.group("Quiet", &[&eve]).await;
    let _stuck = RawSocket::open(&eve, 4_096).await;
    for _ in 0..120 {
        ann.posts(chat, &"x".repeat(5_000)).await;
    }
    let gone = async {
        while server.state.registry.count() > 0 {
            ann.get("unread/").await.expect(200);
        }
    };
    timeout(Duration::from_secs(15), gone).await.expect("it is cut by itself");
}
