//! What the nodes of one deployment tell each other. The bus may lose, repeat and reorder anything: whoever hears from
//! it orders by numbers and asks storage for what is missing.

pub mod message;
mod metrics;
pub mod redis;

use std::{
    collections::HashMap,
    sync::{
        Arc, LazyLock, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::sync::{Notify, mpsc};

pub use message::{News, NodeId, PresenceNews};
pub use metrics::BusMeter;
pub use redis::RedisUrl;

/// News that may wait to be published, and news that may wait to be looked at; more are lost.
const QUEUE: usize = 65_536;

/// A node that was silent for so long may have things to say that do not get through.
const SILENT: Duration = Duration::from_secs(3);

/// After so long it is gone.
const GONE: Duration = Duration::from_secs(30);

/// A node's end of the bus.
#[derive(Debug)]
pub struct Bus {
    me: NodeId,
    /// `None`: this node is alone.
    queue: Option<mpsc::Sender<News>>,
    is_connected: AtomicBool,
    /// Something of this node's was not published.
    has_lost: AtomicBool,
    /// When other nodes were last heard.
    peers: Mutex<HashMap<NodeId, Instant>>,
    doubt: Notify,
    closing: Notify,
    meter: Option<Arc<BusMeter>>,
}

/// The ends of a bus that are worked at: what is to be published, and where what others published goes.
pub struct Ends {
    queue: mpsc::Receiver<News>,
    heard: mpsc::Sender<(NodeId, News)>,
}

impl Bus {
    /// The bus of a node that has nobody to talk to.
    pub fn alone() -> Arc<Self> {
        Arc::new(Self::with_queue(None, None))
    }

    /// A bus to be connected by [`redis::run`], and what others will say on it.
    pub fn open(meter: Option<Arc<BusMeter>>) -> (Arc<Self>, Ends, mpsc::Receiver<(NodeId, News)>) {
        let (queue, published) = mpsc::channel(QUEUE);
        let (heard, incoming) = mpsc::channel(QUEUE);
        (Arc::new(Self::with_queue(Some(queue), meter)), Ends { queue: published, heard }, incoming)
    }

    fn with_queue(queue: Option<mpsc::Sender<News>>, meter: Option<Arc<BusMeter>>) -> Self {
        Self {
            me: NodeId::draw(),
            queue,
            is_connected: AtomicBool::new(false),
            has_lost: AtomicBool::new(false),
            peers: Mutex::default(),
            doubt: Notify::new(),
            closing: Notify::new(),
            meter,
        }
    }

    /// This node.
    pub fn me(&self) -> NodeId {
        self.me
    }

    /// Whether there is nobody to talk to.
    pub fn is_alone(&self) -> bool {
        self.queue.is_none()
    }

    /// Tells the other nodes, perhaps. It never waits.
    pub fn publish(&self, news: News) {
        if let Some(queue) = &self.queue
            && queue.try_send(news).is_err()
        {
            self.has_lost.store(true, Ordering::Relaxed);
            self.note_lost();
        }
    }

    /// Whether this node is connected.
    pub fn is_connected(&self) -> bool {
        self.is_connected.load(Ordering::Relaxed)
    }

    /// How many other nodes were heard of late.
    pub fn peer_count(&self) -> usize {
        self.peers().values().filter(|heard| heard.elapsed() < SILENT).count()
    }

    /// How many news wait to be published.
    pub fn queued(&self) -> usize {
        self.queue.as_ref().map_or(0, |queue| queue.max_capacity() - queue.capacity())
    }

    /// Whether news may be getting lost: this node is cut off, or another one has fallen silent.
    pub fn is_in_doubt(&self) -> bool {
        let is_silent = |heard: &Instant| (SILENT..GONE).contains(&heard.elapsed());
        !self.is_alone()
            && (!self.is_connected.load(Ordering::Relaxed) || self.peers().values().any(is_silent))
    }

    /// Waits until there is a reason to look at once for what may have been lost.
    pub async fn doubted(&self) {
        self.doubt.notified().await;
    }

    /// Something may have been lost.
    pub fn doubt(&self) {
        self.doubt.notify_one();
    }

    /// Publishes what waits and then nothing more.
    pub fn close(&self) {
        self.closing.notify_one();
    }

    fn connected(&self) {
        self.is_connected.store(true, Ordering::Relaxed);
        self.meter.iter().for_each(|meter| meter.connects.inc());
        self.doubt();
    }

    fn disconnected(&self) {
        self.is_connected.store(false, Ordering::Relaxed);
        self.has_lost.store(true, Ordering::Relaxed);
        self.doubt();
    }

    /// Counts what goes out now. Returns when that is, where it is watched.
    fn about_to_publish(&self, count: usize) -> Option<u64> {
        let meter = self.meter.as_ref()?;
        meter.published.inc_by(count as u64);
        Some(micros())
    }

    /// What this node published has come back, as it has to the others.
    fn came_back(&self, at: Option<u64>) {
        if let (Some(meter), Some(at)) = (&self.meter, at) {
            let took = Duration::from_micros(micros().saturating_sub(at));
            meter.round_trip.observe(took.as_secs_f64());
        }
    }

    fn note_lost(&self) {
        self.meter.iter().for_each(|meter| meter.lost.inc());
    }

    fn heard(&self, from: NodeId, is_farewell: bool) {
        self.meter.iter().for_each(|meter| meter.heard.inc());
        let mut peers = self.peers();
        peers.insert(from, Instant::now());
        peers.retain(|node, heard| heard.elapsed() < GONE && !(is_farewell && *node == from));
    }

    fn peers(&self) -> std::sync::MutexGuard<'_, HashMap<NodeId, Instant>> {
        self.peers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Microseconds since this process began to count.
fn micros() -> u64 {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    START.elapsed().as_micros() as u64
}
