//! A connected user: a socket, the check of its events, and resuming after a lost connection.

use std::{
    cell::{Cell, RefCell},
    fmt::Write,
    rc::Rc,
};

use tokio::{sync::Notify, task::JoinHandle};

use super::{
    event::{self, ServerEvent},
    sequence_check::SequenceCheck,
    socket::{ConnectError, End, Socket, SocketWriter},
    target::Target,
};
use crate::load::measure::deliveries::Deliveries;

/// Callback for the `ack` and `error` frames that answer a socket's own commands.
pub(crate) type OnAnswer = Rc<dyn Fn(&ServerEvent)>;

/// The id of a client's `resume` command; the ids of other commands are smaller.
const RESUME: u64 = 1 << 40;

/// A user of the run with at most one socket.
pub(crate) struct Client {
    target: Rc<Target>,
    /// The header line that authenticates the user.
    pub(crate) header: String,
    /// The user's chats, as indexes into the fixtures' chats.
    pub(crate) chats: Vec<u32>,
    deliveries: Rc<RefCell<Deliveries>>,
    on_answer: Option<OnAnswer>,
    sequence_check: RefCell<SequenceCheck>,
    writer: RefCell<Option<Rc<SocketWriter>>>,
    receiver: RefCell<Option<JoinHandle<()>>>,
    phase: Cell<Phase>,
    changed: Notify,
}

/// State of a client's connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// There is no connection, or the client is closing it.
    Disconnected,
    Connecting,
    Live,
    /// The connection ended unexpectedly.
    Ended(End),
}

impl Client {
    pub(crate) fn new(
        target: Rc<Target>,
        header: String,
        chats: Vec<u32>,
        deliveries: Rc<RefCell<Deliveries>>,
        on_answer: Option<OnAnswer>,
    ) -> Rc<Self> {
        chats.iter().for_each(|chat| deliveries.borrow_mut().add_subscriber(*chat));
        Rc::new(Self {
            target,
            header,
            chats,
            deliveries,
            on_answer,
            sequence_check: RefCell::default(),
            writer: RefCell::default(),
            receiver: RefCell::default(),
            phase: Cell::new(Phase::Disconnected),
            changed: Notify::new(),
        })
    }

    /// Opens a socket and waits until it is live. Resumes if the client was connected before.
    pub(crate) async fn connect(self: &Rc<Self>) -> Result<(), ConnectError> {
        let resumes = self.sequence_check.borrow().has_begun();
        let query = if resumes { "?threads=1&resume=1" } else { "?threads=1" };
        let socket = Socket::open(&self.target, &self.header, query).await?;
        *self.writer.borrow_mut() = Some(socket.writer.clone());
        self.phase.set(Phase::Connecting);
        let client = self.clone();
        let receiver = tokio::task::spawn_local(async move { client.receive_events(socket, resumes).await });
        *self.receiver.borrow_mut() = Some(receiver);
        loop {
            match self.phase.get() {
                Phase::Connecting => self.changed.notified().await,
                Phase::Ended(end) => return Err(ConnectError::Ended(end)),
                Phase::Live | Phase::Disconnected => return Ok(()),
            }
        }
    }

    async fn receive_events(&self, socket: Socket, resumes: bool) {
        let clock = self.deliveries.borrow().clock;
        let end = socket.receive(|text| {
            let event = event::read(text);
            let now = clock.now();
            self.deliveries.borrow_mut().receive(&mut self.sequence_check.borrow_mut(), &event, now);
            self.handle_event(&event, resumes);
        });
        let end = end.await;
        let phase = self.phase.replace(Phase::Ended(end));
        *self.writer.borrow_mut() = None;
        match phase {
            Phase::Live => self.deliveries.borrow_mut().socket_ended(&self.chats, end),
            Phase::Disconnected => self.phase.set(Phase::Disconnected),
            // `connect` is notified below and returns the error.
            Phase::Connecting | Phase::Ended(_) => {}
        }
        self.changed.notify_one();
    }

    fn handle_event(&self, event: &ServerEvent, resumes: bool) {
        match event {
            ServerEvent::Hello { .. } if resumes => {
                let resume = self.resume_frame();
                self.send(resume.as_bytes());
            }
            ServerEvent::Hello { .. } => self.set_live(),
            ServerEvent::Ack { id: Some(RESUME), .. } => self.set_live(),
            ServerEvent::Ack { .. } | ServerEvent::Error { .. } => {
                if let Some(on_answer) = &self.on_answer {
                    on_answer(event);
                }
            }
            _ => {}
        }
    }

    fn set_live(&self) {
        self.phase.set(Phase::Live);
        self.changed.notify_one();
    }

    /// Returns the `resume` command with the newest received `seq` of each chat.
    fn resume_frame(&self) -> String {
        let mut text = format!(r#"{{"type":"resume","id":{RESUME},"chats":{{"#);
        for (index, (chat, seq)) in self.sequence_check.borrow().heads().enumerate() {
            let comma = if index > 0 { "," } else { "" };
            let _ = write!(text, r#"{comma}"{chat}":{seq}"#);
        }
        text.push_str("}}");
        text
    }

    /// Sends a text frame. Returns whether there is a socket.
    pub(crate) fn send(&self, text: &[u8]) -> bool {
        let writer = self.writer.borrow();
        if let Some(writer) = &*writer {
            writer.send_text(text);
        }
        writer.is_some()
    }

    pub(crate) fn is_connected(&self) -> bool {
        self.phase.get() == Phase::Live
    }

    /// Drops the connection without a close frame.
    pub(crate) fn drop_connection(&self) {
        self.phase.set(Phase::Disconnected);
        *self.writer.borrow_mut() = None;
        if let Some(receiver) = self.receiver.take() {
            receiver.abort();
        }
    }

    /// Sends a close frame.
    pub(crate) fn close(&self) {
        self.phase.set(Phase::Disconnected);
        if let Some(writer) = &*self.writer.borrow() {
            writer.close();
        }
    }
}
