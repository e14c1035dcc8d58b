//! Application state: the handles that handlers use.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use tokio::sync::Notify;

use crate::{
    auth::{Hasher, IdentityCache, JwtVerifier, LoginThrottle, Registrations, SessionCookies, Sightings},
    bus::Bus,
    chat::ChatDirectory,
    cluster::Reconciler,
    config::Config,
    feed::Feed,
    files::FileStore,
    hub::{ChatMeter, Hub},
    pictures::PictureProxy,
    presence::Presence,
    previews::PreviewQueue,
    rate_limit::{RateLimiter, UserLocks},
    storage::{ChatCache, ReadPool, StoragePolicy, WriterHandle},
    telemetry::Meters,
    view::Links,
};

/// Handles for the transports.
pub struct AppState {
    pub config: Config,
    pub links: Links,
    pub policy: StoragePolicy,
    pub chat_cache: Arc<ChatCache>,
    pub readers: ReadPool,
    pub writer: WriterHandle,
    pub directory: Arc<ChatDirectory>,
    pub hub: Arc<Hub>,
    pub presence: Arc<Presence>,
    pub bus: Arc<Bus>,
    pub identities: Arc<IdentityCache>,
    /// Event feed: catch-up and live events.
    pub feed: Arc<Feed>,
    /// Compares published events with storage and publishes missing ones.
    pub reconciler: Arc<Reconciler>,
    pub session_cookies: SessionCookies,
    /// `None`: JSON Web Tokens are off.
    pub jwt: Option<JwtVerifier>,
    pub passwords: Hasher,
    pub login_throttle: Arc<LoginThrottle>,
    pub registrations: Arc<Registrations>,
    /// Limits the guests that an address creates.
    pub guest_registrations: Arc<Registrations>,
    pub sightings: Sightings,
    /// `None`: the picture proxy is off, and browsers load pictures from their hosts.
    pub pictures: Option<PictureProxy>,
    /// `None`: there are no previews of links.
    pub previews: Option<PreviewQueue>,
    /// The pictures of previews; `None`: there are none.
    pub preview_pictures: Option<PictureProxy>,
    /// `None`: there are no attachments.
    pub files: Option<Arc<FileStore>>,
    pub rate_limiter: RateLimiter,
    /// Concurrency limit for requests that name many users.
    pub bulk_locks: UserLocks,
    /// Notified when a deleted chat may need to be purged.
    pub purge: Notify,
    /// `None`: metrics are off.
    pub meters: Option<Arc<Meters>>,
    /// Whether the server is shutting down.
    pub draining: AtomicBool,
}

impl AppState {
    /// Whether the server is shutting down and accepts no new work.
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// Returns the metrics of chats.
    pub fn chat_meter(&self) -> Option<Arc<ChatMeter>> {
        self.meters.as_ref().map(|meters| meters.chats.clone())
    }
}
