//! What waits for the writer, and whose turn it is. Those who ask take turns, so whoever asks much waits for itself. What
//! one asker wants of one chat is done in the order given. Where there are several lanes a chat is with one at a time, and
//! each takes what is next of the chats that no other has.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use super::job::Job;
use crate::{
    core::model::{ChatId, Refusal},
    storage::{Asker, tables::locks::Contested},
};

/// Most jobs in one transaction, so that the first of a burst does not wait for the last.
const BATCH: usize = 256;

/// Jobs that may wait; more are turned down.
const MOST: usize = 8_192;

/// Jobs of one asker that may wait: four transactions' worth.
pub const MOST_OF_ONE: usize = 1_024;

/// Whoever wants a chat that could not be locked in time is turned down at once for so long, if it still cannot be.
const STUCK: Duration = Duration::from_secs(2);

/// The jobs that wait, for all lanes.
pub(super) struct Queue {
    waiting: Mutex<Waiting>,
    news: Condvar,
}

/// Jobs that are done in the order given: one asker's, of one chat or about none.
type Strand = Option<ChatId>;

struct Waiting {
    /// Nobody else writes, so nothing has to be kept apart.
    is_alone: bool,
    /// Lanes that may be busy with what may take long; one is left for the others.
    most_slow: usize,
    slow: usize,
    strands: HashMap<(Asker, Strand), VecDeque<Job>>,
    askers: HashMap<Asker, Share>,
    /// Askers who have something that may be done, in the order of their turns.
    turns: VecDeque<Asker>,
    /// Chats that a lane has, and who waits until it is through with them.
    held: HashMap<ChatId, Vec<Asker>>,
    /// What other processes have locked the chats of. They are held.
    contested: Vec<Job>,
    stuck: HashMap<ChatId, Instant>,
    count: usize,
    is_closed: bool,
}

/// What one asker waits for.
#[derive(Default)]
struct Share {
    /// Of which something may be done, as far as is known.
    ready: VecDeque<Strand>,
    waiting: usize,
    has_turn: bool,
}

/// Jobs that share a transaction.
pub(super) struct Group {
    pub jobs: Vec<Job>,
    pub contested: Contested,
    chats: HashSet<ChatId>,
    is_slow: bool,
}

enum Next {
    Job(Job),
    /// One that shares its transaction with nobody.
    Alone(Job),
    /// What it waits for cannot be done along with the others.
    Later,
    Nothing,
}

impl Queue {
    /// For so many lanes. A single one has the database for itself.
    pub fn new(lanes: usize) -> Self {
        let waiting = Waiting {
            is_alone: lanes == 1,
            most_slow: lanes.saturating_sub(1).max(1),
            slow: 0,
            strands: HashMap::new(),
            askers: HashMap::new(),
            turns: VecDeque::new(),
            held: HashMap::new(),
            contested: Vec::new(),
            stuck: HashMap::new(),
            count: 0,
            is_closed: false,
        };
        Self { waiting: Mutex::new(waiting), news: Condvar::new() }
    }

    /// Puts a job behind its asker's others, or hands it back with the reason why not.
    pub fn push(&self, job: Job) -> Option<(Job, Refusal)> {
        let mut waiting = self.waiting();
        if let Some(refusal) = waiting.refusal(job.asker) {
            return Some((job, refusal));
        }
        waiting.push(job);
        drop(waiting);
        self.news.notify_one();
        None
    }

    /// The next jobs for a lane, which waits for them. `None` once there are to be no more.
    pub fn take(&self) -> Option<Group> {
        let mut waiting = self.waiting();
        loop {
            if let Some(group) = waiting.next_group() {
                if !waiting.turns.is_empty() {
                    self.news.notify_one();
                }
                return Some(group);
            }
            if waiting.is_closed && waiting.count == 0 {
                return None;
            }
            waiting = self.news.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// A group has been dealt with, but for jobs whose chats others have locked: those are waited for.
    pub fn done(&self, group: Group, contested: Vec<Job>) {
        let mut waiting = self.waiting();
        waiting.done(group, contested);
        match waiting.is_closed {
            true => self.news.notify_all(),
            false => self.news.notify_one(),
        }
    }

    /// Whether a chat was waited for in vain of late.
    pub fn is_stuck(&self, chat: ChatId) -> bool {
        self.waiting().stuck.get(&chat).is_some_and(|until| Instant::now() < *until)
    }

    /// A chat was waited for in vain.
    pub fn note_stuck(&self, chat: ChatId) {
        let now = Instant::now();
        let stuck = &mut self.waiting().stuck;
        stuck.retain(|_, until| now < *until);
        stuck.insert(chat, now + STUCK);
    }

    /// Turns down what comes from now on. What waits is done.
    pub fn close(&self) {
        self.waiting().is_closed = true;
        self.news.notify_all();
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    fn refusal(&self, asker: Asker) -> Option<Refusal> {
        if self.is_closed || self.count >= MOST {
            return Some(Refusal::Busy);
        }
        let own = self.askers.get(&asker).map_or(0, |share| share.waiting);
        (own >= MOST_OF_ONE && asker != Asker::Server).then_some(Refusal::Throttled)
    }

    fn push(&mut self, job: Job) {
        let (asker, chat) = (job.asker, job.chat());
        let strand = self.strands.entry((asker, chat)).or_default();
        let is_first = strand.is_empty();
        strand.push_back(job);
        self.count += 1;
        self.askers.entry(asker).or_default().waiting += 1;
        if is_first {
            self.line_up(asker, chat);
        }
    }

    /// Has a strand with jobs be looked at when it is its asker's turn, or when its chat is free.
    fn line_up(&mut self, asker: Asker, strand: Strand) {
        if let Some(waits) = strand.and_then(|chat| self.held.get_mut(&chat)) {
            waits.push(asker);
            return;
        }
        let Some(share) = self.askers.get_mut(&asker) else { return };
        share.ready.push_back(strand);
        if !share.has_turn {
            share.has_turn = true;
            self.turns.push_back(asker);
        }
    }

    fn next_group(&mut self) -> Option<Group> {
        if !self.contested.is_empty() && self.slow < self.most_slow {
            return Some(self.contested());
        }
        let (mut jobs, mut chats, mut later) = (Vec::new(), HashSet::new(), Vec::new());
        let mut contested = Contested::LeftOut;
        while jobs.len() < BATCH
            && let Some(asker) = self.turns.pop_front()
        {
            let may_be_slow = jobs.is_empty() && self.slow < self.most_slow;
            match self.next_of(asker, &mut chats, may_be_slow) {
                Next::Job(job) => {
                    jobs.push(job);
                    self.take_turn(asker);
                }
                Next::Alone(job) => {
                    jobs.push(job);
                    self.take_turn(asker);
                    contested = Contested::WaitedFor;
                    break;
                }
                Next::Later => later.push(asker),
                Next::Nothing => self.take_turn(asker),
            }
        }
        // They are the next whose turn it is.
        later.into_iter().rev().for_each(|asker| self.turns.push_front(asker));
        let is_slow = contested == Contested::WaitedFor;
        self.slow += usize::from(is_slow);
        (!jobs.is_empty()).then_some(Group { jobs, contested, chats, is_slow })
    }

    /// What is to be waited for, all of it.
    fn contested(&mut self) -> Group {
        let jobs = std::mem::take(&mut self.contested);
        self.count -= jobs.len();
        self.slow += 1;
        let chats = jobs.iter().filter_map(Job::chat).collect();
        Group { jobs, contested: Contested::WaitedFor, chats, is_slow: true }
    }

    /// The next job of an asker. `chats`: those that the group has.
    fn next_of(&mut self, asker: Asker, chats: &mut HashSet<ChatId>, may_be_slow: bool) -> Next {
        let Some(share) = self.askers.get_mut(&asker) else { return Next::Nothing };
        let mut is_left = false;
        for _ in 0..share.ready.len() {
            let Some(strand) = share.ready.pop_front() else { break };
            if let Some(chat) = strand.filter(|chat| !chats.contains(chat))
                && let Some(waits) = self.held.get_mut(&chat)
            {
                waits.push(asker);
                continue;
            }
            let Some(jobs) = self.strands.get_mut(&(asker, strand)) else { continue };
            let is_shared = self.is_alone || jobs.front().is_some_and(|job| job.sharing().is_some());
            if !is_shared && !may_be_slow {
                share.ready.push_back(strand);
                is_left = true;
                continue;
            }
            let Some(job) = jobs.pop_front() else { continue };
            share.waiting -= 1;
            self.count -= 1;
            match jobs.is_empty() {
                true => drop(self.strands.remove(&(asker, strand))),
                false => share.ready.push_back(strand),
            }
            if let Some(chat) = strand.filter(|_| !self.is_alone)
                && chats.insert(chat)
            {
                self.held.insert(chat, Vec::new());
            }
            return if is_shared { Next::Job(job) } else { Next::Alone(job) };
        }
        if is_left { Next::Later } else { Next::Nothing }
    }

    /// An asker has had its turn: it goes behind the others if it waits for more.
    fn take_turn(&mut self, asker: Asker) {
        let Some(share) = self.askers.get_mut(&asker) else { return };
        share.has_turn = !share.ready.is_empty();
        if share.has_turn {
            self.turns.push_back(asker);
        } else if share.waiting == 0 {
            self.askers.remove(&asker);
        }
    }

    fn done(&mut self, group: Group, contested: Vec<Job>) {
        self.slow -= usize::from(group.is_slow);
        let kept: HashSet<ChatId> = contested.iter().filter_map(Job::chat).collect();
        for chat in group.chats.into_iter().filter(|chat| !kept.contains(chat)) {
            for asker in self.held.remove(&chat).unwrap_or_default() {
                self.line_up(asker, Some(chat));
            }
        }
        self.count += contested.len();
        self.contested.extend(contested);
    }
}

#[cfg(test)]
mod tests;
