//! `Upgrade` headers: offers that are ignored, and all spellings of the one that is accepted.

use std::{
    io::{Read, Write},
    net::TcpStream,
};

use serde_json::Value;

use crate::{
    raw::{Raw, connect},
    support::{Server, User},
};

/// Headers that Java's HttpClient adds to each request.
const JAVA: &str = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n\
                    HTTP2-Settings: AAEAAEAAAAIAAAAAAAMAAAAAAAQBAAAAAAUAAEAABgAGAAA\r\n";

/// Reads a response with its body, by `Content-Length`.
fn read(stream: &mut TcpStream) -> Raw {
    let mut answer = Raw::read_head(stream);
    answer.body = vec![0; answer.header("content-length").parse().unwrap_or(0)];
    stream.read_exact(&mut answer.body).unwrap();
    answer
}

/// Returns the head of a request with the user's token.
fn head(user: &User, line: &str, lines: &str) -> String {
    let token = &user.headers[0].1;
    format!("{line}\r\nHost: {}\r\nAuthorization: {token}\r\n{lines}\r\n", user.address)
}

fn is_plain(answer: &Raw, status: u16) {
    assert_eq!((answer.status, answer.header("connection")), (status, ""), "{}", answer.head);
}

#[actix_rt::test(system = "crate::System")]
async fn an_offer_that_is_not_ours_is_ignored_and_the_connection_kept() {
    let server = Server::start().await;
    let ann = server.user("ann").await.at(&server);
    let chat = ann.group("Team", &[]).await;
    let mut stream = connect(&server);
    let line = format!("POST /messages/api/chats/{chat}/messages/ HTTP/1.1");
    for number in 0..20 {
        // The body looks like a request with an upgrade; it must be ignored.
        let body =
            format!("{{\"content\": \"{number}\\r\\nConnection: Upgrade\\r\\nUpgrade: h2c\\r\\n\\r\\n\"}}");
        let lines = format!("{JAVA}Content-Type: application/json\r\n");
        let (length, chunks) = (body.len(), body.split_at(9));
        if number % 2 == 0 {
            let lines = format!("{lines}Content-Length: {length}\r\n");
            stream.write_all((head(&ann, &line, &lines) + &body).as_bytes()).unwrap();
        } else {
            let lines = format!("{lines}Transfer-Encoding: chunked\r\n");
            let body = format!("9\r\n{}\r\n{:x};a=b\r\n{}\r\n0\r\n\r\n", chunks.0, length - 9, chunks.1);
            stream.write_all((head(&ann, &line, &lines) + &body).as_bytes()).unwrap();
        }
        let answer = read(&mut stream);
        is_plain(&answer, 201);
        let message: Value = serde_json::from_slice(&answer.body).unwrap();
        let content = format!("{number}\r\nConnection: Upgrade\r\nUpgrade: h2c");
        assert_eq!(message["content"], content);
    }
    // Pipelined requests, in one piece and in parts.
    let asks = head(&ann, "GET /healthz HTTP/1.1", JAVA);
    for piece in [usize::MAX, 1, 10, 100] {
        for piece in asks.repeat(3).as_bytes().chunks(piece) {
            stream.write_all(piece).unwrap();
        }
        for _ in 0..3 {
            is_plain(&read(&mut stream), 200);
        }
    }
}

#[actix_rt::test(system = "crate::System")]
async fn whatever_is_offered_the_answer_is_that_to_the_request_alone() {
    let server = Server::start().await;
    let ann = server.user("ann").await.at(&server);
    let socket = "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let ours = format!("Connection: Upgrade\r\nUpgrade: websocket\r\n{socket}");
    let both = format!("Connection: Upgrade\r\nUpgrade: h2c, websocket\r\n{socket}");
    let mut stream = connect(&server);
    for (line, lines, status) in [
        ("GET /healthz HTTP/1.1", "Connection: upgrade\r\n", 200),
        ("GET /healthz HTTP/1.1", "Upgrade: websocket\r\n", 200),
        ("GET /healthz HTTP/1.1", &ours, 200),
        ("GET /healthz HTTP/1.1", &both, 200),
        ("GET /healthz HTTP/1.1", "Connection: keep-alive, Upgrade\r\nUpgrade: TLS/1.2\r\n", 200),
        ("GET /nowhere HTTP/1.1", JAVA, 404),
        ("DELETE /messages/api/chats/ HTTP/1.1", JAVA, 405),
        ("OPTIONS /healthz HTTP/1.1", JAVA, 405),
        ("POST /logout/ HTTP/1.1", &format!("{ours}Content-Length: 0\r\n"), 204),
        ("PATCH /messages/api/users/me/ HTTP/1.1", &ours, 200),
    ] {
        stream.write_all(head(&ann, line, lines).as_bytes()).unwrap();
        is_plain(&read(&mut stream), status);
    }
    // The answer to HEAD has no body.
    stream.write_all(head(&ann, "HEAD /messages/api/chats/ HTTP/1.1", JAVA).as_bytes()).unwrap();
    is_plain(&Raw::read_head(&mut stream), 200);
    // An incomplete handshake on the socket's path is answered with the required headers.
    for lines in
        [JAVA, "Connection: upgrade\r\n", "Upgrade: websocket\r\n", socket, &format!("{JAVA}{socket}")]
    {
        stream.write_all(head(&ann, "GET /messages/ws/ HTTP/1.1", lines).as_bytes()).unwrap();
        let answer = read(&mut stream);
        assert_eq!((answer.status, answer.header("upgrade")), (426, "websocket"), "{lines}");
        assert_eq!(answer.header("connection"), "upgrade");
    }
    // A handshake has no body.
    let with_body = head(&ann, "GET /messages/ws/ HTTP/1.1", &format!("{ours}Content-Length: 4\r\n"));
    stream.write_all((with_body + "body").as_bytes()).unwrap();
    assert_eq!(read(&mut stream).status, 426);
}

#[actix_rt::test(system = "crate::System")]
async fn who_wants_the_connection_to_end_is_obeyed_whatever_else_is_offered() {
    let server = Server::start().await;
    let ann = server.user("ann").await.at(&server);
    for (version, lines, connection) in [
        ("1.1", "Connection: close, Upgrade\r\nUpgrade: h2c\r\n", "close"),
        ("1.1", "Connection: upgrade\r\nConnection: close\r\nUpgrade: h2c\r\n", "close"),
        ("1.0", "Connection: upgrade\r\nUpgrade: h2c\r\n", ""),
    ] {
        let answer =
            Raw::send(&server, head(&ann, &format!("GET /healthz HTTP/{version}"), lines).as_bytes());
        assert_eq!((answer.status, answer.header("connection")), (200, connection), "{lines}");
    }
    let mut stream = connect(&server);
    for _ in 0..2 {
        let lines = "Connection: Upgrade, Keep-Alive\r\nUpgrade: h2c\r\n";
        stream.write_all(head(&ann, "GET /healthz HTTP/1.0", lines).as_bytes()).unwrap();
        let answer = read(&mut stream);
        assert_eq!((answer.status, answer.header("connection")), (200, "keep-alive"));
    }
}

#[actix_rt::test(system = "crate::System")]
async fn a_handshake_may_be_written_in_many_ways() {
    let server = Server::start().await;
    let ann = server.user("ann").await.at(&server);
    for (line, lines) in [
        // As lighttpd forwards it.
        ("GET /messages/ws/ HTTP/1.1", "Connection: close, upgrade\r\nUpgrade: websocket\r\n"),
        ("GET /messages/ws/ HTTP/1.1", "Connection: upgrade, close\r\nUpgrade: websocket\r\n"),
        // As Firefox sends it.
        ("GET /messages/ws/ HTTP/1.1", "Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n"),
        ("GET /messages/ws HTTP/1.1", "Connection: Upgrade\r\nUpgrade: WebSocket\r\n"),
        ("GET /messages/ws/?a=b HTTP/1.1", "connection:UPGRADE\r\nupgrade:WEBSOCKET\r\n"),
        ("GET /messages/ws/ HTTP/1.1", "Upgrade:\t websocket \t\r\nConnection: \t Upgrade ,\tfoo , \r\n"),
        ("GET /messages/ws/ HTTP/1.1", "Connection: Upgrade\r\nUpgrade: websocket, foo\r\n"),
        ("GET /messages/ws/ HTTP/1.1", "Connection: Upgrade\r\nUpgrade: h2c , websocket\r\n"),
        ("GET /messages/ws/ HTTP/1.1", "Connection: Upgrade\r\nUpgrade: h2c\r\nUpgrade: websocket\r\n"),
        ("GET /messages/ws/ HTTP/1.1", "Connection: close\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"),
        (
            "GET /messages/ws/ HTTP/1.1",
            "Connection: Upgrade\r\nConnection: upgrade\r\nUpgrade: websocket, websocket\r\n",
        ),
        ("GET http://a.example/messages/ws/?x HTTP/1.1", "Connection: Upgrade\r\nUpgrade: websocket\r\n"),
        ("GET /messages/ws/ HTTP/1.1", "Connection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 0\r\n"),
    ] {
        for version in [
            "Sec-WebSocket-Version: 13\r\n",
            "sec-websocket-version:13\r\n",
            "Sec-WebSocket-Version: 8, 13\r\n",
            "Sec-WebSocket-Version: 7\r\nSec-WebSocket-Version: 13 , 25\r\n",
        ] {
            let mut stream = connect(&server);
            let lines = format!("{lines}{version}Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n");
            stream.write_all(head(&ann, line, &lines).as_bytes()).unwrap();
            let answer = Raw::read_head(&mut stream);
            let names = (answer.status, answer.header("connection"), answer.header("upgrade"));
            assert_eq!(names, (101, "upgrade", "websocket"), "{line}\n{lines}");
            assert_eq!(answer.header("sec-websocket-accept"), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
            assert_eq!(answer.header("transfer-encoding"), "");
            let mut first = [0; 2];
            stream.read_exact(&mut first).unwrap();
            assert_eq!(first[0], 0x81, "a whole frame of text");
        }
    }
}

#[actix_rt::test(system = "crate::System")]
async fn a_token_may_be_among_the_subprotocols_of_any_header() {
    let server = Server::start().await;
    let ann = server.user("ann").await.at(&server);
    let protocol = format!("greenroom.token.{}", ann.headers[0].1.split_once(' ').unwrap().1);
    for lines in [
        format!("Sec-WebSocket-Protocol: {protocol}\r\n"),
        format!("Sec-WebSocket-Protocol: chat, {protocol}\r\n"),
        format!("Sec-WebSocket-Protocol: chat\r\nSec-WebSocket-Protocol: {protocol}, more\r\n"),
    ] {
        let answer = Raw::upgrade(&server, &lines);
        assert_eq!((answer.status, answer.header("sec-websocket-protocol")), (101, &*protocol), "{lines}");
    }
}
