//! The bus over Redis. It uses sharded pub/sub, which works on a Redis Cluster too.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use redis::{ErrorKind, PushInfo, PushKind, RedisError, ServerErrorKind, Value};
use tokio::{
    sync::{Notify, mpsc},
    time::{MissedTickBehavior, interval, sleep},
};

use super::{
    Bus, BusChannels, BusMessage, Channel, NodeId,
    connection::{RedisConnection, connection_ended},
    message::Envelope,
    redis_url::RedisUrl,
};

/// Most messages published in one pipeline.
const MAX_PIPELINE: usize = 256;

/// Ping interval of an idle connection.
const PING_EVERY: Duration = Duration::from_secs(2);

/// Backoff after the first failed attempt to connect. It doubles with each further one.
const MIN_BACKOFF: Duration = Duration::from_millis(100);

/// Longest backoff between two attempts to connect.
const MAX_BACKOFF: Duration = Duration::from_secs(1);

/// Runs the bus until the server shuts down, and reconnects without limit. `deployment` names the nodes that
/// belong together.
pub async fn run(bus: Arc<Bus>, url: RedisUrl, deployment: String, mut channels: BusChannels) {
    // Fails only if a provider is already installed.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut backoff = MIN_BACKOFF;
    // The failure that was logged last; repeated ones are not logged again.
    let mut logged = None;
    loop {
        let (heard, disconnect) = (channels.heard.clone(), Arc::new(Notify::new()));
        let own = Envelope::<()>::start(bus.me);
        let receiver = PushReceiver { bus: bus.clone(), heard, disconnect: disconnect.clone(), own };
        let failure =
            match RedisConnection::open(&url, &deployment, move |push| receiver.take(push), &bus).await {
                Ok(connection) => {
                    tracing::info!(redis = url.name(), "connected to Redis");
                    (backoff, logged) = (MIN_BACKOFF, None);
                    match serve(connection, &bus, &mut channels.queue, &disconnect).await {
                        Ok(()) => return,
                        Err(error) => error,
                    }
                }
                Err(error) => error,
            };
        let why = failure.to_string();
        if logged.as_ref() != Some(&why) {
            tracing::warn!(
                redis = url.name(),
                error = why,
                "Redis unavailable; polling the database every 1 s until it is back{}",
                remedy(&failure)
            );
            logged = Some(why);
        }
        bus.disconnected();
        // Queued messages would be stale after the reconnect; other nodes read the changes from storage.
        while channels.queue.try_recv().is_ok() {}
        tokio::select! {
            () = sleep(backoff) => {}
            () = bus.closing.notified() => return,
        }
        backoff = (backoff * 2).min(MAX_BACKOFF);
    }
}

/// Publishes until the bus is closed. `Err`: the connection is lost.
async fn serve(
    mut connection: RedisConnection,
    bus: &Bus,
    queue: &mut mpsc::Receiver<BusMessage>,
    disconnect: &Notify,
) -> Result<(), RedisError> {
    let mut ping = interval(PING_EVERY);
    ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut batch = Vec::with_capacity(MAX_PIPELINE);
    loop {
        if bus.has_lost.swap(false, Ordering::Relaxed) {
            batch.push(BusMessage::Lost);
        }
        if !batch.is_empty() {
            connection.publish(bus, &batch).await?;
            batch.clear();
        }
        if connection.subscribe_some(bus).await? {
            // More wait. Messages do not wait for all of them.
            while batch.len() < MAX_PIPELINE
                && let Ok(message) = queue.try_recv()
            {
                batch.push(message);
            }
            continue;
        }
        tokio::select! {
            _ = queue.recv_many(&mut batch, MAX_PIPELINE) => {}
            () = bus.channels_changed.notified() => {}
            _ = ping.tick() => {
                connection.ping().await?;
                connection.unsubscribe_idle(bus).await?;
            }
            () = disconnect.notified() => return Err(connection_ended()),
            () = bus.closing.notified() => {
                while let Ok(news) = queue.try_recv() {
                    batch.push(news);
                }
                return connection.publish(bus, &batch).await;
            }
        }
    }
}

/// Returns the remedy for errors that Redis answers with.
fn remedy(failure: &RedisError) -> &'static str {
    match failure.kind() {
        ErrorKind::Server(ServerErrorKind::NoPerm) => {
            ". Grant its user these permissions: ACL SETUSER NAME &greenroom:* +ssubscribe +sunsubscribe +spublish +ping"
        }
        ErrorKind::Server(ServerErrorKind::Moved | ServerErrorKind::CrossSlot) => {
            ". It is a node of a Redis Cluster: give --redis-url several of its nodes, comma-separated"
        }
        ErrorKind::Server(ServerErrorKind::ResponseError) if is_unknown(failure) => {
            ". Redis 7 or newer is needed, without SSUBSCRIBE, SPUBLISH and PING renamed"
        }
        ErrorKind::AuthenticationFailed => ". Put the user and the password into --redis-url",
        _ => "",
    }
}

fn is_unknown(failure: &RedisError) -> bool {
    failure.to_string().contains("unknown command")
}

/// Receives the messages that Redis pushes.
struct PushReceiver {
    bus: Arc<Bus>,
    heard: mpsc::Sender<(NodeId, BusMessage)>,
    disconnect: Arc<Notify>,
    /// How this node's own messages begin.
    own: String,
}

impl PushReceiver {
    /// Whether this node asked for the end of the subscription that a push reports.
    fn is_expected(&self, push: &PushInfo) -> bool {
        channel_of(push).is_some_and(|channel| !self.bus.channels.lock().is_open(channel))
    }

    fn take(&self, push: &PushInfo) {
        match push.kind {
            PushKind::SMessage => {}
            PushKind::SUnsubscribe if self.is_expected(push) => return,
            PushKind::Disconnection | PushKind::SUnsubscribe => return self.disconnect.notify_one(),
            _ => return,
        }
        let Some(Value::BulkString(text)) = push.data.last() else { return };
        if let Some(rest) = text.strip_prefix(self.own.as_bytes()) {
            return self.bus.came_back(Envelope::<()>::time(rest));
        }
        match serde_json::from_slice::<Envelope<BusMessage>>(text) {
            Ok(Envelope { from, news, .. }) => {
                self.bus.heard(from, news.is_farewell());
                if self.heard.try_send((from, news)).is_err() {
                    self.bus.note_lost();
                    self.bus.request_reconcile();
                }
            }
            Err(_) => {
                self.bus.note_lost();
                self.bus.request_reconcile();
            }
        }
    }
}

/// Returns the channel of a chat or a user that a push is about.
fn channel_of(push: &PushInfo) -> Option<Channel> {
    let Some(Value::BulkString(name)) = push.data.first() else { return None };
    Channel::parse(std::str::from_utf8(name).ok()?)
}
