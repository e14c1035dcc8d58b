//! The opening and closing handshakes of a socket, byte for byte.

use std::{
    io::{Read, Write},
    time::Duration,
};

use actix_web::rt::time::timeout;
use tokio::io::{AsyncWriteExt, Interest};

use crate::{
    raw::{Raw, connect},
    support::{
        Server, User,
        raw_socket::{CLOSE, FIN, RawSocket, TEXT, frame},
    },
};

fn handshake(user: &User, version: &str, lines: &str) -> String {
    let token = &user.headers[0].1;
    format!(
        "GET /messages/ws/ HTTP/{version}\r\nHost: {}\r\nAuthorization: {token}\r\nConnection: Upgrade\r\n\
         Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{lines}\r\n",
        user.address
    )
}

#[actix_rt::test(system = "crate::System")]
async fn what_was_asked_before_a_handshake_is_answered_before_it() {
    let server = Server::start().await;
    let ann = server.user("ann").await.at(&server);
    let mut stream = connect(&server);
    let before = format!("GET /healthz HTTP/1.1\r\nHost: {}\r\n\r\n", server.address);
    stream.write_all((before + &handshake(&ann, "1.1", "")).as_bytes()).unwrap();
    let (mut answers, mut part) = (String::new(), [0; 4_096]);
    while !answers.contains("hello") {
        let count = stream.read(&mut part).unwrap();
        assert!(count > 0, "{answers}");
        answers.push_str(&String::from_utf8_lossy(&part[..count]));
    }
    assert!(answers.starts_with("HTTP/1.1 200 OK"), "{answers}");
    assert!(answers.contains("HTTP/1.1 101 "), "{answers}");
}

#[actix_rt::test(system = "crate::System")]
async fn a_handshake_has_no_body_in_chunks_and_is_of_the_version_that_knows_it() {
    let server = Server::start().await;
    let ann = server.user("ann").await.at(&server);
    for (version, lines) in [("1.1", "Transfer-Encoding: chunked\r\n"), ("1.0", "")] {
        let mut stream = connect(&server);
        stream.write_all(handshake(&ann, version, lines).as_bytes()).unwrap();
        assert_eq!(Raw::read_head(&mut stream).status, 426, "{version} {lines}");
    }
}

#[actix_rt::test(system = "crate::System")]
async fn who_does_not_take_the_last_words_of_a_socket_loses_it_all_the_same() {
    let server = Server::start_with(|config| config.socket_commands_per_second = 1_000).await;
    let eve = server.user("eve").await;
    let mut socket = RawSocket::open(&eve, 4_096).await;
    let ping = format!(r#"{{"type": "ping", "id": "{}"}}"#, "x".repeat(4_000));
    // More than the kernel buffers, but few enough that the session answers all of them.
    for _ in 0..49 {
        socket.0.write_all(&frame(FIN | TEXT, ping.as_bytes())).await.unwrap();
    }
    socket.0.write_all(&frame(FIN | CLOSE, &1000_u16.to_be_bytes())).await.unwrap();
    let gone = timeout(Duration::from_secs(15), socket.0.ready(Interest::ERROR)).await;
    assert!(gone.expect("it ends by itself").unwrap().is_error());
}
