//! Pages of search results: by number among the first thousand hits, and by message id beyond them.

use std::ops::Range;

use super::{
    query::{Hits, Scope, newest},
    with_files,
};
use crate::{
    core::{
        model::{ChatId, Message, UserId, permission::Ability},
        text_index::Words,
    },
    storage::{
        AnyConn, StorageError, StoragePolicy,
        queries::membership,
        tables::{members, messages},
    },
};

/// Up to this number, hits are counted and have numbered pages.
pub const MAX_COUNTED: usize = 1_000;

/// A search request.
#[derive(Debug, Clone)]
pub struct SearchRequest {
    /// None, only with `has_file`: all messages with attachments match.
    pub words: Words,
    /// Whether only messages with attachments match.
    pub has_file: bool,
    /// `None`: all chats of the caller.
    pub chat: Option<ChatId>,
    /// Only messages above this id match.
    pub after: i64,
    pub page: RequestedPage,
}

/// The requested page.
#[derive(Debug, Clone, Copy)]
pub enum RequestedPage {
    /// A page by number: from hit number `skip` on.
    From { skip: usize, size: usize },
    /// The newest hits below an id.
    Before { id: i64, size: usize },
}

/// A page of matching messages, the newest first.
#[derive(Debug, Default)]
pub struct SearchPage {
    /// The number of hits, up to [`MAX_COUNTED`].
    pub count: usize,
    pub messages: Vec<Message>,
    /// The id below which the next page begins; `None` where there is none.
    pub older: Option<i64>,
    pub newer: Newer,
    /// Whether the search ran to its end. If it was cut short for its cost, there may be more hits.
    pub is_complete: bool,
}

/// The preceding page, with newer messages.
#[derive(Debug, Default, PartialEq, Eq)]
pub enum Newer {
    #[default]
    None,
    First,
    Before(i64),
}

/// Returns a page of results among the messages that the caller may see.
pub fn page(
    conn: &mut AnyConn,
    policy: &StoragePolicy,
    caller: UserId,
    question: &SearchRequest,
) -> Result<SearchPage, StorageError> {
    let scope = match question.chat {
        Some(chat) => Scope::Chat(membership::authorized(conn, chat, caller, Ability::Read)?.chat),
        None => Scope::Mine {
            user: caller,
            chats: members::chats_of(conn, caller)?.into_iter().map(|chat| chat.0).collect(),
        },
    };
    let mut pager = Pager { conn, scope: &scope, question };
    let top = pager.newest(i64::MAX, MAX_COUNTED + 1)?;
    let (ids, older, newer, is_cut_short) = match question.page {
        RequestedPage::From { skip, size } => numbered(&top, skip, size),
        RequestedPage::Before { id, size } => pager.before(&top, id, size)?,
    };
    let messages = load(conn, policy, &ids)?;
    let count = top.ids.len().min(MAX_COUNTED);
    Ok(SearchPage { count, messages, older, newer, is_complete: top.stopped.is_none() && !is_cut_short })
}

/// The hits of a page, the start of the next page, the preceding page, and whether the search was cut short.
type Page = (Vec<i64>, Option<i64>, Newer, bool);

/// Returns a page by number.
fn numbered(top: &Hits, skip: usize, size: usize) -> Page {
    let end = skip.saturating_add(size).min(MAX_COUNTED).min(top.ids.len());
    let ids = top.ids.get(skip..end).unwrap_or_default().to_vec();
    let older = if end < top.ids.len() { ids.last().copied() } else { top.stopped };
    (ids, older, newer(&top.ids, skip, size), false)
}

/// Returns the page before the hit of a number.
fn newer(hits: &[i64], number: usize, size: usize) -> Newer {
    match number {
        0 => Newer::None,
        _ if number <= size => Newer::First,
        _ => hits.get(number - size - 1).map_or(Newer::First, |id| Newer::Before(*id)),
    }
}

struct Pager<'a> {
    conn: &'a mut AnyConn,
    scope: &'a Scope,
    question: &'a SearchRequest,
}

impl Pager<'_> {
    fn newest(&mut self, end: i64, most: usize) -> Result<Hits, StorageError> {
        self.among(self.question.after.saturating_add(1)..end, most)
    }

    fn among(&mut self, ids: Range<i64>, most: usize) -> Result<Hits, StorageError> {
        let words = &self.question.words;
        match self.question.has_file {
            true => with_files::newest(self.conn, self.scope, words, ids, most),
            false => newest(self.conn, self.scope, words, ids, most),
        }
    }

    /// Returns the page of the newest hits below an id.
    fn before(&mut self, top: &Hits, id: i64, size: usize) -> Result<Page, StorageError> {
        let number = top.ids.partition_point(|hit| *hit >= id);
        let is_whole = top.ids.len() <= MAX_COUNTED && top.stopped.is_none();
        if is_whole || number + size < top.ids.len() {
            let end = (number + size).min(top.ids.len());
            let ids = top.ids[number..end].to_vec();
            let older = ids.last().copied().filter(|_| end < top.ids.len());
            return Ok((ids, older, newer(&top.ids, number, size), false));
        }
        let mut hits = self.newest(id, size + 1)?;
        let is_more = hits.ids.len() > size;
        hits.ids.truncate(size);
        let older = if is_more { hits.ids.last().copied() } else { hits.stopped };
        let newer = match number < top.ids.len() {
            true => newer(&top.ids, number, size),
            false => self.just_above(top, id, size)?,
        };
        Ok((hits.ids, older, newer, hits.stopped.is_some()))
    }

    /// Returns the page just above an id that is beyond the first hits. It searches ranges of growing size.
    fn just_above(&mut self, top: &Hits, id: i64, size: usize) -> Result<Newer, StorageError> {
        let Some(newest) = top.ids.first() else { return Ok(Newer::None) };
        let mut span = 4_096;
        loop {
            let end = id.saturating_add(span);
            let hits = self.among(id..end, usize::MAX)?;
            if let Some(number) = hits.ids.len().checked_sub(size + 1) {
                return Ok(Newer::Before(hits.ids[number]));
            }
            if end > *newest || hits.stopped.is_some() {
                return Ok(Newer::First);
            }
            span *= 8;
        }
    }
}

/// Loads messages with their readers, the newest first.
fn load(conn: &mut AnyConn, policy: &StoragePolicy, ids: &[i64]) -> Result<Vec<Message>, StorageError> {
    let mut messages = messages::with_ids(conn, ids)?;
    let mut chats: Vec<ChatId> = messages.iter().map(|message| message.chat).collect();
    chats.sort_unstable();
    chats.dedup();
    let readers = members::readers_of(conn, &chats, policy.receipts_max_members)?;
    for message in &mut messages {
        message.note_readers(readers.get(&message.chat).map_or(&[], Vec::as_slice));
    }
    Ok(messages)
}
