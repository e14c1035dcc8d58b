//! When and from where credentials were last used. It is coarse: a use within minutes of the last one is not noted, and
//! what is noted waits to be stored with others.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError, atomic::Ordering},
};

use actix_web::{HttpRequest, http::header::USER_AGENT};

use super::Caller;
use crate::{
    config::Config,
    core::model::{Credential, Origin, Refusal, Timestamp, time::MINUTE},
    net::forwarded,
    storage::{WriterHandle, tables::sightings},
};

/// A use is noted when the last one is older than this, in microseconds.
const EVERY: i64 = 10 * MINUTE;

/// Longest user agent that is kept, in characters.
const LONGEST_AGENT: usize = 200;

/// Most that one transaction stores, so that no writer waits for long.
const STEP: usize = 100;

/// Most that wait to be stored; more are not noted.
const WAITING: usize = 100_000;

/// Uses that are not stored yet.
#[derive(Debug, Default)]
pub struct Sightings(Mutex<HashMap<Credential, (Timestamp, Origin)>>);

impl Sightings {
    /// Notes that a caller asks for something, where that is news.
    pub fn note(&self, caller: &Caller, request: &HttpRequest, config: &Config) {
        let (now, last) = (Timestamp::now(), caller.seen_at.load(Ordering::Relaxed));
        if now.0 - last < EVERY || caller.seen_at.swap(now.0, Ordering::Relaxed) != last {
            return;
        }
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() < WAITING {
            waiting.insert(caller.credential.clone(), (now, origin(request, config)));
        }
    }

    /// Stores what was noted. What cannot be stored is lost: the next use is noted again.
    pub async fn store(&self, writer: &WriterHandle) -> Result<(), Refusal> {
        let seen = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        // In one order, so that nodes that store at once do not lock each other out.
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
    }
}

/// From where a request comes: the client's address and the program that it names.
pub fn origin(request: &HttpRequest, config: &Config) -> Origin {
    let agent = request.headers().get(USER_AGENT).map(|agent| String::from_utf8_lossy(agent.as_bytes()));
    let agent = agent.unwrap_or_default();
    let plain = agent.chars().filter(|letter| !letter.is_control()).take(LONGEST_AGENT);
    Origin {
        address: forwarded::client_address(request, config).to_string(),
        user_agent: plain.collect::<String>().trim().to_owned(),
    }
}
