//! Pages of messages: of a chat's timeline, of all its messages, or of a thread.

use actix_web::{HttpRequest, web::Data};

use super::{
    HandlerResult,
    page::{PageNumber, PageView, link, page_size},
    query::Query,
};
use crate::{
    core::model::{Chat, FieldErrors, Message, Timestamp, threads::Thread},
    error::ApiError,
    middleware::authenticate::Authenticated,
    state::AppState,
    storage::{
        AnyConn, ChatCache, StorageError,
        queries::threads::{self as thread_queries, Split},
        tables::{positions, threads},
    },
    view::{MessageView, Senders},
};

const PAGE_SIZE: i64 = 50;

/// Answers with a page of the listing that `find` returns, newest first.
pub(super) async fn answer(
    state: &Data<AppState>,
    caller: &Authenticated,
    request: &HttpRequest,
    wanted: PageQuery,
    find: impl FnOnce(&mut AnyConn) -> Result<Listing, StorageError> + Send + 'static,
) -> HandlerResult {
    let query = Query::of(request);
    let known = state.chat_cache.clone();
    let found = state.readers.query(move |conn| {
        let listing = find(conn)?;
        page_of(conn, &known, &listing, wanted)
    });
    let found = found.await?;
    let senders = Senders::of(&found.messages, &state.links);
    let view = |message| MessageView::said(message, &senders).seen_by(caller.is_staff, message);
    let results = found.messages.iter().map(view).collect();
    let window = match wanted {
        PageQuery::Numbered(page) => {
            page.check(found.count)?;
            return Ok(PageView::numbered(request, state, page, found.count, results).answer());
        }
        PageQuery::Window(window) => window,
        PageQuery::At { size, .. } => Window { before: None, after: None, size },
    };
    let (older, newer) = window.neighbours(&found);
    let link = |changes: Changes| link(request, state, &query, &changes);
    let page = PageView { count: found.count, next: older.map(link), previous: newer.map(link), results };
    Ok(page.answer())
}

/// Messages in the order of their ids, numbered from 1.
pub(super) enum Listing {
    Timeline(Chat),
    /// All messages of a chat, with the replies that are only in threads.
    All(Chat),
    Thread(Chat, Thread),
}

impl Listing {
    fn count(&self) -> i64 {
        match self {
            Self::Timeline(chat) => chat.last_pos,
            Self::All(chat) => Split::end(chat).total(),
            Self::Thread(_, thread) => thread.last_pos,
        }
    }

    /// Counts the messages with an id below `id`.
    fn count_before(&self, conn: &mut AnyConn, id: i64) -> Result<i64, StorageError> {
        match self {
            Self::Timeline(chat) => positions::count_before(conn, chat, id),
            Self::All(chat) => Ok(Split::before(conn, chat, id)?.total()),
            Self::Thread(_, thread) => threads::count_before(conn, thread, id),
        }
    }

    /// Loads the messages after the first `skip` ones and up to number `last`, newest first, with their readers.
    fn load(
        self: &Listing,
        conn: &mut AnyConn,
        cache: &ChatCache,
        (skip, last): (i64, i64),
    ) -> Result<Vec<Message>, StorageError> {
        let cache = cache.at_snapshot(conn)?;
        match self {
            Self::Timeline(chat) => cache.messages(conn, chat.clone(), skip + 1..=last),
            Self::All(chat) => {
                let (start, end) = (
                    thread_queries::split_at(conn, chat, Split::end(chat), skip)?,
                    thread_queries::split_at(conn, chat, Split::end(chat), last)?,
                );
                let places = start.timeline + 1..=end.timeline;
                let mut messages = cache.messages(conn, chat.clone(), places)?;
                if start.replies < end.replies {
                    messages.extend(cache.messages(conn, chat.clone(), -end.replies..=-start.replies - 1)?);
                    messages.sort_unstable_by_key(|message| std::cmp::Reverse(message.id));
                }
                Ok(messages)
            }
            Self::Thread(chat, thread) => cache.replies(conn, chat, thread.root, skip + 1..=last),
        }
    }
}

/// Requested page: by page number, by keyset pagination with `before` and `after`, or by a moment.
#[derive(Debug, Clone, Copy)]
pub(super) enum PageQuery {
    Numbered(PageNumber),
    Window(Window),
    /// The page of the timeline that begins with the first message at a moment or after it. After the last message, it
    /// is the newest page.
    At {
        moment: Timestamp,
        size: i64,
    },
}

/// Keyset pagination by message id. The bounds need not be ids of listed messages.
#[derive(Debug, Clone, Copy)]
pub(super) struct Window {
    before: Option<i64>,
    after: Option<i64>,
    size: i64,
}

impl PageQuery {
    pub(super) fn of(query: &Query) -> Result<Self, ApiError> {
        if let Some(moment) = query.moment("at")? {
            ["before", "after", "page"].into_iter().try_for_each(|name| expect_without_at(query, name))?;
            return Ok(Self::At { moment, size: page_size(query, PAGE_SIZE) });
        }
        Self::without_at(query)
    }

    /// Reads the page of a list that has no moments.
    pub(super) fn without_at(query: &Query) -> Result<Self, ApiError> {
        let (before, after) = (query.place("before")?, query.place("after")?);
        if before.is_none() && after.is_none() {
            return Ok(Self::Numbered(PageNumber::of(query, PAGE_SIZE)?));
        }
        Ok(Self::Window(Window { before, after, size: page_size(query, PAGE_SIZE) }))
    }
}

/// Refuses a parameter beside `at`.
pub(super) fn expect_without_at(query: &Query, name: &'static str) -> Result<(), ApiError> {
    if query.filled("at").is_none() || query.filled(name).is_none() {
        return Ok(());
    }
    Err(FieldErrors::of(name, "This does not go with at.").into())
}

/// A page of a listing, newest first.
struct MessagePage {
    messages: Vec<Message>,
    /// Number of messages in the listing.
    count: i64,
    /// The messages of the page: those after the first number, up to the second one.
    places: (i64, i64),
    /// The messages that were searched, in the same form.
    bounds: (i64, i64),
}

fn page_of(
    conn: &mut AnyConn,
    known: &ChatCache,
    listing: &Listing,
    wanted: PageQuery,
) -> Result<MessagePage, StorageError> {
    let count = listing.count();
    let (bounds, (skip, last)) = match wanted {
        PageQuery::Numbered(page) => {
            let newest = count.saturating_sub(page.skip());
            ((0, count), (newest.saturating_sub(page.size), newest))
        }
        PageQuery::Window(Window { before, after, size }) => {
            let above = after.map_or(Ok(0), |id| listing.count_before(conn, id.saturating_add(1)))?;
            let last = before.map_or(Ok(count), |id| listing.count_before(conn, id))?;
            let places = match before {
                Some(_) => ((last - size).max(above), last),
                None => (above, (above + size).min(last)),
            };
            ((above, last), places)
        }
        PageQuery::At { moment, size } => {
            let earlier = match listing {
                Listing::Timeline(chat) => positions::posted_before(conn, chat, moment)?,
                Listing::All(_) | Listing::Thread(..) => count,
            };
            let skip = if earlier == count { earlier - size } else { earlier };
            ((0, count), (skip, (skip.max(0) + size).min(count)))
        }
    };
    let places = (skip.max(0), last.max(0));
    let messages = if places.0 < places.1 { listing.load(conn, known, places)? } else { Vec::new() };
    Ok(MessagePage { messages, count, places, bounds })
}

type Changes = [(&'static str, Option<String>); 3];

impl Window {
    /// Returns the query parameters of the pages with older and with newer messages, if there are any.
    fn neighbours(self, found: &MessagePage) -> (Option<Changes>, Option<Changes>) {
        let (first_place, last_place) = found.bounds;
        let (oldest, newest) = (found.messages.last(), found.messages.first());
        let keep = |id: Option<i64>| id.map(|id| id.to_string());
        let is_bounded = self.before.is_some() && self.after.is_some();
        // With both bounds given, the links stay between them. With one bound, the links may lead past it.
        let older = match oldest {
            Some(message) => {
                let floor = if is_bounded { first_place } else { 0 };
                (found.places.0 > floor).then_some(message.id.0)
            }
            None => self.after.filter(|_| !is_bounded && first_place > 0).map(|id| id.saturating_add(1)),
        };
        let newer = match newest {
            Some(message) => {
                let ceiling = if is_bounded { last_place } else { found.count };
                (found.places.1 < ceiling).then_some(message.id.0)
            }
            None => {
                self.before.filter(|_| !is_bounded && last_place < found.count).map(|id| id.saturating_sub(1))
            }
        };
        let kept_after = if is_bounded { keep(self.after) } else { None };
        let kept_before = if is_bounded { keep(self.before) } else { None };
        (
            older.map(|id| [("before", keep(Some(id))), ("after", kept_after), ("at", None)]),
            newer.map(|id| [("after", keep(Some(id))), ("before", kept_before), ("at", None)]),
        )
    }
}
