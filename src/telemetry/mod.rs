//! Telemetry: the metrics of all parts of a server, and the endpoint for Prometheus.

mod exporter;
mod gauges;
pub mod http;

use std::sync::Arc;

use crate::{
    bus::BusMeter, core::metrics::Instruments, hub::ChatMeter, pictures::PictureMeter,
    rate_limit::LimitMeter, storage::StorageMeter,
};
use http::HttpMeter;

pub use exporter::Listening;
use gauges::Levels;
pub use gauges::Sources;

/// All metrics of a server.
pub struct Meters {
    instruments: Instruments,
    pub http: HttpMeter,
    pub chats: Arc<ChatMeter>,
    pub storage: Arc<StorageMeter>,
    pub limits: Arc<LimitMeter>,
    pub pictures: Arc<PictureMeter>,
    /// `None` without Redis.
    pub bus: Option<Arc<BusMeter>>,
    levels: Levels,
}

impl Meters {
    pub fn new(has_bus: bool) -> Arc<Self> {
        let instruments = Instruments::default();
        Arc::new(Self {
            http: HttpMeter::new(&instruments),
            chats: Arc::new(ChatMeter::new(&instruments)),
            storage: Arc::new(StorageMeter::new(&instruments)),
            limits: Arc::new(LimitMeter::new(&instruments)),
            pictures: Arc::new(PictureMeter::new(&instruments)),
            bus: has_bus.then(|| Arc::new(BusMeter::new(&instruments))),
            levels: Levels::new(&instruments, has_bus),
            instruments,
        })
    }
}
