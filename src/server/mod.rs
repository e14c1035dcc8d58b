//! Composition root: builds, starts and stops a server.

mod cookies;
mod ending;
pub mod error;
mod files;
mod http;
mod preparing;
mod previewing;
mod scanning;
mod tasks;

use std::{
    net::SocketAddr,
    sync::{Arc, atomic::AtomicBool},
};

use actix_rt::task::JoinHandle;
use actix_web::{dev::ServerHandle, web::Data};
use tokio::sync::Notify;

use crate::{
    auth::{Hasher, IdentityCache, JwtVerifier, LoginThrottle, Registrations, SessionCookies, Sightings},
    bus::{Bus, redis},
    chat::{ChatDirectory, context::Services},
    cluster::{self, Inbound, Reconciler},
    config::Config,
    feed::Feed,
    hub::Hub,
    outbound::Reach,
    pictures::PictureProxy,
    presence::{self, Presence},
    previews::PreviewQueue,
    rate_limit::{Rate, RateLimiter, UserLocks},
    state::AppState,
    storage::{
        ChatCache, DatabaseUrl, ReadPool, ServingLock, Writer, maintenance::checkpoint::BlockedCheckpoint,
        message_search::background_indexer, tables::revocations::Followed,
    },
    telemetry::{Listening, Meters, Sources},
};

use http::serve;
use preparing::Prepared;
use tasks::{
    empty_wal, hand_over_chats, look_at_hashes, purge_deleted_chats, store_sightings, sweep,
    watch_revocations, watch_sockets,
};

pub use ending::{StopError, leave};
pub use error::StartError;

/// Guests that one address may create on a node.
const GUESTS_PER_ADDRESS: &str = "10/m";

/// A running server.
pub struct Server {
    pub address: SocketAddr,
    pub state: Data<AppState>,
    /// Endpoint for Prometheus.
    watched: Option<Listening>,
    handle: ServerHandle,
    serving: JoinHandle<std::io::Result<()>>,
    tasks: Vec<JoinHandle<()>>,
    /// Task that carries bus messages between nodes.
    carrying: Option<JoinHandle<()>>,
    writer: Writer,
    /// Connection of the background indexer.
    indexing: ReadPool,
    watching: ReadPool,
    exclusive: ServingLock,
    /// Since when readers have kept SQLite's `-wal` from being truncated.
    in_the_way: Arc<BlockedCheckpoint>,
}

impl Server {
    /// Migrates the database and starts to serve. Must be called inside an actix system.
    pub async fn start(config: Config) -> Result<Self, StartError> {
        if config.redis_url.is_some() && matches!(config.database.database_url, DatabaseUrl::Sqlite(_)) {
            return Err(StartError::ManyNodesOnSqlite);
        }
        let jwt = JwtVerifier::open(&config.jwt).map_err(StartError::Jwt)?;
        let may_have_company = matches!(config.database.database_url, DatabaseUrl::Postgres(_));
        let meters = config.metrics_bind.map(|_| Meters::new(config.redis_url.is_some()));
        let limit_meter = meters.as_ref().map(|meters| meters.limits.clone());
        let storage_meter = meters.as_ref().map(|meters| meters.storage.clone());
        let workers = config.workers();
        let Prepared { exclusive, kept, policy, writer, readers, indexing, watching } =
            preparing::prepare(&config, storage_meter).await?;
        let (bus, ends) = match &config.redis_url {
            None => (Bus::alone(), None),
            Some(url) => {
                let meter = meters.as_ref().and_then(|meters| meters.bus.clone());
                let (bus, ends, heard) = Bus::open(meter);
                (bus, Some((url.clone(), ends, heard)))
            }
        };
        let (presence, turns) = Presence::new(bus.clone(), readers.clone(), writer.handle());
        let hub = Hub::new(config.max_sockets_per_user, presence.clone());
        let identities = IdentityCache::new(readers.clone(), hub.clone(), bus.clone());
        let links = preparing::links(&config, &kept);
        let (pictures, fetching) = config
            .picture_proxy
            .then(|| {
                let meter = meters.as_ref().map(|meters| meters.pictures.clone());
                let allowed = config.picture_proxy_allow.clone();
                let reach = Reach { allowed, web_ports_only: false };
                PictureProxy::new(links.pictures.clone(), reach, meter)
            })
            .unzip();
        let (previews, wanted) = config.link_previews.then(PreviewQueue::new).unzip();
        let (preview_pictures, fetching_previews) =
            config.link_previews.then(|| previewing::pictures(&config, &links)).unzip();
        let files = preparing::file_store(&config, &kept).await?;
        let services = Services {
            writer: writer.handle(),
            readers: readers.clone(),
            hub: hub.clone(),
            presence: presence.clone(),
            bus: bus.clone(),
            policy: policy.clone(),
            links: links.clone(),
            meter: meters.as_ref().map(|meters| meters.chats.clone()),
            idle: config.chat_idle,
        };
        let chat_meter = services.meter.clone();
        let directory = ChatDirectory::new(services);
        let feed = Arc::new(Feed {
            readers: readers.clone(),
            writer: writer.handle(),
            policy: policy.clone(),
            links: links.clone(),
            directory: directory.clone(),
            hub: hub.clone(),
            identities: identities.clone(),
            bus: bus.clone(),
            meter: chat_meter,
        });
        let reconciler = Arc::new(Reconciler {
            directory: directory.clone(),
            hub: hub.clone(),
            readers: readers.clone(),
            bus: bus.clone(),
        });
        let state = Data::new(AppState {
            links,
            chat_cache: ChatCache::new(policy.clone()),
            policy,
            readers,
            writer: writer.handle(),
            directory,
            hub,
            presence,
            bus,
            identities,
            feed,
            reconciler,
            session_cookies: SessionCookies::new(config.cookie_name.clone(), kept.cookie_key),
            jwt,
            passwords: Hasher::new(workers),
            login_throttle: LoginThrottle::new(usize::from(config.failed_sign_ins_per_address), workers),
            registrations: Registrations::new(config.registrations_per_address),
            guest_registrations: Registrations::new(Rate::parse(GUESTS_PER_ADDRESS).expect("it is a rate")),
            sightings: Sightings::default(),
            pictures,
            previews,
            preview_pictures,
            files,
            rate_limiter: RateLimiter::new(config.rate_limit, limit_meter),
            bulk_locks: UserLocks::default(),
            purge: Notify::new(),
            meters,
            draining: AtomicBool::new(false),
            config,
        });
        // Before the first request, so that no revocation after it is skipped.
        let followed = state.readers.query_one(Followed::from_now).await;
        let followed = followed.map_err(|_| StartError::Prepare("a query failed".to_owned()))?;
        let watched = match (state.config.metrics_bind, &state.meters) {
            (Some(address), Some(meters)) => Some(watched(address, meters.clone(), &state)?),
            _ => None,
        };
        let (address, handle, serving) = serve(&state)?;
        let mut tasks = vec![
            actix_rt::spawn(watch_revocations(state.clone(), watching.clone(), followed)),
            actix_rt::spawn(purge_deleted_chats(state.clone())),
            actix_rt::spawn(files::clean_up(state.clone())),
            actix_rt::spawn(scanning::scan(state.clone())),
            actix_rt::spawn(hand_over_chats(state.clone())),
            actix_rt::spawn(sweep(state.clone())),
            actix_rt::spawn(look_at_hashes(state.clone())),
            actix_rt::spawn(store_sightings(state.clone())),
            actix_rt::spawn(watch_sockets(state.clone())),
            actix_rt::spawn(presence::task::run(state.presence.clone(), state.hub.clone(), turns)),
            actix_rt::spawn(background_indexer::run(indexing.clone(), state.writer.clone())),
        ];
        tasks.extend(fetching.map(actix_rt::spawn));
        tasks.extend(fetching_previews.map(actix_rt::spawn));
        tasks.extend(wanted.map(|wanted| actix_rt::spawn(previewing::preview(state.clone(), wanted))));
        if let Some(keys) = state.jwt.as_ref().and_then(JwtVerifier::remote) {
            let identities = state.identities.clone();
            tasks.push(actix_rt::spawn(keys.run(move || identities.close_retired())));
        }
        let in_the_way = Arc::<BlockedCheckpoint>::default();
        if may_have_company {
            tasks.push(actix_rt::spawn(cluster::compare(state.reconciler.clone())));
        } else {
            let url = state.config.database.database_url.clone();
            tasks.push(actix_rt::spawn(empty_wal(url, in_the_way.clone())));
        }
        let mut carrying = None;
        if let Some((url, ends, heard)) = ends {
            tasks.push(actix_rt::spawn(cluster::listen(inbound(&state), heard)));
            carrying = Some(actix_rt::spawn(redis::run(state.bus.clone(), url, kept.deployment, ends)));
        }
        Ok(Self {
            address,
            state,
            watched,
            handle,
            serving,
            tasks,
            carrying,
            writer,
            indexing,
            watching,
            exclusive,
            in_the_way,
        })
    }

    /// Returns the address of the endpoint for Prometheus.
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        self.watched.as_ref().map(|watched| watched.address)
    }
}

/// Starts the endpoint for Prometheus.
fn watched(address: SocketAddr, meters: Arc<Meters>, state: &AppState) -> Result<Listening, StartError> {
    let sources = Sources {
        directory: state.directory.clone(),
        hub: state.hub.clone(),
        readers: state.readers.clone(),
        writer: state.writer.clone(),
        bus: state.bus.clone(),
    };
    Listening::start(address, meters, sources, &state.config)
        .map_err(|reason| StartError::ListenMetrics { address, reason })
}

/// Returns the handles that messages of other nodes act on.
fn inbound(state: &AppState) -> Inbound {
    Inbound {
        directory: state.directory.clone(),
        presence: state.presence.clone(),
        identities: state.identities.clone(),
        login_throttle: state.login_throttle.clone(),
        bus: state.bus.clone(),
        reconciler: state.reconciler.clone(),
    }
}
