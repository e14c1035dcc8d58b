//! The book of all messages of a run: when each was due, who has heard it, and what went wrong.

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
        event::Heard,
        sequence_check::{Listener, Note},
        socket::End,
    },
    environment::Stage,
};

/// A message of the run, found by its number, with which its content begins.
#[derive(Debug, Clone, Copy)]
struct Sent {
    due: Moment,
    chat: u32,
    standing: Standing,
    /// How many sockets have heard it.
    heard: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// Nothing is known of it yet.
    Asked,
    Acknowledged,
    /// The server said no, or the answer was lost: it may be stored or not.
    Unanswered,
}

/// A chat of the run.
#[derive(Debug, Clone, Copy)]
struct Chat {
    id: i64,
    /// Those who listen to it, and those of them whom the server has closed.
    listeners: u32,
    gone: u32,
}

/// What must not happen.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Faults {
    /// Deliveries of stored messages that never came.
    pub(crate) lost: u64,
    /// Events that came twice on a socket.
    pub(crate) twice: u64,
    /// Events that came after a later one.
    pub(crate) out_of_order: u64,
    /// Frames that nobody can have sent: no JSON, a message of another chat or with words of nobody.
    pub(crate) strange: u64,
    /// Sockets that the server closed, or that were cut, by their codes.
    pub(crate) closed: BTreeMap<String, u64>,
}

impl Faults {
    pub(crate) fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

/// The book.
pub(crate) struct Ledger {
    pub(crate) clock: Clock,
    sent: Vec<Sent>,
    chats: Vec<Chat>,
    /// What is due before this is not measured.
    pub(crate) measured_from: Moment,
    /// From when it was due: until the answer, until each socket has heard it, until the last one has.
    pub(crate) answers: Latencies,
    pub(crate) deliveries: Latencies,
    pub(crate) last_deliveries: Latencies,
    /// Until a client is live, from when it is to be.
    pub(crate) connects: Latencies,
    pub(crate) acknowledged: u64,
    pub(crate) delivered: u64,
    pub(crate) faults: Faults,
    /// Requests that failed, by status or error.
    pub(crate) errors: BTreeMap<String, u64>,
    awaited: HashMap<u32, Rc<Notify>>,
}

impl Ledger {
    /// An empty book of a stage's chats.
    pub(crate) fn of(stage: &Stage) -> Rc<RefCell<Self>> {
        let chats = stage.cast.chats.iter().map(|chat| Chat { id: chat.id, listeners: 0, gone: 0 });
        Rc::new(RefCell::new(Self {
            clock: stage.clock,
            sent: Vec::new(),
            chats: chats.collect(),
            measured_from: 0,
            answers: Latencies::default(),
            deliveries: Latencies::default(),
            last_deliveries: Latencies::default(),
            connects: Latencies::default(),
            acknowledged: 0,
            delivered: 0,
            faults: Faults::default(),
            errors: BTreeMap::new(),
            awaited: HashMap::new(),
        }))
    }

    /// Somebody listens to a chat from now on.
    pub(crate) fn listens(&mut self, chat: u32) {
        self.chats[chat as usize].listeners += 1;
    }

    /// A message that is to be sent. Returns its number.
    pub(crate) fn asks(&mut self, chat: u32, due: Moment) -> u32 {
        self.sent.push(Sent { due, chat, standing: Standing::Asked, heard: 0 });
        (self.sent.len() - 1) as u32
    }

    /// The server has acknowledged a message.
    pub(crate) fn acknowledges(&mut self, number: u32) {
        let now = self.clock.now();
        let Some(sent) = self.sent.get_mut(number as usize) else { return };
        sent.standing = Standing::Acknowledged;
        self.acknowledged += 1;
        if sent.due >= self.measured_from {
            self.answers.record(now - sent.due);
        }
    }

    /// A message was refused, or nothing came back.
    pub(crate) fn fails(&mut self, number: u32, why: &str) {
        if let Some(sent) = self.sent.get_mut(number as usize) {
            sent.standing = Standing::Unanswered;
        }
        self.awaited.remove(&number);
        self.notes_error(why);
    }

    /// A request that is no message has failed.
    pub(crate) fn notes_error(&mut self, why: &str) {
        *self.errors.entry(why.to_owned()).or_default() += 1;
    }

    /// A socket has heard something. `now`: when what it read came.
    pub(crate) fn hears(&mut self, listener: &mut Listener, heard: &Heard, now: Moment) {
        match heard {
            Heard::Message { chat, seq, number, .. } => {
                if self.notes(listener, *chat, *seq) {
                    self.delivers(*chat, *number, now);
                }
            }
            Heard::Change { chat, seq } => drop(self.notes(listener, *chat, *seq)),
            Heard::Hello { chats } => listener.begin(chats),
            Heard::Resync { chat, seq } => {
                listener.jump(*chat, *seq);
                self.forgets(*chat);
            }
            Heard::Unknown => self.faults.strange += 1,
            Heard::Ack { .. } | Heard::Error { .. } | Heard::Fleeting => {}
        }
    }

    /// A client is to load a chat again: what it missed is in no event, so it is not asked for.
    fn forgets(&mut self, id: i64) {
        self.notes_error("resync");
        if let Some(chat) = self.chats.iter_mut().find(|chat| chat.id == id) {
            chat.gone += 1;
        }
    }

    /// Whether the socket has not had this.
    fn notes(&mut self, listener: &mut Listener, chat: i64, seq: i64) -> bool {
        match listener.note(chat, seq) {
            Note::New => return true,
            Note::Late => {
                self.faults.out_of_order += 1;
                return true;
            }
            Note::Again => self.faults.twice += 1,
            Note::Strange => self.faults.strange += 1,
        }
        false
    }

    fn delivers(&mut self, chat: i64, number: Option<u32>, now: Moment) {
        let found = number.and_then(|number| Some((number, self.sent.get_mut(number as usize)?)));
        let Some((number, sent)) = found else {
            self.faults.strange += 1;
            return;
        };
        let room = self.chats[sent.chat as usize];
        if room.id != chat {
            self.faults.strange += 1;
            return;
        }
        sent.heard += 1;
        let is_last = sent.heard + room.gone >= room.listeners;
        let took = now.saturating_sub(sent.due);
        let is_measured = sent.due >= self.measured_from;
        self.delivered += 1;
        if is_measured {
            self.deliveries.record(took);
        }
        if is_last {
            if is_measured {
                self.last_deliveries.record(took);
            }
            if !self.awaited.is_empty()
                && let Some(waiting) = self.awaited.remove(&number)
            {
                waiting.notify_one();
            }
        }
    }

    /// Wakes whoever waits once all have heard a message. `None`: they have.
    pub(crate) fn awaits(&mut self, number: u32) -> Option<Rc<Notify>> {
        let sent = self.sent[number as usize];
        let room = self.chats[sent.chat as usize];
        if sent.heard + room.gone >= room.listeners {
            return None;
        }
        Some(self.awaited.entry(number).or_default().clone())
    }

    /// A socket ended that was to stay.
    pub(crate) fn ends(&mut self, chats: &[u32], end: End) {
        *self.faults.closed.entry(end.to_string()).or_default() += 1;
        for chat in chats {
            self.chats[*chat as usize].gone += 1;
        }
    }

    /// How many deliveries of stored messages are still to come.
    pub(crate) fn missing(&self) -> u64 {
        let missing = |sent: &Sent| {
            let is_stored = sent.standing == Standing::Acknowledged || sent.heard > 0;
            let chat = self.chats[sent.chat as usize];
            if is_stored { u64::from((chat.listeners - chat.gone).saturating_sub(sent.heard)) } else { 0 }
        };
        self.sent.iter().map(missing).sum()
    }

    /// Whether every message was answered, and heard by everybody.
    pub(crate) fn is_settled(&self) -> bool {
        self.sent.iter().all(|sent| sent.standing != Standing::Asked) && self.missing() == 0
    }

    /// No more is to come: what is missing is lost.
    pub(crate) fn close(&mut self) {
        self.faults.lost = self.missing();
        for number in 0..self.sent.len() {
            if self.sent[number].standing == Standing::Asked {
                self.fails(number as u32, "no answer");
            }
        }
    }
}
