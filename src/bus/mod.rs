//! Message bus between the nodes of a deployment. Delivery is best effort: messages may be lost, repeated and
//! reordered. Receivers order events by `seq` and backfill gaps from storage.

mod channels;
mod connection;
mod listening;
pub mod message;
mod metrics;
pub mod redis;
mod redis_url;

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::sync::{Notify, mpsc};

use crate::core::{clock::micros, sync::Mutex};
pub use channels::Channel;
use channels::Channels;
pub use listening::Listening;
pub use message::{BusMessage, NodeId, PresenceMessage};
pub use metrics::BusMeter;
pub use redis_url::RedisUrl;

/// Capacity of the outgoing and of the incoming queue; further messages are dropped.
const QUEUE: usize = 65_536;

/// A node silent for this long makes the bus degraded: its messages may not get through.
const SILENT: Duration = Duration::from_secs(3);

/// A node silent for this long is considered gone.
const GONE: Duration = Duration::from_secs(30);

/// A node's handle to the bus.
#[derive(Debug)]
pub struct Bus {
    me: NodeId,
    /// Outgoing queue; `None` on a single-node deployment.
    queue: Option<mpsc::Sender<BusMessage>>,
    is_connected: AtomicBool,
    /// Messages of this node were dropped; the others must be notified.
    has_lost: AtomicBool,
    /// When a message of each other node last arrived.
    peers: Mutex<HashMap<NodeId, Instant>>,
    /// The channels that this node subscribes to.
    channels: Mutex<Channels>,
    /// A channel waits to be subscribed.
    channels_changed: Notify,
    degraded: Notify,
    closing: Notify,
    meter: Option<Arc<BusMeter>>,
}

/// The channels of the bus task: messages to publish, and the queue for received ones.
pub struct BusChannels {
    queue: mpsc::Receiver<BusMessage>,
    heard: mpsc::Sender<(NodeId, BusMessage)>,
}

impl Bus {
    /// Creates the bus of a single-node deployment: publishing does nothing.
    pub fn alone() -> Arc<Self> {
        Arc::new(Self::with_queue(None, None))
    }

    /// Creates a bus to be connected by [`redis::run`], with its task's channels and the queue of received
    /// messages.
    pub fn open(
        meter: Option<Arc<BusMeter>>,
    ) -> (Arc<Self>, BusChannels, mpsc::Receiver<(NodeId, BusMessage)>) {
        let (queue, published) = mpsc::channel(QUEUE);
        let (heard, incoming) = mpsc::channel(QUEUE);
        (Arc::new(Self::with_queue(Some(queue), meter)), BusChannels { queue: published, heard }, incoming)
    }

    fn with_queue(queue: Option<mpsc::Sender<BusMessage>>, meter: Option<Arc<BusMeter>>) -> Self {
        Self {
            me: NodeId::draw(),
            queue,
            is_connected: AtomicBool::new(false),
            has_lost: AtomicBool::new(false),
            peers: Mutex::default(),
            channels: Mutex::default(),
            channels_changed: Notify::new(),
            degraded: Notify::new(),
            closing: Notify::new(),
            meter,
        }
    }

    /// Returns this node's id.
    pub fn me(&self) -> NodeId {
        self.me
    }

    /// Returns whether this is a single-node deployment.
    pub fn is_alone(&self) -> bool {
        self.queue.is_none()
    }

    /// Publishes a message to the other nodes, best effort. Never blocks; a full queue drops the message.
    pub fn publish(&self, message: BusMessage) {
        if let Some(queue) = &self.queue
            && queue.try_send(message).is_err()
        {
            self.has_lost.store(true, Ordering::Relaxed);
            self.note_lost();
        }
    }

    /// Subscribes to the messages of a channel until the result is dropped, and a few seconds longer.
    pub fn listen(self: &Arc<Self>, channel: Channel) -> Listening {
        if !self.is_alone() && self.channels.lock().add(channel) {
            self.channels_changed.notify_one();
        }
        Listening::new(self.clone(), channel)
    }

    /// Returns whether the messages of a channel arrive here, or will not: this node is alone or disconnected.
    pub fn is_listening(&self, channel: Channel) -> bool {
        !self.is_connected() || self.channels.lock().is_open(channel)
    }

    /// Waits until [`Self::is_listening`]. What storage has then, and what other nodes publish later, is all.
    pub async fn listening(&self, channel: Channel) {
        let (done, mut is_done) = mpsc::channel(1);
        self.once_listening(channel, done);
        // Returns `None` once the sender is dropped.
        let _ = is_done.recv().await;
    }

    /// Drops `done` once [`Self::is_listening`].
    pub fn once_listening(&self, channel: Channel, done: mpsc::Sender<()>) {
        if self.is_alone() {
            return;
        }
        let mut channels = self.channels.lock();
        // Checked inside the lock: a disconnect drops all that wait.
        if self.is_connected() {
            channels.once_open(channel, done);
        }
    }

    fn unlisten(&self, channel: Channel) {
        if !self.is_alone() {
            self.channels.lock().remove(channel);
        }
    }

    /// Returns whether this node is connected to Redis.
    pub fn is_connected(&self) -> bool {
        self.is_connected.load(Ordering::Relaxed)
    }

    /// Returns the number of other nodes that sent a message recently.
    pub fn peer_count(&self) -> usize {
        self.peers.lock().values().filter(|heard| heard.elapsed() < SILENT).count()
    }

    /// Returns the number of messages waiting to be published.
    pub fn queued(&self) -> usize {
        self.queue.as_ref().map_or(0, |queue| queue.max_capacity() - queue.capacity())
    }

    /// Returns whether messages may be getting lost: this node is disconnected, or another node is silent.
    pub fn is_degraded(&self) -> bool {
        let is_silent = |heard: &Instant| (SILENT..GONE).contains(&heard.elapsed());
        !self.is_alone()
            && (!self.is_connected.load(Ordering::Relaxed) || self.peers.lock().values().any(is_silent))
    }

    /// Waits until messages may have been lost and a comparison with storage is due at once.
    pub async fn reconcile_requested(&self) {
        self.degraded.notified().await;
    }

    /// Requests a comparison with storage: messages may have been lost.
    pub fn request_reconcile(&self) {
        self.degraded.notify_one();
    }

    /// Shutdown: publishes the queued messages, then stops.
    pub fn close(&self) {
        self.closing.notify_one();
    }

    /// Notes that this node is connected, once all channels are subscribed. Returns false if some are not.
    fn connected(&self) -> bool {
        {
            let channels = self.channels.lock();
            if channels.has_to_open() {
                return false;
            }
            self.is_connected.store(true, Ordering::Relaxed);
        }
        if let Some(meter) = &self.meter {
            meter.connects.inc();
        }
        self.request_reconcile();
        true
    }

    fn disconnected(&self) {
        {
            let mut channels = self.channels.lock();
            self.is_connected.store(false, Ordering::Relaxed);
            channels.reset();
        }
        self.has_lost.store(true, Ordering::Relaxed);
        self.request_reconcile();
    }

    /// Counts messages being published. Returns the publish time if metrics are collected.
    fn about_to_publish(&self, count: usize) -> Option<u64> {
        let meter = self.meter.as_ref()?;
        meter.published.inc_by(count as u64);
        Some(micros())
    }

    /// Records the round-trip time of this node's own message.
    fn came_back(&self, at: Option<u64>) {
        if let (Some(meter), Some(at)) = (&self.meter, at) {
            let took = Duration::from_micros(micros().saturating_sub(at));
            meter.round_trip.observe(took.as_secs_f64());
        }
    }

    fn note_lost(&self) {
        if let Some(meter) = &self.meter {
            meter.lost.inc();
        }
    }

    fn heard(&self, from: NodeId, is_farewell: bool) {
        if let Some(meter) = &self.meter {
            meter.heard.inc();
        }
        let mut peers = self.peers.lock();
        peers.insert(from, Instant::now());
        peers.retain(|node, heard| heard.elapsed() < GONE && !(is_farewell && *node == from));
    }
}
