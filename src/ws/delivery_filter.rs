//! What a socket has heard of each chat, and so what is news to it.

use std::{cell::RefCell, collections::BTreeMap, rc::Rc};

use bytes::Bytes;

use super::room_watch::Watched;
use crate::{
    core::model::{ChatId, Seq},
    feed::{Heads, Only},
    hub::{Parcel, frame_batch::Standing},
};

/// A socket first subscribes and then reads where its chats are, so that it misses nothing between the two.
pub(super) enum Phase {
    /// What is delivered waits: until the heads are known, or until the last of what was missed has been sent.
    Waiting,
    /// What was missed is being sent, as fast as the client reads. What is delivered meanwhile is in storage too, so it
    /// is only noted in which chats there is more to read; for those that the user has left, with the number of that.
    CatchingUp(BTreeMap<ChatId, Option<Seq>>),
    /// The number of the latest change that went out, for each chat of the user.
    Live(Heads),
    /// The session has ended: nothing is sent any more.
    Over,
}

/// The session decides when they are open; what is delivered passes them without it.
pub(super) struct Ears {
    pub(super) phase: Phase,
    /// The chats that the socket is to carry.
    pub(super) only: Only,
    pub(super) watched: Watched,
}

pub(super) type SharedEars = Rc<RefCell<Ears>>;

impl Ears {
    pub(super) fn new(only: Only) -> SharedEars {
        Rc::new(RefCell::new(Self { phase: Phase::Waiting, only, watched: Watched::default() }))
    }

    /// Whether what is delivered is taken now.
    pub(super) fn are_open(&self) -> bool {
        matches!(self.phase, Phase::CatchingUp(_) | Phase::Live(_))
    }

    pub(super) fn are_shut_for_good(&self) -> bool {
        matches!(self.phase, Phase::Over)
    }

    /// Takes what is delivered. Returns what of it is to be sent: a chat's numbers only rise. It follows where the
    /// socket stands.
    pub(super) fn hear(&mut self, parcel: &Parcel) -> Option<Bytes> {
        let Some(chat) = parcel.chat else { return Some(parcel.frames()) };
        if parcel.standing == Standing::Joins {
            self.want_watched(chat);
        }
        match &mut self.phase {
            Phase::Live(heads) => match parcel.standing {
                // Who has come in has heard of the chat as a member by now.
                Standing::Watches | Standing::WatchEnds if heads.contains_key(&chat) => None,
                Standing::Watches | Standing::WatchEnds => self.hear_outside(chat, parcel),
                _ => hear_live(heads, &self.only, chat, parcel),
            },
            Phase::CatchingUp(noted) => match (parcel.standing, parcel.seq()) {
                (Standing::Watches | Standing::WatchEnds, _) => self.hear_outside(chat, parcel),
                (_, None) => None,
                (standing, Some(seq)) => {
                    match standing {
                        Standing::Leaves => drop(noted.insert(chat, Some(seq))),
                        Standing::Joins => drop(noted.insert(chat, None)),
                        _ => drop(noted.entry(chat).or_default()),
                    }
                    None
                }
            },
            Phase::Waiting | Phase::Over => None,
        }
    }

    fn hear_outside(&self, room: ChatId, parcel: &Parcel) -> Option<Bytes> {
        self.watched.is_news(room, parcel.seq(), parcel.standing).then(|| parcel.frames())
    }

    /// Whoever asked to watch a room and has come in wants it still.
    fn want_watched(&mut self, room: ChatId) {
        if self.watched.end(room)
            && let Some(only) = &mut self.only
        {
            only.insert(room);
        }
    }
}

fn hear_live(heads: &mut Heads, only: &Only, chat: ChatId, parcel: &Parcel) -> Option<Bytes> {
    let Some(seq) = parcel.seq() else { return heads.contains_key(&chat).then(|| parcel.frames()) };
    let Some(last) = heads.get_mut(&chat) else {
        let is_wanted = only.as_ref().is_none_or(|only| only.contains(&chat));
        return (parcel.standing == Standing::Joins && is_wanted).then(|| {
            heads.insert(chat, seq);
            parcel.frames()
        });
    };
    let news = parcel.frames_after(*last)?;
    match parcel.standing {
        Standing::Leaves => drop(heads.remove(&chat)),
        Standing::Joins if only.as_ref().is_some_and(|only| !only.contains(&chat)) => return None,
        _ => *last = seq,
    }
    Some(news)
}
