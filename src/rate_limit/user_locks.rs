//! Concurrency limit for expensive work: one at a time per user, the rest queued.

use std::sync::Arc;

use tokio::sync::Semaphore;

use super::{FEW, KeyedMap};
use crate::core::{
    model::{Refusal, UserId},
    sync::Mutex,
};

/// Requests that name more users than this are expensive and run one at a time per user.
pub const MANY: usize = 20;

/// Maximum number of queued requests per user; further ones are rejected.
const MAX_WAITING: usize = 64;

/// One semaphore per user with work in progress or queued.
#[derive(Debug)]
pub struct UserLocks(Mutex<KeyedMap<UserId, Arc<Semaphore>>>);

impl Default for UserLocks {
    fn default() -> Self {
        Self(Mutex::new(KeyedMap::new(FEW)))
    }
}

impl UserLocks {
    /// Runs `work` once no other work of the user is in progress. Once started, it runs to completion even if
    /// the caller is dropped.
    pub async fn run_exclusive<T: 'static>(
        &self,
        user: UserId,
        work: impl Future<Output = Result<T, Refusal>> + 'static,
    ) -> Result<T, Refusal> {
        let permit = self.of(user)?.acquire_owned().await.map_err(|_| Refusal::Busy)?;
        let done = actix_rt::spawn(async move {
            let _permit = permit;
            work.await
        });
        done.await.unwrap_or(Err(Refusal::Internal))
    }

    fn of(&self, user: UserId) -> Result<Arc<Semaphore>, Refusal> {
        let mut locks = self.0.lock();
        // Callers that wait or hold the permit hold a reference too.
        locks.sweep(|lock| Arc::strong_count(lock) > 1);
        let lock = locks.get_or_insert_with(user, || Arc::new(Semaphore::new(1)));
        // One reference is held by the map and one by the running work.
        if Arc::strong_count(lock) > MAX_WAITING + 1 {
            return Err(Refusal::Throttled);
        }
        Ok(lock.clone())
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
        let (locks, under_way) = (UserLocks::default(), Rc::<RefCell<[usize; 2]>>::default());
        let most = Rc::<RefCell<[usize; 2]>>::default();
        let work = |user: usize| {
            let (under_way, most) = (under_way.clone(), most.clone());
            locks.run_exclusive(UserId(user as i64), async move {
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
    async fn who_hangs_up_keeps_the_lock_until_the_work_is_done_and_too_many_are_turned_down() {
        let locks = UserLocks::default();
        let (end, ended) = oneshot::channel::<()>();
        let mut first = Box::pin(locks.run_exclusive(UserId(1), async move {
            let _ = ended.await;
            Ok(())
        }));
        assert!(first.as_mut().now_or_never().is_none());
        yield_now().await;
        drop(first);
        let mut others: Vec<_> =
            (0..MAX_WAITING).map(|_| Box::pin(locks.run_exclusive(UserId(1), async { Ok(()) }))).collect();
        for other in &mut others {
            assert!(other.as_mut().now_or_never().is_none());
        }
        assert_eq!(locks.run_exclusive(UserId(1), async { Ok(()) }).await, Err(Refusal::Throttled));
        assert_eq!(locks.run_exclusive(UserId(2), async { Ok(()) }).await, Ok(()));
        let _ = end.send(());
        assert!(join_all(others).await.into_iter().all(|done| done == Ok(())));
        assert_eq!(locks.run_exclusive(UserId(1), async { Ok(()) }).await, Ok(()));
    }
}
