//! The writer's queue: fair between principals, ordered within a chat.
//!
//! Principals are served round-robin, so a busy one delays only itself. The jobs of one principal in one chat
//! keep their order. With several workers, a chat belongs to one worker at a time. Each worker takes the next
//! jobs of the chats that no other worker has.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    time::{Duration, Instant},
};

use super::job::Job;
use crate::{
    core::{
        model::{ChatId, Refusal},
        sync::{Condvar, Mutex},
    },
    storage::{Principal, tables::locks::LockedRows},
};

/// Most jobs in one transaction, so that the first job of a burst does not wait for the last.
const BATCH: usize = 256;

/// Capacity of the queue, in jobs. When it is full, further jobs are rejected.
const CAPACITY: usize = 8_192;

/// Most queued jobs of one principal: four transactions' worth.
pub const MAX_OF_ONE: usize = 1_024;

/// After a lock timeout, how long commands in the chat are rejected at once while it is still locked.
const STUCK: Duration = Duration::from_secs(2);

/// The queued jobs, for all workers.
pub(super) struct JobQueue {
    waiting: Mutex<QueuedJobs>,
    wakeup: Condvar,
}

/// Key of a strand. A strand is the ordered jobs of one principal in one chat, or without a chat.
type Strand = Option<ChatId>;

struct QueuedJobs {
    /// There is only one worker, so any jobs may share a transaction.
    is_single_worker: bool,
    /// Most workers that may wait for locks at a time. One worker is left for the other jobs.
    max_slow: usize,
    slow: usize,
    strands: HashMap<(Principal, Strand), VecDeque<Job>>,
    principals: HashMap<Principal, Share>,
    /// Principals with jobs that may run, in round-robin order.
    turns: VecDeque<Principal>,
    /// Chats that belong to a worker, with the principals whose jobs wait for each.
    held: HashMap<ChatId, Vec<Principal>>,
    /// Jobs to retry: other processes have locked their chats. The chats stay in `held`.
    contested: Vec<Job>,
    /// Chats whose lock timed out, each with the time until which it counts as stuck.
    stuck: HashMap<ChatId, Instant>,
    count: usize,
    is_closed: bool,
}

/// The queued jobs of one principal.
#[derive(Default)]
struct Share {
    /// Strands whose next job may run. Their chats may have become busy since.
    ready: VecDeque<Strand>,
    waiting: usize,
    has_turn: bool,
}

/// Jobs that share a transaction, taken by one worker.
pub(super) struct Group {
    pub jobs: Vec<Job>,
    pub locked_rows: LockedRows,
    chats: HashSet<ChatId>,
    is_slow: bool,
}

enum NextJob {
    Job(Job),
    /// A job that needs a transaction of its own.
    Alone(Job),
    /// The principal's jobs cannot join this transaction; it keeps its turn.
    Later,
    /// The principal has no job that may run.
    Nothing,
}

impl JobQueue {
    /// Creates a queue for this many workers. A single worker has the database for itself.
    pub(super) fn new(workers: usize) -> Self {
        let waiting = QueuedJobs {
            is_single_worker: workers == 1,
            max_slow: workers.saturating_sub(1).max(1),
            slow: 0,
            strands: HashMap::new(),
            principals: HashMap::new(),
            turns: VecDeque::new(),
            held: HashMap::new(),
            contested: Vec::new(),
            stuck: HashMap::new(),
            count: 0,
            is_closed: false,
        };
        Self { waiting: Mutex::new(waiting), wakeup: Condvar::new() }
    }

    /// Adds a job after its principal's other jobs. Returns a rejected job, with the reason.
    pub(super) fn push(&self, job: Job) -> Option<(Job, Refusal)> {
        let mut waiting = self.waiting.lock();
        if let Some(refusal) = waiting.refusal(job.principal) {
            return Some((job, refusal));
        }
        waiting.push(job);
        drop(waiting);
        self.wakeup.notify_one();
        None
    }

    /// Takes the next jobs for a worker; blocks until there are some. `None` once the queue is closed and
    /// empty.
    pub(super) fn take(&self) -> Option<Group> {
        let mut waiting = self.waiting.lock();
        loop {
            if let Some(group) = waiting.next_group() {
                if !waiting.turns.is_empty() {
                    self.wakeup.notify_one();
                }
                return Some(group);
            }
            if waiting.is_closed && waiting.count == 0 {
                return None;
            }
            waiting = self.wakeup.wait(waiting);
        }
    }

    /// Releases the chats of a finished group. Requeues its `contested` jobs, whose chats other processes
    /// have locked. Their retry waits for the locks.
    pub(super) fn done(&self, group: Group, contested: Vec<Job>) {
        let mut waiting = self.waiting.lock();
        waiting.done(group, contested);
        match waiting.is_closed {
            true => self.wakeup.notify_all(),
            false => self.wakeup.notify_one(),
        }
    }

    /// Returns whether the lock of a chat timed out within the last [`STUCK`].
    pub(super) fn is_stuck(&self, chat: ChatId) -> bool {
        self.waiting.lock().stuck.get(&chat).is_some_and(|until| Instant::now() < *until)
    }

    /// Records that the lock of a chat timed out.
    pub(super) fn note_stuck(&self, chat: ChatId) {
        let now = Instant::now();
        let stuck = &mut self.waiting.lock().stuck;
        stuck.retain(|_, until| now < *until);
        stuck.insert(chat, now + STUCK);
    }

    /// Closes the queue: rejects new jobs. The queued ones are still done.
    pub(super) fn close(&self) {
        self.waiting.lock().is_closed = true;
        self.wakeup.notify_all();
    }
}

impl QueuedJobs {
    fn refusal(&self, principal: Principal) -> Option<Refusal> {
        if self.is_closed || self.count >= CAPACITY {
            return Some(Refusal::Busy);
        }
        let own = self.principals.get(&principal).map_or(0, |share| share.waiting);
        (own >= MAX_OF_ONE && principal != Principal::Server).then_some(Refusal::Throttled)
    }

    fn push(&mut self, job: Job) {
        let (principal, chat) = (job.principal, job.chat());
        let strand = self.strands.entry((principal, chat)).or_default();
        let is_first = strand.is_empty();
        strand.push_back(job);
        self.count += 1;
        self.principals.entry(principal).or_default().waiting += 1;
        if is_first {
            self.make_ready(principal, chat);
        }
    }

    /// Makes a strand ready for its principal's turn. If its chat belongs to a worker, it waits for the chat
    /// first.
    fn make_ready(&mut self, principal: Principal, strand: Strand) {
        if let Some(waits) = strand.and_then(|chat| self.held.get_mut(&chat)) {
            waits.push(principal);
            return;
        }
        let Some(share) = self.principals.get_mut(&principal) else { return };
        share.ready.push_back(strand);
        if !share.has_turn {
            share.has_turn = true;
            self.turns.push_back(principal);
        }
    }

    fn next_group(&mut self) -> Option<Group> {
        if !self.contested.is_empty() && self.slow < self.max_slow {
            return Some(self.contested());
        }
        let (mut jobs, mut chats, mut later) = (Vec::new(), HashSet::new(), Vec::new());
        let mut locked_rows = LockedRows::SkipLocked;
        while jobs.len() < BATCH
            && let Some(principal) = self.turns.pop_front()
        {
            let may_be_slow = jobs.is_empty() && self.slow < self.max_slow;
            match self.next_of(principal, &mut chats, may_be_slow) {
                NextJob::Job(job) => {
                    jobs.push(job);
                    self.end_turn(principal);
                }
                NextJob::Alone(job) => {
                    jobs.push(job);
                    self.end_turn(principal);
                    locked_rows = LockedRows::Wait;
                    break;
                }
                NextJob::Later => later.push(principal),
                NextJob::Nothing => self.end_turn(principal),
            }
        }
        // They keep their turn: the next group begins with them.
        later.into_iter().rev().for_each(|principal| self.turns.push_front(principal));
        let is_slow = locked_rows == LockedRows::Wait;
        self.slow += usize::from(is_slow);
        (!jobs.is_empty()).then_some(Group { jobs, locked_rows, chats, is_slow })
    }

    /// Takes all contested jobs as one group, which waits for its locks.
    fn contested(&mut self) -> Group {
        let jobs = std::mem::take(&mut self.contested);
        self.count -= jobs.len();
        self.slow += 1;
        let chats = jobs.iter().filter_map(Job::chat).collect();
        Group { jobs, locked_rows: LockedRows::Wait, chats, is_slow: true }
    }

    /// Takes the next job of a principal. `chats`: the chats of the group so far. `may_be_slow`: whether the
    /// group may wait for locks.
    fn next_of(&mut self, principal: Principal, chats: &mut HashSet<ChatId>, may_be_slow: bool) -> NextJob {
        let Some(share) = self.principals.get_mut(&principal) else { return NextJob::Nothing };
        let mut is_left = false;
        for _ in 0..share.ready.len() {
            let Some(strand) = share.ready.pop_front() else { break };
            if let Some(chat) = strand.filter(|chat| !chats.contains(chat))
                && let Some(waits) = self.held.get_mut(&chat)
            {
                waits.push(principal);
                continue;
            }
            let Some(jobs) = self.strands.get_mut(&(principal, strand)) else { continue };
            let is_shared = self.is_single_worker || jobs.front().is_some_and(|job| job.sharing().is_some());
            if !is_shared && !may_be_slow {
                share.ready.push_back(strand);
                is_left = true;
                continue;
            }
            let Some(job) = jobs.pop_front() else { continue };
            share.waiting -= 1;
            self.count -= 1;
            match jobs.is_empty() {
                true => {
                    self.strands.remove(&(principal, strand));
                }
                false => share.ready.push_back(strand),
            }
            if let Some(chat) = strand.filter(|_| !self.is_single_worker)
                && chats.insert(chat)
            {
                self.held.insert(chat, Vec::new());
            }
            return if is_shared { NextJob::Job(job) } else { NextJob::Alone(job) };
        }
        if is_left { NextJob::Later } else { NextJob::Nothing }
    }

    /// Ends the turn of a principal. It moves behind the others if it has more jobs that may run.
    fn end_turn(&mut self, principal: Principal) {
        let Some(share) = self.principals.get_mut(&principal) else { return };
        share.has_turn = !share.ready.is_empty();
        if share.has_turn {
            self.turns.push_back(principal);
        } else if share.waiting == 0 {
            self.principals.remove(&principal);
        }
    }

    fn done(&mut self, group: Group, contested: Vec<Job>) {
        self.slow -= usize::from(group.is_slow);
        let kept: HashSet<ChatId> = contested.iter().filter_map(Job::chat).collect();
        for chat in group.chats.into_iter().filter(|chat| !kept.contains(chat)) {
            for principal in self.held.remove(&chat).unwrap_or_default() {
                self.make_ready(principal, Some(chat));
            }
        }
        self.count += contested.len();
        self.contested.extend(contested);
    }
}

#[cfg(test)]
mod tests;
