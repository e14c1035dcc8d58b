//! A picture host: a small HTTP server that records the requests it receives.

use std::{
    cell::RefCell,
    collections::HashMap,
    future::pending,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    rc::Rc,
};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpListener,
    sync::watch,
};

/// A PNG of one pixel.
pub(crate) const PNG: &[u8] =
    b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0\x1f\x15\xc4\x89\0\0\0\rIDATx\
    \x9cc\xf8\xcf\xc0\xf0\x1f\0\x05\0\x01\xff\x89\x99=\x1d\0\0\0\0IEND\xaeB`\x82";

/// A running host.
pub(crate) struct PictureHost {
    pub address: SocketAddr,
    answers: Rc<RefCell<HashMap<String, Vec<u8>>>>,
    asked: Rc<RefCell<Vec<String>>>,
    gate: watch::Sender<bool>,
}

impl PictureHost {
    /// Starts a host without pictures on a free port.
    pub(crate) async fn start() -> Self {
        Self::start_at(Ipv4Addr::LOCALHOST.into()).await
    }

    /// Starts a host without pictures on another address of this machine.
    pub(crate) async fn start_at(ip: IpAddr) -> Self {
        let listener = TcpListener::bind((ip, 0)).await.unwrap();
        let host = Self {
            address: listener.local_addr().unwrap(),
            answers: Rc::default(),
            asked: Rc::default(),
            gate: watch::channel(true).0,
        };
        let (answers, asked, gate) = (host.answers.clone(), host.asked.clone(), host.gate.subscribe());
        actix_web::rt::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                actix_web::rt::spawn(serve(stream, answers.clone(), asked.clone(), gate.clone()));
            }
        });
        host
    }

    /// Returns the host's name as in `GREENROOM_PICTURE_HOSTS`.
    pub(crate) fn name(&self) -> String {
        self.address.to_string()
    }

    /// Returns the absolute URL of a path.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Answers a path with these bytes, valid HTTP or not.
    pub(crate) fn sends(&self, path: &str, bytes: impl Into<Vec<u8>>) {
        self.answers.borrow_mut().insert(path.to_owned(), bytes.into());
    }

    /// Serves a body of any content type at a path. Returns its URL.
    pub(crate) fn has(&self, path: &str, kind: &str, body: &[u8]) -> String {
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nSet-Cookie: a=b\r\n\
             Content-Disposition: attachment; filename=x.exe\r\n\r\n",
            body.len()
        );
        self.sends(path, [head.as_bytes(), body].concat());
        self.url(path)
    }

    /// Serves a picture at a path. Returns its URL.
    pub(crate) fn draws(&self, path: &str) -> String {
        self.has(path, "image/png", PNG)
    }

    /// Redirects a path to `next`. Returns the path's URL.
    pub(crate) fn leads(&self, path: &str, next: &str) -> String {
        let answer = format!("HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: {next}\r\n\r\n");
        self.sends(path, answer);
        self.url(path)
    }

    /// Stops answering until `open` is called.
    pub(crate) fn close(&self) {
        self.gate.send_replace(false);
    }

    pub(crate) fn open(&self) {
        self.gate.send_replace(true);
    }

    /// Returns the heads of all requests so far.
    pub(crate) fn heads(&self) -> Vec<String> {
        self.asked.borrow().clone()
    }

    /// Counts the requests for a path.
    pub(crate) fn count(&self, path: &str) -> usize {
        let line = format!("GET {path} HTTP/1.1\r\n");
        self.asked.borrow().iter().filter(|head| head.starts_with(&line)).count()
    }
}

async fn serve(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    answers: Rc<RefCell<HashMap<String, Vec<u8>>>>,
    asked: Rc<RefCell<Vec<String>>>,
    mut gate: watch::Receiver<bool>,
) {
    let head = read_head(&mut stream).await;
    let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
    asked.borrow_mut().push(head);
    if gate.wait_for(|is_open| *is_open).await.is_err() {
        return;
    }
    let answer = answers.borrow().get(&path).cloned();
    let missing = || b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_vec();
    let _ = stream.write_all(&answer.unwrap_or_else(missing)).await;
    // The client closes the connection.
    pending::<()>().await;
}

/// Reads a request's head.
pub(crate) async fn read_head(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => break,
        }
    }
    String::from_utf8_lossy(&head).into_owned()
}
