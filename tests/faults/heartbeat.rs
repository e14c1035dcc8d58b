//! Clients that do not respond to pings, as after a lost connection.

use std::time::Duration;

use actix_web::rt::time::timeout;
use futures_util::future::join3;
use tokio::io::AsyncReadExt;

use crate::support::{
    Server,
    raw_socket::{FIN, PING, PONG, RawSocket, TEXT},
};

/// Longer than the time between two pings and the time to respond.
const ENDS_WITHIN: Duration = Duration::from_secs(45);

const PINGED: [u8; 2] = [FIN | PING, 0];

async fn is_pinged(socket: &mut RawSocket) {
    let mut received = [0; 2];
    timeout(ENDS_WITHIN, socket.0.read_exact(&mut received)).await.expect("a ping arrives").unwrap();
    assert_eq!(received, PINGED);
}

#[actix_rt::test(system = "crate::System")]
async fn only_a_client_that_sends_nothing_after_a_ping_is_disconnected() {
    let server = Server::start().await;
    let user = server.user("ann").await;
    let mut silent = RawSocket::started(&user).await;
    let (mut ponging, mut talking) = (RawSocket::started(&user).await, RawSocket::started(&user).await);
    let mut received = Vec::new();
    let ends = timeout(ENDS_WITHIN, silent.0.read_to_end(&mut received));
    let pongs = async {
        is_pinged(&mut ponging).await;
        ponging.sends(FIN | PONG, b"").await;
    };
    let talks = async {
        is_pinged(&mut talking).await;
        talking.sends(FIN | TEXT, br#"{"type": "ping"}"#).await;
        assert_eq!(talking.next().await.1["type"], "pong");
    };
    let (ended, ..) = join3(ends, pongs, talks).await;
    ended.expect("the connection ends in time").unwrap();
    assert_eq!(received, PINGED);
    for mut socket in [ponging, talking] {
        socket.sends(FIN | PING, b"").await;
        assert_eq!(socket.next().await.0, PONG);
    }
}
