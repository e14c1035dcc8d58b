//! Tracks every message of a run: when it was due, how many sockets received it, and which faults occurred.

use std::{
    cell::RefCell,
    collections::{BTreeMap, HashMap},
    rc::Rc,
};

use serde::Serialize;
use tokio::sync::Notify;

use super::{
    clock::{Clock, Moment},
    latency::Latencies,
};
use crate::load::{
    client::{
        event::ServerEvent,
        sequence_check::{SequenceCheck, Verdict},
        socket::End,
    },
    environment::Environment,
};

/// A message of the run. Its content begins with its number, the index in `Deliveries::sent`.
#[derive(Debug, Clone, Copy)]
struct Sent {
    due: Moment,
    chat: u32,
    state: SendState,
    /// Number of sockets that have received it.
    received: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SendState {
    /// The server has not answered yet.
    Pending,
    Acknowledged,
    /// The server rejected it, or the answer was lost: the message may be stored or not.
    Unconfirmed,
}

/// A chat of the run.
#[derive(Debug, Clone, Copy)]
struct ChatDeliveries {
    id: i64,
    /// Clients that are to receive its messages.
    subscribers: u32,
    /// Subscribers that are not expected to receive more: disconnected, or asked to reload the chat.
    excluded: u32,
}

/// Counts of what must not happen.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Faults {
    /// Deliveries of stored messages that did not arrive.
    pub(crate) lost: u64,
    /// Events that a client received twice.
    pub(crate) twice: u64,
    /// Events that arrived after a later one.
    pub(crate) out_of_order: u64,
    /// Unexpected frames: no JSON, an event of a foreign chat, or a message that the run did not send.
    pub(crate) strange: u64,
    /// Sockets that ended unexpectedly, by close code; `cut` if there was no close frame.
    pub(crate) closed: BTreeMap<String, u64>,
}

impl Faults {
    pub(crate) fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

/// All messages of a run with their latencies and faults.
pub(crate) struct Deliveries {
    pub(crate) clock: Clock,
    sent: Vec<Sent>,
    chats: Vec<ChatDeliveries>,
    /// Messages due before this moment are not measured.
    pub(crate) measured_from: Moment,
    /// Time from when a message was due until the server's answer.
    pub(crate) answer_latencies: Latencies,
    /// Time from when a message was due until a socket received it; one entry for each delivery.
    pub(crate) delivery_latencies: Latencies,
    /// Time from when a message was due until its last subscriber received it.
    pub(crate) last_delivery_latencies: Latencies,
    /// Time from when a client was due to connect until it is live.
    pub(crate) connect_latencies: Latencies,
    pub(crate) acknowledged: u64,
    pub(crate) delivered: u64,
    pub(crate) faults: Faults,
    /// Requests that failed, by status or error.
    pub(crate) errors: BTreeMap<String, u64>,
    waiters: HashMap<u32, Rc<Notify>>,
}

impl Deliveries {
    /// Creates an empty record for the chats of an environment.
    pub(crate) fn of(environment: &Environment) -> Rc<RefCell<Self>> {
        let chats = environment.fixtures.chats.iter().map(|chat| ChatDeliveries {
            id: chat.id,
            subscribers: 0,
            excluded: 0,
        });
        Rc::new(RefCell::new(Self {
            clock: environment.clock,
            sent: Vec::new(),
            chats: chats.collect(),
            measured_from: 0,
            answer_latencies: Latencies::default(),
            delivery_latencies: Latencies::default(),
            last_delivery_latencies: Latencies::default(),
            connect_latencies: Latencies::default(),
            acknowledged: 0,
            delivered: 0,
            faults: Faults::default(),
            errors: BTreeMap::new(),
            waiters: HashMap::new(),
        }))
    }

    /// Counts one more client that is to receive the messages of a chat.
    pub(crate) fn add_subscriber(&mut self, chat: u32) {
        self.chats[chat as usize].subscribers += 1;
    }

    /// Registers a message before it is sent. Returns its number.
    pub(crate) fn begin_message(&mut self, chat: u32, due: Moment) -> u32 {
        self.sent.push(Sent { due, chat, state: SendState::Pending, received: 0 });
        (self.sent.len() - 1) as u32
    }

    /// Records that the server acknowledged a message.
    pub(crate) fn acknowledge(&mut self, number: u32) {
        let now = self.clock.now();
        let Some(sent) = self.sent.get_mut(number as usize) else { return };
        sent.state = SendState::Acknowledged;
        self.acknowledged += 1;
        if sent.due >= self.measured_from {
            self.answer_latencies.record(now - sent.due);
        }
    }

    /// Records that a message was rejected, or that no answer arrived.
    pub(crate) fn fail(&mut self, number: u32, why: &str) {
        if let Some(sent) = self.sent.get_mut(number as usize) {
            sent.state = SendState::Unconfirmed;
        }
        self.waiters.remove(&number);
        self.count_error(why);
    }

    /// Counts a failed request by its reason.
    pub(crate) fn count_error(&mut self, why: &str) {
        *self.errors.entry(why.to_owned()).or_default() += 1;
    }

    /// Records a received frame. `now`: when its bytes were read.
    pub(crate) fn receive(&mut self, sequence_check: &mut SequenceCheck, event: &ServerEvent, now: Moment) {
        match event {
            ServerEvent::Message { chat, seq, number, .. } => {
                if self.is_new(sequence_check, *chat, *seq) {
                    self.deliver(*chat, *number, now);
                }
            }
            ServerEvent::Change { chat, seq } => drop(self.is_new(sequence_check, *chat, *seq)),
            ServerEvent::Hello { chats } => sequence_check.begin(chats),
            ServerEvent::Resync { chat, seq } => {
                sequence_check.reset(*chat, *seq);
                self.exclude_client(*chat);
            }
            ServerEvent::Unknown => self.faults.strange += 1,
            ServerEvent::Ack { .. } | ServerEvent::Error { .. } | ServerEvent::Ephemeral => {}
        }
    }

    /// Excludes a client that was asked to reload a chat: the events it missed are not delivered.
    fn exclude_client(&mut self, id: i64) {
        self.count_error("resync");
        if let Some(chat) = self.chats.iter_mut().find(|chat| chat.id == id) {
            chat.excluded += 1;
        }
    }

    /// Checks an event's `seq` and counts faults. Returns whether the client receives it for the first time.
    fn is_new(&mut self, sequence_check: &mut SequenceCheck, chat: i64, seq: i64) -> bool {
        match sequence_check.check(chat, seq) {
            Verdict::New => return true,
            Verdict::OutOfOrder => {
                self.faults.out_of_order += 1;
                return true;
            }
            Verdict::Duplicate => self.faults.twice += 1,
            Verdict::UnknownChat => self.faults.strange += 1,
        }
        false
    }

    fn deliver(&mut self, chat: i64, number: Option<u32>, now: Moment) {
        let found = number.and_then(|number| Some((number, self.sent.get_mut(number as usize)?)));
        let Some((number, sent)) = found else {
            self.faults.strange += 1;
            return;
        };
        let chat_of_message = self.chats[sent.chat as usize];
        if chat_of_message.id != chat {
            self.faults.strange += 1;
            return;
        }
        sent.received += 1;
        let is_last = sent.received + chat_of_message.excluded >= chat_of_message.subscribers;
        let took = now.saturating_sub(sent.due);
        let is_measured = sent.due >= self.measured_from;
        self.delivered += 1;
        if is_measured {
            self.delivery_latencies.record(took);
        }
        if is_last {
            if is_measured {
                self.last_delivery_latencies.record(took);
            }
            if !self.waiters.is_empty()
                && let Some(waiting) = self.waiters.remove(&number)
            {
                waiting.notify_one();
            }
        }
    }

    /// Returns a notification of a message's last delivery; `None` if all subscribers have received it.
    pub(crate) fn watch_delivery(&mut self, number: u32) -> Option<Rc<Notify>> {
        let sent = self.sent[number as usize];
        let chat_of_message = self.chats[sent.chat as usize];
        if sent.received + chat_of_message.excluded >= chat_of_message.subscribers {
            return None;
        }
        Some(self.waiters.entry(number).or_default().clone())
    }

    /// Records a socket that ended unexpectedly. Its client is excluded from the deliveries of its chats.
    pub(crate) fn socket_ended(&mut self, chats: &[u32], end: End) {
        *self.faults.closed.entry(end.to_string()).or_default() += 1;
        for chat in chats {
            self.chats[*chat as usize].excluded += 1;
        }
    }

    /// Counts the outstanding deliveries of stored messages.
    pub(crate) fn missing(&self) -> u64 {
        let missing = |sent: &Sent| {
            let is_stored = sent.state == SendState::Acknowledged || sent.received > 0;
            let chat = self.chats[sent.chat as usize];
            if is_stored {
                u64::from((chat.subscribers - chat.excluded).saturating_sub(sent.received))
            } else {
                0
            }
        };
        self.sent.iter().map(missing).sum()
    }

    /// Returns whether every message was answered, and delivered to all subscribers if stored.
    pub(crate) fn is_complete(&self) -> bool {
        self.sent.iter().all(|sent| sent.state != SendState::Pending) && self.missing() == 0
    }

    /// Ends the record: missing deliveries count as lost, unanswered messages as failed.
    pub(crate) fn finish(&mut self) {
        self.faults.lost = self.missing();
        for number in 0..self.sent.len() {
            if self.sent[number].state == SendState::Pending {
                self.fail(number as u32, "no answer");
            }
        }
    }
}
