//! Fetch queue: schedules fetches and answers the waiting requests.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    panic::AssertUnwindSafe,
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::FutureExt;
use tokio::sync::{mpsc, oneshot};

use super::{
    Missing, Owner, Picture, PictureMeter,
    cache::Cache,
    fetch::{Fetcher, host_of},
    slots::{Hosts, Slot},
};
use crate::{
    core::model::Pictures,
    outbound::{Failure, Reach},
};

/// Maximum number of concurrent fetches.
const MAX_CONCURRENT: usize = 8;

/// Maximum number of queued pictures in all.
const MAX_QUEUED: usize = 256;

/// Maximum number of queued pictures of one host.
const MAX_QUEUED_OF_HOST: usize = 128;

/// Maximum number of waiting requests.
const MAX_VIEWERS: usize = 1_024;

/// Messages to the task.
pub(super) enum QueueMessage {
    /// A request for an owner's picture by its stored URL.
    Requested(Owner, Arc<str>, Viewer),
    /// A fetch has ended; with its duration.
    Fetched(QueuedPicture, Result<Picture, Failure>, Duration),
}

/// A queued picture.
pub(super) struct QueuedPicture {
    stored: Arc<str>,
    host: String,
    /// Whose picture it is. An owner has at most one queued picture and one fetch in progress, so that none can occupy the
    /// queue.
    owner: Owner,
}

type Viewer = oneshot::Sender<Result<Picture, Missing>>;

/// State of the task: queued pictures, waiting requests and the cache.
pub(super) struct FetchQueue {
    /// Sender to the task itself, for finished fetches.
    messages: mpsc::Sender<QueueMessage>,
    fetcher: Rc<Fetcher>,
    hosts: Hosts,
    cache: Cache,
    /// QueuedPicture requests by picture. The picture is in `next` or is being fetched.
    viewers: HashMap<Arc<str>, Vec<Viewer>>,
    /// Queued pictures, oldest first.
    next: VecDeque<QueuedPicture>,
    /// Owners with a fetch in progress.
    in_progress: HashSet<Owner>,
    meter: Option<Arc<PictureMeter>>,
}

impl FetchQueue {
    pub(super) fn new(
        messages: mpsc::Sender<QueueMessage>,
        pictures: Arc<Pictures>,
        reach: Reach,
        meter: Option<Arc<PictureMeter>>,
    ) -> Self {
        Self {
            messages,
            fetcher: Rc::new(Fetcher::new(pictures, reach)),
            hosts: Hosts::default(),
            cache: Cache::new(),
            viewers: HashMap::new(),
            next: VecDeque::new(),
            in_progress: HashSet::new(),
            meter,
        }
    }

    pub(super) async fn run(mut self, mut messages: mpsc::Receiver<QueueMessage>) {
        while let Some(message) = messages.recv().await {
            match message {
                QueueMessage::Requested(owner, stored, viewer) => self.on_request(owner, stored, viewer),
                QueueMessage::Fetched(picture, fetched, took) => self.on_fetched(picture, fetched, took),
            }
            self.fetch_next();
        }
    }

    fn on_request(&mut self, owner: Owner, stored: Arc<str>, viewer: Viewer) {
        if let Some(known) = self.cache.get(&stored, Instant::now()) {
            self.count(|meter| meter.hits.inc());
            let _ = viewer.send(known);
        } else if self.enqueue(owner, &stored) {
            self.count(|meter| meter.misses.inc());
            self.viewers.entry(stored).or_default().push(viewer);
        } else {
            self.count(|meter| meter.turned_away.inc());
            let _ = viewer.send(Err(Missing::Busy));
        }
    }

    /// Queues a picture unless it is queued already. Returns false if the queue or the list of requests is
    /// full.
    fn enqueue(&mut self, owner: Owner, stored: &Arc<str>) -> bool {
        if !self.make_room(stored) {
            return false;
        }
        if self.viewers.contains_key(stored) {
            return true;
        }
        self.drop_cancelled();
        let host = host_of(stored);
        let of_host = self.next.iter().filter(|other| other.host == host).count();
        let is_first = self.next.iter().all(|other| other.owner != owner);
        let is_room = is_first && self.next.len() < MAX_QUEUED && of_host < MAX_QUEUED_OF_HOST;
        if is_room {
            self.next.push_back(QueuedPicture { stored: stored.clone(), host, owner });
        }
        is_room
    }

    /// Makes room for one more request for a picture. If there are too many, drops a request for the picture
    /// with the most requests. Returns false if this picture has the most.
    fn make_room(&mut self, stored: &str) -> bool {
        let count = |viewers: &HashMap<_, Vec<_>>| viewers.values().map(Vec::len).sum::<usize>();
        if count(&self.viewers) < MAX_VIEWERS {
            return true;
        }
        self.viewers.values_mut().for_each(|viewers| viewers.retain(|viewer: &Viewer| !viewer.is_closed()));
        if count(&self.viewers) < MAX_VIEWERS {
            return true;
        }
        let own = self.viewers.get(stored).map_or(0, Vec::len);
        let most = self.viewers.values_mut().max_by_key(|viewers| viewers.len());
        let Some(viewer) = most.filter(|most| most.len() > own + 1).and_then(Vec::pop) else { return false };
        self.count(|meter| meter.turned_away.inc());
        let _ = viewer.send(Err(Missing::Busy));
        true
    }

    /// Drops queued pictures whose requests have all been cancelled.
    fn drop_cancelled(&mut self) {
        let viewers = &mut self.viewers;
        self.next.retain(|QueuedPicture { stored, .. }| {
            let is_waited_for = viewers[stored].iter().any(|viewer| !viewer.is_closed());
            if !is_waited_for {
                viewers.remove(stored);
            }
            is_waited_for
        });
    }

    /// Starts fetches up to the limit, oldest first. Skips pictures whose host or user is at its limit.
    fn fetch_next(&mut self) {
        if self.next.is_empty() || self.in_progress.len() == MAX_CONCURRENT {
            return;
        }
        self.drop_cancelled();
        let mut passed = VecDeque::new();
        while self.in_progress.len() < MAX_CONCURRENT
            && let Some(picture) = self.next.pop_front()
        {
            let is_first = !self.in_progress.contains(&picture.owner);
            match is_first.then(|| self.hosts.enter(&picture.host)).flatten() {
                Some(slot) => self.begin(picture, slot),
                None => passed.push_back(picture),
            }
        }
        passed.append(&mut self.next);
        self.next = passed;
    }

    fn begin(&mut self, picture: QueuedPicture, slot: Slot) {
        self.in_progress.insert(picture.owner);
        let (fetcher, messages, begun) = (self.fetcher.clone(), self.messages.clone(), Instant::now());
        actix_rt::spawn(async move {
            // The task must get a result even if the fetch panics.
            let fetch = AssertUnwindSafe(fetcher.fetch(&picture.stored, slot)).catch_unwind();
            let fetched = fetch.await.unwrap_or(Err(Failure::Broken));
            let _ = messages.send(QueueMessage::Fetched(picture, fetched, begun.elapsed())).await;
        });
    }

    fn on_fetched(&mut self, picture: QueuedPicture, fetched: Result<Picture, Failure>, took: Duration) {
        let QueuedPicture { stored, owner, .. } = picture;
        self.in_progress.remove(&owner);
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
        if let Some(meter) = &self.meter {
            count(meter);
        }
    }
}

/// Logs a failure with the host only, because the rest of the URL may be a secret.
fn log(stored: &str, failure: Failure) {
    let (host, reason) = (host_of(stored), failure.name());
    match failure {
        Failure::Private => tracing::warn!(
            host,
            reason,
            "picture not fetched: its host, or a host it redirects to, is in a private network; add it to GREENROOM_PICTURE_PROXY_ALLOW to allow it"
        ),
        _ => tracing::debug!(host, reason, "picture not fetched; the next request after a minute retries it"),
    }
}

#[cfg(test)]
mod tests {
    use actix_rt::task::JoinHandle;
    use futures_util::future::join_all;
    use tokio::net::TcpListener;

    use super::*;
    use crate::{
        core::model::{PictureHost, UserId},
        pictures::PictureProxy,
    };

    /// Starts a host that never answers, on all addresses of this machine, and a proxy that may fetch from
    /// it.
    async fn silent() -> (TcpListener, PictureProxy, JoinHandle<()>, u16) {
        let silent = TcpListener::bind("0.0.0.0:0").await.unwrap();
        let port = silent.local_addr().unwrap().port();
        let host = |last: u8| PictureHost::parse(&format!("127.0.0.{last}:{port}")).unwrap();
        let pictures = Pictures { own: String::new(), hosts: (1..=250).map(host).collect(), any_port: false };
        let reach = Reach { allowed: vec!["127.0.0.0/8".parse().unwrap()], web_ports_only: false };
        let (proxy, work) = PictureProxy::new(Arc::new(pictures), reach, None);
        (silent, proxy, actix_rt::spawn(work), port)
    }

    /// Requests a picture of a forbidden host. It fails once it is taken from the queue.
    async fn is_served(proxy: &PictureProxy, user: i64) -> bool {
        proxy.get(Owner::User(UserId(user)), &format!("http://127.0.0.251:{user}/")).await.unwrap_err()
            == Missing::Failed
    }

    #[actix_rt::test]
    async fn what_is_too_much_for_one_host_is_turned_away_and_other_hosts_are_asked() {
        let (_silent, proxy, work, port) = silent().await;
        let ask = |number: i64| {
            let (proxy, stored) = (proxy.clone(), format!("http://127.0.0.1:{port}/{number}"));
            async move { proxy.get(Owner::User(UserId(number)), &stored).await.unwrap_err() }
        };
        // Two are being fetched. Each has sent its request once it was polled.
        let mut viewers = join_all((0..2 + MAX_QUEUED_OF_HOST as i64).map(ask));
        assert!((&mut viewers).now_or_never().is_none());
        assert_eq!(ask(1_000).await, Missing::Busy);
        assert!(is_served(&proxy, 2_000).await);
        work.abort();
        assert!(viewers.await.iter().all(|missing| *missing == Missing::Busy));
    }

    #[actix_rt::test]
    async fn pictures_of_one_user_take_no_places_of_others() {
        let (_silent, proxy, work, port) = silent().await;
        // Each picture is on another host, so the limits per host do not apply.
        let ask = |number: u8| {
            let (proxy, stored) = (proxy.clone(), format!("http://127.0.0.{}:{port}/", number + 1));
            async move { proxy.get(Owner::User(UserId(1)), &stored).await.unwrap_err() }
        };
        // One is being fetched and one is queued.
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
            async move { proxy.get(Owner::User(UserId(1)), &stored).await.unwrap_err() }
        };
        let look = async |count: usize| {
            let mut viewers: Vec<_> = (0..count).map(|_| Box::pin(ask())).collect();
            let mut waits = 0;
            for viewer in &mut viewers {
                waits += usize::from(viewer.as_mut().now_or_never().is_none());
                // Let the task process it.
                tokio::task::yield_now().await;
            }
            assert_eq!(waits, count);
            viewers
        };
        // Cancelled requests do not count.
        drop(look(MAX_VIEWERS).await);
        let mut viewers = look(MAX_VIEWERS).await;
        assert!(viewers.iter_mut().all(|viewer| viewer.as_mut().now_or_never().is_none()));
        assert_eq!(ask().await, Missing::Busy);
        assert!(is_served(&proxy, 2).await);
        let given_way = viewers.iter_mut().filter_map(|viewer| viewer.as_mut().now_or_never());
        assert_eq!(given_way.collect::<Vec<_>>(), [Missing::Busy]);
        work.abort();
    }
}
