use std::{future::pending, net::SocketAddr};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use super::*;
use crate::{core::model::PictureHost, pictures::slots::Hosts};

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n";

/// Starts a host that sends these bytes on each connection and then keeps the connection open.
async fn host(bytes: Vec<u8>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    actix_rt::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let bytes = bytes.clone();
            actix_rt::spawn(async move {
                let _ = stream.read(&mut [0; 4_096]).await;
                let _ = stream.write_all(&bytes).await;
                pending::<()>().await;
            });
        }
    });
    address
}

async fn fetched(bytes: impl Into<Vec<u8>>, within: Duration) -> Result<Picture, Failure> {
    let host = host(bytes.into()).await.to_string();
    let pictures =
        Pictures { own: String::new(), hosts: vec![PictureHost::parse(&host).unwrap()], any_port: false };
    let reach = Reach { allowed: vec!["127.0.0.1/32".parse().unwrap()], web_ports_only: false };
    let fetcher = Fetcher { within, ..Fetcher::new(Arc::new(pictures), reach) };
    fetcher.fetch(&format!("http://{host}/"), Hosts::default().enter("127.0.0.1").unwrap()).await
}

fn answer(head: &str, body: &[u8]) -> Vec<u8> {
    [b"HTTP/1.1 200 OK\r\n", head.as_bytes(), b"\r\n\r\n", body].concat()
}

#[actix_rt::test]
async fn a_host_that_is_slow_is_given_up() {
    let short = Duration::from_millis(100);
    let slow = [
        Vec::new(),
        b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\n".to_vec(),
        answer("Content-Length: 9", PNG),
        answer("Transfer-Encoding: chunked", b"8\r\n\x89PNG\r\n\x1a\n\r\n"),
        b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: /".to_vec(),
    ];
    for bytes in slow {
        let what = String::from_utf8_lossy(&bytes).into_owned();
        assert_eq!(fetched(bytes, short).await.unwrap_err(), Failure::Timeout, "{what}");
    }
}

#[actix_rt::test]
async fn more_than_a_picture_may_have_is_not_waited_for() {
    // Neither host ends its response, so the fetcher must not wait for the end.
    let announced = answer(&format!("Content-Length: {}", LARGEST + 1), PNG);
    let chunk = [format!("{:x}\r\n", LARGEST + 1).as_bytes(), PNG, &vec![0; LARGEST]].concat();
    for bytes in [announced, answer("Transfer-Encoding: chunked", &chunk)] {
        assert_eq!(fetched(bytes, FETCHED_WITHIN).await.unwrap_err(), Failure::TooLarge);
    }
    let mut largest = PNG.to_vec();
    largest.resize(LARGEST, 0);
    let picture = fetched(answer(&format!("Content-Length: {LARGEST}"), &largest), FETCHED_WITHIN).await;
    assert_eq!(picture.unwrap().bytes.len(), LARGEST);
}

#[actix_rt::test]
async fn what_is_no_answer_is_none() {
    let broken = ["SSH-2.0-OpenSSH_9.6\r\n", "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"];
    for bytes in broken {
        assert_eq!(fetched(bytes, FETCHED_WITHIN).await.unwrap_err(), Failure::Broken, "{bytes}");
    }
    let leads = "HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: ";
    for (place, failure) in
        [("/", Failure::Redirects), ("//[", Failure::Address), ("file:///etc/hostname", Failure::Address)]
    {
        let bytes = format!("{leads}{place}\r\n\r\n");
        assert_eq!(fetched(bytes, FETCHED_WITHIN).await.unwrap_err(), failure, "{place}");
    }
}
