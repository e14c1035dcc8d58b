//! Whose turn it is to use one of a few connections. Each asker has a share and a queue of its own; the queues are served
//! in turn, so whoever asks much waits for itself alone.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use tokio::{
    sync::{Notify, oneshot},
    time::timeout_at,
};

use super::asker::Asker;

/// Most questions of one asker that wait.
pub const MOST_WAITING: usize = 256;

/// Why there is no turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoTurn {
    /// The asker's own queue is full.
    QueueFull,
    /// There are to be no more.
    Closed,
}

/// The turns at a number of places.
pub struct Turns {
    line: Mutex<Line>,
    returned: Notify,
}

/// Who has a place, and who waits for one.
struct Line {
    places: usize,
    /// Most places that one asker has at a time. The server itself may have all.
    share: usize,
    free: usize,
    is_closed: bool,
    askers: HashMap<Asker, Queue>,
    /// Askers that wait and may have one more place, in the order in which they are served. Empty where a place is free.
    next: VecDeque<Asker>,
    last_ticket: u64,
}

/// One asker's questions.
#[derive(Default)]
struct Queue {
    under_way: usize,
    /// Turns that have ended since it was last idle.
    ended: u64,
    waiting: VecDeque<(u64, oneshot::Sender<()>)>,
    /// Whether it is among those that are served next.
    is_next: bool,
}

/// A place, until it is dropped.
pub struct Turn {
    turns: Arc<Turns>,
    asker: Asker,
}

/// A place in a queue, until it is dropped.
struct Waiting {
    turns: Arc<Turns>,
    asker: Asker,
    ticket: u64,
    called: oneshot::Receiver<()>,
    is_over: bool,
}

enum Asked {
    Granted,
    Waits(u64, oneshot::Receiver<()>),
}

impl Turns {
    pub fn new(places: usize, share: usize) -> Arc<Self> {
        let line = Line {
            places,
            share: share.clamp(1, places),
            free: places,
            is_closed: false,
            askers: HashMap::new(),
            next: VecDeque::new(),
            last_ticket: 0,
        };
        Arc::new(Self { line: Mutex::new(line), returned: Notify::new() })
    }

    /// Waits for a turn. Where this is dropped, the place in the queue is given up.
    pub async fn take(self: &Arc<Self>, asker: Asker) -> Result<Turn, NoTurn> {
        let asked = self.line().ask(asker)?;
        if let Asked::Waits(ticket, called) = asked {
            let mut waiting = Waiting { turns: self.clone(), asker, ticket, called, is_over: false };
            let called = (&mut waiting.called).await;
            waiting.is_over = true;
            called.map_err(|_| NoTurn::Closed)?;
        }
        Ok(Turn { turns: self.clone(), asker })
    }

    /// Whether an asker has all places that it may have.
    pub fn has_its_share(&self, asker: Asker) -> bool {
        let line = self.line();
        line.askers.get(&asker).is_some_and(|queue| queue.under_way >= line.share_of(asker))
    }

    /// How many turns of an asker have ended since it last had none and waited for none.
    pub fn ended(&self, asker: Asker) -> u64 {
        self.line().askers.get(&asker).map_or(0, |queue| queue.ended)
    }

    /// How many places are taken.
    pub fn taken(&self) -> usize {
        let line = self.line();
        line.places - line.free
    }

    /// Waits until all that was asked for has had its turn, no longer than to the deadline. There are no further turns.
    pub async fn close(&self, deadline: Instant) {
        self.line().is_closed = true;
        let all_returned = async {
            while !self.line().askers.is_empty() {
                self.returned.notified().await;
            }
        };
        let _ = timeout_at(deadline.into(), all_returned).await;
        self.line().askers.values_mut().for_each(|queue| queue.waiting.clear());
    }

    fn give_back(&self, asker: Asker) {
        self.line().give_back(asker);
        self.returned.notify_one();
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Line {
    fn share_of(&self, asker: Asker) -> usize {
        if asker == Asker::Server { self.places } else { self.share }
    }

    fn ask(&mut self, asker: Asker) -> Result<Asked, NoTurn> {
        if self.is_closed {
            return Err(NoTurn::Closed);
        }
        let share = self.share_of(asker);
        let queue = self.askers.entry(asker).or_default();
        if self.free > 0 && queue.under_way < share {
            queue.under_way += 1;
            self.free -= 1;
            return Ok(Asked::Granted);
        }
        if queue.waiting.len() >= MOST_WAITING {
            return Err(NoTurn::QueueFull);
        }
        let (call, called) = oneshot::channel();
        self.last_ticket += 1;
        queue.waiting.push_back((self.last_ticket, call));
        self.line_up(asker);
        Ok(Asked::Waits(self.last_ticket, called))
    }

    fn give_back(&mut self, asker: Asker) {
        self.free += 1;
        if let Some(queue) = self.askers.get_mut(&asker) {
            queue.under_way -= 1;
            queue.ended += 1;
        }
        self.line_up(asker);
        self.serve();
        self.forget_idle(asker);
    }

    /// Has an asker be served once it is its turn, if it waits and may have one more place.
    fn line_up(&mut self, asker: Asker) {
        let share = self.share_of(asker);
        let Some(queue) = self.askers.get_mut(&asker) else { return };
        if !queue.is_next && queue.under_way < share && !queue.waiting.is_empty() {
            queue.is_next = true;
            self.next.push_back(asker);
        }
    }

    /// Gives the free places to who is next.
    fn serve(&mut self) {
        while self.free > 0
            && let Some(asker) = self.next.pop_front()
        {
            let Some(queue) = self.askers.get_mut(&asker) else { continue };
            queue.is_next = false;
            if let Some((_, call)) = queue.waiting.pop_front() {
                queue.under_way += 1;
                self.free -= 1;
                // It waits for it as long as it is in the queue.
                let _ = call.send(());
            }
            self.line_up(asker);
            self.forget_idle(asker);
        }
    }

    /// Takes a question out of its queue. Returns whether it was there still.
    fn give_up(&mut self, asker: Asker, ticket: u64) -> bool {
        let Some(queue) = self.askers.get_mut(&asker) else { return false };
        let Some(index) = queue.waiting.iter().position(|(other, _)| *other == ticket) else { return false };
        queue.waiting.remove(index);
        self.forget_idle(asker);
        true
    }

    fn forget_idle(&mut self, asker: Asker) {
        let is_idle = |queue: &Queue| queue.under_way == 0 && queue.waiting.is_empty() && !queue.is_next;
        if self.askers.get(&asker).is_some_and(is_idle) {
            self.askers.remove(&asker);
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.turns.give_back(self.asker);
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if self.is_over {
            return;
        }
        let has_given_up = self.turns.line().give_up(self.asker, self.ticket);
        if !has_given_up && self.called.try_recv().is_ok() {
            // It was called while it went away.
            self.turns.give_back(self.asker);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;
    use crate::core::model::UserId;

    const ANN: Asker = Asker::User(UserId(1));
    const BOB: Asker = Asker::User(UserId(2));

    fn at_once(turns: &Arc<Turns>, asker: Asker) -> Option<Result<Turn, NoTurn>> {
        turns.take(asker).now_or_never()
    }

    fn gets(turns: &Arc<Turns>, asker: Asker) -> Turn {
        at_once(turns, asker).expect("a place is free").unwrap_or_else(|why| panic!("{why:?}"))
    }

    #[test]
    fn one_asker_leaves_places_for_others_and_the_server_may_have_all() {
        let turns = Turns::new(4, 2);
        let _anns = [gets(&turns, ANN), gets(&turns, ANN)];
        assert!(at_once(&turns, ANN).is_none());
        assert!(turns.has_its_share(ANN) && !turns.has_its_share(BOB));
        let bobs = [gets(&turns, BOB), gets(&turns, BOB)];
        assert_eq!(turns.taken(), 4);
        assert!(at_once(&turns, Asker::Server).is_none());
        drop(bobs);
        drop([gets(&turns, Asker::Server), gets(&turns, Asker::Server)]);
        assert_eq!(turns.taken(), 2);
    }

    #[test]
    fn whoever_waits_is_served_in_turn() {
        let turns = Turns::new(1, 1);
        let first = gets(&turns, ANN);
        let mut anns: Vec<_> = (0..3).map(|_| Box::pin(turns.take(ANN))).collect();
        assert!(anns.iter_mut().all(|turn| turn.now_or_never().is_none()));
        let mut bobs = Box::pin(turns.take(BOB));
        assert!((&mut bobs).now_or_never().is_none());
        drop(first);
        // He came last, and she has had a turn.
        drop((&mut bobs).now_or_never().expect("it is his turn"));
        for turn in &mut anns {
            drop(turn.now_or_never().expect("it is hers"));
        }
    }

    #[test]
    fn who_gives_up_leaves_no_trace() {
        let turns = Turns::new(1, 1);
        let first = gets(&turns, ANN);
        let (mut waits, mut called) = (Box::pin(turns.take(BOB)), Box::pin(turns.take(ANN)));
        assert!((&mut waits).now_or_never().is_none() && (&mut called).now_or_never().is_none());
        drop(waits);
        drop(first);
        // Called, and gone before it looked.
        drop(called);
        assert_eq!(turns.taken(), 0);
        assert!(turns.line().askers.is_empty() && turns.line().next.is_empty());
        drop(gets(&turns, BOB));
    }

    #[test]
    fn a_queue_has_an_end_which_is_its_askers_alone() {
        let turns = Turns::new(2, 1);
        let _first = gets(&turns, ANN);
        let mut anns: Vec<_> = (0..MOST_WAITING).map(|_| Box::pin(turns.take(ANN))).collect();
        assert!(anns.iter_mut().all(|turn| turn.now_or_never().is_none()));
        assert_eq!(at_once(&turns, ANN).map(|turn| turn.err()), Some(Some(NoTurn::QueueFull)));
        drop(gets(&turns, BOB));
        drop(anns.pop());
        assert!(at_once(&turns, ANN).is_none());
    }

    #[actix_web::test]
    async fn what_was_asked_before_the_close_has_its_turn() {
        let turns = Turns::new(1, 1);
        let first = gets(&turns, ANN);
        let mut second = Box::pin(turns.take(BOB));
        assert!((&mut second).now_or_never().is_none());
        let mut close = Box::pin(turns.close(Instant::now() + std::time::Duration::from_secs(60)));
        assert!((&mut close).now_or_never().is_none());
        assert_eq!(at_once(&turns, ANN).map(|turn| turn.err()), Some(Some(NoTurn::Closed)));
        drop(first);
        drop(second.await);
        close.await;
    }
}
