//! All clients of a run.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    time::Duration,
};

use futures_util::future::try_join_all;
use tokio::time::timeout;

use super::{
    live_client::{Client, OnAnswer},
    socket::ConnectError,
};
use crate::load::{environment::Environment, error::LoadError, measure::deliveries::Deliveries};

/// Concurrent handshakes.
const CONCURRENT_HANDSHAKES: usize = 128;

/// How long a socket may take to become live.
const LIVE_TIMEOUT: Duration = Duration::from_secs(60);

/// Attempts of a handshake that is answered with 503.
const ATTEMPTS: usize = 5;

/// Delay before another attempt, if the 503 has no `Retry-After`.
const RETRY_DELAY: Duration = Duration::from_millis(200);

/// The clients of a run, by the index of their person; a person without a client has `None`.
pub(crate) struct Clients {
    by_person: Vec<Option<Rc<Client>>>,
}

impl Clients {
    /// Connects a client for each of `people`, and waits until all are live.
    pub(crate) async fn open(
        environment: &Environment,
        deliveries: &Rc<RefCell<Deliveries>>,
        people: &[u32],
        on_answer: Option<&OnAnswer>,
    ) -> Result<Self, LoadError> {
        let mut clients = Self { by_person: vec![None; environment.fixtures.people.len()] };
        let mut chats = chats_of(environment);
        for person in people {
            let index = *person as usize;
            let header = environment.fixtures.people[index].header.clone();
            let chats = std::mem::take(&mut chats[index]);
            let client = Client::new(
                environment.target.clone(),
                header,
                chats,
                deliveries.clone(),
                on_answer.cloned(),
            );
            clients.by_person[index] = Some(client);
        }
        clients.connect(environment, deliveries).await?;
        Ok(clients)
    }

    async fn connect(
        &self,
        environment: &Environment,
        deliveries: &RefCell<Deliveries>,
    ) -> Result<(), LoadError> {
        let clients: Vec<&Rc<Client>> = self.all().collect();
        let next = Cell::new(0);
        let worker = async || {
            while let Some(client) = clients.get(next.replace(next.get() + 1)) {
                let begun = environment.clock.now();
                timeout(LIVE_TIMEOUT, connect(client))
                    .await
                    .map_err(|_| "a socket was not live in time".to_owned())??;
                deliveries.borrow_mut().connect_latencies.record(environment.clock.now() - begun);
            }
            Ok::<_, LoadError>(())
        };
        try_join_all((0..CONCURRENT_HANDSHAKES.min(clients.len())).map(|_| worker())).await.map(drop)
    }

    /// Iterates over all clients, connected or not.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Rc<Client>> {
        self.by_person.iter().flatten()
    }

    /// Returns a person's client.
    pub(crate) fn client(&self, person: u32) -> Option<&Rc<Client>> {
        self.by_person[person as usize].as_ref()
    }

    /// Counts the clients that are connected and live.
    pub(crate) fn connected(&self) -> usize {
        self.all().filter(|client| client.is_connected()).count()
    }

    /// Starts the close handshake of all clients.
    pub(crate) fn close(&self) {
        self.all().for_each(|client| client.close());
    }
}

/// Returns the chats of each person, as indexes into the fixtures' chats.
pub(crate) fn chats_of(environment: &Environment) -> Vec<Vec<u32>> {
    let mut chats = vec![Vec::new(); environment.fixtures.people.len()];
    for (index, chat) in environment.fixtures.chats.iter().enumerate() {
        for member in &chat.members {
            chats[*member as usize].push(index as u32);
        }
    }
    chats
}

/// Connects a client. After a 503 retries when `Retry-After` is over.
async fn connect(client: &Rc<Client>) -> Result<(), LoadError> {
    for _ in 1..ATTEMPTS {
        match client.connect().await {
            Err(ConnectError::Status(503, pause)) => {
                tokio::time::sleep(pause.map_or(RETRY_DELAY, Duration::from_secs)).await;
            }
            done => return done.map_err(|why| format!("a socket cannot be opened: {why}").into()),
        }
    }
    client.connect().await.map_err(|why| format!("a socket cannot be opened: {why}").into())
}
