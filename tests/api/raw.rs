//! Raw requests, byte for byte, that no HTTP client would send.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
};

use crate::support::{DEADLINE, Server};

/// A raw response.
#[derive(Debug)]
pub(crate) struct Raw {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

impl Raw {
    /// Sends bytes and reads until the server ends the connection.
    pub(crate) fn send(server: &Server, request: &[u8]) -> Self {
        Self::send_to(server.address, request)
    }

    /// Sends bytes to an address and reads until the server closes the connection.
    pub(crate) fn send_to(address: SocketAddr, request: &[u8]) -> Self {
        let mut stream = connect_to(address);
        // The server may have closed the connection before everything was written.
        let _ = stream.write_all(request);
        let mut reply = Vec::new();
        let _ = stream.read_to_end(&mut reply);
        Self::parse(&reply)
    }

    /// Sends a request with this complete head, without its final line breaks. The server closes the
    /// connection after it.
    pub(crate) fn request(server: &Server, head: &str) -> Self {
        Self::send(
            server,
            format!("{head}\r\nHost: {}\r\nConnection: close\r\n\r\n", server.address).as_bytes(),
        )
    }

    /// Sends a socket handshake with extra header lines. Reads only the head of the answer.
    pub(crate) fn upgrade(server: &Server, headers: &str) -> Self {
        let mut stream = connect(server);
        let request = format!(
            "GET /messages/ws/ HTTP/1.1\r\nHost: {}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{headers}\r\n",
            server.address
        );
        stream.write_all(request.as_bytes()).unwrap();
        Self::read_head(&mut stream)
    }

    /// Reads an answer up to the end of its head.
    pub(crate) fn read_head(stream: &mut TcpStream) -> Self {
        let mut reply = Vec::new();
        let mut byte = [0];
        while !reply.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap() > 0 {
            reply.push(byte[0]);
        }
        Self::parse(&reply)
    }

    fn parse(reply: &[u8]) -> Self {
        let end = reply.windows(4).position(|window| window == b"\r\n\r\n");
        let end = end.unwrap_or_else(|| panic!("no answer: {:?}", String::from_utf8_lossy(reply)));
        let head = String::from_utf8_lossy(&reply[..end]).into_owned();
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
        Self { status: status.expect("a status"), head, body: reply[end + 4..].to_vec() }
    }

    /// Returns a header's value; empty if it is missing.
    pub(crate) fn header(&self, name: &str) -> &str {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        let mut values = lines.filter(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value);
        values.next().unwrap_or_default()
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

pub(crate) fn connect(server: &Server) -> TcpStream {
    connect_to(server.address)
}

fn connect_to(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream
}
