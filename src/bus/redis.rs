//! The bus over Redis: sharded channels, so that a Redis Cluster can carry it.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use futures_util::{StreamExt, stream::FuturesUnordered};
use redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionInfo, ErrorKind, IntoConnectionInfo, ProtocolVersion,
    PushInfo, PushKind, RedisError, ServerErrorKind, Value,
    aio::{ConnectionLike, MultiplexedConnection},
    cluster::ClusterClient,
    cluster_async::ClusterConnection,
};
use tokio::{
    sync::{Notify, mpsc},
    time::{MissedTickBehavior, interval, sleep, timeout},
};

use super::{Bus, Ends, News, NodeId, message::Envelope};

/// Channels that chats are spread over; one more is for what is about none.
const CHANNELS: i64 = 64;

/// Most news published in one go.
const AT_ONCE: usize = 256;

/// How often the connection is tried when nothing else uses it, and how long an answer may take.
const PING_EVERY: Duration = Duration::from_secs(2);
const ANSWER_WITHIN: Duration = Duration::from_secs(2);

/// The pause before a lost connection is opened again. It doubles with each try that fails.
const SHORTEST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Where Redis is: one address, or several of one Redis Cluster.
#[derive(Debug, Clone)]
pub struct RedisUrl(Vec<ConnectionInfo>);

impl RedisUrl {
    /// Reads `redis://[user:password@]host[:port][/database]`, or `rediss://` for TLS; several, comma-separated, name
    /// nodes of a Redis Cluster.
    pub fn parse(text: &str) -> Result<Self, String> {
        let one = |url: &str| {
            let info = url.trim().into_connection_info().map_err(|error| {
                format!("give redis://HOST:PORT or rediss://:PASSWORD@HOST:PORT/DATABASE ({error})")
            })?;
            let settings = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
            Ok(info.set_redis_settings(settings))
        };
        text.split(',').map(one).collect::<Result<_, String>>().map(Self)
    }

    /// The addresses in messages to people: no password in them.
    pub fn name(&self) -> String {
        let addresses: Vec<String> = self.0.iter().map(|info| info.addr().to_string()).collect();
        addresses.join(", ")
    }
}

/// Carries news for as long as the server runs, connecting again for ever. `deployment` names the nodes that belong
/// together.
pub async fn run(bus: Arc<Bus>, url: RedisUrl, deployment: String, mut ends: Ends) {
    // A second provider is not needed where there is one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut pause = SHORTEST_PAUSE;
    // Why it is away, as far as that is in the log.
    let mut known = None;
    loop {
        let gone = Arc::new(Notify::new());
        let ear = Ear { bus: bus.clone(), heard: ends.heard.clone(), gone: gone.clone() };
        let failure = match Link::open(&url, &deployment, ear, &bus).await {
            Ok(link) => {
                tracing::info!(redis = url.name(), "the bus is connected");
                bus.connected();
                (pause, known) = (SHORTEST_PAUSE, None);
                match serve(link, &bus, &mut ends.queue, &gone).await {
                    Ok(()) => return,
                    Err(error) => error,
                }
            }
            Err(error) => error,
        };
        let why = failure.to_string();
        if known.as_ref() != Some(&why) {
            tracing::warn!(
                redis = url.name(),
                error = why,
                "the bus is away; other nodes' news come by way of the database{}",
                remedy(&failure)
            );
            known = Some(why);
        }
        bus.disconnected();
        // It would be old when it got through; others look for it in storage.
        while ends.queue.try_recv().is_ok() {}
        tokio::select! {
            () = sleep(pause) => {}
            () = bus.closing.notified() => return,
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Publishes until the bus is closed. `Err`: the connection is of no use any more.
async fn serve(
    mut link: Link,
    bus: &Bus,
    queue: &mut mpsc::Receiver<News>,
    gone: &Notify,
) -> Result<(), RedisError> {
    let mut ping = interval(PING_EVERY);
    ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut batch = Vec::with_capacity(AT_ONCE);
    loop {
        if bus.has_lost.swap(false, Ordering::Relaxed) {
            batch.push(News::Lost);
        }
        if !batch.is_empty() {
            link.publish(bus, &batch).await?;
            batch.clear();
        }
        tokio::select! {
            _ = queue.recv_many(&mut batch, AT_ONCE) => {}
            _ = ping.tick() => link.ping().await?,
            () = gone.notified() => return Err(cut_off()),
            () = bus.closing.notified() => {
                while let Ok(news) = queue.try_recv() {
                    batch.push(news);
                }
                return link.publish(bus, &batch).await;
            }
        }
    }
}

/// What to do where Redis answers, but does not do what it is asked to.
fn remedy(failure: &RedisError) -> &'static str {
    match failure.kind() {
        ErrorKind::Server(ServerErrorKind::NoPerm) => {
            ". Grant its user what the bus needs: ACL SETUSER NAME &greenroom:* +ssubscribe +spublish +ping"
        }
        ErrorKind::Server(ServerErrorKind::Moved | ServerErrorKind::CrossSlot) => {
            ". It is a node of a Redis Cluster: give --redis-url several of its nodes, with commas between them"
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

fn cut_off() -> RedisError {
    RedisError::from((ErrorKind::Io, "the connection has ended"))
}

/// Takes in what Redis pushes.
struct Ear {
    bus: Arc<Bus>,
    heard: mpsc::Sender<(NodeId, News)>,
    gone: Arc<Notify>,
}

impl Ear {
    fn take(&self, push: &PushInfo) {
        match push.kind {
            PushKind::SMessage => {}
            PushKind::Disconnection | PushKind::SUnsubscribe => return self.gone.notify_one(),
            _ => return,
        }
        let Some(Value::BulkString(text)) = push.data.last() else { return };
        match serde_json::from_slice::<Envelope<News>>(text) {
            Ok(Envelope { from, at, .. }) if from == self.bus.me => self.bus.came_back(at),
            Ok(Envelope { from, news, .. }) => {
                self.bus.heard(from, news.is_farewell());
                if self.heard.try_send((from, news)).is_err() {
                    self.bus.note_lost();
                    self.bus.doubt();
                }
            }
            Err(_) => {
                self.bus.note_lost();
                self.bus.doubt();
            }
        }
    }
}

/// A connection that hears all channels.
struct Link {
    wire: Wire,
    deployment: String,
}

/// To one Redis, or to a Redis Cluster.
enum Wire {
    One(MultiplexedConnection),
    Cluster(ClusterConnection),
}

impl Link {
    /// Connects, and makes sure that everything is allowed that the bus needs.
    async fn open(url: &RedisUrl, deployment: &str, ear: Ear, bus: &Bus) -> Result<Self, RedisError> {
        let push = move |push: PushInfo| {
            ear.take(&push);
            Ok::<(), redis::aio::SendError>(())
        };
        let wire = match url.0.as_slice() {
            [one] => {
                let config = AsyncConnectionConfig::new()
                    .set_connection_timeout(Some(ANSWER_WITHIN))
                    .set_response_timeout(Some(ANSWER_WITHIN))
                    .set_push_sender(push);
                let client = Client::open(one.clone())?;
                Wire::One(client.get_multiplexed_async_connection_with_config(&config).await?)
            }
            nodes => {
                let client = ClusterClient::builder(nodes.to_vec())
                    .use_protocol(ProtocolVersion::RESP3)
                    .connection_timeout(ANSWER_WITHIN)
                    .response_timeout(ANSWER_WITHIN)
                    .retries(2)
                    .push_sender(push)
                    .build()?;
                Wire::Cluster(within(client.get_async_connection()).await?)
            }
        };
        let mut link = Self { wire, deployment: deployment.to_owned() };
        link.ping().await?;
        for channel in 0..=CHANNELS {
            let name = link.channel(channel);
            link.ask(redis::cmd("SSUBSCRIBE").arg(name)).await?;
        }
        bus.has_lost.store(false, Ordering::Relaxed);
        link.publish(bus, &[News::Lost]).await?;
        Ok(link)
    }

    async fn publish(&mut self, bus: &Bus, batch: &[News]) -> Result<(), RedisError> {
        let at = bus.about_to_publish(batch.len());
        let commands: Vec<Cmd> = batch.iter().filter_map(|news| self.command(bus.me, at, news)).collect();
        if commands.is_empty() {
            // Redis' client takes nothing for a mistake.
            return Ok(());
        }
        match &mut self.wire {
            Wire::One(connection) => {
                let mut pipe = redis::pipe();
                commands.into_iter().for_each(|command| {
                    pipe.add_command(command).ignore();
                });
                within(pipe.query_async(connection)).await
            }
            Wire::Cluster(connection) => {
                let publish = |command: Cmd| {
                    let mut connection = connection.clone();
                    async move { taken(connection.req_packed_command(&command).await) }
                };
                let mut published: FuturesUnordered<_> = commands.into_iter().map(publish).collect();
                while let Some(result) = within(async { Ok(published.next().await) }).await? {
                    result?;
                }
                Ok(())
            }
        }
    }

    fn command(&self, me: NodeId, at: Option<u64>, news: &News) -> Option<Cmd> {
        let channel = self.channel(news.chat().map_or(CHANNELS, |chat| chat.0 % CHANNELS));
        let text = serde_json::to_vec(&Envelope { from: me, at, news })
            .inspect_err(|error| tracing::error!(%error, "news cannot be written down"))
            .ok()?;
        let mut command = redis::cmd("SPUBLISH");
        command.arg(channel).arg(text);
        Some(command)
    }

    async fn ping(&mut self) -> Result<(), RedisError> {
        self.ask(&redis::cmd("PING")).await
    }

    async fn ask(&mut self, command: &Cmd) -> Result<(), RedisError> {
        match &mut self.wire {
            Wire::One(connection) => taken(within(connection.req_packed_command(command)).await),
            Wire::Cluster(connection) => taken(within(connection.req_packed_command(command)).await),
        }
    }

    fn channel(&self, number: i64) -> String {
        format!("greenroom:{}:{number}", self.deployment)
    }
}

/// An answer that says no is a failure.
fn taken(answer: Result<Value, RedisError>) -> Result<(), RedisError> {
    answer.and_then(Value::extract_error).map(drop)
}

/// An answer that does not come is none.
async fn within<T>(answer: impl Future<Output = Result<T, RedisError>>) -> Result<T, RedisError> {
    timeout(ANSWER_WITHIN, answer).await.unwrap_or_else(|_| Err(cut_off()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_named_without_their_passwords() {
        let url = RedisUrl::parse("redis://:secret@db.example.com:6380/2").unwrap();
        assert_eq!(url.name(), "db.example.com:6380");
        assert_eq!(url.0[0].redis_settings().db(), 2);
        assert!(RedisUrl::parse("rediss://h").is_ok());
        assert_eq!(RedisUrl::parse("redis://a:1,redis://b:2").unwrap().name(), "a:1, b:2");
        for bad in ["", "localhost", "http://h", "redis://"] {
            assert!(RedisUrl::parse(bad).is_err(), "{bad}");
        }
    }
}
