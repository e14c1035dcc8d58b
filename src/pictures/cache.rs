//! Cache of fetched pictures and of failures, bounded by bytes and by age.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use quick_cache::{Weighter, unsync};

use super::{Missing, Picture};

/// Maximum size of the cache, in bytes.
const CAPACITY: u64 = 32 << 20;

/// Estimated overhead of an entry beside its picture and its URL, in bytes.
const OVERHEAD: u64 = 256;

/// Expected number of entries, for pictures of 16 KiB.
const EXPECTED: usize = 2_048;

/// Time to live of pictures, the same as in browsers.
const PICTURE_FOR: Duration = Duration::from_secs(24 * 60 * 60);

/// Time to live of failures.
const FAILURE_FOR: Duration = Duration::from_secs(60);

type Kept = (Option<Picture>, Instant);

/// Cached pictures by their stored URLs.
pub(super) struct Cache(unsync::Cache<Arc<str>, Kept, ByBytes>);

#[derive(Clone)]
struct ByBytes;

impl Weighter<Arc<str>, Kept> for ByBytes {
    fn weight(&self, stored: &Arc<str>, (picture, _): &Kept) -> u64 {
        let bytes = picture.as_ref().map_or(0, |picture| picture.bytes.len());
        OVERHEAD + (stored.len() + bytes) as u64
    }
}

impl Cache {
    pub(super) fn new() -> Self {
        Self(unsync::Cache::with_weighter(EXPECTED, CAPACITY, ByBytes))
    }

    /// Returns the cached picture or failure; `None` if it must be fetched.
    pub(super) fn get(&self, stored: &str, now: Instant) -> Option<Result<Picture, Missing>> {
        let (picture, since) = self.0.get(stored)?;
        let lasts = if picture.is_some() { PICTURE_FOR } else { FAILURE_FOR };
        let is_current = now.saturating_duration_since(*since) < lasts;
        is_current.then(|| picture.clone().ok_or(Missing::Failed))
    }

    /// Inserts a picture; `None` for a failure.
    pub(super) fn keep(&mut self, stored: Arc<str>, picture: Option<Picture>, now: Instant) {
        self.0.insert(stored, (picture, now));
    }

    /// Returns the size of the cache, in bytes.
    pub(super) fn bytes(&self) -> u64 {
        self.0.weight()
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::pictures::ImageFormat;

    fn picture(length: usize) -> Picture {
        Picture { kind: ImageFormat::Png, bytes: Bytes::from(vec![0; length]), etag: "\"x\"".into() }
    }

    #[test]
    fn pictures_are_kept_for_a_day_and_failures_for_a_minute() {
        let (mut cache, start) = (Cache::new(), Instant::now());
        cache.keep("picture".into(), Some(picture(10)), start);
        cache.keep("failure".into(), None, start);
        let has = |cache: &Cache, stored, seconds| cache.get(stored, start + Duration::from_secs(seconds));
        assert!(matches!(has(&cache, "picture", 86_399), Some(Ok(_))));
        assert!(has(&cache, "picture", 86_400).is_none());
        assert!(matches!(has(&cache, "failure", 59), Some(Err(Missing::Failed))));
        assert!(has(&cache, "failure", 60).is_none());
        assert!(has(&cache, "other", 0).is_none());
        // A new insertion restarts the time to live.
        cache.keep("failure".into(), Some(picture(10)), start + Duration::from_secs(60));
        assert!(matches!(has(&cache, "failure", 61), Some(Ok(_))));
    }

    #[test]
    fn however_many_are_kept_they_take_no_more_than_so_many_bytes() {
        let (mut cache, now) = (Cache::new(), Instant::now());
        for number in 0..100 {
            cache.keep(format!("https://example.com/{number}").into(), Some(picture(1 << 20)), now);
            assert!(cache.bytes() <= CAPACITY, "{}", cache.bytes());
        }
        assert!(cache.bytes() > CAPACITY / 2, "{}", cache.bytes());
        for number in 0..200_000 {
            cache.keep(format!("https://example.com/failed/{number}").into(), None, now);
        }
        assert!(cache.bytes() <= CAPACITY, "{}", cache.bytes());
    }
}
