//! Cursor of an event stream: the text that a client sends as `Last-Event-ID` to resume.

use std::{collections::BTreeMap, fmt::Write};

use super::{Feed, Heads};
use crate::{
    core::{
        model::{ChatId, Refusal, Seq, Timestamp, UserId, time::DAY},
        secrets,
    },
    storage::tables::event_cursors,
};

/// Most characters of chat positions inside a cursor; longer lists are kept in storage. Clients send the
/// cursor in a header.
const MAX_INLINE: usize = 256;

/// Cursor text after a failed save. A client that resumes from it loads its chats again.
const LOST: &str = "lost:";

/// Age at which a stored cursor is replaced. Stored cursors must be retained for at least this time plus one
/// day.
const RENEWED_AFTER: i64 = DAY / 2;

/// A position in a user's feed: the last `seq` delivered of each chat. Its text is the key of a stored base,
/// and the positions that changed since.
#[derive(Debug, Default)]
pub struct Cursor {
    base: Option<Base>,
    /// Positions that differ from the base. `None`: the user has left the chat.
    since: BTreeMap<ChatId, Option<Seq>>,
}

#[derive(Debug)]
struct Base {
    name: String,
    made_at: Timestamp,
}

impl Cursor {
    /// Creates a cursor at these positions, without a stored base.
    pub fn at(heads: &Heads) -> Self {
        Self { base: None, since: heads.iter().map(|(chat, seq)| (*chat, Some(*seq))).collect() }
    }

    /// Parses a client's cursor and loads the positions it stands for. `None` if its base is unknown or
    /// belongs to another user.
    pub async fn find(feed: &Feed, user: UserId, text: &str) -> Result<Option<(Self, Heads)>, Refusal> {
        let Some((name, since)) = parse(text) else { return Ok(None) };
        let (base, mut heads) = if name.is_empty() {
            (None, Heads::new())
        } else {
            let key = name.clone();
            let found = feed.readers.query_one(move |conn| event_cursors::find(conn, &key, user)).await?;
            let Some((text, made_at)) = found else { return Ok(None) };
            let heads = pairs(&text).unwrap_or_default().into_iter();
            (Some(Base { name, made_at }), heads.filter_map(|(chat, seq)| Some((chat, seq?))).collect())
        };
        for (chat, seq) in &since {
            match seq {
                Some(seq) => {
                    heads.insert(*chat, *seq);
                }
                None => {
                    heads.remove(chat);
                }
            }
        }
        Ok(Some((Self { base, since }, heads)))
    }

    /// Advances the cursor in a chat; `None`: the user has left it.
    pub fn pass(&mut self, chat: ChatId, seq: Option<Seq>) {
        self.since.insert(chat, seq);
    }

    /// Saves the positions to storage when the inline part is too long or the base too old. All streams of a
    /// user share a stored base if it is close enough.
    pub async fn keep(&mut self, feed: &Feed, user: UserId, heads: &Heads) {
        let now = Timestamp::now();
        let is_old = self.base.as_ref().is_some_and(|base| base.made_at.plus(RENEWED_AFTER) < now);
        if self.since().len() <= MAX_INLINE && !is_old {
            return;
        }
        let since = now.plus(-RENEWED_AFTER);
        let latest = feed.readers.query_one(move |conn| event_cursors::latest(conn, user, since)).await;
        if let Ok(Some((name, text, made_at))) = latest
            && let Some(shared) = Self::relative_to(Base { name, made_at }, &text, heads)
        {
            *self = shared;
            return;
        }
        let name = secrets::random_name::<16>();
        let text = format_positions(heads.iter().map(|(chat, seq)| (*chat, Some(*seq))));
        let kept = name.clone();
        let saved = feed
            .writer
            .run("store_cursor", move |conn, _| event_cursors::save(conn, &kept, user, &text, now))
            .await;
        match saved {
            Ok(()) => *self = Self { base: Some(Base { name, made_at: now }), since: BTreeMap::new() },
            Err(refusal) => {
                tracing::warn!(
                    ?refusal,
                    "could not save a stream's cursor; its client may have to load its chats again"
                );
            }
        }
    }

    /// Builds a cursor at these positions relative to a stored base; `None` if the inline part would be too
    /// long.
    fn relative_to(base: Base, kept: &str, heads: &Heads) -> Option<Self> {
        let mut gone = pairs(kept)?;
        let mut since = BTreeMap::new();
        for (chat, seq) in heads {
            if gone.remove(chat) != Some(Some(*seq)) {
                since.insert(*chat, Some(*seq));
            }
        }
        since.extend(gone.into_keys().map(|chat| (chat, None)));
        let cursor = Self { base: Some(base), since };
        (cursor.since().len() <= MAX_INLINE).then_some(cursor)
    }

    /// Returns the cursor's text for clients.
    pub fn text(&self) -> String {
        let name = self.base.as_ref().map_or("", |base| &base.name);
        let since = self.since();
        // It may have grown since it was last saved, hence twice the limit.
        if since.len() > 2 * MAX_INLINE { LOST.to_owned() } else { format!("{name}:{since}") }
    }

    fn since(&self) -> String {
        format_positions(self.since.iter().map(|(chat, seq)| (*chat, *seq)))
    }
}

/// Formats positions as `7.41,8.,9.3`: chat and `seq`; no `seq` for a chat that was left.
fn format_positions(pairs: impl Iterator<Item = (ChatId, Option<Seq>)>) -> String {
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
    fn a_cursor_that_could_not_be_saved_stays_short_and_is_unknown() {
        let cursor = Cursor::at(&(1..=1_200).map(|id| (ChatId(id), 7)).collect());
        assert_eq!(parse(&cursor.text()).unwrap(), ("lost".to_owned(), Pairs::new()));
    }

    #[test]
    fn a_cursor_tells_what_has_changed_since_its_base() {
        let base = || Base { name: "base".to_owned(), made_at: Timestamp(0) };
        let heads = Heads::from([(ChatId(7), 41), (ChatId(9), 3)]);
        assert_eq!(Cursor::relative_to(base(), "7.41,9.3", &heads).unwrap().text(), "base:");
        assert_eq!(Cursor::relative_to(base(), "7.40,8.5", &heads).unwrap().text(), "base:7.41,8.,9.3");
        let many = (1..=100).map(|id| (ChatId(id), 7)).collect();
        assert!(Cursor::relative_to(base(), "7.7", &many).is_none());
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
