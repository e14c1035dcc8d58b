//! The search index: search results equal the messages' contents, whatever part of them is indexed.

use std::{collections::BTreeMap, ops::Range, sync::Arc, time::Instant};

use crate::support::{DEADLINE, database::Database};
use diesel::connection::SimpleConnection;
use greenroom::{
    core::{
        model::{
            ChatId, Command, MessageId, UserCard, UserId,
            case_folding::fold,
            command::{Action, MessageEdit, NewRoom},
            event::Change,
            text::{MessageBody, Title},
        },
        text_index::Words,
    },
    storage::{
        Access, AnyConn, DatabaseUrl, StoragePolicy,
        commands::{Made, apply, create_room},
        db::migrations,
        maintenance::{check::check, purge, restore_epoch},
        message_search::{
            horizon::Horizon,
            indexed_up_to,
            indexer::{Finished, Indexer, Progress, clear, merge_small, rebuild_changed},
            pages::{self, Newer, RequestedPage, SearchPage, SearchRequest},
        },
        transaction,
    },
};
use rand::{RngExt, SeedableRng, rngs::StdRng};

/// Returns a text long enough that some dozens fill a segment.
pub(crate) fn long(word: &str) -> String {
    format!("{word} {}", "🌊".repeat(4_900))
}

fn does(conn: &mut AnyConn, chat: i64, by: i64, action: Action) -> Option<Change> {
    let command = Command { chat: ChatId(chat), by: UserId(by), action };
    transaction(conn, |conn| apply(conn, &StoragePolicy::for_tools(), &command))
        .ok()?
        .event
        .map(|event| event.change.clone())
}

fn posts(conn: &mut AnyConn, chat: i64, by: i64, text: &str) -> Option<i64> {
    let card = UserCard {
        id: UserId(by),
        username: String::new(),
        display_name: String::new(),
        avatar_url: None,
        is_guest: false,
    };
    let body = MessageBody::parse(text).unwrap();
    match does(conn, chat, by, Action::PostMessage { sender: Arc::new(card), new: body.into() })? {
        Change::MessagePosted { message, .. } => Some(message.id.0),
        other => panic!("{other:?}"),
    }
}

/// Runs a search as a user and returns a page.
fn asks(conn: &mut AnyConn, user: i64, query: &str, chat: Option<i64>, page: RequestedPage) -> SearchPage {
    let words = Words::of(query).unwrap();
    let question = SearchRequest { words, has_file: false, chat: chat.map(ChatId), after: 0, page };
    pages::page(conn, &StoragePolicy::for_tools(), UserId(user), &question).unwrap()
}

fn ids(found: &SearchPage) -> Vec<i64> {
    found.messages.iter().map(|message| message.id.0).collect()
}

/// Waits until the horizon covers committed messages. Returns the highest settled id.
fn settled(conn: &mut AnyConn) -> i64 {
    let (mut horizon, began) = (Horizon::default(), Instant::now());
    loop {
        let settled = horizon.advance(conn).unwrap();
        if settled > 0 {
            return settled;
        }
        assert!(began.elapsed() < DEADLINE, "transactions of other tests end in time");
        crate::support::pause_thread();
    }
}

/// Builds the next segment; `None` if there are too few messages.
pub(crate) fn next_segment(conn: &mut AnyConn) -> Option<Finished> {
    let settled = settled(conn);
    let mut indexer = Indexer::begin(conn).unwrap();
    loop {
        match indexer.read(conn, settled).unwrap() {
            Progress::Full(segment) => return Some(segment),
            Progress::More => {}
            Progress::End => return None,
        }
    }
}

/// Stores a segment, or stops after some of its parts. Returns whether it was published.
pub(crate) fn stores(conn: &mut AnyConn, segment: &Finished, parts: usize) -> bool {
    let mut next = Some(0);
    for _ in 0..parts {
        let Some(begin) = next else { break };
        next = transaction(conn, |conn| segment.store(conn, begin)).unwrap();
    }
    let is_published = transaction(conn, |conn| segment.publish(conn)).unwrap();
    // A segment whose messages are all deleted has no parts, and is complete without storing any.
    assert!(
        !is_published || next.is_none() || segment.messages() == 0,
        "incomplete segments stay unpublished"
    );
    // A process killed here has removed none or some of the pending changes.
    let mut change = Some(0).filter(|_| is_published && (parts.is_multiple_of(2) || parts == usize::MAX));
    while let Some(begin) = change {
        change = transaction(conn, |conn| segment.delete_changes(conn, begin)).unwrap();
    }
    // The remains of a killed process must not disturb others.
    let is_killed = !is_published && next.is_some();
    for obsolete in segment.obsolete(is_published).iter().filter(|_| !is_killed) {
        while transaction(conn, |conn| clear(conn, *obsolete)).unwrap() {}
    }
    is_published
}

fn assert_in_order(conn: &mut AnyConn) {
    assert_eq!(check(conn).unwrap().differences, Vec::<String>::new());
}

const WORDS: [&str; 14] = [
    "apple",
    "apply",
    "Pie",
    "straße",
    "北京",
    "北",
    "京都",
    "🎉",
    "a_b",
    "100%",
    "İx",
    "q",
    "pineapple",
    "don't",
];
const QUERIES: [&str; 16] = [
    "app",
    "apple pie",
    "P",
    "STRASSE",
    "北",
    "京",
    "北京",
    "🎉",
    "_",
    "0%",
    "ix",
    "q",
    "neap",
    "n't",
    "zebra",
    "e a",
];
const PEOPLE: Range<i64> = 1..4;

/// Random actions: users post, edit, delete, join and leave, and the index is built now and then.
struct Walk {
    conn: AnyConn,
    random: StdRng,
    rooms: Vec<i64>,
    /// Existing messages by id: the chat and the case-folded text.
    messages: BTreeMap<i64, (i64, String)>,
    members: Vec<(i64, i64)>,
}

impl Walk {
    fn start(database: &Database, seed: u64) -> Self {
        let url = DatabaseUrl::parse(&database.url()).unwrap();
        migrations::migrate(&url).unwrap();
        let mut conn = url.open(Access::Write).unwrap();
        for id in PEOPLE {
            conn.batch_execute(&format!(
                "INSERT INTO users (id, username, username_key, password, email, first_name, last_name, avatar_url, \
                 name_key, email_key, is_active, is_staff, created_at) \
                 VALUES ({id}, 'u{id}', 'u{id}', '!', '', '', '', '', 'u{id}', '', TRUE, FALSE, 0)"
            ))
            .unwrap();
        }
        let random = StdRng::seed_from_u64(seed);
        let mut walk =
            Self { conn, random, rooms: Vec::new(), messages: BTreeMap::new(), members: Vec::new() };
        for _ in 0..3 {
            walk.opens_a_room();
        }
        for number in 0..100 {
            walk.posts(walk.rooms[number % 3], 1);
        }
        walk
    }

    fn opens_a_room(&mut self) {
        let title = Title::parse("Hall").unwrap().unwrap();
        let new = NewRoom {
            title,
            is_public: true,
            object: None,
            creator: UserId(1),
            guest_access: Default::default(),
            custom: Default::default(),
        };
        let made =
            transaction(&mut self.conn, |conn| create_room(conn, &StoragePolicy::for_tools(), &new)).unwrap();
        let Made::New { snapshot, .. } = made else { panic!("it is new") };
        let room = snapshot.chat.id.0;
        self.rooms.push(room);
        self.members.push((room, 1));
        for user in [2, 3] {
            self.joins_or_leaves(room, user);
        }
    }

    fn joins_or_leaves(&mut self, room: i64, user: i64) {
        if self.members.contains(&(room, user)) {
            does(&mut self.conn, room, user, Action::Leave);
            self.members.retain(|member| *member != (room, user));
        } else {
            does(&mut self.conn, room, user, Action::Join);
            self.members.push((room, user));
        }
    }

    fn text(&mut self) -> String {
        let words: Vec<&str> = (0..self.random.random_range(1..4))
            .map(|_| WORDS[self.random.random_range(0..WORDS.len())])
            .collect();
        let text = words.join(" ");
        if self.random.random_bool(0.5) { long(&text) } else { text }
    }

    fn some_message(&mut self) -> Option<i64> {
        let ids: Vec<i64> = self.messages.keys().copied().collect();
        (!ids.is_empty()).then(|| ids[self.random.random_range(0..ids.len())])
    }

    fn step(&mut self) {
        let room = self.rooms[self.random.random_range(0..self.rooms.len())];
        let user = self.random.random_range(PEOPLE);
        match self.random.random_range(0..100) {
            0..55 => self.posts(room, user),
            55..65 => self.edits(),
            65..72 => self.deletes(),
            72..76 if user != 1 => self.joins_or_leaves(room, user),
            76 => self.closes_a_room(),
            77..80 => while transaction(&mut self.conn, purge::step).unwrap() {},
            80..90 => self.indexes(),
            _ => self.compares(),
        }
    }

    fn posts(&mut self, room: i64, user: i64) {
        let text = self.text();
        let posted = posts(&mut self.conn, room, user, &text);
        assert_eq!(posted.is_some(), self.members.contains(&(room, user)));
        self.messages.extend(posted.map(|id| (id, (room, fold(&text)))));
    }

    fn edits(&mut self) {
        let (Some(id), text) = (self.some_message(), self.text()) else { return };
        let chat = self.messages[&id].0;
        let body = MessageBody::parse(&text).unwrap();
        for user in PEOPLE {
            let action = Action::EditMessage {
                message: MessageId(id),
                edit: MessageEdit { body: Some(body.clone()), ..MessageEdit::default() },
            };
            if does(&mut self.conn, chat, user, action).is_some() {
                self.messages.insert(id, (chat, fold(&text)));
            }
        }
    }

    fn deletes(&mut self) {
        let Some(id) = self.some_message() else { return };
        let chat = self.messages[&id].0;
        for user in PEOPLE {
            if does(&mut self.conn, chat, user, Action::DeleteMessage { message: MessageId(id) }).is_some() {
                self.messages.remove(&id);
            }
        }
    }

    fn closes_a_room(&mut self) {
        let room = self.rooms.remove(0);
        does(&mut self.conn, room, 1, Action::DeleteChat).unwrap();
        self.messages.retain(|_, (chat, _)| *chat != room);
        self.members.retain(|(chat, _)| *chat != room);
        self.opens_a_room();
    }

    /// Performs a random step of the indexer, complete or interrupted by a kill.
    fn indexes(&mut self) {
        let conn = &mut self.conn;
        let made = match self.random.random_range(0..3) {
            0 => rebuild_changed(conn, true).unwrap(),
            1 => merge_small(conn).unwrap(),
            _ => next_segment(conn),
        };
        let Some(segment) = made else { return };
        // Changes between building and storing a segment must not be lost.
        match self.random.random_range(0..4) {
            0 => self.edits(),
            1 => self.deletes(),
            _ => {}
        }
        let parts = if self.random.random_bool(0.8) { usize::MAX } else { self.random.random_range(0..3) };
        stores(&mut self.conn, &segment, parts);
    }

    /// Compares search results with the existing messages.
    fn compares(&mut self) {
        let user = self.random.random_range(PEOPLE);
        let query = QUERIES[self.random.random_range(0..QUERIES.len())];
        let chat = self.random.random_bool(0.3).then(|| self.rooms[0]);
        let chat = chat.filter(|chat| self.members.contains(&(*chat, user)));
        let words: Vec<String> = fold(query).split_whitespace().map(str::to_owned).collect();
        let has_all = |text: &str| words.iter().all(|word| text.contains(word.as_str()));
        let is_seen =
            |this: i64| chat.is_none_or(|chat| chat == this) && self.members.contains(&(this, user));
        let hits: Vec<i64> = self
            .messages
            .iter()
            .rev()
            .filter(|(_, (chat, text))| is_seen(*chat) && has_all(text))
            .map(|(id, _)| *id)
            .collect();
        let size = self.random.random_range(1..30);
        let found = asks(&mut self.conn, user, query, chat, RequestedPage::From { skip: 0, size });
        let expected = &hits[..size.min(hits.len())];
        assert_eq!(
            (ids(&found), found.count, found.is_complete),
            (expected.to_vec(), hits.len(), true),
            "{query}"
        );
        let Some(middle) = hits.get(hits.len() / 2).copied() else { return };
        let found = asks(&mut self.conn, user, query, chat, RequestedPage::Before { id: middle, size });
        let older: Vec<i64> = hits.iter().copied().filter(|id| *id < middle).take(size).collect();
        assert_eq!(ids(&found), older, "{query} before {middle}");
        let newer = hits.len() / 2 + 1;
        let expected = match newer {
            _ if newer <= size => Newer::First,
            _ => Newer::Before(hits[newer - size - 1]),
        };
        assert_eq!(found.newer, expected, "{query} before {middle}");
    }
}

#[test]
fn whatever_is_indexed_what_is_found_is_what_is_there() {
    let given = std::env::var("GREENROOM_WALK_SEED").ok().and_then(|seed| seed.parse().ok());
    let seeds: Vec<u64> = given.map_or_else(|| (0..2).map(|_| rand::random()).collect(), |seed| vec![seed]);
    for seed in seeds {
        println!("walk with GREENROOM_WALK_SEED={seed}");
        let database = Database::new();
        let mut walk = Walk::start(&database, seed);
        for _ in 0..400 {
            walk.step();
        }
        while let Some(segment) = next_segment(&mut walk.conn) {
            assert!(stores(&mut walk.conn, &segment, usize::MAX));
        }
        assert!(indexed_up_to(&mut walk.conn).unwrap() > 0, "there is an index");
        for _ in 0..20 {
            walk.compares();
        }
        assert_in_order(&mut walk.conn);
        while let Some(segment) = rebuild_changed(&mut walk.conn, true).unwrap() {
            assert!(stores(&mut walk.conn, &segment, usize::MAX));
        }
        assert_in_order(&mut walk.conn);
        for _ in 0..20 {
            walk.compares();
        }
    }
}

#[test]
fn tombstones_that_are_purged_with_their_chat_are_no_difference() {
    let database = Database::new();
    let mut walk = Walk::start(&database, 1);
    let room = walk.rooms[0];
    let of_room: Vec<i64> =
        walk.messages.iter().filter(|(_, (chat, _))| *chat == room).map(|(id, _)| *id).collect();
    assert!(!of_room.is_empty());
    for id in of_room {
        assert!(does(&mut walk.conn, room, 1, Action::DeleteMessage { message: MessageId(id) }).is_some());
        walk.messages.remove(&id);
    }
    for _ in 0..30 {
        posts(&mut walk.conn, walk.rooms[1], 1, &long("later")).unwrap();
    }
    while let Some(segment) = next_segment(&mut walk.conn) {
        assert!(stores(&mut walk.conn, &segment, usize::MAX));
    }
    assert!(indexed_up_to(&mut walk.conn).unwrap() > 0, "there is an index");
    assert_in_order(&mut walk.conn);
    walk.closes_a_room();
    while transaction(&mut walk.conn, purge::step).unwrap() {}
    assert_in_order(&mut walk.conn);
}

#[test]
fn what_is_posted_after_ids_have_leapt_is_indexed_as_soon() {
    let database = Database::new();
    let mut walk = Walk::start(&database, 1);
    let leapt = transaction(&mut walk.conn, restore_epoch::raise_numbers).unwrap();
    for number in 0..30 {
        let room = walk.rooms[number % 3];
        posts(&mut walk.conn, room, 1, &long("later")).unwrap();
    }
    while let Some(segment) = next_segment(&mut walk.conn) {
        assert!(stores(&mut walk.conn, &segment, usize::MAX));
    }
    assert!(indexed_up_to(&mut walk.conn).unwrap() > leapt);
    let found = asks(&mut walk.conn, 1, "later", None, RequestedPage::From { skip: 0, size: 50 });
    assert_eq!((found.count, found.is_complete), (30, true));
    assert_in_order(&mut walk.conn);
}
