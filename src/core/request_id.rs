//! Request ids.

use std::{
    fmt::{self, Display, Formatter},
    num::NonZeroU64,
    sync::{
        LazyLock,
        atomic::{AtomicU64, Ordering},
    },
};

use super::secrets;

/// Id of a request: shown as a random prefix of the process and a counter. Unique across servers with high
/// probability.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestId(NonZeroU64);

impl RequestId {
    /// Returns the id of the next request.
    pub fn next() -> Self {
        static LAST: AtomicU64 = AtomicU64::new(0);
        Self(NonZeroU64::MIN.saturating_add(LAST.fetch_add(1, Ordering::Relaxed)))
    }
}

impl Display for RequestId {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        static PROCESS: LazyLock<String> = LazyLock::new(secrets::random_name::<6>);
        write!(f, "{}-{:x}", *PROCESS, self.0)
    }
}
