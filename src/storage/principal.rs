//! Principals: on whose behalf the database is queried. Read connections and the writer's queue are shared
//! fairly between them.

use std::net::IpAddr;

use crate::core::model::UserId;

/// The user, client network or server on whose behalf a task uses the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Principal {
    User(UserId),
    /// An unauthenticated client, by the network prefix that a provider assigns to one customer.
    Address(IpAddr),
    /// The server itself, for background work.
    Server,
}

tokio::task_local! {
    static PRINCIPAL: Principal;
}

impl Principal {
    /// Runs `work` as this principal: its database use counts for it. Tasks that `work` spawns run as the
    /// server.
    pub async fn scope<F: Future>(self, work: F) -> F::Output {
        PRINCIPAL.scope(self, work).await
    }

    /// Returns the principal of the current task; the server if none was set.
    pub fn current() -> Self {
        PRINCIPAL.try_with(|principal| *principal).unwrap_or(Self::Server)
    }
}
