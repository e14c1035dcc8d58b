//! Requests byte for byte, for what no client would send.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
};

use crate::support::{DEADLINE, Server};

/// What came back, as it was written.
#[derive(Debug)]
pub struct Raw {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

impl Raw {
    /// Sends bytes and reads until the server ends the connection.
    pub fn send(server: &Server, request: &[u8]) -> Self {
        Self::send_to(server.address, request)
    }

    /// The same to whatever listens at an address.
    pub fn send_to(address: SocketAddr, request: &[u8]) -> Self {
        let mut stream = connect_to(address);
        // The server may have refused before all was written.
        let _ = stream.write_all(request);
        let mut reply = Vec::new();
        let _ = stream.read_to_end(&mut reply);
        Self::parse(&reply)
    }

    /// A request whose head is given whole, without the lines that end it; the connection is to end after it.
    pub fn request(server: &Server, head: &str) -> Self {
        Self::send(
            server,
            format!("{head}\r\nHost: {}\r\nConnection: close\r\n\r\n", server.address).as_bytes(),
        )
    }

    /// A socket's handshake with further header lines; only the head of the answer is read.
    pub fn upgrade(server: &Server, headers: &str) -> Self {
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
    pub fn read_head(stream: &mut TcpStream) -> Self {
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

    /// A header's value, empty where there is none.
    pub fn header(&self, name: &str) -> &str {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        let mut values = lines.filter(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value);
        values.next().unwrap_or_default()
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

pub fn connect(server: &Server) -> TcpStream {
    connect_to(server.address)
}

fn connect_to(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream
}
