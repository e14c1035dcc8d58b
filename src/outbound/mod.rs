//! Requests to other hosts, whose addresses users choose. Private networks are refused unless the settings allow them. The
//! address that was checked is the one that is connected to.

mod failure;
mod networks;

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use actix_web::body;
use awc::{
    Client, ClientResponse, Connector,
    error::SendRequestError,
    http::{
        StatusCode,
        header::{ACCEPT, ACCEPT_ENCODING, LOCATION, USER_AGENT},
    },
};
use url::{Host, Url};

use crate::core::tls;

pub use failure::Failure;
pub use networks::Reach;

/// Connect timeout of one address of a host. Then the next address is tried.
const CONNECTED_WITHIN: Duration = Duration::from_secs(2);

/// `User-Agent` of the requests.
const NAME: &str = concat!("Greenroom/", env!("CARGO_PKG_VERSION"));

/// A client for hosts that users choose.
pub struct Outbound {
    client: Client,
    reach: Reach,
}

impl Outbound {
    pub fn new(reach: Reach) -> Self {
        let connector =
            Connector::new().rustls_0_23(Arc::new(tls::client_config())).timeout(CONNECTED_WITHIN);
        // Callers follow redirects themselves, to check each URL, under one deadline.
        let client = Client::builder()
            .connector(connector)
            .disable_redirects()
            .disable_timeout()
            .no_default_headers()
            .finish();
        Self { client, reach }
    }

    /// Sends a request to an allowed address of the host. `accept`: the header of this name.
    pub async fn get(&self, url: &Url, accept: &str) -> Result<ClientResponse, Failure> {
        let mut addresses = look_up(url).await?;
        addresses.retain(|address| self.reach.has(*address));
        if addresses.is_empty() {
            return Err(Failure::Private);
        }
        self.get_at(url, addresses, accept).await
    }

    /// Sends a request to the first of these addresses that accepts a connection. The name is not resolved
    /// again, so the checked addresses are the ones connected to.
    async fn get_at(
        &self,
        url: &Url,
        addresses: Vec<SocketAddr>,
        accept: &str,
    ) -> Result<ClientResponse, Failure> {
        for address in addresses {
            let request = self
                .client
                .get(url.as_str())
                .address(address)
                .insert_header((USER_AGENT, NAME))
                .insert_header((ACCEPT, accept))
                .insert_header((ACCEPT_ENCODING, "identity"))
                .force_close();
            match request.send_body(body::None::new()).await {
                Err(SendRequestError::Connect(_)) => {}
                answer => return answer.map_err(|_| Failure::Broken),
            }
        }
        Err(Failure::Connect)
    }
}

/// Resolves the host of a URL.
async fn look_up(url: &Url) -> Result<Vec<SocketAddr>, Failure> {
    let port = url.port_or_known_default().ok_or(Failure::Address)?;
    let address = |ip: IpAddr| vec![SocketAddr::new(ip, port)];
    match url.host().ok_or(Failure::Address)? {
        Host::Ipv4(ip) => Ok(address(ip.into())),
        Host::Ipv6(ip) => Ok(address(ip.into())),
        Host::Domain(name) => {
            let found = tokio::net::lookup_host((name, port)).await;
            Ok(found.map_err(|_| Failure::Name)?.collect())
        }
    }
}

/// Returns the target of a redirect response.
pub fn redirect(response: &ClientResponse) -> Option<String> {
    let leads_on = matches!(
        response.status(),
        StatusCode::MOVED_PERMANENTLY
            | StatusCode::FOUND
            | StatusCode::SEE_OTHER
            | StatusCode::TEMPORARY_REDIRECT
            | StatusCode::PERMANENT_REDIRECT
    );
    let next = response.headers().get(LOCATION).filter(|_| leads_on)?;
    Some(String::from_utf8_lossy(next.as_bytes()).into_owned())
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    use super::*;

    #[actix_rt::test]
    async fn the_address_that_was_looked_at_is_the_one_that_is_connected_to() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let good = listener.local_addr().unwrap();
        actix_rt::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let _ = stream.read(&mut [0; 4_096]).await;
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await.unwrap();
        });
        let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let client = Outbound::new(Reach::default());
        // This name cannot be resolved, so the request succeeds only if the name is not resolved again.
        let url = Url::parse(&format!("http://nowhere.invalid:{}/", good.port())).unwrap();
        assert_eq!(client.get_at(&url, vec![closed, good], "*/*").await.unwrap().status(), StatusCode::OK);
        assert_eq!(client.get_at(&url, vec![closed], "*/*").await.unwrap_err(), Failure::Connect);
        // Loopback addresses are never allowed by default.
        let own = Url::parse(&format!("http://127.0.0.1:{}/", good.port())).unwrap();
        assert_eq!(client.get(&own, "*/*").await.unwrap_err(), Failure::Private);
    }
}
