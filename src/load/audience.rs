//! The sockets of a run: opened many at a time, each heard by a task of its own that writes into the ledger.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    time::Duration,
};

use futures_util::future::try_join_all;
use tokio::sync::Notify;

use super::{
    LoadError,
    event::{self, Heard},
    ledger::Ledger,
    listener::Listener,
    socket::{End, Line, Refused, Socket},
    stage::Stage,
};

/// Handshakes at the same time.
const AT_ONCE: usize = 128;

/// How often a handshake is tried that the server is too busy for, and how long it pauses where the server does not say.
const TRIES: usize = 5;
const PAUSE: Duration = Duration::from_millis(200);

/// Hears what a socket's own commands are answered with.
pub(super) type OnAnswer = Rc<dyn Fn(&Heard)>;

/// The open sockets of a run, by the places of their people.
#[derive(Default)]
pub(super) struct Audience {
    pub(super) lines: RefCell<Vec<Option<Rc<Line>>>>,
    open: Cell<usize>,
    greeted: Cell<usize>,
    changed: Notify,
    /// The run is over: whoever ends now ends in order.
    is_over: Cell<bool>,
}

impl Audience {
    /// Opens sockets for these people, and waits until all are live.
    pub(super) async fn open(
        stage: &Stage,
        ledger: &Rc<RefCell<Ledger>>,
        people: &[u32],
        on_answer: Option<OnAnswer>,
    ) -> Result<Rc<Self>, LoadError> {
        let audience = Rc::new(Self::default());
        audience.lines.borrow_mut().resize(stage.cast.people.len(), None);
        let chats = chats_of(stage);
        let next = Cell::new(0);
        let lane = async || {
            while let Some(person) = people.get(next.replace(next.get() + 1)) {
                let socket = open(stage, *person, "").await?;
                audience.seat(ledger, *person, chats[*person as usize].clone(), socket, on_answer.clone());
            }
            Ok::<_, LoadError>(())
        };
        try_join_all((0..AT_ONCE.min(people.len())).map(|_| lane())).await?;
        while audience.greeted.get() < people.len() {
            let lost = people.len() - audience.open.get();
            if lost > 0 {
                return Err(format!("{lost} sockets ended before they were live").into());
            }
            audience.changed.notified().await;
        }
        Ok(audience)
    }

    fn seat(
        self: &Rc<Self>,
        ledger: &Rc<RefCell<Ledger>>,
        person: u32,
        chats: Vec<u32>,
        socket: Socket,
        on_answer: Option<OnAnswer>,
    ) {
        self.lines.borrow_mut()[person as usize] = Some(socket.line.clone());
        self.open.set(self.open.get() + 1);
        chats.iter().for_each(|chat| ledger.borrow_mut().listens(*chat));
        let (audience, ledger) = (self.clone(), ledger.clone());
        actix_rt::spawn(async move {
            let end = audience.hear(&ledger, socket, on_answer).await;
            audience.open.set(audience.open.get() - 1);
            audience.changed.notify_one();
            if !audience.is_over.get() {
                audience.lines.borrow_mut()[person as usize] = None;
                ledger.borrow_mut().ends(&chats, end);
            }
        });
    }

    async fn hear(&self, ledger: &RefCell<Ledger>, socket: Socket, on_answer: Option<OnAnswer>) -> End {
        let mut listener = Listener::default();
        let clock = ledger.borrow().clock;
        let each = |text: &[u8]| {
            let heard = event::read(text);
            let now = clock.now();
            ledger.borrow_mut().hears(&mut listener, &heard, now);
            match heard {
                Heard::Hello { .. } => {
                    self.greeted.set(self.greeted.get() + 1);
                    self.changed.notify_one();
                }
                Heard::Ack { .. } | Heard::Error { .. } => {
                    if let Some(on_answer) = &on_answer {
                        on_answer(&heard);
                    }
                }
                _ => {}
            }
        };
        socket.listen(each).await
    }

    /// How many are open.
    pub(super) fn count(&self) -> usize {
        self.open.get()
    }

    /// Says something over somebody's socket. Returns whether there is one.
    pub(super) fn say(&self, person: u32, text: &[u8]) -> bool {
        let lines = self.lines.borrow();
        let line = lines[person as usize].as_ref();
        if let Some(line) = line {
            line.say(text);
        }
        line.is_some()
    }

    /// Whoever ends from now on does so in order.
    pub(super) fn is_dismissed(&self) {
        self.is_over.set(true);
    }

    /// All say goodbye.
    pub(super) fn leave(&self) {
        self.is_dismissed();
        self.lines.borrow().iter().flatten().for_each(|line| line.close());
    }
}

/// The chats of each person, as places in the list of chats.
pub(super) fn chats_of(stage: &Stage) -> Vec<Vec<u32>> {
    let mut chats = vec![Vec::new(); stage.cast.people.len()];
    for (place, chat) in stage.cast.chats.iter().enumerate() {
        for member in &chat.members {
            chats[*member as usize].push(place as u32);
        }
    }
    chats
}

/// Opens a socket for a person. A server that is too busy is asked again when it says so.
pub(super) async fn open(stage: &Stage, person: u32, query: &str) -> Result<Socket, LoadError> {
    let header = &stage.cast.people[person as usize].header;
    for _ in 1..TRIES {
        match Socket::open(&stage.target, header, query).await {
            Err(Refused::Status(503, pause)) => {
                tokio::time::sleep(pause.map_or(PAUSE, Duration::from_secs)).await;
            }
            done => return done.map_err(|why| refused(&why)),
        }
    }
    Socket::open(&stage.target, header, query).await.map_err(|why| refused(&why))
}

fn refused(why: &Refused) -> LoadError {
    match why {
        Refused::Status(status, _) => format!("a socket was refused with {status}").into(),
        Refused::Io(error) => format!("a socket could not be opened: {error}").into(),
    }
}
