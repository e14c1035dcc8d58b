//! Live connections of this node, by user.
//!
//! A map behind a lock rather than an actor. A chat that adds a user must find the user's sockets
//! synchronously. Otherwise another event of the chat could reach them before `chat_created`.

use std::{collections::HashMap, fmt::Debug, sync::Arc};

use super::{
    close_reason::CloseReason,
    send_queue::SendQueue,
    subscriber::{Subscriber, SubscriberId, Watchlist},
};
use crate::core::{
    model::{Credential, JoinCount, UserId},
    sync::Mutex,
};

/// Observer of users who connect and disconnect.
pub trait ConnectionObserver: Debug + Send + Sync {
    /// Called when a user's first connection opens.
    fn connected(&self, user: UserId);

    /// Called when a user's last connection has closed.
    fn disconnected(&self, user: UserId);
}

/// The users connected to this node, with their subscribers.
#[derive(Debug)]
pub struct Hub {
    users: Mutex<HashMap<UserId, Connected>>,
    max_sockets: usize,
    observer: Arc<dyn ConnectionObserver>,
    /// The sockets that may exceed a timeout.
    pub watchlist: Arc<Watchlist>,
}

/// Most event streams and long polls that one user may have open at once.
const MAX_READERS: usize = 100;

#[derive(Debug, Default)]
struct Connected {
    /// WebSockets that are open or being opened.
    slots: usize,
    /// Event streams and long polls that are open or being opened.
    readers: usize,
    /// Open connections of both kinds.
    sockets: Vec<Arc<Subscriber>>,
    /// The user's join count: how often they were added to a chat, as known to this node.
    join_count: Option<JoinCount>,
}

/// Number of connections of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Connections {
    pub users: usize,
    pub sockets: usize,
    /// Event streams and long polls.
    pub readers: usize,
}

/// A reserved connection slot of a user; released when dropped.
#[derive(Debug)]
pub struct ConnectionSlot {
    hub: Arc<Hub>,
    user: UserId,
    is_reader: bool,
}

impl Hub {
    /// Creates a hub that allows each user at most `max_sockets` WebSockets.
    pub fn new(max_sockets: usize, observer: Arc<dyn ConnectionObserver>) -> Arc<Self> {
        Arc::new(Self { users: Mutex::default(), max_sockets, observer, watchlist: Arc::default() })
    }

    /// Reserves a WebSocket slot for a user; `None` at the user's limit.
    pub fn reserve(self: &Arc<Self>, user: UserId) -> Option<ConnectionSlot> {
        let mut users = self.users.lock();
        let connected = users.entry(user).or_default();
        if connected.slots >= self.max_sockets {
            return None;
        }
        connected.slots += 1;
        Some(ConnectionSlot { hub: self.clone(), user, is_reader: false })
    }

    /// Reserves a slot for an event stream or a long poll; `None` at the user's limit. These do not count as
    /// WebSockets.
    pub fn reserve_reader(self: &Arc<Self>, user: UserId) -> Option<ConnectionSlot> {
        let mut users = self.users.lock();
        let connected = users.entry(user).or_default();
        if connected.readers >= MAX_READERS {
            return None;
        }
        connected.readers += 1;
        Some(ConnectionSlot { hub: self.clone(), user, is_reader: true })
    }

    /// Adds an open connection; from now on it gets its user's events.
    pub fn add(&self, socket: Arc<Subscriber>) {
        let user = socket.user;
        let mut users = self.users.lock();
        let sockets = &mut users.entry(user).or_default().sockets;
        sockets.push(socket);
        if sockets.len() == 1 {
            self.observer.connected(user);
        }
    }

    /// Removes a closed connection.
    pub fn remove(&self, user: UserId, socket: SubscriberId) {
        let mut users = self.users.lock();
        let Some(connected) = users.get_mut(&user) else { return };
        let before = connected.sockets.len();
        connected.sockets.retain(|other| other.id != socket);
        if before > 0 && connected.sockets.is_empty() {
            self.observer.disconnected(user);
        }
    }

    /// Returns whether a user has any open connection.
    pub fn is_connected(&self, user: UserId) -> bool {
        self.users.lock().get(&user).is_some_and(|connected| !connected.sockets.is_empty())
    }

    /// Returns a user's open connections.
    pub fn sockets_of(&self, user: UserId) -> Vec<Arc<Subscriber>> {
        self.users.lock().get(&user).map(|connected| connected.sockets.clone()).unwrap_or_default()
    }

    /// Sets a user's join count, read before the first connection read its chats; keeps a known one.
    pub fn begin_join_count(&self, user: UserId, join_count: JoinCount) {
        if let Some(connected) = self.users.lock().get_mut(&user) {
            connected.join_count.get_or_insert(join_count);
        }
    }

    /// Advances the join counts of users added to a chat. A count that skips a number is not advanced: the
    /// reconciler then finds the missed join.
    pub fn advance_join_counts(&self, join_counts: &[(UserId, JoinCount)]) {
        let mut users = self.users.lock();
        for (user, join_count) in join_counts {
            if let Some(known) = users.get_mut(user).and_then(|connected| connected.join_count.as_mut())
                && *join_count == *known + 1
            {
                *known = *join_count;
            }
        }
    }

    /// Raises a user's join count after all of the user's chats were read.
    pub fn caught_up(&self, user: UserId, join_count: JoinCount) {
        if let Some(known) =
            self.users.lock().get_mut(&user).and_then(|connected| connected.join_count.as_mut())
        {
            *known = join_count.max(*known);
        }
    }

    /// Lists the connected users with their known join counts.
    pub fn join_counts(&self) -> Vec<(UserId, JoinCount)> {
        self.users
            .lock()
            .iter()
            .filter_map(|(user, connected)| Some((*user, connected.join_count?)))
            .collect()
    }

    /// Returns the credentials that a user's connections were opened with.
    pub fn credentials_of(&self, user: UserId) -> Vec<Credential> {
        self.sockets_of(user).iter().map(|socket| socket.credential()).collect()
    }

    /// Closes the user's connections that were opened with a credential.
    pub fn close_opened_with(&self, user: UserId, credential: &Credential) {
        for socket in self.sockets_of(user).iter().filter(|socket| socket.credential() == *credential) {
            socket.close(CloseReason::SignedOut);
        }
    }

    /// Closes the connections whose credential is revoked.
    pub fn close_where(&self, is_revoked: impl Fn(&Credential) -> bool) {
        let sockets: Vec<Arc<Subscriber>> = {
            let users = self.users.lock();
            let all = users.values().flat_map(|connected| connected.sockets.iter());
            all.filter(|socket| is_revoked(&socket.credential())).cloned().collect()
        };
        sockets.iter().for_each(|socket| socket.close(CloseReason::SignedOut));
    }

    /// Wakes every socket's writer task.
    pub fn wake_all(&self) {
        let users = self.users.lock();
        let sockets = users.values().flat_map(|connected| &connected.sockets);
        sockets.filter_map(|socket| socket.send_queue()).for_each(SendQueue::wake);
    }

    /// Closes every connection. Returns how many there were.
    pub fn close_all(&self, reason: CloseReason) -> usize {
        let sockets: Vec<Arc<Subscriber>> =
            self.users.lock().values().flat_map(|connected| connected.sockets.iter().cloned()).collect();
        sockets.iter().for_each(|socket| socket.close(reason));
        sockets.len()
    }

    /// Returns the number of connected users and connections.
    pub fn connected(&self) -> Connections {
        let users = self.users.lock();
        let sum = |of: fn(&Connected) -> usize| users.values().map(of).sum();
        Connections {
            users: users.len(),
            sockets: sum(|connected| connected.slots),
            readers: sum(|connected| connected.readers),
        }
    }

    /// Returns the number of WebSockets that are open or being opened.
    pub fn count(&self) -> usize {
        self.users.lock().values().map(|connected| connected.slots).sum()
    }
}

impl Drop for ConnectionSlot {
    fn drop(&mut self) {
        let mut users = self.hub.users.lock();
        if let Some(connected) = users.get_mut(&self.user) {
            match self.is_reader {
                false => connected.slots -= 1,
                true => connected.readers -= 1,
            }
            if connected.slots + connected.readers == 0 && connected.sockets.is_empty() {
                users.remove(&self.user);
            }
        }
    }
}
