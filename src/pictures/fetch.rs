//! HTTP client for pictures of other hosts, with limits on addresses, redirects, size and time.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use actix_rt::time::timeout;
use actix_web::body;
use awc::{
    Client, ClientResponse, Connector,
    error::{PayloadError, SendRequestError},
    http::{
        StatusCode,
        header::{ACCEPT, ACCEPT_ENCODING, LOCATION, USER_AGENT},
    },
};
use url::{Host, Url};

use super::{
    Picture,
    failure::Failure,
    image_format::{ACCEPTED, ImageFormat},
    networks::Reach,
    slots::Slot,
};
use crate::core::{model::Pictures, secrets, tls};

/// Maximum size of a picture, in bytes.
const LARGEST: usize = 1 << 20;

/// Maximum number of redirects.
const REDIRECTS: usize = 3;

/// Timeout of a fetch, redirects included.
const FETCHED_WITHIN: Duration = Duration::from_secs(5);

/// Connect timeout of one address of a host. Then the next address is tried.
const CONNECTED_WITHIN: Duration = Duration::from_secs(2);

/// `User-Agent` of the requests.
const NAME: &str = concat!("Greenroom/", env!("CARGO_PKG_VERSION"));

/// Returns the host of a stored URL.
pub(super) fn host_of(stored: &str) -> String {
    let (address, _) = Pictures::of_stored(stored);
    Url::parse(address).ok().and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default()
}

/// HTTP client for pictures.
pub(super) struct Fetcher {
    client: Client,
    pictures: Arc<Pictures>,
    reach: Reach,
    within: Duration,
}

impl Fetcher {
    pub(super) fn new(pictures: Arc<Pictures>, reach: Reach) -> Self {
        let connector =
            Connector::new().rustls_0_23(Arc::new(tls::client_config())).timeout(CONNECTED_WITHIN);
        // `Fetcher` follows redirects itself, to check each URL, under one deadline.
        let client = Client::builder()
            .connector(connector)
            .disable_redirects()
            .disable_timeout()
            .no_default_headers()
            .finish();
        Self { client, pictures, reach, within: FETCHED_WITHIN }
    }

    /// Fetches a picture. `slot` belongs to the host of the URL.
    pub(super) async fn fetch(&self, stored: &str, slot: Slot) -> Result<Picture, Failure> {
        timeout(self.within, self.follow(stored, slot)).await.unwrap_or(Err(Failure::Timeout))
    }

    async fn follow(&self, stored: &str, mut slot: Slot) -> Result<Picture, Failure> {
        let (address, is_chosen) = Pictures::of_stored(stored);
        let mut url = Url::parse(address).map_err(|_| Failure::Address)?;
        for _ in 0..=REDIRECTS {
            if !self.pictures.may_ask(&url, is_chosen) {
                return Err(Failure::Address);
            }
            slot = slot.move_to(url.host_str().unwrap_or_default()).ok_or(Failure::Busy)?;
            let mut response = self.ask(&url).await?;
            let Some(next) = redirect(&response) else { return read(&mut response).await };
            url = url.join(&next).map_err(|_| Failure::Address)?;
        }
        Err(Failure::Redirects)
    }

    /// Sends a request to an allowed address of the host.
    async fn ask(&self, url: &Url) -> Result<ClientResponse, Failure> {
        let mut addresses = look_up(url).await?;
        addresses.retain(|address| self.reach.has(address.ip()));
        if addresses.is_empty() {
            return Err(Failure::Private);
        }
        self.ask_at(url, addresses).await
    }

    /// Sends a request to the first of these addresses that accepts a connection. The name is not resolved
    /// again, so the checked addresses are the ones connected to.
    async fn ask_at(&self, url: &Url, addresses: Vec<SocketAddr>) -> Result<ClientResponse, Failure> {
        for address in addresses {
            let request = self
                .client
                .get(url.as_str())
                .address(address)
                .insert_header((USER_AGENT, NAME))
                .insert_header((ACCEPT, ACCEPTED))
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
fn redirect(response: &ClientResponse) -> Option<String> {
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

async fn read(response: &mut ClientResponse) -> Result<Picture, Failure> {
    if response.status() != StatusCode::OK {
        return Err(Failure::Status);
    }
    let bytes = response.body().limit(LARGEST).await.map_err(|error| match error {
        PayloadError::Overflow => Failure::TooLarge,
        _ => Failure::Broken,
    })?;
    let kind = ImageFormat::of(&bytes).ok_or(Failure::Kind)?;
    let etag = format!("\"{}\"", &secrets::hash(&bytes)[..16]).into();
    Ok(Picture { kind, bytes, etag })
}

#[cfg(test)]
mod tests;
