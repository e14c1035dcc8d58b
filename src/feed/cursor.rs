//! Where an event stream is: what a client gives back as `Last-Event-ID` to go on from there.

use std::{collections::BTreeMap, fmt::Write};

use super::{Feed, Heads};
use crate::{
    core::{
        model::{ChatId, Refusal, Seq, Timestamp, UserId, time::DAY},
        secrets,
    },
    storage::tables::event_cursors,
};

/// Most characters that a cursor itself tells of chats; beyond that storage keeps them. Clients send it in a header.
const MOST_INLINE: usize = 256;

/// Stands for a place that could be kept nowhere. Clients that come back with it load their chats again.
const LOST: &str = "lost:";

/// What is kept in storage is kept for longer than this and a day.
const RENEWED_AFTER: i64 = DAY / 2;

/// A place in a user's feed: how far it has been told of each chat. As text it is a name under which storage keeps the
/// greater part, and what has changed since that was written.
#[derive(Debug, Default)]
pub struct Cursor {
    base: Option<Base>,
    /// `None`: the user is not in the chat any more.
    since: BTreeMap<ChatId, Option<Seq>>,
}

#[derive(Debug)]
struct Base {
    name: String,
    made_at: Timestamp,
}

impl Cursor {
    /// The cursor at such numbers.
    pub fn at(heads: &Heads) -> Self {
        Self { base: None, since: heads.iter().map(|(chat, seq)| (*chat, Some(*seq))).collect() }
    }

    /// The cursor that a client gave back, with what it stands for; `None` where that is not known, or not the user's.
    pub async fn find(feed: &Feed, user: UserId, text: &str) -> Result<Option<(Self, Heads)>, Refusal> {
        let Some((name, since)) = parse(text) else { return Ok(None) };
        let (base, mut heads) = if name.is_empty() {
            (None, Heads::new())
        } else {
            let sought = name.clone();
            let found = feed.readers.ask_one(move |conn| event_cursors::find(conn, &sought, user)).await?;
            let Some((text, made_at)) = found else { return Ok(None) };
            let heads = pairs(&text).unwrap_or_default().into_iter();
            (Some(Base { name, made_at }), heads.filter_map(|(chat, seq)| Some((chat, seq?))).collect())
        };
        for (chat, seq) in &since {
            match seq {
                Some(seq) => drop(heads.insert(*chat, *seq)),
                None => drop(heads.remove(chat)),
            }
        }
        Ok(Some((Self { base, since }, heads)))
    }

    /// Moves on in a chat; `None`: the user has left it.
    pub fn pass(&mut self, chat: ChatId, seq: Option<Seq>) {
        self.since.insert(chat, seq);
    }

    /// Keeps what has become too long for the cursor itself, or too old, in storage. All streams of a user share what is
    /// kept, as far as that is near enough.
    pub async fn keep(&mut self, feed: &Feed, user: UserId, heads: &Heads) {
        let now = Timestamp::now();
        let is_old = self.base.as_ref().is_some_and(|base| base.made_at.plus(RENEWED_AFTER) < now);
        if self.since().len() <= MOST_INLINE && !is_old {
            return;
        }
        let since = now.plus(-RENEWED_AFTER);
        let latest = feed.readers.ask_one(move |conn| event_cursors::latest(conn, user, since)).await;
        if let Ok(Some((name, text, made_at))) = latest
            && let Some(shared) = Self::beyond(Base { name, made_at }, &text, heads)
        {
            *self = shared;
            return;
        }
        let name = secrets::hex(&secrets::random::<16>());
        let text = written(heads.iter().map(|(chat, seq)| (*chat, Some(*seq))));
        let kept = name.clone();
        let saved = feed
            .writer
            .run("store_cursor", move |conn, _| event_cursors::save(conn, &kept, user, &text, now))
            .await;
        match saved {
            Ok(()) => *self = Self { base: Some(Base { name, made_at: now }), since: BTreeMap::new() },
            Err(refusal) => tracing::warn!(?refusal, "the place of an event stream could not be kept"),
        }
    }

    /// The cursor at such numbers, as what has changed since a base; `None` where that is too much.
    fn beyond(base: Base, kept: &str, heads: &Heads) -> Option<Self> {
        let mut gone = pairs(kept)?;
        let mut since = BTreeMap::new();
        for (chat, seq) in heads {
            if gone.remove(chat) != Some(Some(*seq)) {
                since.insert(*chat, Some(*seq));
            }
        }
        since.extend(gone.into_keys().map(|chat| (chat, None)));
        let cursor = Self { base: Some(base), since };
        (cursor.since().len() <= MOST_INLINE).then_some(cursor)
    }

    /// The cursor as clients have it.
    pub fn text(&self) -> String {
        let name = self.base.as_ref().map_or("", |base| &base.name);
        let since = self.since();
        // It may be longer by what has come since it was last kept.
        if since.len() > 2 * MOST_INLINE { LOST.to_owned() } else { format!("{name}:{since}") }
    }

    fn since(&self) -> String {
        written(self.since.iter().map(|(chat, seq)| (*chat, *seq)))
    }
}

/// `7.41,8.,9.3`: chats with their numbers; none for a chat that was left.
fn written(pairs: impl Iterator<Item = (ChatId, Option<Seq>)>) -> String {
    let mut text = String::new();
    for (chat, seq) in pairs {
        let comma = if text.is_empty() { "" } else { "," };
        let seq = seq.map(|seq| seq.to_string()).unwrap_or_default();
        let _ = write!(text, "{comma}{chat}.{seq}");
    }
    text
}

type Pairs = BTreeMap<ChatId, Option<Seq>>;

fn parse(text: &str) -> Option<(String, Pairs)> {
    let (name, since) = text.trim().split_once(':')?;
    Some((name.to_owned(), pairs(since)?))
}

fn pairs(text: &str) -> Option<Pairs> {
    let pair = |text: &str| {
        let (chat, seq) = text.split_once('.')?;
        let seq = if seq.is_empty() { None } else { Some(seq.parse::<Seq>().ok()?) };
        Some((ChatId::parse(chat)?, seq))
    };
    text.split(',').filter(|text| !text.is_empty()).map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_that_could_not_be_kept_stays_short_and_is_known_to_nobody() {
        let cursor = Cursor::at(&(1..=1_200).map(|id| (ChatId(id), 7)).collect());
        assert_eq!(parse(&cursor.text()).unwrap(), ("lost".to_owned(), Pairs::new()));
    }

    #[test]
    fn a_cursor_tells_what_has_changed_since_its_base() {
        let base = || Base { name: "base".to_owned(), made_at: Timestamp(0) };
        let heads = Heads::from([(ChatId(7), 41), (ChatId(9), 3)]);
        assert_eq!(Cursor::beyond(base(), "7.41,9.3", &heads).unwrap().text(), "base:");
        assert_eq!(Cursor::beyond(base(), "7.40,8.5", &heads).unwrap().text(), "base:7.41,8.,9.3");
        let many = (1..=100).map(|id| (ChatId(id), 7)).collect();
        assert!(Cursor::beyond(base(), "7.7", &many).is_none());
    }

    #[test]
    fn a_cursor_is_read_as_it_was_written() {
        let mut cursor = Cursor::at(&Heads::from([(ChatId(7), 41), (ChatId(9), 3)]));
        cursor.pass(ChatId(8), None);
        assert_eq!(cursor.text(), ":7.41,8.,9.3");
        let (name, since) = parse(&cursor.text()).unwrap();
        assert_eq!((name.as_str(), since), ("", cursor.since));
        for bad in ["", "x", ":7", ":7.x", ":x.1", ":7.1;8.2"] {
            assert!(parse(bad).is_none(), "{bad}");
        }
    }
}
