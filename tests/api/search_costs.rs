//! The cost of a search, in steps of SQLite's virtual machine: it does not grow with the number of messages.

use diesel::connection::SimpleConnection;
use greenroom::{
    core::{
        model::{ChatId, UserId},
        text_index::{Matching, Words},
    },
    storage::{
        Access, AnyConn, DatabaseUrl, StoragePolicy,
        db::migrations,
        message_search::pages::{self, RequestedPage, SearchRequest},
        queries::user_search,
        transaction,
    },
};

use super::{
    crowds::{make_room, make_users},
    search_index::{next_segment, stores},
};
use crate::support::{
    database::Database,
    steps::{count_steps, steps},
};

/// Inserts messages into a chat with plain SQL, which is faster.
fn fill(conn: &mut AnyConn, chat: ChatId, sender: UserId, messages: i64, text: &str) {
    conn.batch_execute(&format!(
        "CREATE TEMP TABLE filling AS WITH RECURSIVE n(number) AS (SELECT 1 UNION ALL SELECT number + 1 FROM n \
            WHERE number < {messages}) \
            SELECT number, (SELECT last_pos FROM chats WHERE id = {chat}) + number AS pos FROM n; \
         INSERT INTO message_ids (chat_id, pos) SELECT {chat}, pos FROM filling ORDER BY pos; \
         INSERT INTO messages (chat_id, pos, id, sender_id, content, created_at, updated_at, is_edited, \
            is_deleted, created_seq, seq, reactions) \
            SELECT i.chat_id, i.pos, i.id, {sender}, {text}, 0, 0, FALSE, FALSE, i.pos + 1, i.pos + 1, '[]' \
            FROM filling f JOIN message_ids i ON i.chat_id = {chat} AND i.pos = f.pos; \
         UPDATE chats SET last_pos = last_pos + {messages}, last_live_pos = last_pos + {messages}, \
            seq = seq + {messages} WHERE id = {chat}; \
         DROP TABLE filling"
    ))
    .unwrap();
}

/// Returns the steps of a search, and how many messages it found.
fn cost(conn: &mut AnyConn, user: i64, query: &str) -> (u64, usize) {
    let words = Words::of(query).unwrap();
    let question = SearchRequest {
        words,
        has_file: false,
        chat: None,
        after: 0,
        page: RequestedPage::From { skip: 0, size: 50 },
    };
    let before = steps();
    let found =
        transaction(conn, |conn| pages::page(conn, &StoragePolicy::for_tools(), UserId(user), &question))
            .unwrap();
    assert!(found.is_complete, "{query}");
    (steps() - before, found.count)
}

#[test]
fn a_search_does_not_walk_through_what_it_does_not_find() {
    let database = Database::sqlite();
    let url = DatabaseUrl::parse(&database.url()).unwrap();
    migrations::migrate(&url).unwrap();
    count_steps();
    let conn = &mut url.open(Access::Write).unwrap();
    // The first user is in the large room, the second in a small one.
    let (large, small) = transaction(conn, |conn| {
        make_users(conn, 1, 2)?;
        let large = make_room(conn, &StoragePolicy::for_tools(), UserId(1), 1..1)?;
        Ok((large, make_room(conn, &StoragePolicy::for_tools(), UserId(2), 2..2)?))
    })
    .unwrap();
    fill(conn, small, UserId(2), 10, "'a few words of my own'");
    let text =
        "'common words, ' || CASE WHEN i.pos % 40 = 0 THEN 'seldom' ELSE 'often' END || '，北京 ' || i.pos";
    let mut costs = Vec::new();
    for _ in 0..3 {
        fill(conn, large, UserId(1), 16_000, text);
        while let Some(segment) = next_segment(conn) {
            assert!(stores(conn, &segment, usize::MAX));
        }
        let mut found = Vec::new();
        for (user, query) in [
            (1, "common"),
            (1, "o"),
            (1, "北京"),
            (1, "common words often"),
            (1, "nowhere"),
            (1, "x"),
            (1, "zz"),
            (1, "seldom often"),
            (1, "%"),
            (1, "上海"),
            (2, "common"),
            (2, "o"),
            (2, "words own"),
            (2, "common often"),
            (2, "北"),
            (2, "nowhere"),
        ] {
            let (steps, count) = cost(conn, user, query);
            found.push((user, query, steps, count));
        }
        costs.push(found);
    }
    for ((user, query, first, _), (_, _, third, count)) in costs[0].iter().zip(&costs[2]) {
        println!(
            "{query}, for {user}: {first} steps among 16,000 messages, {third} among 48,000, {count} found"
        );
        // Each of the eight segments takes some steps for each gram of the query, and each message found
        // takes some tens.
        assert!(*third <= first + 8 * 200, "{query}: {first} steps, then {third}");
        assert!(*third <= 3_000 + 30 * *count as u64, "{query}: {third} steps");
    }
}

#[test]
fn a_search_that_costs_too_much_is_cut_short_and_goes_on_from_there() {
    let database = Database::sqlite();
    let url = DatabaseUrl::parse(&database.url()).unwrap();
    migrations::migrate(&url).unwrap();
    count_steps();
    let conn = &mut url.open(Access::Write).unwrap();
    let room = transaction(conn, |conn| {
        make_users(conn, 1, 1)?;
        make_room(conn, &StoragePolicy::for_tools(), UserId(1), 1..1)
    })
    .unwrap();
    // None of these messages is indexed.
    fill(
        conn,
        room,
        UserId(1),
        30_000,
        "CASE i.pos WHEN 5 THEN 'a needle' WHEN 16000 THEN 'needles' ELSE 'hay' END",
    );
    let (mut page, mut found, mut pages) = (RequestedPage::From { skip: 0, size: 10 }, Vec::new(), 0);
    loop {
        let question = SearchRequest {
            words: Words::of("needle").unwrap(),
            has_file: false,
            chat: None,
            after: 0,
            page,
        };
        let before = steps();
        let answer =
            transaction(conn, |conn| pages::page(conn, &StoragePolicy::for_tools(), UserId(1), &question))
                .unwrap();
        assert!(steps() - before < 1_200_000, "{} steps", steps() - before);
        found.extend(answer.messages.iter().map(|message| message.pos));
        pages += 1;
        let Some(id) = answer.older else { break };
        assert!(!answer.is_complete && answer.count < 2);
        page = RequestedPage::Before { id, size: 10 };
    }
    assert_eq!(found, [16_000, 5]);
    assert!(pages > 2, "{pages} pages");
}

#[test]
fn users_are_found_in_few_steps_among_many() {
    let database = Database::sqlite();
    let url = DatabaseUrl::parse(&database.url()).unwrap();
    migrations::migrate(&url).unwrap();
    count_steps();
    let conn = &mut url.open(Access::Write).unwrap();
    let mut costs = Vec::new();
    for part in 0..2 {
        transaction(conn, |conn| make_users(conn, 1 + part * 10_000, 10_000)).unwrap();
        let mut found = Vec::new();
        for query in ["crowd77", "crowd9999", "c", "row", "d1"] {
            let before = steps();
            let hits = user_search::search(conn, UserId(1), query, Matching::Substring).unwrap();
            assert!(!hits.is_empty(), "{query}");
            found.push((query, steps() - before));
        }
        costs.push(found);
    }
    for ((query, few), (_, many)) in costs[0].iter().zip(&costs[1]) {
        println!("{query}: {few} steps among 10,000 users, {many} among 20,000");
        let is_rare = *query == "crowd9999";
        assert!(is_rare || *many <= few + few / 10 + 50, "{query}: {few} steps, then {many}");
        assert!(*many <= 20_000 * 20, "{query}: {many} steps");
    }
}

#[test]
fn a_search_for_all_words_of_long_messages_is_cut_short_as_well() {
    let database = Database::new();
    let url = DatabaseUrl::parse(&database.url()).unwrap();
    migrations::migrate(&url).unwrap();
    let conn = &mut url.open(Access::Write).unwrap();
    let room = transaction(conn, |conn| {
        make_users(conn, 1, 1)?;
        make_room(conn, &StoragePolicy::for_tools(), UserId(1), 1..1)
    })
    .unwrap();
    let letters: Vec<char> = ('\u{4e00}'..).take(5_000).collect();
    fill(conn, room, UserId(1), 8, &format!("'{}'", letters.iter().collect::<String>()));
    let query: Vec<String> = letters.chunks(2).map(|word| word.iter().collect()).collect();
    let (mut page, mut found) = (RequestedPage::From { skip: 0, size: 10 }, 0);
    loop {
        let question = SearchRequest {
            words: Words::of(&query.join(" ")).unwrap(),
            has_file: false,
            chat: None,
            after: 0,
            page,
        };
        let answer =
            transaction(conn, |conn| pages::page(conn, &StoragePolicy::for_tools(), UserId(1), &question))
                .unwrap();
        found += answer.messages.len();
        let Some(id) = answer.older else { break };
        assert!(answer.messages.len() < 3, "each looks for 2,500 words in 15,000 bytes");
        page = RequestedPage::Before { id, size: 10 };
    }
    assert_eq!(found, 8);
}
