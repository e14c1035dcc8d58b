//! Sockets of clients that violate the protocol or do not read.

use std::{io::ErrorKind, time::Duration};

use actix_web::rt::time::timeout;
use serde_json::json;
use tokio::io::AsyncReadExt;

use crate::support::{
    DEADLINE, Server,
    raw_socket::{BINARY, FIN, PING, RawSocket, TEXT, declaring, frame},
};

#[actix_rt::test(system = "crate::System")]
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

#[actix_rt::test(system = "crate::System")]
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

#[actix_rt::test(system = "crate::System")]
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
    unmasked.writes(&[FIN | TEXT, 0x01, b'x']).await;
    unmasked.is_closed_with(1002).await;
}

#[actix_rt::test(system = "crate::System")]
async fn what_comes_before_a_breach_or_a_break_is_done() {
    let server = Server::start().await;
    let ann = server.user("ann").await;
    let chat = ann.group("Notes", &[]).await;
    let command = |text| json!({"type": "send_message", "chat_id": chat, "content": text}).to_string();
    let mut ann_socket = ann.listens().await;
    let mut breaking = RawSocket::started(&ann).await;
    let both =
        [frame(FIN | TEXT, command("before a breach").as_bytes()), declaring(FIN | TEXT, 1 << 40, b"")];
    breaking.writes(&both.concat()).await;
    assert_eq!(ann_socket.receives("new_message").await["message"]["content"], "before a breach");
    let mut leaving = RawSocket::started(&ann).await;
    leaving.sends(FIN | TEXT, command("before a break").as_bytes()).await;
    drop(leaving);
    assert_eq!(ann_socket.receives("new_message").await["message"]["content"], "before a break");
}

#[actix_rt::test(system = "crate::System")]
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

#[actix_rt::test(system = "crate::System")]
async fn a_reader_that_lags_is_cut_and_nobody_else_waits_for_it() {
    let server = Server::start().await;
    let (ann, bob, eve) = (server.user("ann").await, server.user("bob").await, server.user("eve").await);
    let chat = ann.group("Busy", &[&bob, &eve]).await;
    let mut bob_socket = bob.listens().await;
    let mut stuck = RawSocket::open(&eve, 4_096).await;
    let text = "x".repeat(5_000);
    let mut posted = 0;
    while server.sockets() > 1 {
        posted += 1;
        assert!(posted < 2_000, "it is never cut");
        ann.posts(chat, &text).await;
        assert_eq!(bob_socket.receives("new_message").await["message"]["content"], text);
    }
    // The connection was reset: the kernel discarded the unsent data.
    let end = timeout(DEADLINE, stuck.0.read_to_end(&mut Vec::new())).await.expect("it ends");
    assert_eq!(end.unwrap_err().kind(), ErrorKind::ConnectionReset);
}

#[actix_rt::test(system = "crate::System")]
async fn a_reader_that_leaves_a_few_events_waiting_is_cut_in_seconds() {
    let server = Server::start().await;
    let (ann, eve) = (server.user("ann").await, server.user("eve").await);
    let chat = ann.group("Quiet", &[&eve]).await;
    let _stuck = RawSocket::open(&eve, 4_096).await;
    for _ in 0..120 {
        ann.posts(chat, &"x".repeat(5_000)).await;
    }
    let gone = async {
        while server.sockets() > 0 {
            ann.get("unread/").await.expect(200);
        }
    };
    timeout(Duration::from_secs(15), gone).await.expect("it is cut by itself");
}
