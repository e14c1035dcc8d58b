//! Who is connected to this node, and what waits for each: the sockets and readers that chats deliver to.

pub mod changed_chats;
pub mod clock;
pub mod close_reason;
pub mod connection_abort;
pub mod frame_batch;
pub(crate) mod metrics;
pub mod registry;
pub(crate) mod send_queue;
pub mod subscriber;

pub use close_reason::CloseReason;
pub use connection_abort::Wire;
pub use frame_batch::{Parcel, goodbye};
pub use metrics::ChatMeter;
pub use registry::UserRegistry;
pub use send_queue::Next;
pub use subscriber::{Socket, SocketId};
