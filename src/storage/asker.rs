//! Who a question to the database is for: what the reading connections are shared out by.

use std::net::IpAddr;

use crate::core::model::UserId;

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Asker {
    User(UserId),
    /// A client that has not proved who it is, by the network that one customer has.
    Address(IpAddr),
    /// The server itself, for nobody in particular.
    Server,
}

tokio::task_local! {
    static ASKER: Asker;
}

impl Asker {
    /// Does `work`: what it asks the database counts as this asker's. Tasks that it spawns are the server's.
    pub async fn asks<F: Future>(self, work: F) -> F::Output {
        ASKER.scope(self, work).await
    }

    /// Who asks in this task.
    pub fn current() -> Self {
        ASKER.try_with(|asker| *asker).unwrap_or(Self::Server)
    }
}
