//! A connection to Redis, and the channels that it is subscribed to.

use std::{sync::atomic::Ordering, time::Duration};

use futures_util::{StreamExt, stream::FuturesUnordered};
use redis::{
    AsyncConnectionConfig, Client, Cmd, ErrorKind, ProtocolVersion, PushInfo, RedisError, Value,
    aio::{ConnectionLike, MultiplexedConnection},
    cluster::ClusterClient,
    cluster_async::ClusterConnection,
};
use tokio::time::timeout;

use super::{Bus, BusMessage, Channel, NodeId, message::Envelope, redis_url::RedisUrl};
use crate::core::model::ChatId;

/// Most channels that are subscribed to, or unsubscribed from, in one pipeline.
const MAX_CHANNELS: usize = 512;

/// No chat has this id. Its channel serves to verify the permission to unsubscribe.
const NO_CHAT: Channel = Channel::Chat(ChatId(0));

/// Timeout of a response.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(2);

/// A connection subscribed to the channel for all nodes and to those of this node's chats and users.
pub(super) struct RedisConnection {
    client: RedisClient,
    deployment: String,
}

/// A connection to a single Redis, or to a Redis Cluster.
enum RedisClient {
    One(MultiplexedConnection),
    Cluster(ClusterConnection),
}

impl RedisConnection {
    /// Connects, and verifies the permissions that the bus needs.
    pub(super) async fn open(
        url: &RedisUrl,
        deployment: &str,
        receive: impl Fn(&PushInfo) + Send + Sync + 'static,
        bus: &Bus,
    ) -> Result<Self, RedisError> {
        let push = move |push: PushInfo| {
            receive(&push);
            Ok::<(), redis::aio::SendError>(())
        };
        let client = match url.servers() {
            [one] => {
                let config = AsyncConnectionConfig::new()
                    .set_connection_timeout(Some(RESPONSE_TIMEOUT))
                    .set_response_timeout(Some(RESPONSE_TIMEOUT))
                    .set_push_sender(push);
                let client = Client::open(one.clone())?;
                RedisClient::One(client.get_multiplexed_async_connection_with_config(&config).await?)
            }
            nodes => {
                let client = ClusterClient::builder(nodes.to_vec())
                    .use_protocol(ProtocolVersion::RESP3)
                    .connection_timeout(RESPONSE_TIMEOUT)
                    .response_timeout(RESPONSE_TIMEOUT)
                    .retries(2)
                    .push_sender(push)
                    .build()?;
                RedisClient::Cluster(with_timeout(client.get_async_connection()).await?)
            }
        };
        let mut connection = Self { client, deployment: deployment.to_owned() };
        connection.ping().await?;
        let for_all = connection.name(Channel::All);
        connection.execute(redis::cmd("SSUBSCRIBE").arg(for_all)).await?;
        connection.execute_all(connection.for_each("SUNSUBSCRIBE", &[NO_CHAT])).await?;
        bus.has_lost.store(false, Ordering::Relaxed);
        connection.publish(bus, &[BusMessage::Lost]).await?;
        while !bus.connected() {
            connection.subscribe_some(bus).await?;
        }
        Ok(connection)
    }

    pub(super) async fn publish(&mut self, bus: &Bus, batch: &[BusMessage]) -> Result<(), RedisError> {
        let at = bus.about_to_publish(batch.len());
        let commands = batch.iter().flat_map(|news| self.commands(bus.me, at, news)).collect();
        self.execute_all(commands).await
    }

    /// Subscribes to channels that wait for it. Returns whether more of them wait.
    pub(super) async fn subscribe_some(&mut self, bus: &Bus) -> Result<bool, RedisError> {
        let some = bus.channels.lock().take_to_open(MAX_CHANNELS);
        self.execute_all(self.for_each("SSUBSCRIBE", &some)).await?;
        let mut channels = bus.channels.lock();
        channels.opened(&some);
        Ok(channels.has_to_open())
    }

    /// Unsubscribes from some of the channels that have had no listener here for a while.
    pub(super) async fn unsubscribe_idle(&mut self, bus: &Bus) -> Result<(), RedisError> {
        let idle = bus.channels.lock().sweep(MAX_CHANNELS);
        self.execute_all(self.for_each("SUNSUBSCRIBE", &idle)).await?;
        bus.channels.lock().closed(&idle);
        Ok(())
    }

    fn for_each(&self, command: &str, channels: &[Channel]) -> Vec<Cmd> {
        let of = |channel: &Channel| redis::cmd(command).arg(self.name(*channel)).to_owned();
        channels.iter().map(of).collect()
    }

    /// Sends commands together, and waits for all responses.
    async fn execute_all(&mut self, commands: Vec<Cmd>) -> Result<(), RedisError> {
        if commands.is_empty() {
            // The Redis client treats an empty pipeline as an error.
            return Ok(());
        }
        match &mut self.client {
            RedisClient::One(connection) => {
                let mut pipe = redis::pipe();
                commands.into_iter().for_each(|command| {
                    pipe.add_command(command).ignore();
                });
                with_timeout(pipe.query_async(connection)).await
            }
            RedisClient::Cluster(connection) => {
                let publish = |command: Cmd| {
                    let mut connection = connection.clone();
                    async move { check_response(connection.req_packed_command(&command).await) }
                };
                let mut published: FuturesUnordered<_> = commands.into_iter().map(publish).collect();
                while let Some(result) = with_timeout(async { Ok(published.next().await) }).await? {
                    result?;
                }
                Ok(())
            }
        }
    }

    /// Returns the commands that publish a message on each of its channels.
    fn commands(&self, me: NodeId, at: Option<u64>, news: &BusMessage) -> Vec<Cmd> {
        let text = serde_json::to_vec(&Envelope { from: me, at, news })
            .inspect_err(|error| tracing::error!(%error, "could not serialize a bus message; dropped"));
        let Ok(text) = text else { return Vec::new() };
        let publish =
            |channel| redis::cmd("SPUBLISH").arg(self.name(channel)).arg(text.as_slice()).to_owned();
        news.channels().into_iter().map(publish).collect()
    }

    pub(super) async fn ping(&mut self) -> Result<(), RedisError> {
        self.execute(&redis::cmd("PING")).await
    }

    async fn execute(&mut self, command: &Cmd) -> Result<(), RedisError> {
        match &mut self.client {
            RedisClient::One(connection) => {
                check_response(with_timeout(connection.req_packed_command(command)).await)
            }
            RedisClient::Cluster(connection) => {
                check_response(with_timeout(connection.req_packed_command(command)).await)
            }
        }
    }

    /// Returns the name of a channel in Redis.
    fn name(&self, channel: Channel) -> String {
        format!("greenroom:{}:{channel}", self.deployment)
    }
}

/// Converts an error response into `Err`.
fn check_response(answer: Result<Value, RedisError>) -> Result<(), RedisError> {
    answer.and_then(Value::extract_error).map(drop)
}

/// Applies the response timeout; a timeout counts as a lost connection.
async fn with_timeout<T>(answer: impl Future<Output = Result<T, RedisError>>) -> Result<T, RedisError> {
    timeout(RESPONSE_TIMEOUT, answer).await.unwrap_or_else(|_| Err(connection_ended()))
}

/// Returns the error of a lost connection.
pub(super) fn connection_ended() -> RedisError {
    RedisError::from((ErrorKind::Io, "the connection was lost"))
}
