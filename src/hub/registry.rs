//! Who is connected to this node: users and their sockets.
//!
//! It is a map behind a lock rather than an actor: a chat that adds somebody must find their sockets within its own
//! turn, so that nothing of the chat can reach them before the news that they are in it.

use std::{
    collections::HashMap,
    fmt::Debug,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{
    close_reason::CloseReason,
    send_queue::Inbox,
    subscriber::{Socket, SocketId},
};
use crate::core::model::{Credential, Feed, UserId};

/// Hears of a user's first socket and of the last one's end.
pub trait ConnectionObserver: Debug + Send + Sync {
    /// A user's first socket has come, or the last one has gone.
    fn connections_changed(&self, user: UserId);
}

/// The users of this node with their sockets.
#[derive(Debug)]
pub struct UserRegistry {
    users: Mutex<HashMap<UserId, Connected>>,
    max_sockets: usize,
    observer: Arc<dyn ConnectionObserver>,
}

/// Event streams and long polls that one user may have open at once.
const MOST_READERS: usize = 100;

#[derive(Debug, Default)]
struct Connected {
    /// Sockets that are open or about to be.
    places: usize,
    /// Event streams and long polls likewise.
    readers: usize,
    /// Both of them.
    sockets: Vec<Arc<Socket>>,
    /// How many times the user was brought into a chat, as far as was heard here.
    feed: Option<Feed>,
}

/// How many are connected to a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Connections {
    pub users: usize,
    pub sockets: usize,
    /// Event streams and long polls.
    pub readers: usize,
}

/// A user's right to one more socket; given back when it is dropped.
#[derive(Debug)]
pub struct Place {
    registry: Arc<UserRegistry>,
    user: UserId,
    is_reader: bool,
}

impl UserRegistry {
    /// A registry that gives each user at most `max_sockets`.
    pub fn new(max_sockets: usize, observer: Arc<dyn ConnectionObserver>) -> Arc<Self> {
        Arc::new(Self { users: Mutex::default(), max_sockets, observer })
    }

    /// Reserves a socket for a user; `None` where they have as many as one may have.
    pub fn reserve(self: &Arc<Self>, user: UserId) -> Option<Place> {
        let mut users = self.lock();
        let connected = users.entry(user).or_default();
        if connected.places >= self.max_sockets {
            return None;
        }
        connected.places += 1;
        Some(Place { registry: self.clone(), user, is_reader: false })
    }

    /// The same for an event stream or a long poll, which do not count as sockets.
    pub fn reserve_reader(self: &Arc<Self>, user: UserId) -> Option<Place> {
        let mut users = self.lock();
        let connected = users.entry(user).or_default();
        if connected.readers >= MOST_READERS {
            return None;
        }
        connected.readers += 1;
        Some(Place { registry: self.clone(), user, is_reader: true })
    }

    /// From now on the socket hears what concerns its user.
    pub fn add(&self, socket: Arc<Socket>) {
        let user = socket.user;
        let mut users = self.lock();
        let sockets = &mut users.entry(user).or_default().sockets;
        sockets.push(socket);
        if sockets.len() == 1 {
            self.observer.connections_changed(user);
        }
    }

    /// The socket has ended.
    pub fn remove(&self, user: UserId, socket: SocketId) {
        let mut users = self.lock();
        let Some(connected) = users.get_mut(&user) else { return };
        let before = connected.sockets.len();
        connected.sockets.retain(|other| other.id != socket);
        if before > 0 && connected.sockets.is_empty() {
            self.observer.connections_changed(user);
        }
    }

    /// Whether a user has any socket.
    pub fn is_connected(&self, user: UserId) -> bool {
        self.lock().get(&user).is_some_and(|connected| !connected.sockets.is_empty())
    }

    /// A user's sockets.
    pub fn sockets_of(&self, user: UserId) -> Vec<Arc<Socket>> {
        self.lock().get(&user).map(|connected| connected.sockets.clone()).unwrap_or_default()
    }

    /// Where a user's count was before the first of their sockets looked which chats they are in.
    pub fn begin_feed(&self, user: UserId, feed: Feed) {
        if let Some(connected) = self.lock().get_mut(&user) {
            connected.feed.get_or_insert(feed);
        }
    }

    /// Users were brought into a chat. Where that was not the next time that was to be heard of, one is missing.
    pub fn heard_feeds(&self, feeds: &[(UserId, Feed)]) {
        let mut users = self.lock();
        for (user, feed) in feeds {
            if let Some(known) = users.get_mut(user).and_then(|connected| connected.feed.as_mut())
                && *feed == *known + 1
            {
                *known = *feed;
            }
        }
    }

    /// It was looked which chats a user is in.
    pub fn caught_up(&self, user: UserId, feed: Feed) {
        if let Some(known) = self.lock().get_mut(&user).and_then(|connected| connected.feed.as_mut()) {
            *known = feed.max(*known);
        }
    }

    /// The users who are connected, each with their count as it is known here.
    pub fn feeds(&self) -> Vec<(UserId, Feed)> {
        self.lock().iter().filter_map(|(user, connected)| Some((*user, connected.feed?))).collect()
    }

    /// The credentials that a user's sockets were opened with.
    pub fn credentials_of(&self, user: UserId) -> Vec<Credential> {
        self.sockets_of(user).iter().map(|socket| socket.credential.clone()).collect()
    }

    /// Closes those of a user's sockets that were opened with a credential.
    pub fn close_opened_with(&self, user: UserId, credential: &Credential) {
        for socket in self.sockets_of(user).iter().filter(|socket| socket.credential == *credential) {
            socket.close(CloseReason::SignedOut);
        }
    }

    /// Has every socket look at what waits for it.
    pub fn wake_all(&self) {
        let users = self.lock();
        let sockets = users.values().flat_map(|connected| &connected.sockets);
        sockets.filter_map(|socket| socket.inbox()).for_each(Inbox::wake);
    }

    /// Closes every socket. Returns how many there were.
    pub fn close_all(&self, reason: CloseReason) -> usize {
        let sockets: Vec<Arc<Socket>> =
            self.lock().values().flat_map(|connected| connected.sockets.iter().cloned()).collect();
        sockets.iter().for_each(|socket| socket.close(reason));
        sockets.len()
    }

    /// The sockets that are to be looked after: see [`Socket::look_after`].
    pub fn overdue(&self) -> Vec<Arc<Socket>> {
        let users = self.lock();
        let sockets = users.values().flat_map(|connected| &connected.sockets);
        sockets.filter(|socket| socket.is_overdue()).cloned().collect()
    }

    /// How many are connected, in all.
    pub fn connected(&self) -> Connections {
        let users = self.lock();
        let sum = |of: fn(&Connected) -> usize| users.values().map(of).sum();
        Connections {
            users: users.len(),
            sockets: sum(|connected| connected.places),
            readers: sum(|connected| connected.readers),
        }
    }

    /// How many sockets are open or about to be.
    pub fn count(&self) -> usize {
        self.lock().values().map(|connected| connected.places).sum()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<UserId, Connected>> {
        // The maps are sound after each single step, so a panic elsewhere does not spoil them.
        self.users.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut users = self.registry.lock();
        if let Some(connected) = users.get_mut(&self.user) {
            match self.is_reader {
                false => connected.places -= 1,
                true => connected.readers -= 1,
            }
            if connected.places + connected.readers == 0 && connected.sockets.is_empty() {
                users.remove(&self.user);
            }
        }
    }
}
