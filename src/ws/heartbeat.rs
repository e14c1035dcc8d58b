//! Heartbeats of the sockets of one thread: pings, and timeouts of clients that do not respond.
//!
//! All sockets of a thread share one timer. With timers of their own, each ping would also wake the
//! connection a third time, only to find that the client has responded.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    rc::{Rc, Weak},
    task::Waker,
    time::{Duration, Instant},
};

use actix_rt::{
    task::JoinHandle,
    time::{Instant as TimerInstant, sleep_until},
};

/// Ping interval.
pub(super) const PING_EVERY: Duration = Duration::from_secs(25);

/// How long the server waits for any frame after a ping.
const PONG_WITHIN: Duration = Duration::from_secs(10);

/// Shortest time between two runs of the schedule. Pings that are due in between are sent together.
const MIN_INTERVAL: Duration = Duration::from_millis(20);

/// Longest time between two runs of the schedule, since a ping may be taken in between.
const MAX_INTERVAL: Duration = Duration::from_millis(200);

/// Heartbeat of one socket. The session reports frames to it. The outgoing half takes what is due from it.
pub(super) struct Heartbeat {
    last_frame_at: Cell<Instant>,
    due: Cell<Option<Due>>,
    /// The connection's task.
    task: RefCell<Option<Waker>>,
}

/// The next action of a socket's outgoing half.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Due {
    Ping,
    /// No frame has arrived within [`PONG_WITHIN`] after a ping.
    TimedOut,
}

thread_local! {
    /// Schedule of the sockets of this thread, and the task that runs it.
    static SCHEDULE: RefCell<(Schedule, Option<JoinHandle<()>>)> = RefCell::default();
}

impl Heartbeat {
    pub(super) fn new() -> Rc<Self> {
        let last_frame_at = Cell::new(Instant::now());
        Rc::new(Self { last_frame_at, due: Cell::default(), task: RefCell::default() })
    }

    /// Schedules pings until the socket is dropped.
    pub(super) fn start(self: &Rc<Self>) {
        SCHEDULE.with_borrow_mut(|(schedule, task)| {
            schedule.add(self, Instant::now());
            if task.as_ref().is_none_or(JoinHandle::is_finished) {
                *task = Some(actix_rt::spawn(run()));
            }
        });
    }

    /// Notes that a frame has arrived.
    pub(super) fn received(&self, at: Instant) {
        self.last_frame_at.set(at);
    }

    /// Takes what is due, and registers the connection's task. The time to respond begins when a ping is
    /// taken: a blocked connection takes none.
    pub(super) fn take_due(self: &Rc<Self>, task: &Waker) -> Option<Due> {
        let mut known = self.task.borrow_mut();
        if !known.as_ref().is_some_and(|known| known.will_wake(task)) {
            *known = Some(task.clone());
        }
        let due = self.due.take();
        if due == Some(Due::Ping) {
            SCHEDULE.with_borrow_mut(|(schedule, _)| schedule.await_response(self, Instant::now()));
        }
        due
    }

    fn request(&self, due: Due) {
        self.due.set(Some(due));
        if let Some(task) = &*self.task.borrow() {
            task.wake_by_ref();
        }
    }
}

/// Runs the schedule of this thread while it has sockets.
async fn run() {
    while let Some(at) = SCHEDULE.with_borrow(|(schedule, _)| schedule.next_at()) {
        let now = Instant::now();
        sleep_until(TimerInstant::from_std(at.clamp(now + MIN_INTERVAL, now + MAX_INTERVAL))).await;
        SCHEDULE.with_borrow_mut(|(schedule, _)| schedule.run_due(Instant::now()));
    }
}

/// Pings and timeouts to come. All sockets have the same intervals, so both queues are in the order of time.
/// A socket that has ended is skipped when it is due.
#[derive(Default)]
struct Schedule {
    /// Sockets to be pinged, each with the time of its start or its last ping.
    idle: VecDeque<(Instant, Weak<Heartbeat>)>,
    /// Sockets that have taken a ping, each with the time of that.
    pinged: VecDeque<(Instant, Weak<Heartbeat>)>,
}

impl Schedule {
    fn add(&mut self, socket: &Rc<Heartbeat>, now: Instant) {
        self.idle.push_back((now, Rc::downgrade(socket)));
    }

    fn await_response(&mut self, socket: &Rc<Heartbeat>, now: Instant) {
        self.pinged.push_back((now, Rc::downgrade(socket)));
    }

    /// Returns when the next ping or timeout is due.
    fn next_at(&self) -> Option<Instant> {
        let ping = self.idle.front().map(|(since, _)| *since + PING_EVERY);
        let timeout = self.pinged.front().map(|(since, _)| *since + PONG_WITHIN);
        ping.into_iter().chain(timeout).min()
    }

    fn run_due(&mut self, now: Instant) {
        while let Some((pinged_at, socket)) = pop_due(&mut self.pinged, PONG_WITHIN, now) {
            if let Some(socket) = socket.upgrade().filter(|socket| socket.last_frame_at.get() < pinged_at) {
                socket.request(Due::TimedOut);
            }
        }
        while let Some((_, socket)) = pop_due(&mut self.idle, PING_EVERY, now) {
            let Some(alive) = socket.upgrade() else { continue };
            if alive.due.get() != Some(Due::TimedOut) {
                alive.request(Due::Ping);
            }
            self.idle.push_back((now, socket));
        }
    }
}

/// Takes the first element, if its time is at least `delay` ago.
fn pop_due<T>(queue: &mut VecDeque<(Instant, T)>, delay: Duration, now: Instant) -> Option<(Instant, T)> {
    if queue.front().is_some_and(|(since, _)| *since + delay <= now) { queue.pop_front() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs a schedule for a time, in steps of a second. Returns what was due, and after how many seconds.
    fn due_within(seconds: u64, responds: bool) -> Vec<(u64, Due)> {
        let (mut schedule, socket, begin) = (Schedule::default(), Heartbeat::new(), Instant::now());
        schedule.add(&socket, begin);
        let mut all = Vec::new();
        for second in 0..=seconds {
            let now = begin + Duration::from_secs(second);
            schedule.run_due(now);
            let Some(due) = socket.due.take() else { continue };
            all.push((second, due));
            if due == Due::Ping {
                schedule.await_response(&socket, now);
                if responds {
                    socket.received(now);
                }
            }
        }
        all
    }

    #[test]
    fn a_client_that_responds_is_pinged_at_the_interval() {
        assert_eq!(due_within(80, true), [(25, Due::Ping), (50, Due::Ping), (75, Due::Ping)]);
    }

    #[test]
    fn a_client_that_does_not_respond_times_out() {
        assert_eq!(due_within(36, false), [(25, Due::Ping), (35, Due::TimedOut)]);
    }

    #[test]
    fn the_time_to_respond_begins_when_the_ping_is_taken() {
        let (mut schedule, socket, begin) = (Schedule::default(), Heartbeat::new(), Instant::now());
        schedule.add(&socket, begin);
        let after = |seconds| begin + Duration::from_secs(seconds);
        schedule.run_due(after(25));
        schedule.run_due(after(40));
        assert_eq!(socket.due.take(), Some(Due::Ping));
        schedule.await_response(&socket, after(40));
        schedule.run_due(after(49));
        assert_eq!(socket.due.get(), None);
        schedule.run_due(after(50));
        assert_eq!(socket.due.get(), Some(Due::TimedOut));
    }

    #[test]
    fn a_timeout_is_not_replaced_by_a_ping() {
        let (mut schedule, socket, begin) = (Schedule::default(), Heartbeat::new(), Instant::now());
        schedule.add(&socket, begin);
        schedule.await_response(&socket, begin + Duration::from_secs(1));
        schedule.run_due(begin + PING_EVERY);
        assert_eq!(socket.due.get(), Some(Due::TimedOut));
    }

    #[test]
    fn sockets_that_ended_leave_the_schedule() {
        let (mut schedule, begin) = (Schedule::default(), Instant::now());
        schedule.add(&Heartbeat::new(), begin);
        assert_eq!(schedule.next_at(), Some(begin + PING_EVERY));
        schedule.run_due(begin + PING_EVERY);
        assert_eq!(schedule.next_at(), None);
    }
}
