//! Gauges, which are read when Prometheus scrapes.

use std::sync::Arc;

use prometheus::IntGauge;

use crate::{
    bus::Bus,
    chat::ChatDirectory,
    core::metrics::{Instruments, process::ProcessMeter},
    hub::Hub,
    storage::{ReadPool, WriterHandle, maintenance::health},
};

/// Handles that the gauges are read from.
pub struct Sources {
    pub directory: Arc<ChatDirectory>,
    pub hub: Arc<Hub>,
    pub readers: ReadPool,
    pub writer: WriterHandle,
    pub bus: Arc<Bus>,
}

/// Gauges, set on each scrape.
pub(crate) struct Levels {
    sockets: IntGauge,
    readers: IntGauge,
    users: IntGauge,
    chats: IntGauge,
    commands: IntGauge,
    reading: IntGauge,
    reading_most: IntGauge,
    storage_up: IntGauge,
    bus: Option<BusLevels>,
    process: ProcessMeter,
}

struct BusLevels {
    connected: IntGauge,
    doubted: IntGauge,
    peers: IntGauge,
    queued: IntGauge,
}

impl Levels {
    pub(super) fn new(instruments: &Instruments, has_bus: bool) -> Self {
        let gauge = |name, help| instruments.gauge(name, help);
        let version = gauge_of_version(instruments);
        version.set(1);
        Self {
            sockets: gauge("greenroom_sockets", "Sockets that are open."),
            readers: gauge("greenroom_feed_readers", "Event streams and long polls that are open."),
            users: gauge("greenroom_connected_users", "Users with a socket, an event stream or a long poll."),
            chats: gauge("greenroom_active_chats", "Chats that have an actor."),
            commands: gauge("greenroom_commands_under_way", "Commands in flight."),
            reading: gauge("greenroom_reader_connections_busy", "Reading connections in use."),
            reading_most: gauge("greenroom_reader_connections", "Reading connections, busy or idle."),
            storage_up: gauge("greenroom_storage_up", "Whether the database responds and is writable."),
            bus: has_bus.then(|| BusLevels {
                connected: gauge("greenroom_bus_connected", "Whether this node is connected to the bus."),
                doubted: gauge("greenroom_bus_in_doubt", "Whether messages of other nodes may be lost."),
                peers: gauge("greenroom_bus_peers", "Other nodes with a recent heartbeat."),
                queued: gauge("greenroom_bus_queue_news", "Messages that wait to be published."),
            }),
            process: ProcessMeter::new(instruments),
        }
    }

    /// Sets all gauges to their current values.
    pub(super) async fn look(&self, sources: &Sources) {
        let connected = sources.hub.connected();
        self.sockets.set(connected.sockets as i64);
        self.readers.set(connected.readers as i64);
        self.users.set(connected.users as i64);
        self.chats.set(sources.directory.active() as i64);
        self.commands.set(sources.directory.under_way() as i64);
        let (busy, most) = sources.readers.busy();
        self.reading.set(busy as i64);
        self.reading_most.set(most as i64);
        if let Some(bus) = &self.bus {
            bus.connected.set(i64::from(sources.bus.is_connected()));
            bus.doubted.set(i64::from(sources.bus.is_degraded()));
            bus.peers.set(sources.bus.peer_count() as i64);
            bus.queued.set(sources.bus.queued() as i64);
        }
        self.storage_up.set(i64::from(health::answers(&sources.readers, &sources.writer).await.is_ok()));
        self.process.look();
    }
}

/// Registers the gauge `greenroom_build_info`: always 1, with the version as its label.
fn gauge_of_version(instruments: &Instruments) -> IntGauge {
    let options = prometheus::Opts::new("greenroom_build_info", "1, with the version of this program.");
    instruments.registered(IntGauge::with_opts(options.const_label("version", env!("CARGO_PKG_VERSION"))))
}
