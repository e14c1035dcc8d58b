//! The clients of a run.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    time::Duration,
};

use futures_util::future::try_join_all;
use tokio::time::timeout;

use super::{
    live_client::{Client, OnAnswer},
    socket::Refused,
};
use crate::load::{environment::Stage, error::LoadError, measure::deliveries::Ledger};

/// Handshakes at the same time.
const AT_ONCE: usize = 128;

/// How long a socket may take to be live.
const LIVE_WITHIN: Duration = Duration::from_secs(60);

/// How often a handshake is tried that the server is too busy for, and how long it pauses where the server does not say.
const TRIES: usize = 5;
const PAUSE: Duration = Duration::from_millis(200);

/// The clients of a run, by the places of their people; not everybody has to be one.
pub(crate) struct Audience {
    clients: Vec<Option<Rc<Client>>>,
}

impl Audience {
    /// Connects these people, and waits until all are live.
    pub(crate) async fn open(
        stage: &Stage,
        ledger: &Rc<RefCell<Ledger>>,
        people: &[u32],
        on_answer: Option<&OnAnswer>,
    ) -> Result<Self, LoadError> {
        let mut audience = Self { clients: vec![None; stage.cast.people.len()] };
        let mut chats = chats_of(stage);
        for person in people {
            let place = *person as usize;
            let header = stage.cast.people[place].header.clone();
            let chats = std::mem::take(&mut chats[place]);
            let client = Client::new(stage.target.clone(), header, chats, ledger.clone(), on_answer.cloned());
            audience.clients[place] = Some(client);
        }
        audience.connect(stage, ledger).await?;
        Ok(audience)
    }

    async fn connect(&self, stage: &Stage, ledger: &RefCell<Ledger>) -> Result<(), LoadError> {
        let clients: Vec<&Rc<Client>> = self.all().collect();
        let next = Cell::new(0);
        let lane = async || {
            while let Some(client) = clients.get(next.replace(next.get() + 1)) {
                let begun = stage.clock.now();
                timeout(LIVE_WITHIN, connect(client))
                    .await
                    .map_err(|_| "a socket was not live in time".to_owned())??;
                ledger.borrow_mut().connects.record(stage.clock.now() - begun);
            }
            Ok::<_, LoadError>(())
        };
        try_join_all((0..AT_ONCE.min(clients.len())).map(|_| lane())).await.map(drop)
    }

    /// All clients.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Rc<Client>> {
        self.clients.iter().flatten()
    }

    /// Somebody's.
    pub(crate) fn client(&self, person: u32) -> Option<&Rc<Client>> {
        self.clients[person as usize].as_ref()
    }

    /// How many are connected.
    pub(crate) fn connected(&self) -> usize {
        self.all().filter(|client| client.is_connected()).count()
    }

    /// All say goodbye.
    pub(crate) fn leave(&self) {
        self.all().for_each(|client| client.leave());
    }
}

/// The chats of each person, as places in the list of chats.
pub(crate) fn chats_of(stage: &Stage) -> Vec<Vec<u32>> {
    let mut chats = vec![Vec::new(); stage.cast.people.len()];
    for (place, chat) in stage.cast.chats.iter().enumerate() {
        for member in &chat.members {
            chats[*member as usize].push(place as u32);
        }
    }
    chats
}

/// Connects a client. A server that is too busy is asked again when it says so.
async fn connect(client: &Rc<Client>) -> Result<(), LoadError> {
    for _ in 1..TRIES {
        match client.connect().await {
            Err(Refused::Status(503, pause)) => {
                tokio::time::sleep(pause.map_or(PAUSE, Duration::from_secs)).await;
            }
            done => return done.map_err(|why| format!("a socket cannot be opened: {why}").into()),
        }
    }
    client.connect().await.map_err(|why| format!("a socket cannot be opened: {why}").into())
}
