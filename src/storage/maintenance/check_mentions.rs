//! Checks mentions: that their rows belong to messages as these are, and that the counts per block are their sums.

use std::collections::{BTreeMap, HashMap};

use super::checker::{Checked, Checker};
use crate::{
    core::model::{Lane, UserId, mentions::Mentions},
    storage::{
        StorageError,
        db::{row::row, sql::sql},
        tables::mentions::{self, BLOCK},
    },
};

row! {
    /// A mention with its place.
    struct PlacedRow from mentions e {
        user_id: i64,
        lane: i64,
        pos: i64,
        message_id: i64,
        weight: i64,
        is_here: bool,
    }
}

/// Checks the mentions of a chat. `messages`: all of the chat, by id.
pub(super) fn check(checker: &mut Checker, messages: &[Checked]) -> Result<(), StorageError> {
    let rows = sql!("SELECT {} FROM mentions e WHERE e.chat_id = ?", checker.chat)
        .rows::<PlacedRow>(checker.conn)?;
    // Guests who became users stay in the messages that name them.
    let merged = sql!("SELECT guest_id, user_id FROM chat_merges WHERE chat_id = ?", checker.chat);
    let merged: HashMap<i64, i64> = merged.rows::<(i64, i64)>(checker.conn)?.into_iter().collect();
    let became = |named: i64| merged.get(&named).copied().unwrap_or(named);
    let places = places(messages);
    let by_id: HashMap<i64, &Checked> = messages.iter().map(|message| (message.id, message)).collect();
    let mut sums: BTreeMap<(i64, i64, i64), i64> = BTreeMap::new();
    let mut everyone: BTreeMap<i64, bool> = BTreeMap::new();
    for PlacedRow { user_id: user, lane, pos, message_id: message, weight, is_here } in rows {
        *sums.entry((user, lane, pos / BLOCK)).or_default() += weight;
        let what = format!("message {message}: the mention of user {user}");
        if places.get(&(lane, pos)) != Some(&message) {
            checker.differs(&what, format!("at {pos} of lane {lane}"), "elsewhere");
        }
        let shown = by_id.get(&message).map(|message| Mentions::from_stored(message.mentions.as_deref()));
        let shown = shown.unwrap_or_default();
        let fits = match (user, weight) {
            (0, 1) | (1.., -1) => shown.everyone,
            (1.., 0) => is_here && shown.here && shown.everyone,
            (1.., 1) => is_here && shown.here || shown.named().iter().any(|named| became(named.0) == user),
            _ => false,
        };
        if !fits {
            checker.differs(&what, weight, "none");
        }
        if user == 0 {
            everyone.insert(message, true);
        }
    }
    for message in messages {
        let shown = Mentions::from_stored(message.mentions.as_deref());
        let what = format!("message {}: whether everyone is mentioned", message.id);
        checker.expect(&what, everyone.contains_key(&message.id), shown.everyone);
    }
    let lanes: Vec<i64> = std::iter::once(checker.chat.0).chain(roots(messages).map(|root| -root)).collect();
    let stored = sql!(
        "SELECT user_id, lane, block, weight FROM mention_counts WHERE lane IN ? AND weight <> 0",
        lanes.as_slice()
    )
    .rows::<(i64, i64, i64, i64)>(checker.conn)?;
    let stored: BTreeMap<(i64, i64, i64), i64> =
        stored.into_iter().map(|(user, lane, block, weight)| ((user, lane, block), weight)).collect();
    sums.retain(|_, sum| *sum != 0);
    if stored != sums {
        checker.differs("the counts of mentions", format!("{stored:?}"), format!("{sums:?}"));
    }
    Ok(())
}

fn roots(messages: &[Checked]) -> impl Iterator<Item = i64> {
    let mut roots: Vec<i64> = messages.iter().filter_map(|message| message.thread).collect();
    roots.sort_unstable();
    roots.dedup();
    roots.into_iter()
}

/// Returns the message at each position of each lane.
fn places(messages: &[Checked]) -> HashMap<(i64, i64), i64> {
    let mut places = HashMap::new();
    let mut counts: HashMap<i64, i64> = HashMap::new();
    for message in messages {
        if message.pos > 0 {
            places.insert((message.chat, message.pos), message.id);
        }
        if let Some(root) = message.thread {
            let pos = counts.entry(root).or_default();
            *pos += 1;
            places.insert((-root, *pos), message.id);
        }
    }
    places
}

/// Compares the unread mentions of a member with counting one by one.
pub(super) fn check_unread(
    checker: &mut Checker,
    lane: Lane,
    user: UserId,
    (after, shown): (i64, i64),
) -> Result<(), StorageError> {
    let counted = sql!(
        "SELECT CAST(coalesce(sum(weight), 0) AS BIGINT) FROM mentions WHERE lane = ? AND user_id IN (0, ?) AND pos > ?",
        lane.key(),
        user,
        after
    )
    .one::<i64>(checker.conn)?;
    checker.expect(&format!("the unread mentions of user {user} in lane {}", lane.key()), shown, counted);
    let summed = mentions::count_after(checker.conn, lane, user, after)?;
    checker.expect(&format!("the summed mentions of user {user} in lane {}", lane.key()), summed, counted);
    Ok(())
}
