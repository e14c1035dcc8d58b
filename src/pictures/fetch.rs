//! HTTP client for pictures of other hosts, with limits on addresses, redirects, size and time.

use std::{sync::Arc, time::Duration};

use actix_rt::time::timeout;
use awc::{ClientResponse, error::PayloadError, http::StatusCode};
use url::Url;

use super::{
    Picture,
    image_format::{ACCEPTED, ImageFormat},
    slots::Slot,
};
use crate::{
    core::{model::Pictures, secrets},
    outbound::{Failure, Outbound, Reach, redirect},
};

/// Maximum size of a picture, in bytes.
const LARGEST: usize = 1 << 20;

/// Maximum number of redirects.
const REDIRECTS: usize = 3;

/// Timeout of a fetch, redirects included.
const FETCHED_WITHIN: Duration = Duration::from_secs(5);

/// Returns the host of a stored URL.
pub(super) fn host_of(stored: &str) -> String {
    let (address, _) = Pictures::of_stored(stored);
    Url::parse(address).ok().and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default()
}

/// HTTP client for pictures.
pub(super) struct Fetcher {
    outbound: Outbound,
    pictures: Arc<Pictures>,
    within: Duration,
}

impl Fetcher {
    pub(super) fn new(pictures: Arc<Pictures>, reach: Reach) -> Self {
        Self { outbound: Outbound::new(reach), pictures, within: FETCHED_WITHIN }
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
            let mut response = self.outbound.get(&url, ACCEPTED).await?;
            let Some(next) = redirect(&response) else { return read(&mut response).await };
            url = url.join(&next).map_err(|_| Failure::Address)?;
        }
        Err(Failure::Redirects)
    }
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
