//! Which pictures are fetched next, and who waits for them.

use std::{
    collections::{HashMap, HashSet, VecDeque},
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
use crate::core::model::{Pictures, UserId};

/// Most fetches that are under way.
const UNDER_WAY: usize = 8;

/// Most pictures that wait to be fetched, of all hosts and of one.
const WAITING: usize = 256;
const WAITING_OF_HOST: usize = 128;

/// Most viewers that wait for them.
const VIEWERS: usize = 1_024;

/// What the queue works off.
pub enum Turn {
    /// A viewer asks for a user's picture, at a stored address.
    Asked(UserId, Arc<str>, Viewer),
    /// A fetch has ended, after so long.
    Fetched(Waiting, Result<Picture, Failure>, Duration),
}

/// A picture to be fetched.
pub struct Waiting {
    stored: Arc<str>,
    host: String,
    /// Whose picture it is. One of a user's waits and one is under way, so that nobody takes the places of others.
    user: UserId,
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
    /// In the order in which they were asked for.
    next: VecDeque<Waiting>,
    /// Whose pictures are under way.
    under_way: HashSet<UserId>,
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
            under_way: HashSet::new(),
            meter,
        }
    }

    pub async fn run(mut self, mut turns: mpsc::Receiver<Turn>) {
        while let Some(turn) = turns.recv().await {
            match turn {
                Turn::Asked(user, stored, viewer) => self.asked(user, stored, viewer),
                Turn::Fetched(picture, fetched, took) => self.fetched(picture, fetched, took),
            }
            self.fetch_next();
        }
    }

    fn asked(&mut self, user: UserId, stored: Arc<str>, viewer: Viewer) {
        if let Some(known) = self.cache.get(&stored, Instant::now()) {
            self.count(|meter| meter.hits.inc());
            let _ = viewer.send(known);
        } else if self.joins(user, &stored) {
            self.count(|meter| meter.misses.inc());
            self.viewers.entry(stored).or_default().push(viewer);
        } else {
            self.count(|meter| meter.turned_away.inc());
            let _ = viewer.send(Err(Missing::Busy));
        }
    }

    /// Makes sure that a picture is fetched, where there is room for one more who waits for it.
    fn joins(&mut self, user: UserId, stored: &Arc<str>) -> bool {
        if !self.makes_room(stored) {
            return false;
        }
        if self.viewers.contains_key(stored) {
            return true;
        }
        self.leave_out_given_up();
        let host = host_of(stored);
        let of_host = self.next.iter().filter(|other| other.host == host).count();
        let is_first = self.next.iter().all(|other| other.user != user);
        let is_room = is_first && self.next.len() < WAITING && of_host < WAITING_OF_HOST;
        if is_room {
            self.next.push_back(Waiting { stored: stored.clone(), host, user });
        }
        is_room
    }

    /// Makes room for one more viewer of a picture. Where too many wait, one gives way who waits for the picture for which
    /// most do, unless it is this one.
    fn makes_room(&mut self, stored: &str) -> bool {
        let count = |viewers: &HashMap<_, Vec<_>>| viewers.values().map(Vec::len).sum::<usize>();
        if count(&self.viewers) < VIEWERS {
            return true;
        }
        self.viewers.values_mut().for_each(|viewers| viewers.retain(|viewer: &Viewer| !viewer.is_closed()));
        if count(&self.viewers) < VIEWERS {
            return true;
        }
        let own = self.viewers.get(stored).map_or(0, Vec::len);
        let most = self.viewers.values_mut().max_by_key(|viewers| viewers.len());
        let Some(viewer) = most.filter(|most| most.len() > own + 1).and_then(Vec::pop) else { return false };
        self.count(|meter| meter.turned_away.inc());
        let _ = viewer.send(Err(Missing::Busy));
        true
    }

    /// Forgets pictures for which nobody waits any more.
    fn leave_out_given_up(&mut self) {
        let viewers = &mut self.viewers;
        self.next.retain(|Waiting { stored, .. }| {
            let is_waited_for = viewers[stored].iter().any(|viewer| !viewer.is_closed());
            if !is_waited_for {
                viewers.remove(stored);
            }
            is_waited_for
        });
    }

    /// Begins what may be under way: the oldest first whose host and whose user have not too much to do.
    fn fetch_next(&mut self) {
        if self.next.is_empty() || self.under_way.len() == UNDER_WAY {
            return;
        }
        self.leave_out_given_up();
        let mut passed = VecDeque::new();
        while self.under_way.len() < UNDER_WAY
            && let Some(picture) = self.next.pop_front()
        {
            let is_first = !self.under_way.contains(&picture.user);
            match is_first.then(|| self.hosts.enter(&picture.host)).flatten() {
                Some(slot) => self.begin(picture, slot),
                None => passed.push_back(picture),
            }
        }
        passed.append(&mut self.next);
        self.next = passed;
    }

    fn begin(&mut self, picture: Waiting, slot: Slot) {
        self.under_way.insert(picture.user);
        let (fetcher, turns, begun) = (self.fetcher.clone(), self.turns.clone(), Instant::now());
        actix_rt::spawn(async move {
            // Whatever happens, the queue must hear of it.
            let fetch = AssertUnwindSafe(fetcher.fetch(&picture.stored, slot)).catch_unwind();
            let fetched = fetch.await.unwrap_or(Err(Failure::Broken));
            let _ = turns.send(Turn::Fetched(picture, fetched, begun.elapsed())).await;
        });
    }

    fn fetched(&mut self, picture: Waiting, fetched: Result<Picture, Failure>, took: Duration) {
        let Waiting { stored, user, .. } = picture;
        self.under_way.remove(&user);
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
    use actix_rt::task::JoinHandle;
    use futures_util::future::join_all;
    use tokio::net::TcpListener;

    use super::*;
    use crate::{core::model::PictureHost, pictures::PictureProxy};

    /// A host that accepts nothing that connects, so nothing is answered, under all addresses of this machine; and a proxy
    /// that asks it.
    async fn silent() -> (TcpListener, PictureProxy, JoinHandle<()>, u16) {
        let silent = TcpListener::bind("0.0.0.0:0").await.unwrap();
        let port = silent.local_addr().unwrap().port();
        let host = |last: u8| PictureHost::parse(&format!("127.0.0.{last}:{port}")).unwrap();
        let pictures = Pictures { own: String::new(), hosts: (1..=250).map(host).collect() };
        let (proxy, work) = PictureProxy::new(Arc::new(pictures), vec!["127.0.0.0/8".parse().unwrap()], None);
        (silent, proxy, actix_rt::spawn(work), port)
    }

    /// Asks for a picture that may not be asked for, which is found out once it is its turn to be fetched.
    async fn is_served(proxy: &PictureProxy, user: i64) -> bool {
        proxy.get(UserId(user), &format!("http://127.0.0.251:{user}/")).await.unwrap_err() == Missing::Failed
    }

    #[actix_rt::test]
    async fn what_is_too_much_for_one_host_is_turned_away_and_other_hosts_are_asked() {
        let (_silent, proxy, work, port) = silent().await;
        let ask = |number: i64| {
            let (proxy, stored) = (proxy.clone(), format!("http://127.0.0.1:{port}/{number}"));
            async move { proxy.get(UserId(number), &stored).await.unwrap_err() }
        };
        // Two are under way. All have asked once they are polled.
        let mut viewers = join_all((0..2 + WAITING_OF_HOST as i64).map(ask));
        assert!((&mut viewers).now_or_never().is_none());
        assert_eq!(ask(1_000).await, Missing::Busy);
        assert!(is_served(&proxy, 2_000).await);
        work.abort();
        assert!(viewers.await.iter().all(|missing| *missing == Missing::Busy));
    }

    #[actix_rt::test]
    async fn pictures_of_one_user_take_no_places_of_others() {
        let (_silent, proxy, work, port) = silent().await;
        // Each picture is of another host, as it is where all hosts may be chosen.
        let ask = |number: u8| {
            let (proxy, stored) = (proxy.clone(), format!("http://127.0.0.{}:{port}/", number + 1));
            async move { proxy.get(UserId(1), &stored).await.unwrap_err() }
        };
        // One is under way and one waits.
        let mut viewers = join_all((0..2).map(ask));
        assert!((&mut viewers).now_or_never().is_none());
        assert!(join_all((2..250).map(ask)).await.iter().all(|missing| *missing == Missing::Busy));
        for other in 2..20 {
            assert!(is_served(&proxy, other).await, "{other}");
        }
        work.abort();
        viewers.await;
    }

    #[actix_rt::test]
    async fn viewers_of_one_picture_take_no_places_of_others() {
        let (_silent, proxy, work, port) = silent().await;
        let ask = || {
            let (proxy, stored) = (proxy.clone(), format!("http://127.0.0.1:{port}/"));
            async move { proxy.get(UserId(1), &stored).await.unwrap_err() }
        };
        let look = async |count: usize| {
            let mut viewers: Vec<_> = (0..count).map(|_| Box::pin(ask())).collect();
            let mut waits = 0;
            for viewer in &mut viewers {
                waits += usize::from(viewer.as_mut().now_or_never().is_none());
                // The task looks at them.
                tokio::task::yield_now().await;
            }
            assert_eq!(waits, count);
            viewers
        };
        // Those who have hung up wait no more.
        drop(look(VIEWERS).await);
        let mut viewers = look(VIEWERS).await;
        assert!(viewers.iter_mut().all(|viewer| viewer.as_mut().now_or_never().is_none()));
        assert_eq!(ask().await, Missing::Busy);
        assert!(is_served(&proxy, 2).await);
        let given_way = viewers.iter_mut().filter_map(|viewer| viewer.as_mut().now_or_never());
        assert_eq!(given_way.collect::<Vec<_>>(), [Missing::Busy]);
        work.abort();
    }
}
