//! A keep-alive HTTP/1.1 connection for sequential requests.

use std::{io, ops::Range, rc::Rc};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::target::Target;

/// Highest number of headers in a response.
const MAX_HEADERS: usize = 64;

/// Bytes reserved for each read.
const READ_SIZE: usize = 32 << 10;

/// A connection that is opened on first use, and reopened after the server has closed it.
pub(crate) struct HttpConnection {
    target: Rc<Target>,
    stream: Option<TcpStream>,
    request: Vec<u8>,
    answer: Vec<u8>,
}

/// A complete response.
#[derive(Debug)]
pub(crate) struct Response<'a> {
    pub(crate) status: u16,
    /// `name=value` of the cookie that the response sets.
    pub(crate) cookie: Option<String>,
    pub(crate) body: &'a [u8],
}

/// The head of a response, as far as the load generator needs it.
#[derive(Debug, Default)]
pub(crate) struct ResponseHead {
    pub(crate) status: u16,
    length: usize,
    /// `Retry-After`, in seconds.
    pub(crate) retry_after: Option<u64>,
    cookie: Option<String>,
    is_chunked: bool,
    body: Option<usize>,
    closes: bool,
}

impl HttpConnection {
    pub(crate) fn new(target: Rc<Target>) -> Self {
        Self { target, stream: None, request: Vec::new(), answer: Vec::new() }
    }

    /// Sends a request and reads its response. `header`: complete header lines, such as `Authorization`.
    pub(crate) async fn request(
        &mut self,
        method: &str,
        path: &str,
        header: &str,
        body: &[u8],
    ) -> io::Result<Response<'_>> {
        self.write(method, path, header, body);
        let result = self.exchange().await;
        if result.is_err() {
            self.stream = None;
        }
        let (head, body) = result?;
        if head.closes {
            self.stream = None;
        }
        Ok(Response { status: head.status, cookie: head.cookie, body: &self.answer[body] })
    }

    fn write(&mut self, method: &str, path: &str, header: &str, body: &[u8]) {
        self.request.clear();
        let (path, host) = (self.target.path(path), &self.target.host);
        let head = format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\n{header}");
        self.request.extend_from_slice(head.as_bytes());
        if !body.is_empty() {
            let about = format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len());
            self.request.extend_from_slice(about.as_bytes());
        } else if method != "GET" {
            self.request.extend_from_slice(b"Content-Length: 0\r\n");
        }
        self.request.extend_from_slice(b"\r\n");
        self.request.extend_from_slice(body);
    }

    async fn exchange(&mut self) -> io::Result<(ResponseHead, Range<usize>)> {
        // The server closes idle connections.
        let is_closed = self.stream.as_ref().is_some_and(|stream| !is_open(stream));
        if is_closed {
            self.stream = None;
        }
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => self.target.connect().await?,
        };
        stream.write_all(&self.request).await?;
        let answer = read(&mut stream, &mut self.answer).await?;
        self.stream = Some(stream);
        Ok(answer)
    }
}

fn is_open(stream: &TcpStream) -> bool {
    matches!(stream.try_read(&mut [0]), Err(error) if error.kind() == io::ErrorKind::WouldBlock)
}

/// Reads a complete response. Returns its head and the range of its body.
async fn read(stream: &mut TcpStream, bytes: &mut Vec<u8>) -> io::Result<(ResponseHead, Range<usize>)> {
    bytes.clear();
    let mut head = ResponseHead::default();
    loop {
        read_more(stream, bytes).await?;
        if head.body.is_none() {
            head = read_head(bytes)?;
        }
        let Some(from) = head.body else { continue };
        if head.is_chunked {
            if let Some(to) = join_chunks(bytes, from)? {
                return Ok((head, from..to));
            }
        } else if bytes.len() >= from + head.length {
            let to = from + head.length;
            return Ok((head, from..to));
        }
    }
}

async fn read_more(stream: &mut TcpStream, bytes: &mut Vec<u8>) -> io::Result<()> {
    bytes.reserve(READ_SIZE);
    match stream.read_buf(bytes).await? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(()),
    }
}

/// Parses the head of a response; its `body` is `None` while the head is incomplete.
pub(crate) fn read_head(bytes: &[u8]) -> io::Result<ResponseHead> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut response = httparse::Response::new(&mut headers);
    let parsed = response.parse(bytes).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
    let httparse::Status::Complete(body) = parsed else { return Ok(ResponseHead::default()) };
    let mut head =
        ResponseHead { status: response.code.unwrap_or(0), body: Some(body), ..ResponseHead::default() };
    for header in response.headers {
        read_header(&mut head, header);
    }
    Ok(head)
}

impl ResponseHead {
    /// Returns the offset of the first byte after the head; `None` while the head is incomplete.
    pub(crate) fn end(&self) -> Option<usize> {
        self.body
    }
}

fn read_header(head: &mut ResponseHead, header: &httparse::Header) {
    let is = |name: &str| header.name.eq_ignore_ascii_case(name);
    let value = || std::str::from_utf8(header.value).unwrap_or_default().trim();
    if is("content-length") {
        head.length = value().parse().unwrap_or(0);
    } else if is("retry-after") {
        head.retry_after = value().parse().ok();
    } else if is("set-cookie") {
        head.cookie = value().split(';').next().map(str::to_owned);
    } else if is("transfer-encoding") {
        head.is_chunked = value().eq_ignore_ascii_case("chunked");
    } else if is("connection") {
        head.closes = value().eq_ignore_ascii_case("close");
    }
}

/// Joins the chunks of a body in place. Returns the end of the joined body, or `None` if chunks are missing.
fn join_chunks(bytes: &mut Vec<u8>, from: usize) -> io::Result<Option<usize>> {
    let mut chunks = Vec::new();
    let mut at = from;
    loop {
        let (head, size) = match httparse::parse_chunk_size(&bytes[at..]) {
            Ok(httparse::Status::Complete(found)) => found,
            Ok(httparse::Status::Partial) => return Ok(None),
            Err(_) => return Err(io::ErrorKind::InvalidData.into()),
        };
        let (begin, end) = (at + head, at + head + size as usize);
        if bytes.len() < end + 2 {
            return Ok(None);
        }
        if size == 0 {
            break;
        }
        chunks.push(begin..end);
        at = end + 2;
    }
    let whole: Vec<u8> = chunks.into_iter().flat_map(|chunk| bytes[chunk].to_vec()).collect();
    bytes.truncate(from);
    bytes.extend_from_slice(&whole);
    Ok(Some(bytes.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_are_joined_once_they_are_all_there() {
        let whole = b"HEAD4\r\nWiki\r\n5\r\npedia\r\n0\r\n\r\n";
        for length in 4..whole.len() - 1 {
            assert_eq!(join_chunks(&mut whole[..length].to_vec(), 4).unwrap(), None, "{length}");
        }
        let mut bytes = whole.to_vec();
        assert_eq!(join_chunks(&mut bytes, 4).unwrap(), Some(13));
        assert_eq!(bytes, b"HEADWikipedia");
    }
}
