//! Fair permits for a limited number of connections.
//!
//! Each principal has a share of the permits and a queue of its own. The queues are served round-robin, so a
//! busy principal delays only itself.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::Instant,
};

use tokio::{
    sync::{Notify, oneshot},
    time::timeout_at,
};

use super::principal::Principal;
use crate::core::sync::Mutex;

/// Capacity of the queue of one principal.
pub(super) const MAX_WAITING: usize = 256;

/// Why no permit is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AcquireError {
    /// The principal's own queue is full.
    QueueFull,
    /// No permits are given any more: [`FairSemaphore::close`] was called.
    Closed,
}

/// A fair semaphore with a fixed number of permits.
pub(super) struct FairSemaphore {
    state: Mutex<State>,
    returned: Notify,
}

/// Which principals hold permits, and which wait for one.
struct State {
    permits: usize,
    /// Most permits of one principal at a time. The server itself may have all.
    share: usize,
    free: usize,
    is_closed: bool,
    principals: HashMap<Principal, PrincipalQueue>,
    /// Principals that wait and may have one more permit, in round-robin order. Empty while a permit is free.
    next: VecDeque<Principal>,
    last_ticket: u64,
}

/// The permits and waiting requests of one principal.
#[derive(Default)]
struct PrincipalQueue {
    in_use: usize,
    /// Permits returned since the principal was last idle.
    returned: u64,
    waiters: VecDeque<(u64, oneshot::Sender<()>)>,
    /// Whether the principal is in `next`.
    is_next: bool,
}

/// A permit. Dropping it returns it.
pub(super) struct Permit {
    semaphore: Arc<FairSemaphore>,
    principal: Principal,
}

/// A waiting request. Dropping it removes it from its queue.
struct Waiter {
    semaphore: Arc<FairSemaphore>,
    principal: Principal,
    ticket: u64,
    granted: oneshot::Receiver<()>,
    is_over: bool,
}

enum Acquired {
    Granted,
    Queued(u64, oneshot::Receiver<()>),
}

impl FairSemaphore {
    pub(super) fn new(permits: usize, share: usize) -> Arc<Self> {
        let state = State {
            permits,
            share: share.clamp(1, permits),
            free: permits,
            is_closed: false,
            principals: HashMap::new(),
            next: VecDeque::new(),
            last_ticket: 0,
        };
        Arc::new(Self { state: Mutex::new(state), returned: Notify::new() })
    }

    /// Waits for a permit. Cancel-safe: dropping the future removes the request from its queue.
    pub(super) async fn acquire(self: &Arc<Self>, principal: Principal) -> Result<Permit, AcquireError> {
        let acquired = self.state.lock().request(principal)?;
        if let Acquired::Queued(ticket, granted) = acquired {
            let mut waiter = Waiter { semaphore: self.clone(), principal, ticket, granted, is_over: false };
            let granted = (&mut waiter.granted).await;
            waiter.is_over = true;
            granted.map_err(|_| AcquireError::Closed)?;
        }
        Ok(Permit { semaphore: self.clone(), principal })
    }

    /// Returns whether a principal has all the permits that it may have.
    pub(super) fn has_full_share(&self, principal: Principal) -> bool {
        let state = self.state.lock();
        state.principals.get(&principal).is_some_and(|queue| queue.in_use >= state.share_of(principal))
    }

    /// Returns how many permits of a principal were returned since it was last idle. Idle: it has no permit
    /// and waits for none.
    pub(super) fn returned_by(&self, principal: Principal) -> u64 {
        self.state.lock().principals.get(&principal).map_or(0, |queue| queue.returned)
    }

    /// Returns the number of permits in use.
    pub(super) fn in_use(&self) -> usize {
        let state = self.state.lock();
        state.permits - state.free
    }

    /// Closes: rejects new requests and waits until the earlier ones have had and returned their permits. At
    /// the deadline the requests that still wait are rejected too.
    pub(super) async fn close(&self, deadline: Instant) {
        self.state.lock().is_closed = true;
        let all_returned = async {
            while !self.state.lock().principals.is_empty() {
                self.returned.notified().await;
            }
        };
        let _ = timeout_at(deadline.into(), all_returned).await;
        self.state.lock().principals.values_mut().for_each(|queue| queue.waiters.clear());
    }

    fn release(&self, principal: Principal) {
        self.state.lock().release(principal);
        self.returned.notify_one();
    }
}

impl State {
    fn share_of(&self, principal: Principal) -> usize {
        if principal == Principal::Server { self.permits } else { self.share }
    }

    fn request(&mut self, principal: Principal) -> Result<Acquired, AcquireError> {
        if self.is_closed {
            return Err(AcquireError::Closed);
        }
        let share = self.share_of(principal);
        let queue = self.principals.entry(principal).or_default();
        if self.free > 0 && queue.in_use < share {
            queue.in_use += 1;
            self.free -= 1;
            return Ok(Acquired::Granted);
        }
        if queue.waiters.len() >= MAX_WAITING {
            return Err(AcquireError::QueueFull);
        }
        let (grant, granted) = oneshot::channel();
        self.last_ticket += 1;
        queue.waiters.push_back((self.last_ticket, grant));
        self.enqueue(principal);
        Ok(Acquired::Queued(self.last_ticket, granted))
    }

    fn release(&mut self, principal: Principal) {
        self.free += 1;
        if let Some(queue) = self.principals.get_mut(&principal) {
            queue.in_use -= 1;
            queue.returned += 1;
        }
        self.enqueue(principal);
        self.serve();
        self.remove_if_idle(principal);
    }

    /// Adds a principal to the round-robin order if it waits and may have one more permit.
    fn enqueue(&mut self, principal: Principal) {
        let share = self.share_of(principal);
        let Some(queue) = self.principals.get_mut(&principal) else { return };
        if !queue.is_next && queue.in_use < share && !queue.waiters.is_empty() {
            queue.is_next = true;
            self.next.push_back(principal);
        }
    }

    /// Gives the free permits to the next principals.
    fn serve(&mut self) {
        while self.free > 0
            && let Some(principal) = self.next.pop_front()
        {
            let Some(queue) = self.principals.get_mut(&principal) else { continue };
            queue.is_next = false;
            if let Some((_, grant)) = queue.waiters.pop_front() {
                queue.in_use += 1;
                self.free -= 1;
                // The receiver lives as long as its request is in the queue.
                let _ = grant.send(());
            }
            self.enqueue(principal);
            self.remove_if_idle(principal);
        }
    }

    /// Removes a request from its queue. Returns whether it was still there.
    fn withdraw(&mut self, principal: Principal, ticket: u64) -> bool {
        let Some(queue) = self.principals.get_mut(&principal) else { return false };
        let Some(index) = queue.waiters.iter().position(|(other, _)| *other == ticket) else { return false };
        queue.waiters.remove(index);
        self.remove_if_idle(principal);
        true
    }

    fn remove_if_idle(&mut self, principal: Principal) {
        let is_idle =
            |queue: &PrincipalQueue| queue.in_use == 0 && queue.waiters.is_empty() && !queue.is_next;
        if self.principals.get(&principal).is_some_and(is_idle) {
            self.principals.remove(&principal);
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.semaphore.release(self.principal);
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        if self.is_over {
            return;
        }
        let was_waiting = self.semaphore.state.lock().withdraw(self.principal, self.ticket);
        if !was_waiting && self.granted.try_recv().is_ok() {
            // A permit was given to it while it was being dropped.
            self.semaphore.release(self.principal);
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

    fn at_once(semaphore: &Arc<FairSemaphore>, principal: Principal) -> Option<Result<Permit, AcquireError>> {
        semaphore.acquire(principal).now_or_never()
    }

    fn gets(semaphore: &Arc<FairSemaphore>, principal: Principal) -> Permit {
        at_once(semaphore, principal).expect("a permit is free").unwrap_or_else(|why| panic!("{why:?}"))
    }

    #[test]
    fn one_principal_leaves_permits_for_others_and_the_server_may_have_all() {
        let semaphore = FairSemaphore::new(4, 2);
        let _anns = [gets(&semaphore, ANN), gets(&semaphore, ANN)];
        assert!(at_once(&semaphore, ANN).is_none());
        assert!(semaphore.has_full_share(ANN) && !semaphore.has_full_share(BOB));
        let bobs = [gets(&semaphore, BOB), gets(&semaphore, BOB)];
        assert_eq!(semaphore.in_use(), 4);
        assert!(at_once(&semaphore, Principal::Server).is_none());
        drop(bobs);
        drop([gets(&semaphore, Principal::Server), gets(&semaphore, Principal::Server)]);
        assert_eq!(semaphore.in_use(), 2);
    }

    #[test]
    fn whoever_waits_is_served_in_turn() {
        let semaphore = FairSemaphore::new(1, 1);
        let first = gets(&semaphore, ANN);
        let mut anns: Vec<_> = (0..3).map(|_| Box::pin(semaphore.acquire(ANN))).collect();
        assert!(anns.iter_mut().all(|permit| permit.now_or_never().is_none()));
        let mut bobs = Box::pin(semaphore.acquire(BOB));
        assert!((&mut bobs).now_or_never().is_none());
        drop(first);
        // Bob asked last, but Ann has had a turn already.
        drop((&mut bobs).now_or_never().expect("it is his turn"));
        for permit in &mut anns {
            drop(permit.now_or_never().expect("it is hers"));
        }
    }

    #[test]
    fn who_gives_up_leaves_no_trace() {
        let semaphore = FairSemaphore::new(1, 1);
        let first = gets(&semaphore, ANN);
        let (mut waits, mut granted_unpolled) =
            (Box::pin(semaphore.acquire(BOB)), Box::pin(semaphore.acquire(ANN)));
        assert!((&mut waits).now_or_never().is_none() && (&mut granted_unpolled).now_or_never().is_none());
        drop(waits);
        drop(first);
        // It got a permit, but was dropped before it was polled.
        drop(granted_unpolled);
        assert_eq!(semaphore.in_use(), 0);
        assert!(semaphore.state.lock().principals.is_empty() && semaphore.state.lock().next.is_empty());
        drop(gets(&semaphore, BOB));
    }

    #[test]
    fn a_queue_has_an_end_which_is_its_principals_alone() {
        let semaphore = FairSemaphore::new(2, 1);
        let _first = gets(&semaphore, ANN);
        let mut anns: Vec<_> = (0..MAX_WAITING).map(|_| Box::pin(semaphore.acquire(ANN))).collect();
        assert!(anns.iter_mut().all(|permit| permit.now_or_never().is_none()));
        assert_eq!(at_once(&semaphore, ANN).map(Result::err), Some(Some(AcquireError::QueueFull)));
        drop(gets(&semaphore, BOB));
        drop(anns.pop());
        assert!(at_once(&semaphore, ANN).is_none());
    }

    #[actix_web::test]
    async fn what_was_asked_before_the_close_has_its_turn() {
        let semaphore = FairSemaphore::new(1, 1);
        let first = gets(&semaphore, ANN);
        let mut second = Box::pin(semaphore.acquire(BOB));
        assert!((&mut second).now_or_never().is_none());
        let mut close = Box::pin(semaphore.close(Instant::now() + std::time::Duration::from_secs(60)));
        assert!((&mut close).now_or_never().is_none());
        assert_eq!(at_once(&semaphore, ANN).map(Result::err), Some(Some(AcquireError::Closed)));
        drop(first);
        drop(second.await);
        close.await;
    }
}
