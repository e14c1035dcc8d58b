//! Which pictures are fetched next, and who waits for them.

use std::{
    collections::{HashMap, VecDeque},
    panic::AssertUnwindSafe,
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::FutureExt;
use ipnet::IpNet;
use tokio::sync::{mpsc, oneshot};

use super::{
    Missing, Picture, PictureMeter,
    cache::Cache,
    failure::Failure,
    fetch::{Fetcher, host_of},
    networks::Reach,
    slots::{Hosts, Slot},
};
use crate::core::model::Pictures;

/// Most fetches that are under way.
const UNDER_WAY: usize = 8;

/// Most pictures that wait to be fetched, of all hosts and of one.
const WAITING: usize = 256;
const WAITING_OF_HOST: usize = 128;

/// Most viewers that wait for them.
const VIEWERS: usize = 1_024;

/// What the queue works off.
pub enum Turn {
    /// A viewer asks for the picture at a stored address.
    Asked(Arc<str>, Viewer),
    /// A fetch has ended, after so long.
    Fetched(Arc<str>, Result<Picture, Failure>, Duration),
}

type Viewer = oneshot::Sender<Result<Picture, Missing>>;

/// The pictures that are waited for, and those that are there.
pub struct Queue {
    /// To itself, for fetches to tell that they have ended.
    turns: mpsc::Sender<Turn>,
    fetcher: Rc<Fetcher>,
    hosts: Hosts,
    cache: Cache,
    /// Who waits for a picture: one that is fetched, or in `next`.
    viewers: HashMap<Arc<str>, Vec<Viewer>>,
    /// Pictures to be fetched with their hosts, in the order in which they were asked for.
    next: VecDeque<(Arc<str>, String)>,
    under_way: usize,
    meter: Option<Arc<PictureMeter>>,
}

impl Queue {
    pub fn new(
        turns: mpsc::Sender<Turn>,
        pictures: Arc<Pictures>,
        allowed: Vec<IpNet>,
        meter: Option<Arc<PictureMeter>>,
    ) -> Self {
        Self {
            turns,
            fetcher: Rc::new(Fetcher::new(pictures, Reach { allowed })),
            hosts: Hosts::default(),
            cache: Cache::new(),
            viewers: HashMap::new(),
            next: VecDeque::new(),
            under_way: 0,
            meter,
        }
    }

    pub async fn run(mut self, mut turns: mpsc::Receiver<Turn>) {
        while let Some(turn) = turns.recv().await {
            match turn {
                Turn::Asked(stored, viewer) => self.asked(stored, viewer),
                Turn::Fetched(stored, fetched, took) => self.fetched(stored, fetched, took),
            }
            self.fetch_next();
        }
    }

    fn asked(&mut self, stored: Arc<str>, viewer: Viewer) {
        if let Some(known) = self.cache.get(&stored, Instant::now()) {
            self.count(|meter| meter.hits.inc());
            let _ = viewer.send(known);
        } else if self.joins(&stored) {
            self.count(|meter| meter.misses.inc());
            self.viewers.entry(stored).or_default().push(viewer);
        } else {
            self.count(|meter| meter.turned_away.inc());
            let _ = viewer.send(Err(Missing::Busy));
        }
    }

    /// Makes sure that a picture is fetched, where there is room for one more who waits for it.
    fn joins(&mut self, stored: &Arc<str>) -> bool {
        if self.viewers.values().map(Vec::len).sum::<usize>() >= VIEWERS {
            return false;
        }
        if self.viewers.contains_key(stored) {
            return true;
        }
        self.leave_out_given_up();
        let host = host_of(stored);
        let of_host = self.next.iter().filter(|(_, other)| *other == host).count();
        let is_room = self.next.len() < WAITING && of_host < WAITING_OF_HOST;
        if is_room {
            self.next.push_back((stored.clone(), host));
        }
        is_room
    }

    /// Forgets pictures for which nobody waits any more.
    fn leave_out_given_up(&mut self) {
        let viewers = &mut self.viewers;
        self.next.retain(|(stored, _)| {
            let is_waited_for = viewers[stored].iter().any(|viewer| !viewer.is_closed());
            if !is_waited_for {
                viewers.remove(stored);
            }
            is_waited_for
        });
    }

    /// Begins what may be under way: the oldest first whose host has not too much to do.
    fn fetch_next(&mut self) {
        if self.next.is_empty() || self.under_way == UNDER_WAY {
            return;
        }
        self.leave_out_given_up();
        let mut passed = VecDeque::new();
        while self.under_way < UNDER_WAY
            && let Some((stored, host)) = self.next.pop_front()
        {
            match self.hosts.enter(&host) {
                Some(slot) => self.begin(stored, slot),
                None => passed.push_back((stored, host)),
            }
        }
        passed.append(&mut self.next);
        self.next = passed;
    }

    fn begin(&mut self, stored: Arc<str>, slot: Slot) {
        self.under_way += 1;
        let (fetcher, turns, begun) = (self.fetcher.clone(), self.turns.clone(), Instant::now());
        actix_rt::spawn(async move {
            // Whatever happens, the queue must hear of it.
            let fetch = AssertUnwindSafe(fetcher.fetch(&stored, slot)).catch_unwind();
            let fetched = fetch.await.unwrap_or(Err(Failure::Broken));
            let _ = turns.send(Turn::Fetched(stored, fetched, begun.elapsed())).await;
        });
    }

    fn fetched(&mut self, stored: Arc<str>, fetched: Result<Picture, Failure>, took: Duration) {
        self.under_way -= 1;
        self.count(|meter| meter.count(fetched.as_ref().err().copied(), took));
        let answer = fetched.map_err(|failure| match failure {
            Failure::Busy => Missing::Busy,
            failure => {
                log(&stored, failure);
                Missing::Failed
            }
        });
        for viewer in self.viewers.remove(&stored).unwrap_or_default() {
            let _ = viewer.send(answer.clone());
        }
        if !matches!(answer, Err(Missing::Busy)) {
            self.cache.keep(stored, answer.ok(), Instant::now());
            let bytes = self.cache.bytes() as i64;
            self.count(|meter| meter.bytes.set(bytes));
        }
    }

    fn count(&self, count: impl FnOnce(&PictureMeter)) {
        self.meter.as_deref().inspect(|meter| count(meter));
    }
}

/// Logs a failure: of the address only the host, since the rest may be a secret.
fn log(stored: &str, failure: Failure) {
    let (host, reason) = (host_of(stored), failure.name());
    match failure {
        Failure::Private => tracing::warn!(
            host,
            reason,
            "a picture is not fetched: its host, or one that it leads to, is in a private network that GREENROOM_PICTURE_PROXY_ALLOW does not name"
        ),
        _ => tracing::debug!(
            host,
            reason,
            "a picture cannot be fetched; it is tried again in a minute at the earliest"
        ),
    }
}

#[cfg(test)]
mod tests {
    use futures_util::future::join_all;
    use tokio::net::TcpListener;

    use super::*;
    use crate::{core::model::PictureHost, pictures::PictureProxy};

    #[actix_rt::test]
    async fn what_is_too_much_for_one_host_is_turned_away_and_other_hosts_are_asked() {
        // Nobody accepts what connects here, so nothing is answered.
        let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = format!("127.0.0.1:{}", silent.local_addr().unwrap().port());
        let pictures = Pictures { own: String::new(), hosts: vec![PictureHost::parse(&host).unwrap()] };
        let (proxy, work) =
            PictureProxy::new(Arc::new(pictures), vec!["127.0.0.1/32".parse().unwrap()], None);
        let work = actix_rt::spawn(work);
        let ask = |number: usize| {
            let (proxy, stored) = (proxy.clone(), format!("http://{host}/{number}"));
            async move { proxy.get(&stored).await.unwrap_err() }
        };
        // Two are under way. All have asked once they are polled.
        let mut viewers = join_all((0..2 + WAITING_OF_HOST).map(ask));
        assert!((&mut viewers).now_or_never().is_none());
        assert_eq!(ask(1_000).await, Missing::Busy);
        // This one may not be asked at all, which is found out at once.
        assert_eq!(proxy.get("http://127.0.0.2:1/").await.unwrap_err(), Missing::Failed);
        work.abort();
        assert!(viewers.await.iter().all(|missing| *missing == Missing::Busy));
    }
}
