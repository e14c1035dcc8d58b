//! Sends messages: over keep-alive connections, or as commands over sockets.

use std::{
    cell::{Cell, RefCell},
    collections::{HashMap, VecDeque},
    fmt::Write,
    rc::Rc,
};

use futures_util::future::join_all;
use tokio::{sync::Notify, time::timeout};

use super::pacer::Pacer;
use crate::load::{
    client::{
        clients::{Clients, chats_of},
        event::ServerEvent,
        http::HttpConnection,
        live_client::OnAnswer,
    },
    environment::Environment,
    fixtures::plan::{PlannedChat, content},
    measure::{clock::Moment, deliveries::Deliveries},
};

/// Highest number of unanswered commands of a socket when there is a rate.
const MAX_IN_FLIGHT: u32 = 256;

/// How messages are sent, and when a message is done for its sender.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sending {
    pub(crate) senders: usize,
    /// Length of a message, in characters.
    pub(crate) size: usize,
    /// A message is done when its last subscriber has received it, not when it is answered.
    pub(crate) until_delivered: bool,
    /// Unanswered messages of a socket; `None`: as many as the rate requires, up to [`MAX_IN_FLIGHT`].
    pub(crate) in_flight: Option<u32>,
}

impl Sending {
    /// Sends over REST, to all chats in turn, as each of their members in turn.
    pub(crate) async fn over_rest(
        &self,
        environment: &Environment,
        deliveries: &Rc<RefCell<Deliveries>>,
        pacer: &Pacer,
    ) {
        let next = Cell::new(0_usize);
        let worker = async || {
            let mut connection = HttpConnection::new(environment.target.clone());
            while let Some(due) = pacer.next().await {
                let number = next.replace(next.get() + 1);
                let (chat, round) =
                    (number % environment.fixtures.chats.len(), number / environment.fixtures.chats.len());
                self.post(environment, deliveries, &mut connection, (chat, round), due).await;
            }
        };
        join_all((0..self.senders).map(|_| worker())).await;
    }

    async fn post(
        &self,
        environment: &Environment,
        deliveries: &Rc<RefCell<Deliveries>>,
        connection: &mut HttpConnection,
        (chat, round): (usize, usize),
        due: Moment,
    ) {
        let PlannedChat { id, members, root } = &environment.fixtures.chats[chat];
        let sender = &environment.fixtures.people[members[round % members.len()] as usize];
        let number = deliveries.borrow_mut().begin_message(chat as u32, due);
        let body = format!(r#"{{"content":"{}"{}}}"#, content(number, self.size), in_thread(*root));
        let path = format!("/messages/api/chats/{id}/messages/");
        let answer = connection.request("POST", &path, &sender.header, body.as_bytes()).await;
        match answer.map(|answer| answer.status) {
            Ok(201) => deliveries.borrow_mut().acknowledge(number),
            Ok(status) => return deliveries.borrow_mut().fail(number, &status.to_string()),
            Err(error) => return deliveries.borrow_mut().fail(number, &error.kind().to_string()),
        }
        if self.until_delivered {
            wait_for_delivery(deliveries, number).await;
        }
    }

    /// Sends over the sockets of the first `senders` of these people, each to their chats in turn.
    pub(crate) async fn over_sockets(
        &self,
        environment: &Environment,
        deliveries: &Rc<RefCell<Deliveries>>,
        (clients, commands): (&Clients, &Rc<Commands>),
        pacer: &Pacer,
        people: &[u32],
    ) {
        let chats = chats_of(environment);
        let senders = &people[..people.len().min(self.senders)];
        commands.begin(senders, self.in_flight.unwrap_or(MAX_IN_FLIGHT), self.until_delivered);
        let mut frame = String::new();
        let mut sent_count = 0_usize;
        let sending = async {
            loop {
                let sender = commands.next_sender().await;
                let Some(due) = pacer.next().await else { break };
                let own = &chats[sender as usize];
                let chat = own[sent_count / senders.len() % own.len()];
                sent_count += 1;
                let number = deliveries.borrow_mut().begin_message(chat, due);
                let PlannedChat { id, root, .. } = &environment.fixtures.chats[chat as usize];
                let (text, thread) = (content(number, self.size), in_thread(*root));
                frame.clear();
                let _ = write!(
                    frame,
                    r#"{{"type":"send_message","id":{number},"chat_id":{id},"content":"{text}"{thread}}}"#
                );
                commands.insert(number, sender);
                let client = clients.client(sender);
                if !client.is_some_and(|client| client.send(frame.as_bytes())) {
                    deliveries.borrow_mut().fail(number, "the socket is closed");
                }
            }
        };
        // If all sockets are closed, no sender becomes ready again.
        let _ = timeout(pacer.left(), sending).await;
        let _ = timeout(environment.options.patience, commands.wait_until_answered()).await;
    }
}

/// Returns the field of a message that makes it a reply.
fn in_thread(root: Option<i64>) -> String {
    root.map(|root| format!(r#","thread":{root}"#)).unwrap_or_default()
}

/// Concurrent connections of [`post_once`].
const WORKERS: usize = 16;

/// Posts one message in each of these chats.
pub(crate) async fn post_once(
    environment: &Environment,
    deliveries: &Rc<RefCell<Deliveries>>,
    chats: &[u32],
) {
    let once = Sending { senders: WORKERS, size: 1, until_delivered: false, in_flight: None };
    let next = Cell::new(0);
    let worker = async || {
        let mut connection = HttpConnection::new(environment.target.clone());
        while let Some(chat) = chats.get(next.replace(next.get() + 1)) {
            let due = environment.clock.now();
            once.post(environment, deliveries, &mut connection, (*chat as usize, 0), due).await;
        }
    };
    join_all((0..WORKERS.min(chats.len())).map(|_| worker())).await;
}

async fn wait_for_delivery(deliveries: &Rc<RefCell<Deliveries>>, number: u32) {
    let waiting = deliveries.borrow_mut().watch_delivery(number);
    if let Some(waiting) = waiting {
        waiting.notified().await;
    }
}

/// The unanswered commands, and the queue of senders that may send the next one.
#[derive(Default)]
pub(crate) struct Commands {
    ready: RefCell<VecDeque<u32>>,
    /// The sender of each unanswered command, by message number.
    sender_of: RefCell<HashMap<u32, u32>>,
    changed: Notify,
    until_delivered: Cell<bool>,
}

impl Commands {
    fn begin(&self, senders: &[u32], in_flight: u32, until_delivered: bool) {
        self.until_delivered.set(until_delivered);
        let mut ready = self.ready.borrow_mut();
        (0..in_flight).for_each(|_| ready.extend(senders));
    }

    /// Waits for a sender that may send.
    async fn next_sender(&self) -> u32 {
        loop {
            let next = self.ready.borrow_mut().pop_front();
            match next {
                Some(sender) => return sender,
                None => self.changed.notified().await,
            }
        }
    }

    fn insert(&self, number: u32, sender: u32) {
        self.sender_of.borrow_mut().insert(number, sender);
    }

    /// Waits until every command is answered.
    async fn wait_until_answered(&self) {
        while !self.sender_of.borrow().is_empty() {
            self.changed.notified().await;
        }
    }

    /// Returns the callback that records each answer and makes its sender ready again.
    pub(crate) fn on_answer(self: &Rc<Self>, deliveries: &Rc<RefCell<Deliveries>>) -> OnAnswer {
        let (commands, deliveries) = (self.clone(), deliveries.clone());
        Rc::new(move |event| {
            let (id, status) = match event {
                ServerEvent::Ack { id, .. } => (id, None),
                ServerEvent::Error { id, status } => (id, Some(status)),
                _ => return,
            };
            let Some(number) = id.and_then(|id| u32::try_from(id).ok()) else { return };
            match status {
                None => deliveries.borrow_mut().acknowledge(number),
                Some(status) => deliveries.borrow_mut().fail(number, &status.to_string()),
            }
            let Some(sender) = commands.sender_of.borrow_mut().remove(&number) else { return };
            if commands.until_delivered.get() && status.is_none() {
                let (commands, deliveries) = (commands.clone(), deliveries.clone());
                tokio::task::spawn_local(async move {
                    wait_for_delivery(&deliveries, number).await;
                    commands.make_ready(sender);
                });
            } else {
                commands.make_ready(sender);
            }
        })
    }

    fn make_ready(&self, sender: u32) {
        self.ready.borrow_mut().push_back(sender);
        self.changed.notify_one();
    }
}
