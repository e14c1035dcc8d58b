//! A running server: what it is made of, how it starts, how it ends.

mod ending;
mod preparing;

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use actix_rt::{Arbiter, task::JoinHandle};
use actix_session::{
    SessionMiddleware,
    config::{CookieContentSecurity, PersistentSession, TtlExtensionPolicy},
};
use actix_web::{
    App, HttpRequest,
    cookie::{Key, SameSite, time},
    dev::ServerHandle,
    middleware::from_fn,
    web::Data,
};
use sha2::{Digest, Sha512};
use tokio::sync::Notify;

use crate::{
    auth::{Failures, Hasher, Identities, Registrations, Sessions, Sightings, audit, passwords, pick_cookie},
    bus::{Bus, redis},
    chat::{ChatDirectory, ChatMeter, UserRegistry, directory::Services},
    cluster,
    config::Config,
    edge::edge,
    forwarded, http,
    limits::{Limits, Turns},
    model::{ChatId, Refusal, UserId, permission::Ability},
    pictures::PictureProxy,
    presence::{self, Presence},
    routes::routes,
    storage::{
        AnyConn, DatabaseUrl, Exclusive, KnownChats, OpenError, Readers, Rules, Writer, WriterHandle, chats,
        checkpoint::{self, InTheWay},
        purge,
        revocations::{self, Followed},
        search::keeper,
        sessions, settings, succession, sweeping, users,
    },
    view::Links,
    watch::{Listening, Meters},
};

pub use ending::{StopError, leave};
use preparing::Prepared;

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
    draining: AtomicBool,
}

impl State {
    /// Whether the server is on its way down.
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// Whether the caller may do something in a chat, as storage has it now.
    pub async fn permitted(&self, chat: ChatId, caller: UserId, ability: Ability) -> Result<(), Refusal> {
        self.readers.ask_one(move |conn| chats::authorized(conn, chat, caller, ability).map(drop)).await
    }

    /// Looks whether the database can be read and written.
    pub async fn storage_answers(&self) -> Result<(), Refusal> {
        self.readers.ask_one(users::any).await?;
        if self.writer.is_away() {
            // It may have come back without anybody having tried.
            self.writer.run("try_to_write", |conn, _| settings::note_write(conn)).await?;
        }
        Ok(())
    }

    /// The chats' instruments.
    pub fn chat_meter(&self) -> Option<Arc<ChatMeter>> {
        self.meters.as_ref().map(|meters| meters.chats.clone())
    }

    /// The address under which the client reached this server: `https://chat.example.com`.
    pub fn base_url(&self, request: &HttpRequest) -> String {
        if let Some(url) = &self.config.public_url {
            return url.clone();
        }
        let host = forwarded::host(request, &self.config).unwrap_or_else(|| "localhost".to_owned());
        let scheme = if self.is_https(request) { "https" } else { "http" };
        format!("{scheme}://{host}")
    }

    /// Whether the client came over HTTPS, by setting or by the word of a proxy that is trusted.
    pub fn is_https(&self, request: &HttpRequest) -> bool {
        self.config.is_https() || forwarded::is_https(request, &self.config)
    }
}

/// Why a server did not start, in one sentence.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    Database(#[from] OpenError),
    #[error("cannot listen on {address}: {reason}; give --bind another address")]
    Listen { address: SocketAddr, reason: std::io::Error },
    #[error("cannot listen on {address} for metrics: {reason}; give --metrics-bind another address")]
    ListenMetrics { address: SocketAddr, reason: std::io::Error },
    #[error("cannot prepare the database: {0}")]
    Prepare(String),
    #[error(
        "--redis-url is for several nodes and SQLite serves only one: give --database-url postgres://USER@HOST/DATABASE, or leave it out"
    )]
    ManyNodesOnSqlite,
}

/// A server that runs.
pub struct Server {
    pub address: SocketAddr,
    pub state: Data<State>,
    /// Answers Prometheus.
    watched: Option<Listening>,
    handle: ServerHandle,
    serving: JoinHandle<std::io::Result<()>>,
    tasks: Vec<JoinHandle<()>>,
    /// Carries news between nodes.
    carrying: Option<JoinHandle<()>>,
    writer: Writer,
    /// What the search index is kept with.
    indexing: Readers,
    watching: Readers,
    exclusive: Exclusive,
    /// Who keeps SQLite's `-wal` from being emptied.
    in_the_way: Arc<InTheWay>,
}

/// For so many seconds requests may go on once the server is to stop.
const REQUESTS_END_WITHIN: u64 = 5;

/// File descriptors kept for other things than connections.
const SPARE_FILES: u64 = 256;

impl Server {
    /// Brings the database up to date and serves. Call it inside an actix system.
    pub async fn start(config: Config) -> Result<Self, StartError> {
        if config.redis_url.is_some() && matches!(config.database.database_url, DatabaseUrl::Sqlite(_)) {
            return Err(StartError::ManyNodesOnSqlite);
        }
        let may_have_company = matches!(config.database.database_url, DatabaseUrl::Postgres(_));
        let meters = config.metrics_bind.map(|_| Meters::new(config.redis_url.is_some()));
        let limit_meter = meters.as_ref().map(|meters| meters.limits.clone());
        let storage_meter = meters.as_ref().map(|meters| meters.storage.clone());
        let workers = config.workers();
        let Prepared { exclusive, kept, rules, writer, readers, indexing, watching } =
            preparing::prepare(&config, storage_meter).await?;
        let (bus, ends) = match &config.redis_url {
            None => (Bus::alone(), None),
            Some(url) => {
                let meter = meters.as_ref().and_then(|meters| meters.bus.clone());
                let (bus, ends, heard) = Bus::open(meter);
                (bus, Some((url.clone(), ends, heard)))
            }
        };
        let (presence, turns) = Presence::new(bus.clone());
        let registry = UserRegistry::new(config.max_sockets_per_user, presence.clone());
        let identities = Identities::new(readers.clone(), registry.clone(), bus.clone());
        let links = preparing::links(&config, &kept);
        let (pictures, fetching) = config
            .picture_proxy
            .then(|| {
                let meter = meters.as_ref().map(|meters| meters.pictures.clone());
                PictureProxy::new(links.pictures.clone(), config.picture_proxy_allow.clone(), meter)
            })
            .unzip();
        let services = Services {
            writer: writer.handle(),
            readers: readers.clone(),
            registry: registry.clone(),
            presence: presence.clone(),
            bus: bus.clone(),
            rules: rules.clone(),
            links: links.clone(),
            meter: meters.as_ref().map(|meters| meters.chats.clone()),
            idle: config.chat_idle,
        };
        let directory = ChatDirectory::new(services);
        let state = Data::new(State {
            links,
            known: KnownChats::new(rules.clone()),
            rules,
            readers,
            writer: writer.handle(),
            directory,
            registry,
            presence,
            bus,
            identities,
            cookie_key: kept.cookie_key,
            hasher: Hasher::new(workers),
            failures: Failures::new(usize::from(config.failed_sign_ins_per_address), workers),
            registrations: Registrations::new(config.registrations_per_address),
            sightings: Sightings::default(),
            pictures,
            limits: Limits::new(config.rate_limit, limit_meter),
            turns: Turns::default(),
            purge: Notify::new(),
            meters,
            draining: AtomicBool::new(false),
            config,
        });
        // Before anybody is let in, so that no news of theirs is taken for old.
        let followed = state.readers.ask_one(Followed::from_now).await;
        let followed = followed.map_err(|_| StartError::Prepare("it cannot be read".to_owned()))?;
        let watched = match (state.config.metrics_bind, &state.meters) {
            (Some(address), Some(meters)) => Some(Listening::start(address, meters.clone(), &state)?),
            _ => None,
        };
        let (address, handle, serving) = serve(&state)?;
        let mut tasks = vec![
            actix_rt::spawn(watch_revocations(state.clone(), watching.clone(), followed)),
            actix_rt::spawn(clear_out(state.clone())),
            actix_rt::spawn(hand_over_chats(state.clone())),
            actix_rt::spawn(sweep(state.clone())),
            actix_rt::spawn(look_at_hashes(state.clone())),
            actix_rt::spawn(store_sightings(state.clone())),
            actix_rt::spawn(watch_sockets(state.clone())),
            actix_rt::spawn(presence::run(state.clone(), turns)),
            actix_rt::spawn(keeper::run(indexing.clone(), state.writer.clone())),
        ];
        tasks.extend(fetching.map(actix_rt::spawn));
        let in_the_way = Arc::<InTheWay>::default();
        if may_have_company {
            tasks.push(actix_rt::spawn(cluster::compare(state.clone())));
        } else {
            let url = state.config.database.database_url.clone();
            tasks.push(actix_rt::spawn(empty_wal(url, in_the_way.clone())));
        }
        let mut carrying = None;
        if let Some((url, ends, heard)) = ends {
            tasks.push(actix_rt::spawn(cluster::listen(state.clone(), heard)));
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

    /// Where Prometheus may ask.
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        self.watched.as_ref().map(|watched| watched.address)
    }
}

type Serving = (SocketAddr, ServerHandle, JoinHandle<std::io::Result<()>>);

fn serve(state: &Data<State>) -> Result<Serving, StartError> {
    let address = state.config.bind;
    let workers = state.config.workers();
    let files = rlimit::increase_nofile_limit(u64::MAX).unwrap_or(1_024);
    let per_worker = (files.saturating_sub(SPARE_FILES) as usize / workers).clamp(64, 100_000);
    let shared = state.clone();
    let app = move || {
        // Each thread makes an app for itself, and all have before the first connection is taken.
        shared.directory.live_on(Arbiter::current());
        App::new()
            .app_data(shared.clone())
            .wrap(session_middleware(&shared))
            .wrap(from_fn(pick_cookie))
            .wrap(from_fn(edge))
            .configure(routes)
    };
    let builder = http::build()
        .workers(workers)
        .max_concurrent_connections(per_worker)
        .shutdown_timeout(REQUESTS_END_WITHIN)
        .disable_signals();
    let listening = || {
        let listener = http::bind(address)?;
        Ok((listener.local_addr()?, http::listen(builder, listener, app)?))
    };
    let (address, builder) = listening().map_err(|reason| StartError::Listen { address, reason })?;
    let server = builder.run();
    Ok((address, server.handle(), actix_rt::spawn(server)))
}

fn session_middleware(state: &State) -> SessionMiddleware<Sessions> {
    let lifecycle = PersistentSession::default()
        .session_ttl(time::Duration::microseconds(sessions::IDLE))
        .session_ttl_extension_policy(TtlExtensionPolicy::OnStateChanges);
    let sessions =
        Sessions::new(state.identities.clone(), state.writer.clone(), state.config.max_sessions_per_user);
    SessionMiddleware::builder(sessions, state.cookie_key.clone())
        .cookie_name(state.config.cookie_name.clone())
        .cookie_path("/".to_owned())
        .cookie_http_only(true)
        .cookie_same_site(SameSite::Lax)
        // Where HTTPS ends at a proxy, the edge adds it by request.
        .cookie_secure(state.config.is_https())
        // The key in the cookie is random; a signature is enough to turn away what we did not give out.
        .cookie_content_security(CookieContentSecurity::Signed)
        .session_lifecycle(lifecycle)
        .build()
}

/// The key that signs cookies, of the secret that the setting or the database has.
pub(crate) fn cookie_key(secret: &str) -> Key {
    Key::from(&Sha512::digest(secret.as_bytes()))
}

/// How often a server looks for credentials that others ended: the command line, or another node.
const WATCH_EVERY: Duration = Duration::from_secs(1);

async fn watch_revocations(state: Data<State>, watching: Readers, mut followed: Followed) {
    loop {
        let (known, began) = (followed.clone(), Instant::now());
        if let Ok(news) = watching.ask_one(move |conn| known.look(conn)).await {
            let mut users: BTreeMap<UserId, bool> = news.iter().map(|news| (news.user, false)).collect();
            let mut is_current = true;
            for (user, is_done) in &mut users {
                let is_rechecked = state.identities.recheck_here(*user).await;
                is_current &= is_rechecked;
                *is_done = is_rechecked && hand_over_chats_of(&state, *user).await.is_ok();
            }
            if is_current {
                state.identities.looked(began);
            }
            // What could not be looked at is looked at again.
            let news = news.into_iter().filter(|news| users[&news.user]);
            let passed = news.inspect(log_deed).map(|news| news.number).collect();
            followed.pass(passed);
        }
        actix_rt::time::sleep(WATCH_EVERY).await;
    }
}

/// Logs what the command line did beside this server.
fn log_deed(news: &revocations::News) {
    if !news.deed.is_empty() {
        tracing::info!(target: audit::TARGET, user_id = news.user.0, from = "the command line", "{}", news.deed);
    }
}

/// How often is stored which credentials were used.
const STORE_SIGHTINGS_EVERY: Duration = Duration::from_secs(60);

async fn store_sightings(state: Data<State>) {
    loop {
        actix_rt::time::sleep(STORE_SIGHTINGS_EVERY).await;
        // What cannot be stored now is noted again at the next use.
        let _ = state.sightings.store(&state.writer).await;
    }
}

/// Hands over what a user has left without an active admin, and tells what another process has handed over.
pub async fn hand_over_chats_of(state: &State, user: UserId) -> Result<(), Refusal> {
    if state.readers.ask_one(succession::left).await?.contains(&user) {
        let step = move |conn: &mut AnyConn, _: &Rules| succession::step(conn, Some(user));
        while state.writer.run("hand_over_chats", step).await? {}
    }
    cluster::compare_chats_of(state, user).await
}

/// Hands over chats that lost their admins before this was looked after, or while no server ran.
async fn hand_over_chats(state: Data<State>) {
    if hand_over_all(&state).await.is_err() {
        tracing::warn!("chats without an active admin could not be handed over; the next start tries again");
    }
}

async fn hand_over_all(state: &State) -> Result<(), Refusal> {
    let left: Vec<ChatId> = state.readers.ask_one(succession::unattended).await?.into_iter().collect();
    for chats in left.chunks(HANDED_OVER_AT_ONCE) {
        let chats = chats.iter().copied().collect();
        state.writer.run("hand_over_chats", move |conn, _| succession::settle(conn, &chats)).await?;
    }
    if left.is_empty() { Ok(()) } else { cluster::compare_chats(state).await }
}

/// How many chats one transaction hands over.
const HANDED_OVER_AT_ONCE: usize = 16;

/// How often a server looks for deleted chats that nobody told it of.
const CLEAR_OUT_EVERY: Duration = Duration::from_secs(60);

/// How often sockets are looked after.
const WATCH_SOCKETS_EVERY: Duration = Duration::from_millis(500);

/// How many are ended at once, and the pause after them: what the kernel keeps for each takes time to let go of, and
/// others are served by the same threads.
const ENDED_AT_ONCE: usize = 8;
const PAUSE: Duration = Duration::from_millis(2);

async fn watch_sockets(state: Data<State>) {
    let mut was_current = true;
    loop {
        actix_rt::time::sleep(WATCH_SOCKETS_EVERY).await;
        // Events that this server held back after a pause are not late by the client's fault.
        let is_current = state.identities.is_current();
        let mut overdue = state.registry.overdue();
        overdue.retain(|socket| socket.is_closing() || (was_current && is_current));
        was_current = is_current;
        for sockets in overdue.chunks(ENDED_AT_ONCE) {
            sockets.iter().for_each(|socket| socket.look_after());
            actix_rt::time::sleep(PAUSE).await;
        }
    }
}

/// Clears out deleted chats, at the start and whenever there may be one.
async fn clear_out(state: Data<State>) {
    loop {
        while let Ok(true) = state.writer.run("purge_step", |conn, _| purge::step(conn)).await {
            actix_rt::task::yield_now().await;
        }
        let _ = tokio::time::timeout(CLEAR_OUT_EVERY, state.purge.notified()).await;
    }
}

/// How often SQLite's `-wal` is emptied, so that deleted texts leave it, and the pause where somebody was in the way.
const EMPTY_WAL_EVERY: Duration = Duration::from_secs(15);
const EMPTY_WAL_AGAIN: Duration = Duration::from_secs(3);

async fn empty_wal(url: DatabaseUrl, in_the_way: Arc<InTheWay>) {
    let mut pause = EMPTY_WAL_EVERY;
    loop {
        actix_rt::time::sleep(pause).await;
        let url = url.clone();
        let emptied = actix_rt::task::spawn_blocking(move || checkpoint::empty(&url)).await;
        // A database that is away is seen by those who write.
        in_the_way.note(matches!(emptied, Ok(Ok(false))), Instant::now());
        pause = if matches!(emptied, Ok(Ok(true))) { EMPTY_WAL_EVERY } else { EMPTY_WAL_AGAIN };
    }
}

/// Finds out whether users have hashes that Django made.
async fn look_at_hashes(state: Data<State>) {
    let pattern = format!("{}%", passwords::DJANGO);
    let found = state.readers.ask_one(move |conn| users::has_hash_like(conn, &pattern)).await;
    // Where it cannot be told, as if there were.
    if found.unwrap_or(true) {
        state.hasher.expect_others();
    }
}

/// How often outdated rows are deleted.
const SWEEP_EVERY: Duration = Duration::from_secs(60 * 60);

async fn sweep(state: Data<State>) {
    loop {
        if let Err(refusal) = sweep_all(&state).await {
            tracing::warn!(?refusal, "outdated rows could not be deleted; the next try is in an hour");
        }
        actix_rt::time::sleep(SWEEP_EVERY).await;
    }
}

async fn sweep_all(state: &State) -> Result<(), Refusal> {
    while state.writer.run("sweep_step", |conn, _| sweeping::step(conn)).await? {
        actix_rt::task::yield_now().await;
    }
    Ok(())
}
