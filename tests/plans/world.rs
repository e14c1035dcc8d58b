//! A worst-case database for all of its users, in two sizes.

use diesel::connection::SimpleConnection;
use greenroom::{
    core::model::{ChatId, MessageId, UserId},
    storage::{
        Access, AnyConn, DatabaseUrl, db::migrations, message_search, tables::custom_values::CustomFilter,
    },
};

/// Ratio of the sizes of the large world and the small one.
pub(crate) const GROWTH: i64 = 6;

// Users.
pub(crate) const STAFF: UserId = UserId(1);
/// Sender of all messages.
pub(crate) const TALKER: UserId = UserId(2);
/// Has sent and read no message.
pub(crate) const SILENT: UserId = UserId(3);
/// Member of many chats.
pub(crate) const CROWDED: UserId = UserId(4);
/// Member of many dms.
pub(crate) const POPULAR: UserId = UserId(5);
/// Blocked by many users.
pub(crate) const BLOCKED: UserId = UserId(6);
/// Blocks many users.
pub(crate) const BLOCKER: UserId = UserId(7);
/// Member of no chat.
pub(crate) const STRANGER: UserId = UserId(8);
pub(crate) const GUEST: UserId = UserId(16);
/// Member only of a group that many have left.
pub(crate) const LONELY: UserId = UserId(15);
/// The first of many users with similar names.
pub(crate) const ALIKE: i64 = 1_000;

// Chats.
/// A long history, all of it by one sender.
pub(crate) const HISTORY: ChatId = ChatId(1);
/// A long history by one sender, deleted except for its first message.
pub(crate) const DELETED: ChatId = ChatId(2);
/// A long history by one sender, in which every message was changed after it was posted.
pub(crate) const CHANGED: ChatId = ChatId(3);
/// A public room with many members, of whom nine in ten have left.
pub(crate) const SQUARE: ChatId = ChatId(4);
/// A chat with a message that all users have reacted to.
pub(crate) const REACTED: ChatId = ChatId(5);
/// A group that many have left. Its only admin is about to leave.
pub(crate) const EMPTIED: ChatId = ChatId(6);
/// A deleted chat with a long history, not yet purged.
pub(crate) const DOOMED: ChatId = ChatId(300_000);
/// The first of the many chats of [`CROWDED`], and of the dms of [`POPULAR`].
pub(crate) const FIRST_OF_CROWDED: ChatId = ChatId(100_001);
pub(crate) const FIRST_DM: ChatId = ChatId(10_001);
/// The root of a long thread in [`HISTORY`], whose replies all mention [`SILENT`].
pub(crate) const ROOT: MessageId = MessageId(1_000_040);

/// A world of one size.
pub(crate) struct World {
    pub url: DatabaseUrl,
    /// Messages in each of the long histories.
    pub messages: i64,
    pub people: i64,
}

impl World {
    /// Fills an empty database.
    pub(crate) fn fill(url: &str, size: i64) -> Self {
        let url = DatabaseUrl::parse(url).unwrap();
        migrations::migrate(&url).unwrap();
        let world = Self { messages: 1_000 * size, people: 1_200 * size, url };
        let mut conn = world.url.open(Access::Write).unwrap();
        if let AnyConn::Sqlite(_) = conn {
            conn.batch_execute("PRAGMA synchronous = OFF").unwrap();
        }
        conn.batch_execute("BEGIN").unwrap();
        for statement in world.statements() {
            conn.batch_execute(&statement).unwrap_or_else(|error| panic!("{error}: {statement}"));
        }
        conn.batch_execute("COMMIT").unwrap();
        message_search::catch_up(&mut conn, |_| {}).unwrap();
        world.change_indexed(&mut conn);
        world
    }

    /// Returns the id of the message at a position of one of the long histories.
    pub(crate) fn message(&self, chat: ChatId, pos: i64) -> MessageId {
        MessageId(chat.0 * 1_000_000 + pos)
    }

    fn statements(&self) -> Vec<String> {
        let people = self.people;
        let mut all = vec![
            users(["i", "'user' || i", "'User'", "'' || i"], 20),
            users(["1000 + i", "'alex' || i", "'Alex'", "'Smith ' || i"], people),
            users(["50000000 + i", "'shut' || i", "'Alex'", "'Aaa ' || i"], people).replace("TRUE", "FALSE"),
            "UPDATE users SET is_staff = TRUE WHERE id = 1".to_owned(),
            "UPDATE users SET is_guest = TRUE WHERE id = 16 OR id > 50000000".to_owned(),
            "INSERT INTO guests (user_id, token_id, visited_at) SELECT id, id, id FROM users WHERE is_guest"
                .to_owned(),
            "INSERT INTO external_users (user_id, external_id) SELECT id, 'external-' || id FROM users"
                .to_owned(),
            "INSERT INTO user_custom (user_id, custom) SELECT id, '{\"tenant\":\"acme\"}' FROM users"
                .to_owned(),
        ];
        all.extend(self.histories());
        all.extend(self.crowds());
        all.extend(self.threads());
        all.extend(self.many_chats());
        all.extend(self.attachments());
        all.extend(self.credentials());
        all.extend(custom_values());
        all.push("UPDATE chats SET guest_access = 'read' WHERE is_public".to_owned());
        all.push(counted(
            "INSERT INTO blocks (blocker_id, blocked_id, created_at) SELECT 1000 + i, 6, i FROM n \
             UNION ALL SELECT 7, 1000 + i, i FROM n",
            people,
        ));
        if let DatabaseUrl::Postgres(_) = self.url {
            for table in [
                "users",
                "chats",
                "message_ids",
                "tokens",
                "revocations",
                "search_changes",
                "attachments",
                "stored_files",
            ] {
                all.push(format!(
                    "SELECT setval(pg_get_serial_sequence('{table}', 'id'), (SELECT coalesce(max(id), 1) FROM {table}))"
                ));
            }
        }
        all
    }

    /// Returns the statements for the three long histories and the deleted one.
    /// Attachments of a long history and of a deleted chat, uploads of many users, and files to be deleted.
    fn attachments(&self) -> Vec<String> {
        let (messages, people) = (self.messages, self.people);
        let attachment = "id, file_id, chat_id, user_id, message_id, state, name, size, content_type, alt, created_at, expires_at";
        let shown = r#"{"id":' || pos || ',"name":"a","size":1,"content_type":"text/plain","sha256":"","width":null,"height":null,"blurhash":null,"alt":"","state":"clean","thumbnails":[]}"#;
        vec![
            counted(
                "INSERT INTO stored_files (id, user_id, size, reference_count) SELECT i, 2, 1, 1 FROM n \
                 UNION ALL SELECT 1000000 + i, 2, 1, 1 FROM n UNION ALL SELECT 2000000 + i, 2, 1, 0 FROM n",
                messages,
            ),
            counted(
                &format!(
                    "INSERT INTO attachments ({attachment}) \
                     SELECT i, i, 1, 2, {} + i, 'clean', 'a', 1, 'text/plain', '', 1, 1 FROM n UNION ALL \
                     SELECT 1000000 + i, 1000000 + i, 300000, 2, {} + i, 'clean', 'a', 1, 'text/plain', '', 1, 1 FROM n",
                    self.message(HISTORY, 0).0,
                    self.message(DOOMED, 0).0,
                ),
                messages,
            ),
            format!("UPDATE messages SET attachments = '[{shown}]' WHERE chat_id = 1 AND pos <= 40"),
            "UPDATE attachments SET state = 'scanning' WHERE id = 10".to_owned(),
            counted(
                "INSERT INTO stored_files (id, user_id, size, reference_count) SELECT 3000000 + i, 1000 + i, 1, 1 FROM n \
                 UNION ALL SELECT 4000000 + i, 1000 + i, 1, 1 FROM n",
                people,
            ),
            counted(
                &format!(
                    "INSERT INTO attachments ({attachment}) \
                     SELECT 3000000 + i, 3000000 + i, 4, 1000 + i, CAST(NULL AS BIGINT), 'pending', 'a', 1, '', '', 1, 9000000000000000 FROM n \
                     UNION ALL SELECT 4000000 + i, 4000000 + i, 4, 1000 + i, CAST(NULL AS BIGINT), 'clean', 'a', 1, '', '', 1, 1 FROM n"
                ),
                people,
            ),
            counted(
                "INSERT INTO stored_files (id, user_id, size, reference_count, scan_at) \
                 SELECT 5000000 + i, 1000 + i, 1, 1, 9000000000000000 + i FROM n",
                people,
            ),
            counted(
                &format!(
                    "INSERT INTO attachments ({attachment}) \
                     SELECT 5000000 + i, 5000000 + i, 4, 1000 + i, CAST(NULL AS BIGINT), 'scanning', 'a', 1, '', '', 1, 9000000000000000 FROM n"
                ),
                people,
            ),
            counted("INSERT INTO file_usage (user_id, bytes) SELECT 1000 + i, 3 FROM n", people),
        ]
    }

    fn histories(&self) -> Vec<String> {
        let messages = self.messages;
        let mut all = Vec::new();
        for chat in [HISTORY, DELETED, CHANGED, DOOMED] {
            let (id, first) = (chat.0, self.message(chat, 0));
            let (is_deleted, is_changed) = (chat == DELETED, chat == CHANGED || chat == DELETED);
            let text = if is_deleted { "''" } else { "'word' || (i % 50) || ' about nothing ' || i" };
            let seq = if is_changed { format!("{messages} + i + 1") } else { "i + 1".to_owned() };
            let last_seq = if is_changed { 2 * messages + 1 } else { messages + 1 };
            let (live, deleted) = if is_deleted { (1, messages - 1) } else { (messages, 0) };
            let deleted_at = if chat == DOOMED { "1" } else { "NULL" };
            all.push(format!(
                "INSERT INTO chats (id, chat_type, title, title_key, created_at, updated_at, deleted_at, seq, meta_seq, \
                 last_pos, last_live_pos, deleted_count, member_count) VALUES ({id}, 'group', 'Long', 'long', 1, 1, \
                 {deleted_at}, {last_seq}, 1, {messages}, {live}, {deleted}, 12)"
            ));
            all.push(counted(
                &format!(
                    "INSERT INTO messages (chat_id, pos, id, sender_id, content, created_at, updated_at, is_edited, \
                     is_deleted, created_seq, seq, reactions, client_id) SELECT {id}, i, {first} + i, 2, {text}, i, i, \
                     FALSE, {is_deleted} AND i > 1, i + 1, {seq}, '[]', 'c' || i FROM n"
                ),
                messages,
            ));
            all.push(counted(
                &format!("INSERT INTO message_ids (id, chat_id, pos) SELECT {first} + i, {id}, i FROM n"),
                messages,
            ));
            all.push(counted(
                &format!(
                    "INSERT INTO sent_counts (chat_id, sender_id, block, sent) SELECT {id}, 2, i - 1, i * 16 - 1 FROM n"
                ),
                (messages + 1) / 16,
            ));
            if chat != DOOMED {
                // The first member has read nothing and never posted.
                all.push(format!(
                    "INSERT INTO members (chat_id, user_id, role, joined_at, joined_seq, member_seq, read_seq, read_pos, from_pos) \
                     SELECT {id}, id, CASE id WHEN 2 THEN 'admin' ELSE 'member' END, 1, 1, 1, 1, \
                     CASE id WHEN 2 THEN {messages} ELSE 0 END, 0 FROM users WHERE id BETWEEN 2 AND 7 OR id BETWEEN 9 AND 14"
                ));
            }
            if is_deleted {
                for whose in [0, 2] {
                    for level in 1..=5_u32 {
                        let size = 64_i64.pow(level);
                        all.push(counted(
                            &format!(
                                "INSERT INTO tombstone_counts (chat_id, sender_id, level, block, tombstones) \
                                 SELECT {id}, {whose}, {level}, i / {size}, count(*) FROM n WHERE i > 1 GROUP BY i / {size}"
                            ),
                            messages,
                        ));
                    }
                }
            }
        }
        all
    }

    /// Returns the statements for the room and the group that many have left, and the message with many
    /// reactions.
    fn crowds(&self) -> Vec<String> {
        let people = self.people;
        let staying = people / 10;
        let mut all = vec![format!(
            "INSERT INTO chats (id, chat_type, title, title_key, created_at, updated_at, seq, meta_seq, last_pos, \
             last_live_pos, deleted_count, member_count, is_public) VALUES \
             (4, 'room', 'Square', 'square', 1, 1, {people} * 2 + 10, 1, 5, 5, 0, {staying} + 2, TRUE), \
             (5, 'group', 'Reacted', 'reacted', 1, 1, {people} * 2 + 10, 1, 5, 5, 0, 3, FALSE), \
             (6, 'group', 'Emptied', 'emptied', 1, 1, {people} * 2 + 20, 1, 5, 5, 0, 3, FALSE)"
        )];
        for chat in [4, 5, 6] {
            all.push(counted(
                &format!(
                    "INSERT INTO messages (chat_id, pos, id, sender_id, content, created_at, updated_at, is_edited, \
                     is_deleted, created_seq, seq, reactions) SELECT {chat}, i, {chat} * 1000000 + i, 2, 'hello ' || i, i, i, \
                     FALSE, FALSE, i + 1, i + 1, '[]' FROM n"
                ),
                5,
            ));
            all.push(counted(
                &format!(
                    "INSERT INTO message_ids (id, chat_id, pos) SELECT {chat} * 1000000 + i, {chat}, i FROM n"
                ),
                5,
            ));
            all.push(format!(
                "INSERT INTO members (chat_id, user_id, role, joined_at, joined_seq, member_seq, read_seq, read_pos, from_pos) \
                 SELECT {chat}, id, CASE id WHEN 2 THEN 'admin' ELSE 'member' END, 1, {people} * 2 + id, {people} * 2 + id, 1, 0, 0 \
                 FROM users WHERE id IN (2, 3) OR id = 15 AND {chat} = 6"
            ));
        }
        for (chat, stay) in [(4, 10), (6, 1_000_000_000)] {
            // They joined first and left later, so every index by joining lists them before all current
            // members.
            all.push(counted(
                &format!(
                    "INSERT INTO members (chat_id, user_id, role, joined_at, joined_seq, member_seq, read_seq, left_seq, \
                     read_pos, from_pos) SELECT {chat}, 1000 + i, 'member', 1, i, {people} + i, i + {people}, \
                     CASE WHEN i % {stay} = 0 THEN NULL ELSE {people} + i END, 5, 0 FROM n"
                ),
                people,
            ));
        }
        all.push(
            "INSERT INTO message_versions (chat_id, message_id, seq, content, written_at) \
             SELECT chat_id, id, seq, 'before', 1 FROM messages WHERE chat_id = 1"
                .to_owned(),
        );
        all.push(counted(
            "INSERT INTO drafts (chat_id, user_id, thread, content, updated_at) SELECT 1, 1000 + i, 0, 'I', i FROM n",
            people,
        ));
        all.push(format!("UPDATE chats SET draft_count = {people} WHERE id = 1"));
        // Most of them are not pinned any more.
        all.push(
            "INSERT INTO pins (chat_id, message_id, seq, is_pinned) SELECT chat_id, id, seq, pos <= 40 \
             FROM messages WHERE chat_id = 1"
                .to_owned(),
        );
        all.push(counted(
            "INSERT INTO reactions (chat_id, message_id, emoji, user_id, seq) SELECT 5, 5000001, '👍', 1000 + i, i + 6 FROM n",
            people,
        ));
        all.push(format!(
            "UPDATE messages SET sender_id = 1001 WHERE chat_id = 6; UPDATE messages SET seq = {people} + 6, reactions = '[{{\"emoji\":\"👍\",\"count\":{people},\"users\":[1001,1002]}}]' \
             WHERE chat_id = 5 AND pos = 1"
        ));
        all
    }

    /// Returns the id of a reply of the long thread.
    pub(crate) fn reply(&self, number: i64) -> MessageId {
        MessageId(700_000_000 + number)
    }

    /// Returns the statements for a long thread whose replies all mention one user, for one of the deleted chat, and for
    /// the many threads that one user follows.
    fn threads(&self) -> Vec<String> {
        let (replies, people) = (self.messages, self.people);
        let mut all = Vec::new();
        for (chat, root, first) in
            [(HISTORY.0, ROOT.0, 700_000_000), (DOOMED.0, DOOMED.0 * 1_000_000 + 40, 800_000_000)]
        {
            let base = chat * 1_000_000;
            let from_n = [
                format!(
                    "INSERT INTO messages (chat_id, pos, id, sender_id, content, created_at, updated_at, is_edited, is_deleted, \
                     created_seq, seq, reactions, thread_id) SELECT {chat}, -i, {first} + i, 2, 'reply ' || i, i, i, FALSE, FALSE, \
                     i + 1, i + 1, '[]', {root} FROM n"
                ),
                format!("INSERT INTO message_ids (id, chat_id, pos) SELECT {first} + i, {chat}, -i FROM n"),
                format!(
                    "INSERT INTO thread_replies (root_id, pos, id, chat_pos, sender_id, is_deleted) \
                     SELECT {root}, i, {first} + i, -i, 2, FALSE FROM n"
                ),
                format!(
                    "INSERT INTO mentions (user_id, lane, pos, chat_id, message_id, created_seq, weight, is_here) \
                     SELECT 3, -{root}, i, {chat}, {first} + i, i + 1, 1, FALSE FROM n"
                ),
                format!(
                    "INSERT INTO mentions (user_id, lane, pos, chat_id, message_id, created_seq, weight, is_here) \
                     SELECT 3, {chat}, i, {chat}, {base} + i, i + 1, 1, FALSE FROM n"
                ),
            ];
            all.extend(from_n.iter().map(|statement| counted(statement, replies)));
            for lane in [chat, -root] {
                all.push(format!(
                    "INSERT INTO mention_counts (user_id, lane, block, weight) SELECT 3, {lane}, pos / 256, count(*) \
                     FROM mentions WHERE lane = {lane} GROUP BY pos / 256"
                ));
            }
            all.push(counted(
                &format!(
                    "INSERT INTO sent_counts (chat_id, sender_id, block, sent) SELECT -{root}, 2, i - 1, i * 16 - 1 FROM n"
                ),
                (replies + 1) / 16,
            ));
            all.push(format!(
                "INSERT INTO threads (root_id, chat_id, last_pos, last_live_pos, last_reply_id, last_sender_id, deleted_count) \
                 VALUES ({root}, {chat}, {replies}, {replies}, {first} + {replies}, 2, 0)"
            ));
            all.push(format!(
                "INSERT INTO thread_participants (root_id, user_id, first_pos) SELECT {root}, id, id - 1 FROM users WHERE id > 1 AND id < 1000"
            ));
            all.push(format!(
                "INSERT INTO follows (user_id, root_id, chat_id, joined_seq, is_followed, read_pos, seq) \
                 SELECT id, {root}, {chat}, 1, TRUE, 0, 1 FROM users WHERE id > 1"
            ));
            all.push(format!("UPDATE chats SET reply_count = {replies} WHERE id = {chat}"));
        }
        let root = "500000000 + (100000 + i) * 10 + 1";
        all.push(counted(
            &format!(
                "INSERT INTO threads (root_id, chat_id, last_pos, last_live_pos, last_reply_id, last_sender_id, deleted_count) \
                 SELECT {root}, 100000 + i, 1, 1, {root} + 1, 2, 0 FROM n"
            ),
            people,
        ));
        all.push(counted(
            &format!(
                "INSERT INTO thread_replies (root_id, pos, id, chat_pos, sender_id, is_deleted) SELECT {root}, 1, {root} + 1, 2, 2, FALSE FROM n"
            ),
            people,
        ));
        all.push(counted(
            &format!(
                "INSERT INTO follows (user_id, root_id, chat_id, joined_seq, is_followed, read_pos, seq) \
                 SELECT 4, {root}, 100000 + i, 1, TRUE, 0, 1 FROM n"
            ),
            people,
        ));
        all
    }

    /// Returns the statements for many chats of one user, dms of another, and public rooms.
    fn many_chats(&self) -> Vec<String> {
        let people = self.people;
        let mut all = Vec::new();
        let kinds = [
            (100_000, "group", "FALSE", "NULL"),
            (10_000, "dm", "FALSE", "NULL"),
            (200_000, "room", "TRUE", "'page'"),
        ];
        for (first, kind, is_public, object) in kinds {
            let title = if kind == "dm" { "NULL" } else { "'Plaza ' || i" };
            let title_key = if kind == "dm" { "NULL" } else { "'plaza ' || i" };
            all.push(counted(
                &format!(
                    "INSERT INTO chats (id, chat_type, title, title_key, created_at, updated_at, seq, meta_seq, last_pos, \
                     last_live_pos, deleted_count, member_count, is_public, object_type, object_id) SELECT {first} + i, '{kind}', \
                     {title}, {title_key}, 1, i, 5, 1, 3, 3, 0, 2, {is_public}, {object}, \
                     CASE WHEN {object} IS NULL THEN NULL ELSE '' || i END FROM n"
                ),
                people,
            ));
            if kind == "room" {
                continue;
            }
            let (user, other) = if kind == "dm" { ("5", "1000 + i") } else { ("4", "2") };
            for (member, role) in [(user, "member"), (other, "admin")] {
                all.push(counted(
                    &format!(
                        "INSERT INTO members (chat_id, user_id, role, joined_at, joined_seq, member_seq, read_seq, read_pos, \
                         from_pos) SELECT {first} + i, {member}, '{role}', 1, 1, 1, 1, 0, 0 FROM n"
                    ),
                    people,
                ));
            }
            all.push(counted(
                &format!(
                    "INSERT INTO messages (chat_id, pos, id, sender_id, content, created_at, updated_at, is_edited, \
                     is_deleted, created_seq, seq, reactions) SELECT {first} + i, p, 500000000 + ({first} + i) * 10 + p, {other}, 'short note ' || i, \
                     i, i, FALSE, FALSE, p + 1, p + 1, '[]' FROM n, (SELECT 1 AS p UNION ALL SELECT 2 UNION ALL SELECT 3) AS places"
                ),
                people,
            ));
            all.push(counted(
                &format!(
                    "INSERT INTO message_ids (id, chat_id, pos) SELECT 500000000 + ({first} + i) * 10 + p, {first} + i, p \
                     FROM n, (SELECT 1 AS p UNION ALL SELECT 2 UNION ALL SELECT 3) AS places"
                ),
                people,
            ));
        }
        all.push(counted(
            "INSERT INTO dm_pairs (low_id, high_id, chat_id) SELECT 5, 1000 + i, 10000 + i FROM n",
            people,
        ));
        all
    }

    /// Returns the statements for expired and valid sessions, tokens and cursors.
    fn credentials(&self) -> Vec<String> {
        let people = self.people;
        // Microseconds: long ago, and far in the future.
        let (old, ahead) = ("i", "9000000000000000");
        let mut all = Vec::new();
        for (prefix, user, at) in [("old", "2", old), ("new", "3", ahead)] {
            all.push(counted(
                &format!(
                    "INSERT INTO sessions (key_hash, user_id, created_at, renewed_at) SELECT '{prefix}' || i, {user}, {at}, {at} FROM n"
                ),
                people,
            ));
            all.push(counted(
                &format!(
                    "INSERT INTO tokens (user_id, key_hash, created_at, expires_at) SELECT {user}, '{prefix}' || i, i, {at} FROM n"
                ),
                people,
            ));
            all.push(counted(
                &format!(
                    "INSERT INTO event_cursors (name, user_id, heads, created_at) SELECT '{prefix}' || i, {user}, '1.1', {at} FROM n"
                ),
                people,
            ));
        }
        all.push(counted("INSERT INTO revocations (user_id, created_at) SELECT 2, i FROM n", people));
        all.push(counted(
            "INSERT INTO writers (name, transactions, used_at) SELECT 'w' || i, 1, i FROM n",
            people,
        ));
        all
    }

    /// Adds pending changes of the search index.
    fn change_indexed(&self, conn: &mut AnyConn) {
        let people = self.people;
        conn.batch_execute(&counted(
            "INSERT INTO search_changes (message_id, is_edit) SELECT 1000000 + i, i % 2 = 0 FROM n",
            people,
        ))
        .unwrap();
    }
}

/// Returns a statement in which `n` has the numbers from 1 to `count` in its column `i`.
fn counted(statement: &str, count: i64) -> String {
    let numbers = format!("n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count})");
    let (insert, select) = statement.split_at(statement.find("SELECT").unwrap());
    format!("{insert} WITH RECURSIVE {numbers} {select}")
}

/// Returns a statement that inserts `count` users. The ids, usernames, first and last names are expressions
/// of `i`.
fn users([id, username, first, last]: [&str; 4], count: i64) -> String {
    counted(
        &format!(
            "INSERT INTO users (id, username, username_key, password, email, first_name, last_name, avatar_url, name_key, \
             email_key, is_active, is_staff, created_at) SELECT {id}, {username}, {username}, '!', {username} || '@example.com', \
             {first}, {last}, '', lower({first} || ' ' || {last}) || '\n' || {username}, {username} || '@example.com', TRUE, FALSE, 1 \
             FROM n"
        ),
        count,
    )
}

/// Returns the statements for the values in custom data: those that all chats and users have, and one of a single
/// user.
fn custom_values() -> Vec<String> {
    let insert = |table: &str, filter: CustomFilter, ids: &str| {
        let CustomFilter { name, digest } = filter;
        format!("INSERT INTO {table} SELECT id, '{name}', '{digest}' FROM {ids}")
    };
    vec![
        insert("chat_custom_values", CustomFilter::new("open", "true"), "chats"),
        insert("user_custom_values", CustomFilter::new("tenant", "acme"), "users"),
        insert("user_custom_values", CustomFilter::new("number", "1003"), "users WHERE id = 1003"),
    ]
}
