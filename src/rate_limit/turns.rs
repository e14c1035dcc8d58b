//! Concurrency limit for expensive work: one at a time per user, the rest queued.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Semaphore;

use super::{FEW, KeyedMap};
use crate::core::model::{Refusal, UserId};

/// Requests that name more users than this are expensive and wait for their user's turn.
pub const MANY: usize = 20;

/// Maximum number of queued requests per user; further ones are rejected.
const MOST_WAITING: usize = 64;

/// One semaphore per user with work in progress or queued.
#[derive(Debug)]
pub struct Turns(Mutex<KeyedMap<UserId, Arc<Semaphore>>>);

impl Default for Turns {
    fn default() -> Self {
        Self(Mutex::new(KeyedMap::new(FEW)))
    }
}

impl Turns {
    /// Runs `work` once no other work of the user is in progress. Once started, it runs to completion even if
    /// the caller is dropped.
    pub async fn take<T: 'static>(
        &self,
        user: UserId,
        work: impl Future<Output = Result<T, Refusal>> + 'static,
    ) -> Result<T, Refusal> {
        let turn = self.of(user)?.acquire_owned().await.map_err(|_| Refusal::Busy)?;
        let done = actix_rt::spawn(async move {
            let _turn = turn;
            work.await
        });
        done.await.unwrap_or(Err(Refusal::Internal))
    }

    fn of(&self, user: UserId) -> Result<Arc<Semaphore>, Refusal> {
        let mut turns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Callers that wait or hold the permit hold a reference too.
        turns.sweep(|turn| Arc::strong_count(turn) > 1);
        let turn = turns.get_or_insert_with(user, || Arc::new(Semaphore::new(1)));
        // One reference is held by the map and one by the running work.
        if Arc::strong_count(turn) > MOST_WAITING + 1 {
            return Err(Refusal::Throttled);
        }
        Ok(turn.clone())
    }
}

#[cfg(test)]
mod tests {
    use std::{cell::RefCell, rc::Rc};

    use futures_util::{
        FutureExt,
        future::{join, join_all},
    };
    use tokio::{sync::oneshot, task::yield_now};

    use super::*;

    #[actix_rt::test]
    async fn one_of_each_user_is_under_way() {
        let (turns, under_way) = (Turns::default(), Rc::<RefCell<[usize; 2]>>::default());
        let most = Rc::<RefCell<[usize; 2]>>::default();
        let work = |user: usize| {
            let (under_way, most) = (under_way.clone(), most.clone());
            turns.take(UserId(user as i64), async move {
                under_way.borrow_mut()[user] += 1;
                let now = *under_way.borrow();
                most.borrow_mut().iter_mut().zip(now).for_each(|(most, now)| *most = now.max(*most));
                for _ in 0..10 {
                    yield_now().await;
                }
                under_way.borrow_mut()[user] -= 1;
                Ok(now[0] + now[1])
            })
        };
        let (first, second) =
            join(join_all((0..20).map(|_| work(0))), join_all((0..20).map(|_| work(1)))).await;
        assert_eq!(*most.borrow(), [1, 1]);
        // Users do not wait for each other.
        assert!(first.into_iter().chain(second).any(|together| together == Ok(2)));
    }

    #[actix_rt::test]
    async fn who_hangs_up_keeps_the_turn_until_the_work_is_done_and_too_many_are_turned_down() {
        let turns = Turns::default();
        let (end, ended) = oneshot::channel::<()>();
        let mut first = Box::pin(turns.take(UserId(1), async move {
            let _ = ended.await;
            Ok(())
        }));
        assert!(first.as_mut().now_or_never().is_none());
        yield_now().await;
        drop(first);
        let mut others: Vec<_> =
            (0..MOST_WAITING).map(|_| Box::pin(turns.take(UserId(1), async { Ok(()) }))).collect();
        for other in &mut others {
            assert!(other.as_mut().now_or_never().is_none());
        }
        assert_eq!(turns.take(UserId(1), async { Ok(()) }).await, Err(Refusal::Throttled));
        assert_eq!(turns.take(UserId(2), async { Ok(()) }).await, Ok(()));
        let _ = end.send(());
        assert!(join_all(others).await.into_iter().all(|done| done == Ok(())));
        assert_eq!(turns.take(UserId(1), async { Ok(()) }).await, Ok(()));
    }
}
