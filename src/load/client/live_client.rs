//! A user as an app keeps them connected: a socket, what was heard over it, and coming back after a break.

use std::{
    cell::{Cell, RefCell},
    fmt::Write,
    rc::Rc,
};

use tokio::{sync::Notify, task::JoinHandle};

use super::{
    event::{self, Heard},
    sequence_check::Listener,
    socket::{End, Line, Refused, Socket},
    target::Target,
};
use crate::load::measure::deliveries::Ledger;

/// Hears what a socket's own commands are answered with.
pub(crate) type OnAnswer = Rc<dyn Fn(&Heard)>;

/// The id of a client's `resume`; those of other commands are smaller.
const RESUME: u64 = 1 << 40;

/// A user of the run with their socket.
pub(crate) struct Client {
    target: Rc<Target>,
    /// The header line that says who it is.
    pub(crate) header: String,
    /// The chats, as places in the list of chats.
    pub(crate) chats: Vec<u32>,
    ledger: Rc<RefCell<Ledger>>,
    on_answer: Option<OnAnswer>,
    listener: RefCell<Listener>,
    line: RefCell<Option<Rc<Line>>>,
    hearing: RefCell<Option<JoinHandle<()>>>,
    phase: Cell<Phase>,
    changed: Notify,
}

/// How far a client's connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// There is none, or its end is wanted.
    Away,
    Coming,
    Live,
    /// It ended, and should not have.
    Ended(End),
}

impl Client {
    pub(crate) fn new(
        target: Rc<Target>,
        header: String,
        chats: Vec<u32>,
        ledger: Rc<RefCell<Ledger>>,
        on_answer: Option<OnAnswer>,
    ) -> Rc<Self> {
        chats.iter().for_each(|chat| ledger.borrow_mut().listens(*chat));
        Rc::new(Self {
            target,
            header,
            chats,
            ledger,
            on_answer,
            listener: RefCell::default(),
            line: RefCell::default(),
            hearing: RefCell::default(),
            phase: Cell::new(Phase::Away),
            changed: Notify::new(),
        })
    }

    /// Opens a socket, and waits until it is live. Who was connected before hears what was missed.
    pub(crate) async fn connect(self: &Rc<Self>) -> Result<(), Refused> {
        let resumes = self.listener.borrow().has_begun();
        let query = if resumes { "?resume=1" } else { "" };
        let socket = Socket::open(&self.target, &self.header, query).await?;
        *self.line.borrow_mut() = Some(socket.line.clone());
        self.phase.set(Phase::Coming);
        let client = self.clone();
        let hearing = actix_rt::spawn(async move { client.hear(socket, resumes).await });
        *self.hearing.borrow_mut() = Some(hearing);
        loop {
            match self.phase.get() {
                Phase::Coming => self.changed.notified().await,
                Phase::Ended(end) => return Err(Refused::Ended(end)),
                Phase::Live | Phase::Away => return Ok(()),
            }
        }
    }

    async fn hear(&self, socket: Socket, resumes: bool) {
        let clock = self.ledger.borrow().clock;
        let end = socket.listen(|text| {
            let heard = event::read(text);
            let now = clock.now();
            self.ledger.borrow_mut().hears(&mut self.listener.borrow_mut(), &heard, now);
            self.note(&heard, resumes);
        });
        let end = end.await;
        let phase = self.phase.replace(Phase::Ended(end));
        *self.line.borrow_mut() = None;
        match phase {
            Phase::Live => self.ledger.borrow_mut().ends(&self.chats, end),
            Phase::Away => self.phase.set(Phase::Away),
            // Whoever waits for it is told.
            Phase::Coming | Phase::Ended(_) => {}
        }
        self.changed.notify_one();
    }

    fn note(&self, heard: &Heard, resumes: bool) {
        match heard {
            Heard::Hello { .. } if resumes => {
                let resume = self.resume();
                self.say(resume.as_bytes());
            }
            Heard::Hello { .. } => self.is_live(),
            Heard::Ack { id: Some(RESUME), .. } => self.is_live(),
            Heard::Ack { .. } | Heard::Error { .. } => {
                if let Some(on_answer) = &self.on_answer {
                    on_answer(heard);
                }
            }
            _ => {}
        }
    }

    fn is_live(&self) {
        self.phase.set(Phase::Live);
        self.changed.notify_one();
    }

    /// How far each chat was heard.
    fn resume(&self) -> String {
        let mut text = format!(r#"{{"type":"resume","id":{RESUME},"chats":{{"#);
        for (place, (chat, seq)) in self.listener.borrow().heads().enumerate() {
            let comma = if place > 0 { "," } else { "" };
            let _ = write!(text, r#"{comma}"{chat}":{seq}"#);
        }
        text.push_str("}}");
        text
    }

    /// Says something. Returns whether there is a socket.
    pub(crate) fn say(&self, text: &[u8]) -> bool {
        let line = self.line.borrow();
        if let Some(line) = &*line {
            line.say(text);
        }
        line.is_some()
    }

    pub(crate) fn is_connected(&self) -> bool {
        self.phase.get() == Phase::Live
    }

    /// The connection breaks, without a goodbye.
    pub(crate) fn cut(&self) {
        self.phase.set(Phase::Away);
        *self.line.borrow_mut() = None;
        if let Some(hearing) = self.hearing.take() {
            hearing.abort();
        }
    }

    /// Says goodbye.
    pub(crate) fn leave(&self) {
        self.phase.set(Phase::Away);
        if let Some(line) = &*self.line.borrow() {
            line.close();
        }
    }
}
