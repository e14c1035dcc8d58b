//! The scanner: clamd, to which the bytes of a file are sent.

use std::{fmt, fs::File, io, path::PathBuf, time::Duration};

use clamav_client::tokio::{Socket, Tcp, scan_stream};
use tokio::time::timeout;
use url::Url;

use super::pieces::pieces;

/// Where clamd listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScannerUrl {
    /// A host and a port.
    Tcp(String),
    /// The path of a socket.
    Unix(PathBuf),
}

/// The port of clamd, if the URL has none.
const CLAMD_PORT: u16 = 3310;

/// Error for a URL of no scanner.
const NO_SCANNER: &str = "give clamd://HOST:PORT or clamd+unix:///path/to/socket";

impl ScannerUrl {
    /// Parses a URL such as `clamd://localhost:3310` or `clamd+unix:///run/clamav/clamd.ctl`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let url = Url::parse(text).map_err(|_| NO_SCANNER.to_owned())?;
        let is_bare = url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none();
        let host = url.host_str().unwrap_or_default();
        match url.scheme() {
            "clamd" if is_bare && !host.is_empty() && matches!(url.path(), "" | "/") => {
                Ok(Self::Tcp(format!("{host}:{}", url.port().unwrap_or(CLAMD_PORT))))
            }
            "clamd+unix" if is_bare && host.is_empty() && url.path().len() > 1 => {
                url.to_file_path().map(Self::Unix).map_err(|()| NO_SCANNER.to_owned())
            }
            _ => Err(NO_SCANNER.to_owned()),
        }
    }
}

impl fmt::Display for ScannerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => write!(f, "clamd://{address}"),
            Self::Unix(path) => write!(f, "clamd+unix://{}", path.display()),
        }
    }
}

/// How long the scanner may take for a file, beside the time for its bytes. Its own limit is 120 s, unless that was changed.
const SCAN_WITHIN: Duration = Duration::from_secs(150);

/// Bytes that it takes in each second of further time.
const BYTES_PER_SECOND: u64 = 1 << 20;

/// What the scanner says of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    Clean,
    /// It is to be blocked, for this reason.
    Blocked(String),
}

/// Has a file scanned.
pub async fn scan(scanner: &ScannerUrl, file: File) -> io::Result<Finding> {
    let size = file.metadata()?.len();
    let bytes = pieces(file, 0..size);
    let answer = async {
        match scanner {
            ScannerUrl::Tcp(address) => scan_stream(bytes, Tcp { host_address: address }, None).await,
            ScannerUrl::Unix(path) => scan_stream(bytes, Socket { socket_path: path }, None).await,
        }
    };
    let within = SCAN_WITHIN + Duration::from_secs(size / BYTES_PER_SECOND);
    let answer = timeout(within, answer).await.map_err(|_| io::Error::other("it did not answer in time"))?;
    finding(&answer.map_err(with_hint)?)
}

/// Adds what is often the reason of an error.
fn with_hint(error: io::Error) -> io::Error {
    match error.kind() {
        // clamd closes the connection where a file is too large.
        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => io::Error::new(
            error.kind(),
            format!("{error}; its StreamMaxLength may be below the size of the file"),
        ),
        _ => error,
    }
}

/// Reads the answer of clamd: `stream: OK`, `stream: NAME FOUND`, or an error.
fn finding(answer: &[u8]) -> io::Result<Finding> {
    let text = String::from_utf8_lossy(answer);
    let text = text.trim_end_matches('\0').trim();
    let result = text.strip_prefix("stream: ").unwrap_or_default();
    match result.strip_suffix(" FOUND") {
        Some(name) => Ok(Finding::Blocked(name.to_owned())),
        None if result == "OK" => Ok(Finding::Clean),
        None => Err(io::Error::other(format!("it answered {text:?}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scanner_has_a_host_or_a_path() {
        for (url, address) in [
            ("clamd://localhost", "clamd://localhost:3310"),
            ("clamd://10.0.0.1:99", "clamd://10.0.0.1:99"),
            ("clamd://[::1]:99/", "clamd://[::1]:99"),
            ("clamd+unix:///run/clamav/clamd.ctl", "clamd+unix:///run/clamav/clamd.ctl"),
            ("clamd+unix:///a%20b", "clamd+unix:///a b"),
        ] {
            assert_eq!(ScannerUrl::parse(url).unwrap().to_string(), address, "{url}");
        }
        for bad in [
            "",
            "localhost:3310",
            "clamd://",
            "clamd://x/y",
            "clamd://u@x",
            "clamd+unix://x/y",
            "http://x",
            "clamd+unix:///",
        ] {
            assert!(ScannerUrl::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn answers_of_clamd_are_read() {
        assert_eq!(finding(b"stream: OK\0").unwrap(), Finding::Clean);
        let blocked = Finding::Blocked("Own.Harmless.UNOFFICIAL".to_owned());
        assert_eq!(finding(b"stream: Own.Harmless.UNOFFICIAL FOUND\0").unwrap(), blocked);
        for bad in [&b""[..], b"stream: ", b"INSTREAM size limit exceeded. ERROR\0", b"stream: OKAY", b"OK"] {
            assert!(finding(bad).is_err(), "{bad:?}");
        }
    }
}
