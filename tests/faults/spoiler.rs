//! A proxy to a server that tampers with one of the events sent to clients.

use std::{
    io::{Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

/// What happens to the first `new_message` of the proxy's lifetime.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Spoil {
    Nothing,
    /// It is dropped.
    Drop,
    /// It is delivered twice.
    Double,
    /// It is delivered after the next event.
    Swap,
    /// Its connection is cut.
    Cut,
}

/// The beginning of a `new_message` event.
const MESSAGE: &[u8] = br#"{"type":"new_message""#;

/// Starts a proxy to this server. It accepts connections as long as the process lives.
pub(crate) fn road_to(server: SocketAddr, spoil: Spoil) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let is_spoilt = Arc::new(AtomicBool::new(spoil == Spoil::Nothing));
    thread::spawn(move || {
        for client in listener.incoming() {
            let (client, server) = (client.unwrap(), TcpStream::connect(server).unwrap());
            for end in [&client, &server] {
                end.set_nodelay(true).unwrap();
            }
            let (there, back) = (client.try_clone().unwrap(), server.try_clone().unwrap());
            thread::spawn(move || carry_there(there, back));
            let is_spoilt = is_spoilt.clone();
            thread::spawn(move || Back { client, spoil, is_spoilt, held: None }.carry(server));
        }
    });
    address
}

fn carry_there(mut client: TcpStream, mut server: TcpStream) {
    let _ = std::io::copy(&mut client, &mut server);
    let _ = server.shutdown(Shutdown::Both);
}

/// The direction from the server to a client.
struct Back {
    client: TcpStream,
    spoil: Spoil,
    is_spoilt: Arc<AtomicBool>,
    /// A frame held back until the next one.
    held: Option<Vec<u8>>,
}

impl Back {
    fn carry(mut self, mut server: TcpStream) {
        let mut bytes = Vec::new();
        let mut buffer = [0; 64 << 10];
        let mut is_socket = false;
        while let Ok(count @ 1..) = server.read(&mut buffer) {
            if !is_socket && bytes.is_empty() {
                is_socket = buffer[..count].starts_with(b"HTTP/1.1 101");
                if !is_socket {
                    if self.client.write_all(&buffer[..count]).is_err() {
                        break;
                    }
                    continue;
                }
                // Forward the handshake response unchanged.
                let head = buffer[..count].windows(4).position(|end| end == b"\r\n\r\n").unwrap() + 4;
                let _ = self.client.write_all(&buffer[..head]);
                bytes.extend_from_slice(&buffer[head..count]);
            } else {
                bytes.extend_from_slice(&buffer[..count]);
            }
            while let Some(length) = frame(&bytes) {
                let rest = bytes.split_off(length);
                self.pass(std::mem::replace(&mut bytes, rest));
            }
        }
        let _ = self.client.shutdown(Shutdown::Both);
        let _ = server.shutdown(Shutdown::Both);
    }

    fn pass(&mut self, frame: Vec<u8>) {
        let is_message = frame.windows(MESSAGE.len()).any(|words| words == MESSAGE);
        if is_message && !self.is_spoilt.swap(true, Ordering::SeqCst) {
            match self.spoil {
                Spoil::Drop => return,
                Spoil::Double => self.write(&frame),
                Spoil::Swap => return self.held = Some(frame),
                Spoil::Cut => drop(self.client.shutdown(Shutdown::Both)),
                Spoil::Nothing => {}
            }
        }
        self.write(&frame);
        if is_message && let Some(held) = self.held.take() {
            self.write(&held);
        }
    }

    fn write(&mut self, frame: &[u8]) {
        let _ = self.client.write_all(frame);
    }
}

/// Returns the length of the first frame; `None` if it is incomplete.
fn frame(bytes: &[u8]) -> Option<usize> {
    let length = match bytes {
        [_, 126, high, low, ..] => 4 + usize::from(u16::from_be_bytes([*high, *low])),
        [_, 126 | 127, ..] | [] | [_] => return None,
        [_, short, ..] => 2 + usize::from(*short),
    };
    (bytes.len() >= length).then_some(length)
}
