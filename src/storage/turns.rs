//! Fair permits for a limited number of connections.
//!
//! Each principal has a share of the permits and a queue of its own. The queues are served round-robin, so a
//! busy principal delays only itself.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use tokio::{
    sync::{Notify, oneshot},
    time::timeout_at,
};

use super::principal::Principal;

/// Capacity of the queue of one principal.
pub const MOST_WAITING: usize = 256;

/// Why no permit is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoTurn {
    /// The principal's own queue is full.
    QueueFull,
    /// No permits are given any more: [`Turns::close`] was called.
    Closed,
}

/// A fair semaphore with a fixed number of places.
pub struct Turns {
    line: Mutex<Line>,
    returned: Notify,
}

/// Which principals have places, and which wait for one.
struct Line {
    places: usize,
    /// Most places of one principal at a time. The server itself may have all.
    share: usize,
    free: usize,
    is_closed: bool,
    principals: HashMap<Principal, Queue>,
    /// Principals that wait and may have one more place, in round-robin order. Empty while a place is free.
    next: VecDeque<Principal>,
    last_ticket: u64,
}

/// The permits and waiting requests of one principal.
#[derive(Default)]
struct Queue {
    in_use: usize,
    /// Permits returned since the principal was last idle.
    ended: u64,
    waiting: VecDeque<(u64, oneshot::Sender<()>)>,
    /// Whether the principal is in `next`.
    is_next: bool,
}

/// A permit. Dropping it returns its place.
pub struct Turn {
    turns: Arc<Turns>,
    principal: Principal,
}

/// A waiting request. Dropping it removes it from its queue.
struct Waiting {
    turns: Arc<Turns>,
    principal: Principal,
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
            principals: HashMap::new(),
            next: VecDeque::new(),
            last_ticket: 0,
        };
        Arc::new(Self { line: Mutex::new(line), returned: Notify::new() })
    }

    /// Waits for a permit. Cancel-safe: dropping the future removes the request from its queue.
    pub async fn take(self: &Arc<Self>, principal: Principal) -> Result<Turn, NoTurn> {
        let asked = self.line().request(principal)?;
        if let Asked::Waits(ticket, called) = asked {
            let mut waiting = Waiting { turns: self.clone(), principal, ticket, called, is_over: false };
            let called = (&mut waiting.called).await;
            waiting.is_over = true;
            called.map_err(|_| NoTurn::Closed)?;
        }
        Ok(Turn { turns: self.clone(), principal })
    }

    /// Returns whether a principal has all the places that it may have.
    pub fn has_its_share(&self, principal: Principal) -> bool {
        let line = self.line();
        line.principals.get(&principal).is_some_and(|queue| queue.in_use >= line.share_of(principal))
    }

    /// Returns how many permits of a principal were returned since it was last idle. Idle: it has no permit
    /// and waits for none.
    pub fn ended(&self, principal: Principal) -> u64 {
        self.line().principals.get(&principal).map_or(0, |queue| queue.ended)
    }

    /// Returns the number of places in use.
    pub fn taken(&self) -> usize {
        let line = self.line();
        line.places - line.free
    }

    /// Closes: rejects new requests and waits until the earlier ones have had and returned their permits. At
    /// the deadline the requests that still wait are rejected too.
    pub async fn close(&self, deadline: Instant) {
        self.line().is_closed = true;
        let all_returned = async {
            while !self.line().principals.is_empty() {
                self.returned.notified().await;
            }
        };
        let _ = timeout_at(deadline.into(), all_returned).await;
        self.line().principals.values_mut().for_each(|queue| queue.waiting.clear());
    }

    fn release(&self, principal: Principal) {
        self.line().release(principal);
        self.returned.notify_one();
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Line {
    fn share_of(&self, principal: Principal) -> usize {
        if principal == Principal::Server { self.places } else { self.share }
    }

    fn request(&mut self, principal: Principal) -> Result<Asked, NoTurn> {
        if self.is_closed {
            return Err(NoTurn::Closed);
        }
        let share = self.share_of(principal);
        let queue = self.principals.entry(principal).or_default();
        if self.free > 0 && queue.in_use < share {
            queue.in_use += 1;
            self.free -= 1;
            return Ok(Asked::Granted);
        }
        if queue.waiting.len() >= MOST_WAITING {
            return Err(NoTurn::QueueFull);
        }
        let (call, called) = oneshot::channel();
        self.last_ticket += 1;
        queue.waiting.push_back((self.last_ticket, call));
        self.enqueue(principal);
        Ok(Asked::Waits(self.last_ticket, called))
    }

    fn release(&mut self, principal: Principal) {
        self.free += 1;
        if let Some(queue) = self.principals.get_mut(&principal) {
            queue.in_use -= 1;
            queue.ended += 1;
        }
        self.enqueue(principal);
        self.serve();
        self.remove_if_idle(principal);
    }

    /// Adds a principal to the round-robin order if it waits and may have one more place.
    fn enqueue(&mut self, principal: Principal) {
        let share = self.share_of(principal);
        let Some(queue) = self.principals.get_mut(&principal) else { return };
        if !queue.is_next && queue.in_use < share && !queue.waiting.is_empty() {
            queue.is_next = true;
            self.next.push_back(principal);
        }
    }

    /// Gives the free places to the next principals.
    fn serve(&mut self) {
        while self.free > 0
            && let Some(principal) = self.next.pop_front()
        {
            let Some(queue) = self.principals.get_mut(&principal) else { continue };
            queue.is_next = false;
            if let Some((_, call)) = queue.waiting.pop_front() {
                queue.in_use += 1;
                self.free -= 1;
                // The receiver lives as long as its request is in the queue.
                let _ = call.send(());
            }
            self.enqueue(principal);
            self.remove_if_idle(principal);
        }
    }

    /// Removes a request from its queue. Returns whether it was still there.
    fn withdraw(&mut self, principal: Principal, ticket: u64) -> bool {
        let Some(queue) = self.principals.get_mut(&principal) else { return false };
        let Some(index) = queue.waiting.iter().position(|(other, _)| *other == ticket) else { return false };
        queue.waiting.remove(index);
        self.remove_if_idle(principal);
        true
    }

    fn remove_if_idle(&mut self, principal: Principal) {
        let is_idle = |queue: &Queue| queue.in_use == 0 && queue.waiting.is_empty() && !queue.is_next;
        if self.principals.get(&principal).is_some_and(is_idle) {
            self.principals.remove(&principal);
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.turns.release(self.principal);
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if self.is_over {
            return;
        }
        let was_waiting = self.turns.line().withdraw(self.principal, self.ticket);
        if !was_waiting && self.called.try_recv().is_ok() {
            // A place was given to it while it was being dropped.
            self.turns.release(self.principal);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;
    use crate::core::model::UserId;

    const ANN: Principal = Principal::User(UserId(1));
    const BOB: Principal = Principal::User(UserId(2));

    fn at_once(turns: &Arc<Turns>, principal: Principal) -> Option<Result<Turn, NoTurn>> {
        turns.take(principal).now_or_never()
    }

    fn gets(turns: &Arc<Turns>, principal: Principal) -> Turn {
        at_once(turns, principal).expect("a place is free").unwrap_or_else(|why| panic!("{why:?}"))
    }

    #[test]
    fn one_principal_leaves_places_for_others_and_the_server_may_have_all() {
        let turns = Turns::new(4, 2);
        let _anns = [gets(&turns, ANN), gets(&turns, ANN)];
        assert!(at_once(&turns, ANN).is_none());
        assert!(turns.has_its_share(ANN) && !turns.has_its_share(BOB));
        let bobs = [gets(&turns, BOB), gets(&turns, BOB)];
        assert_eq!(turns.taken(), 4);
        assert!(at_once(&turns, Principal::Server).is_none());
        drop(bobs);
        drop([gets(&turns, Principal::Server), gets(&turns, Principal::Server)]);
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
        // Bob asked last, but Ann has had a turn already.
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
        // It got a place, but was dropped before it was polled.
        drop(called);
        assert_eq!(turns.taken(), 0);
        assert!(turns.line().principals.is_empty() && turns.line().next.is_empty());
        drop(gets(&turns, BOB));
    }

    #[test]
    fn a_queue_has_an_end_which_is_its_principals_alone() {
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
