//! The presence task: applies queued changes in batches, and delivers events to dm partners.

use std::{sync::Arc, time::Duration};

use bytestring::ByteString;
use tokio::{
    sync::mpsc::UnboundedReceiver,
    time::{Instant, MissedTickBehavior, interval},
};

use super::{
    Moved, Presence, PresenceChange, grace_period::GracePeriods, partners::Partners, renamed::Renamed,
};
use crate::{
    bus::PresenceMessage,
    core::model::{Timestamp, UserId},
    hub::Hub,
    view::frames,
};

/// Most changes processed in one batch.
const MAX_CHANGES: usize = 256;

/// Heartbeat interval of a node.
const HEARTBEAT_EVERY: Duration = Duration::from_secs(1);

/// Processes presence changes until the server shuts down.
pub async fn run(presence: Arc<Presence>, hub: Arc<Hub>, mut changes: UnboundedReceiver<PresenceChange>) {
    let (mut grace_periods, mut renamed) = (GracePeriods::default(), Renamed::default());
    let mut heartbeat = interval(HEARTBEAT_EVERY);
    heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let (mut batch, mut gone) = (Vec::new(), Vec::new());
        tokio::select! {
            count = changes.recv_many(&mut batch, MAX_CHANGES) => if count == 0 { return },
            () = grace_periods.is_due() => {}
            () = renamed.is_due() => {}
            _ = heartbeat.tick(), if !presence.bus.is_alone() => gone = presence.send_heartbeat(),
        }
        let mut announcements = process(&presence, &hub, batch, &mut grace_periods, &mut renamed);
        for (user, frame) in renamed.take_due() {
            announcements.send(&hub, user, frame);
        }
        let now = Timestamp::now();
        announcements.frames.extend(gone.into_iter().map(|user| (user, frames::presence(user, false, now))));
        let gone = grace_periods.take_due();
        let gone: Vec<_> = gone.into_iter().filter(|(user, _)| !hub.is_connected(*user)).collect();
        for (user, at) in gone {
            let (message, is_online) = presence.set_offline(user, at);
            let was_here = message.is_some();
            announcements.messages.extend(message);
            if was_here {
                announcements.seen.push((user, at));
            }
            if was_here && !is_online {
                announcements.frames.push((user, frames::presence(user, false, at)));
            }
        }
        announcements.deliver(&presence, &hub).await;
    }
}

/// Result of one batch: events to deliver and last-seen times to store.
#[derive(Default)]
struct Announcements {
    seen: Vec<(UserId, Timestamp)>,
    /// Events for the dm partners of a user.
    frames: Vec<(UserId, ByteString)>,
    /// Messages for the other nodes, without the partners.
    messages: Vec<PresenceMessage>,
    partners: Partners,
}

fn process(
    presence: &Presence,
    hub: &Hub,
    batch: Vec<PresenceChange>,
    grace_periods: &mut GracePeriods,
    renamed: &mut Renamed,
) -> Announcements {
    let mut announcements = Announcements::default();
    for change in batch {
        if let PresenceChange::Moved(user) = change {
            // Removed before the state is read, so that a later change is queued again.
            presence.take_moved(user);
        }
        match change {
            PresenceChange::Moved(user) if hub.is_connected(user) => {
                grace_periods.cancel(user);
                let (message, is_new) = presence.set_online(user);
                announcements.messages.extend(message);
                if is_new {
                    let now = Timestamp::now();
                    announcements.seen.push((user, now));
                    announcements.frames.push((user, frames::presence(user, true, now)));
                }
            }
            PresenceChange::Moved(user) => grace_periods.start(user),
            PresenceChange::NewDm(one, other) => {
                presence.online.lock().recent_dms.add(one, other, Instant::now());
                send_if_online(presence, hub, one, other);
                send_if_online(presence, hub, other, one);
            }
            PresenceChange::ProfileChanged(user, frame) => {
                if let Some(frame) = renamed.changed(user, frame) {
                    announcements.send(hub, user, frame);
                }
            }
            PresenceChange::RemotePresence(from, message) => {
                for Moved { user, is_online, at, partners } in presence.apply_remote(from, message) {
                    let is_here = |partner: &UserId| hub.is_connected(*partner);
                    if partners.as_ref().is_none_or(|partners| partners.iter().any(is_here)) {
                        announcements.frames.push((user, frames::presence(user, is_online, at)));
                        announcements.partners.set(user, partners);
                    }
                }
            }
        }
    }
    announcements
}

/// Sends `one` a presence event if `other` is online.
fn send_if_online(presence: &Presence, hub: &Hub, one: UserId, other: UserId) {
    if presence.online.lock().has(other) {
        send_to(hub, one, &frames::presence(other, true, Timestamp::now()));
    }
}

fn send_to(hub: &Hub, user: UserId, frame: &ByteString) {
    hub.sockets_of(user).iter().for_each(|socket| socket.deliver_ephemeral(frame));
}

impl Announcements {
    /// Sends an event to a user, and queues it for the user's dm partners.
    fn send(&mut self, hub: &Hub, user: UserId, frame: ByteString) {
        send_to(hub, user, &frame);
        self.frames.push((user, frame));
    }

    async fn deliver(mut self, presence: &Presence, hub: &Hub) {
        // Read after the users' state was set, so that no new partner is missed. If storage fails, these events
        // are lost. Clients get the current state when they reconnect.
        let users = self.frames.iter().map(|(user, _)| *user);
        self.partners.read(&presence.readers, users).await;
        for mut message in self.messages {
            if let PresenceMessage::Came { user, partners, .. }
            | PresenceMessage::Went { user, partners, .. } = &mut message
            {
                *partners = self.partners.listed(*user);
            }
            presence.publish(message);
        }
        for (user, frame) in &self.frames {
            self.partners.of(*user).iter().for_each(|partner| send_to(hub, *partner, frame));
        }
        presence.store_last_seen(self.seen).await;
    }
}
