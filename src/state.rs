//! What every handler works with.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use actix_web::cookie::Key;
use tokio::sync::Notify;

use crate::{
    auth::{Failures, Hasher, Identities, Registrations, Sightings},
    bus::Bus,
    chat::ChatDirectory,
    cluster::Reconciler,
    config::Config,
    feed::Feed,
    hub::{ChatMeter, UserRegistry},
    pictures::PictureProxy,
    presence::Presence,
    rate_limit::{Limits, Turns},
    storage::{KnownChats, Readers, Rules, WriterHandle},
    telemetry::Meters,
    view::Links,
};

/// What every handler works with.
pub struct State {
    pub config: Config,
    pub links: Links,
    pub rules: Rules,
    pub known: Arc<KnownChats>,
    pub readers: Readers,
    pub writer: WriterHandle,
    pub directory: Arc<ChatDirectory>,
    pub registry: Arc<UserRegistry>,
    pub presence: Arc<Presence>,
    pub bus: Arc<Bus>,
    pub identities: Arc<Identities>,
    /// What users missed.
    pub feed: Arc<Feed>,
    /// What was made known here beside what storage has.
    pub reconciler: Arc<Reconciler>,
    /// Signs the session's cookie.
    pub cookie_key: Key,
    pub hasher: Hasher,
    pub failures: Arc<Failures>,
    pub registrations: Arc<Registrations>,
    pub sightings: Sightings,
    /// `None`: browsers ask the hosts of users' pictures themselves.
    pub pictures: Option<PictureProxy>,
    pub limits: Limits,
    /// Of who names many people in a request.
    pub turns: Turns,
    /// There may be deleted chats to clear out.
    pub purge: Notify,
    /// `None`: nobody watches.
    pub meters: Option<Arc<Meters>>,
    /// The server is on its way down.
    pub draining: AtomicBool,
}

impl State {
    /// Whether the server is on its way down.
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// The chats' instruments.
    pub fn chat_meter(&self) -> Option<Arc<ChatMeter>> {
        self.meters.as_ref().map(|meters| meters.chats.clone())
    }
}
