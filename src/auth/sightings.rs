//! When and from where credentials were last used. A use within ten minutes of the last recorded one is
//! skipped. Recorded uses are buffered and stored in batches.

use std::{collections::HashMap, sync::atomic::Ordering};

use actix_web::{HttpRequest, http::header::USER_AGENT};

use super::Caller;
use crate::{
    config::Config,
    core::{
        model::{Credential, Origin, Refusal, Timestamp, time::MINUTE},
        sync::Mutex,
    },
    net::forwarded,
    storage::{
        WriterHandle,
        tables::sightings::{self, Sighting},
    },
};

/// Minimum interval between recorded uses of a credential, in microseconds.
const MIN_INTERVAL: i64 = 10 * MINUTE;

/// Maximum length of a stored user agent, in characters.
const LONGEST_AGENT: usize = 200;

/// Maximum uses that one transaction stores, to keep transactions short.
const STEP: usize = 100;

/// Maximum buffered uses; further ones are dropped.
const WAITING: usize = 100_000;

/// Buffer of recorded uses that are not stored yet.
#[derive(Debug, Default)]
pub struct Sightings(Mutex<HashMap<Credential, Sighting>>);

impl Sightings {
    /// Records a use of the caller's credential, unless the last recorded one is recent.
    pub fn note(&self, caller: &Caller, request: &HttpRequest, config: &Config) {
        self.record(caller, || Some(origin(request, config)));
    }

    /// Records a use over an open socket, unless the last recorded one is recent.
    pub fn note_use_of_socket(&self, caller: &Caller) {
        self.record(caller, || None);
    }

    fn record(&self, caller: &Caller, origin: impl FnOnce() -> Option<Origin>) {
        if matches!(caller.credential, Credential::Jwt(_)) {
            return;
        }
        let (now, last) = (Timestamp::now(), caller.seen_at.load(Ordering::Relaxed));
        if now.0 - last < MIN_INTERVAL || caller.seen_at.swap(now.0, Ordering::Relaxed) != last {
            return;
        }
        let mut waiting = self.0.lock();
        if waiting.len() < WAITING {
            let sighting = Sighting { at: now, origin: origin(), is_of_guest: caller.card.is_guest };
            waiting.insert(caller.credential.clone(), sighting);
        }
    }

    /// Stores the buffered uses in batches. On failure the uses not stored yet are lost.
    pub async fn store(&self, writer: &WriterHandle) -> Result<(), Refusal> {
        let seen = std::mem::take(&mut *self.0.lock());
        // Sorted, so that nodes that store at the same time lock rows in the same order and do not deadlock.
        let mut seen: Vec<_> = seen.into_iter().collect();
        seen.sort_unstable_by(|(one, _), (other, _)| key(one).cmp(&key(other)));
        for step in seen.chunks(STEP) {
            let step = step.to_vec();
            writer.run("store_sightings", move |conn, _| sightings::store(conn, &step)).await?;
        }
        Ok(())
    }
}

fn key(credential: &Credential) -> (u8, &str) {
    match credential {
        Credential::Session(hash) => (0, hash),
        Credential::Token(hash) => (1, hash),
        Credential::Jwt(jwt) => (2, &jwt.hash),
    }
}

/// Returns the origin of a request: the client's address and its `User-Agent`, without control characters.
pub fn origin(request: &HttpRequest, config: &Config) -> Origin {
    let agent = request.headers().get(USER_AGENT).map(|agent| String::from_utf8_lossy(agent.as_bytes()));
    let agent = agent.unwrap_or_default();
    let plain = agent.chars().filter(|letter| !letter.is_control()).take(LONGEST_AGENT);
    Origin {
        address: forwarded::client_address(request, config).to_string(),
        user_agent: plain.collect::<String>().trim().to_owned(),
    }
}
