use super::*;
use crate::{
    core::{
        log_context::LogContext,
        model::{Command, UserId, command::Action},
    },
    storage::writer::job::Work,
};

const ANN: i64 = 1;
const BOB: i64 = 2;

/// Returns a job with a command. `shares`: whether the command can be batched.
fn job(by: i64, chat: i64, shares: bool) -> Job {
    let action = if shares { Action::MarkAsRead { up_to: None } } else { Action::Leave };
    let command = Command { chat: ChatId(chat), by: UserId(by), action };
    let work = Work::Command { command, decided_at: None, complete: Box::new(|_| ()) };
    let principal = Principal::User(UserId(by));
    Job { kind: "test", principal, work, log_context: LogContext::default(), expires: None }
}

fn asks(queue: &JobQueue, by: i64, chat: i64) {
    assert!(queue.push(job(by, chat, true)).is_none());
}

/// Returns the user and chat of each job in a group, in order.
fn of(group: &Group) -> Vec<(i64, i64)> {
    let one = |job: &Job| match &job.work {
        Work::Command { command, .. } => (command.by.0, command.chat.0),
        Work::Task(_) => (0, 0),
    };
    group.jobs.iter().map(one).collect()
}

#[test]
fn principals_take_turns_and_each_ones_jobs_keep_their_order() {
    let queue = JobQueue::new(1);
    for number in 0..300 {
        let job = Job { expires: Some(Instant::now() + Duration::from_secs(number)), ..job(ANN, 7, true) };
        assert!(queue.push(job).is_none());
    }
    asks(&queue, BOB, 7);
    asks(&queue, BOB, 8);
    let first = queue.take().unwrap();
    let whose = of(&first);
    assert_eq!(whose[..5], [(ANN, 7), (BOB, 7), (ANN, 7), (BOB, 8), (ANN, 7)]);
    assert_eq!(whose.len(), BATCH);
    let rest = queue.take().unwrap();
    let deadlines = first.jobs.iter().chain(&rest.jobs).filter_map(|job| job.expires);
    assert!(deadlines.is_sorted());
    assert_eq!(rest.jobs.len(), 302 - BATCH);
}

#[test]
fn a_chat_is_with_one_lane_and_keeps_nobody_from_the_others() {
    let queue = JobQueue::new(3);
    asks(&queue, ANN, 7);
    let first = queue.take().unwrap();
    asks(&queue, ANN, 7);
    asks(&queue, BOB, 7);
    asks(&queue, ANN, 8);
    let second = queue.take().unwrap();
    assert_eq!(of(&second), [(ANN, 8)]);
    assert_eq!(second.locked_rows, LockedRows::SkipLocked);
    queue.done(first, Vec::new());
    assert_eq!(of(&queue.take().unwrap()), [(ANN, 7), (BOB, 7)]);
    queue.done(second, Vec::new());
    queue.close();
    assert!(queue.take().is_none());
}

#[test]
fn what_is_locked_elsewhere_is_waited_for_before_what_came_later() {
    let queue = JobQueue::new(2);
    asks(&queue, ANN, 7);
    asks(&queue, BOB, 8);
    let mut group = queue.take().unwrap();
    let locked = vec![group.jobs.remove(0)];
    asks(&queue, ANN, 7);
    queue.done(group, locked);
    let waits = queue.take().unwrap();
    assert_eq!((of(&waits), waits.locked_rows), (vec![(ANN, 7)], LockedRows::Wait));
    // One worker is left for jobs that do not wait for locks.
    assert!(queue.push(job(BOB, 9, false)).is_none());
    asks(&queue, BOB, 10);
    let other = queue.take().unwrap();
    assert_eq!(of(&other), [(BOB, 10)]);
    queue.done(waits, Vec::new());
    assert_eq!(of(&queue.take().unwrap()), [(BOB, 9)]);
    assert_eq!(of(&queue.take().unwrap()), [(ANN, 7)]);
}

#[test]
fn who_has_too_much_waiting_is_turned_down_and_nobody_else() {
    let queue = JobQueue::new(2);
    for number in 0..MAX_OF_ONE {
        asks(&queue, ANN, number as i64 % 3);
    }
    let refused = queue.push(job(ANN, 7, true)).map(|(_, refusal)| refusal);
    assert_eq!(refused, Some(Refusal::Throttled));
    asks(&queue, BOB, 7);
    queue.close();
    let refused = queue.push(job(BOB, 7, true)).map(|(_, refusal)| refusal);
    assert_eq!(refused, Some(Refusal::Busy));
}

#[test]
fn nothing_is_left_behind() {
    let queue = JobQueue::new(2);
    for number in 0..600 {
        asks(&queue, number % 5, number % 7);
    }
    let mut count = 0;
    while count < 600 {
        let group = queue.take().unwrap();
        count += group.jobs.len();
        queue.done(group, Vec::new());
    }
    let waiting = queue.waiting.lock();
    assert_eq!((waiting.count, waiting.slow, waiting.turns.len()), (0, 0, 0));
    assert!(waiting.principals.is_empty() && waiting.strands.is_empty() && waiting.held.is_empty());
}
