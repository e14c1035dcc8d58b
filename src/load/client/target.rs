//! The server under load, one node or several, and how to connect to it.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr, ToSocketAddrs},
    sync::atomic::{AtomicUsize, Ordering},
};

use tokio::net::{TcpSocket, TcpStream};
use url::Url;

/// Connections opened from one loopback address before the next one is used. Each has about 28,000 ports.
const CONNECTIONS_PER_SOURCE: usize = 20_000;

/// Number of loopback addresses to connect from.
const SOURCES: u8 = 100;

/// The address of the server under load.
#[derive(Debug)]
pub(crate) struct Target {
    /// The base URL of the first node, without a trailing slash.
    pub(crate) url: String,
    /// The nodes; connections are opened to each in turn.
    addresses: Vec<SocketAddr>,
    /// Value of the `Host` header.
    pub(crate) host: String,
    /// Prefix of every path.
    prefix: String,
    opened: AtomicUsize,
}

impl Target {
    /// Resolves the hosts of the nodes' base URLs. Path and `Host` are the first one's.
    pub(crate) fn find(urls: &[Url]) -> Result<Self, String> {
        let addresses = urls.iter().map(address).collect::<Result<_, String>>()?;
        let url = urls.first().ok_or("give an address")?;
        let text = url.as_str().trim_end_matches('/').to_owned();
        let host = url.host_str().unwrap_or_default();
        let port = port(url);
        Ok(Self {
            addresses,
            host: format!("{host}:{port}"),
            prefix: url.path().trim_end_matches('/').to_owned(),
            opened: AtomicUsize::new(0),
            url: text,
        })
    }

    /// Returns the path to send in a request.
    pub(crate) fn path(&self, path: &str) -> String {
        format!("{}{path}", self.prefix)
    }

    /// Opens a connection. Connections to 127.0.0.1 use several source addresses, as each has its own ports.
    pub(crate) async fn connect(&self) -> io::Result<TcpStream> {
        let number = self.opened.fetch_add(1, Ordering::Relaxed);
        let address = self.addresses[number % self.addresses.len()];
        let IpAddr::V4(Ipv4Addr::LOCALHOST) = address.ip() else {
            return without_delay(TcpStream::connect(address).await?);
        };
        let first = (number / CONNECTIONS_PER_SOURCE) as u8 % SOURCES;
        for source in first..SOURCES {
            match connect_from(source, address).await {
                Err(error) if error.kind() == io::ErrorKind::AddrNotAvailable => {}
                done => return done,
            }
        }
        connect_from(first, address).await
    }
}

async fn connect_from(source: u8, address: SocketAddr) -> io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    if source > 0 {
        socket.bind((Ipv4Addr::new(127, 0, 0, 1 + source), 0).into())?;
    }
    without_delay(socket.connect(address).await?)
}

fn address(url: &Url) -> Result<SocketAddr, String> {
    let host = url.host_str().unwrap_or_default();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let found = (bare, port(url)).to_socket_addrs().ok().and_then(|mut found| found.next());
    found.ok_or_else(|| format!("cannot resolve host {host}"))
}

fn port(url: &Url) -> u16 {
    url.port_or_known_default().unwrap_or(80)
}

fn without_delay(stream: TcpStream) -> io::Result<TcpStream> {
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Parses a base URL from the command line.
pub(crate) fn base_url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|_| "give an address such as http://127.0.0.1:8000".to_owned())?;
    let is_bare = url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
    match url.scheme() {
        "http" if is_bare => Ok(url),
        "http" => Err("give scheme, host, port and perhaps a path, such as http://127.0.0.1:8000".to_owned()),
        "https" => Err("give the address behind the proxy that ends TLS: http://HOST:PORT".to_owned()),
        _ => Err("give an address such as http://127.0.0.1:8000".to_owned()),
    }
}
