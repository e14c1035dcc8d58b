//! How messages get to the server: over kept connections, or as commands over sockets.

use std::{
    cell::{Cell, RefCell},
    collections::{HashMap, VecDeque},
    fmt::Write,
    rc::Rc,
};

use futures_util::future::join_all;
use tokio::{sync::Notify, time::timeout};

use super::pacer::Pace;
use crate::load::{
    client::{
        clients::{Audience, chats_of},
        event::Heard,
        http::Connection,
        live_client::OnAnswer,
    },
    environment::Stage,
    fixtures::plan::content,
    measure::{clock::Moment, deliveries::Ledger},
};

/// Commands that a socket has on its way at most, where there is a rate.
const MOST_UNDER_WAY: u32 = 256;

/// What is sent, and when a message is done for its sender.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sending {
    pub(crate) senders: usize,
    /// Characters of a message.
    pub(crate) size: usize,
    /// Not when it is answered but when the last of those who listen has heard it.
    pub(crate) until_heard: bool,
    /// Messages that a socket has on its way; `None`: as many as the rate asks for.
    pub(crate) in_flight: Option<u32>,
}

impl Sending {
    /// Sends over REST, to one chat after the other, in the names of their members in turn.
    pub(crate) async fn over_rest(&self, stage: &Stage, ledger: &Rc<RefCell<Ledger>>, pace: &Pace) {
        let turn = Cell::new(0_usize);
        let lane = async || {
            let mut connection = Connection::new(stage.target.clone());
            while let Some(due) = pace.next().await {
                let number = turn.replace(turn.get() + 1);
                let (place, round) = (number % stage.cast.chats.len(), number / stage.cast.chats.len());
                self.post(stage, ledger, &mut connection, (place, round), due).await;
            }
        };
        join_all((0..self.senders).map(|_| lane())).await;
    }

    async fn post(
        &self,
        stage: &Stage,
        ledger: &Rc<RefCell<Ledger>>,
        connection: &mut Connection,
        (place, round): (usize, usize),
        due: Moment,
    ) {
        let chat = &stage.cast.chats[place];
        let sender = &stage.cast.people[chat.members[round % chat.members.len()] as usize];
        let number = ledger.borrow_mut().asks(place as u32, due);
        let body = format!(r#"{{"content":"{}"}}"#, content(number, self.size));
        let path = format!("/messages/api/chats/{}/messages/", chat.id);
        let answer = connection.ask("POST", &path, &sender.header, body.as_bytes()).await;
        match answer.map(|answer| answer.status) {
            Ok(201) => ledger.borrow_mut().acknowledges(number),
            Ok(status) => return ledger.borrow_mut().fails(number, &status.to_string()),
            Err(error) => return ledger.borrow_mut().fails(number, &error.kind().to_string()),
        }
        if self.until_heard {
            heard_by_all(ledger, number).await;
        }
    }

    /// Sends over the sockets of the first of these people, each to their chats in turn.
    pub(crate) async fn over_sockets(
        &self,
        stage: &Stage,
        ledger: &Rc<RefCell<Ledger>>,
        (audience, commands): (&Audience, &Rc<Commands>),
        pace: &Pace,
        people: &[u32],
    ) {
        let chats = chats_of(stage);
        let senders = &people[..people.len().min(self.senders)];
        commands.begin(senders, self.in_flight.unwrap_or(MOST_UNDER_WAY), self.until_heard);
        let mut frame = String::new();
        let mut turn = 0_usize;
        let sending = async {
            loop {
                let sender = commands.ready().await;
                let Some(due) = pace.next().await else { break };
                let own = &chats[sender as usize];
                let chat = own[turn / senders.len() % own.len()];
                turn += 1;
                let number = ledger.borrow_mut().asks(chat, due);
                let (id, text) = (stage.cast.chats[chat as usize].id, content(number, self.size));
                frame.clear();
                let _ = write!(
                    frame,
                    r#"{{"type":"send_message","id":{number},"chat_id":{id},"content":"{text}"}}"#
                );
                commands.asks(number, sender);
                let client = audience.client(sender);
                if !client.is_some_and(|client| client.say(frame.as_bytes())) {
                    ledger.borrow_mut().fails(number, "the socket is closed");
                }
            }
        };
        // Where all sockets are closed nobody gets ready any more.
        let _ = timeout(pace.left(), sending).await;
        let _ = timeout(stage.options.patience, commands.answered()).await;
    }
}

/// Connections of [`post_once`].
const LANES: usize = 16;

/// Posts one message in each of these chats.
pub(crate) async fn post_once(stage: &Stage, ledger: &Rc<RefCell<Ledger>>, places: &[u32]) {
    let once = Sending { senders: LANES, size: 1, until_heard: false, in_flight: None };
    let next = Cell::new(0);
    let lane = async || {
        let mut connection = Connection::new(stage.target.clone());
        while let Some(place) = places.get(next.replace(next.get() + 1)) {
            let due = stage.clock.now();
            once.post(stage, ledger, &mut connection, (*place as usize, 0), due).await;
        }
    };
    join_all((0..LANES.min(places.len())).map(|_| lane())).await;
}

async fn heard_by_all(ledger: &Rc<RefCell<Ledger>>, number: u32) {
    let waiting = ledger.borrow_mut().awaits(number);
    if let Some(waiting) = waiting {
        waiting.notified().await;
    }
}

/// The commands that are on their way over sockets, and who may send the next one.
#[derive(Default)]
pub(crate) struct Commands {
    ready: RefCell<VecDeque<u32>>,
    /// The sender of each, by number.
    under_way: RefCell<HashMap<u32, u32>>,
    changed: Notify,
    until_heard: Cell<bool>,
}

impl Commands {
    fn begin(&self, senders: &[u32], in_flight: u32, until_heard: bool) {
        self.until_heard.set(until_heard);
        let mut ready = self.ready.borrow_mut();
        (0..in_flight).for_each(|_| ready.extend(senders));
    }

    /// The next who may send.
    async fn ready(&self) -> u32 {
        loop {
            let next = self.ready.borrow_mut().pop_front();
            match next {
                Some(sender) => return sender,
                None => self.changed.notified().await,
            }
        }
    }

    fn asks(&self, number: u32, sender: u32) {
        self.under_way.borrow_mut().insert(number, sender);
    }

    /// Waits until nothing is on its way.
    async fn answered(&self) {
        while !self.under_way.borrow().is_empty() {
            self.changed.notified().await;
        }
    }

    /// What is to be done with each answer.
    pub(crate) fn on_answer(self: &Rc<Self>, ledger: &Rc<RefCell<Ledger>>) -> OnAnswer {
        let (commands, ledger) = (self.clone(), ledger.clone());
        Rc::new(move |heard| {
            let (id, status) = match heard {
                Heard::Ack { id, .. } => (id, None),
                Heard::Error { id, status } => (id, Some(status)),
                _ => return,
            };
            let Some(number) = id.and_then(|id| u32::try_from(id).ok()) else { return };
            match status {
                None => ledger.borrow_mut().acknowledges(number),
                Some(status) => ledger.borrow_mut().fails(number, &status.to_string()),
            }
            let Some(sender) = commands.under_way.borrow_mut().remove(&number) else { return };
            if commands.until_heard.get() && status.is_none() {
                let (commands, ledger) = (commands.clone(), ledger.clone());
                actix_rt::spawn(async move {
                    heard_by_all(&ledger, number).await;
                    commands.is_ready(sender);
                });
            } else {
                commands.is_ready(sender);
            }
        })
    }

    fn is_ready(&self, sender: u32) {
        self.ready.borrow_mut().push_back(sender);
        self.changed.notify_one();
    }
}
