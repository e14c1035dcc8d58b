//! Live connections of this node: users, their subscribers, and the queues that chats deliver to.

pub mod changed_chats;
pub mod close_reason;
pub mod connection_abort;
pub mod frame_batch;
pub(crate) mod metrics;
pub mod registry;
pub(crate) mod send_queue;
pub mod subscriber;

pub use close_reason::CloseReason;
pub use connection_abort::ConnectionAbort;
pub use frame_batch::{FrameBatch, close_frame};
pub use metrics::ChatMeter;
pub use registry::Hub;
pub use send_queue::Next;
pub use subscriber::{Subscriber, SubscriberId};
