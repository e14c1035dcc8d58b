//! Costs of statements in large tables whose planner statistics are from when they were small: the rows that
//! a statement reads, counted by the database.

use diesel::{
    QueryResult, RunQueryDsl,
    connection::SimpleConnection,
    sql_query,
    sql_types::{BigInt, Nullable},
};
use greenroom::{
    core::model::{
        ChatId, ChatKind, Command, Custom, UserId,
        command::{Action, NewChat},
    },
    storage::{
        Access, AnyConn, DatabaseUrl, StorageError, StoragePolicy,
        commands::{Made, apply, create_chat},
        db::migrations,
        queries::membership,
        tables::{members, users},
        transaction,
    },
};

use crate::support::database::Database;

const CROWD: i64 = 5_000;

#[derive(diesel::QueryableByName)]
struct Number {
    #[diesel(sql_type = Nullable<BigInt>)]
    number: Option<i64>,
}

/// Returns the rows of a table that this transaction has read so far, by index or sequential scans.
fn rows_read(conn: &mut AnyConn, table: &str) -> QueryResult<i64> {
    let counted = format!(
        "SELECT (seq_tup_read + coalesce(idx_tup_fetch, 0))::bigint AS number FROM pg_stat_xact_user_tables \
         WHERE relname = '{table}'"
    );
    let AnyConn::Postgres(conn) = conn else { panic!("it is PostgreSQL") };
    Ok(sql_query(counted).get_result::<Number>(conn)?.number.unwrap_or(0))
}

/// Fills a chat with members. The planner's statistics cover only the first few.
fn fill(conn: &mut AnyConn) -> QueryResult<()> {
    conn.batch_execute(
        "CREATE FUNCTION people(first BIGINT, last BIGINT) RETURNS VOID LANGUAGE SQL AS $$ \
         INSERT INTO users (id, username, username_key, password, email, first_name, last_name, avatar_url, name_key, \
         email_key, is_active, is_staff, created_at) \
         SELECT id, 'u' || id, 'u' || id, '!', '', '', '', '', 'u' || id, '', TRUE, FALSE, 0 \
         FROM generate_series(first, last) id; \
         INSERT INTO members (chat_id, user_id, role, joined_at, joined_seq, member_seq, read_seq, read_pos, from_pos) \
         SELECT 1, id, 'member', 0, 1, 1, 0, 0, 0 FROM generate_series(first, last) id $$",
    )?;
    conn.batch_execute("SELECT people(1, 10); ANALYZE users; ANALYZE members")?;
    conn.batch_execute(&format!("SELECT people(11, {CROWD}); SET plan_cache_mode = force_generic_plan"))
}

#[test]
#[ignore = "needs PostgreSQL: make postgres"]
fn finding_a_few_among_many_on_postgres_reads_no_others() {
    let database = Database::postgres();
    let url = DatabaseUrl::parse(&database.url()).unwrap();
    migrations::migrate(&url).unwrap();
    let mut conn = url.open(Access::Write).unwrap();
    fill(&mut conn).unwrap();
    let asked: Vec<UserId> = (0..20).map(|number| UserId(number * 200 + 1)).collect();
    transaction(&mut conn, |conn| -> Result<(), StorageError> {
        let before = rows_read(conn, "members")?;
        assert_eq!(members::among(conn, ChatId(1), &asked)?.len(), asked.len());
        let read = rows_read(conn, "members")? - before;
        assert!(read <= 100, "{read} members are read to find {}", asked.len());
        let before = rows_read(conn, "users")?;
        assert_eq!(users::active_cards(conn, &asked)?.len(), asked.len());
        let read = rows_read(conn, "users")? - before;
        assert!(read <= 100, "{read} users are read to find {}", asked.len());
        Ok(())
    })
    .unwrap();
}

#[test]
#[ignore = "needs PostgreSQL: make postgres"]
fn a_dm_on_postgres_costs_the_same_however_many_have_blocked_its_user() {
    let database = Database::postgres();
    let url = DatabaseUrl::parse(&database.url()).unwrap();
    migrations::migrate(&url).unwrap();
    let mut conn = url.open(Access::Write).unwrap();
    fill(&mut conn).unwrap();
    conn.batch_execute(&format!(
        "INSERT INTO blocks SELECT id, 1, 0 FROM generate_series(3, 10) id; \
         INSERT INTO dm_pairs SELECT 3, id, id + 100000 FROM generate_series(4, 10) id; \
         ANALYZE blocks; ANALYZE dm_pairs; \
         INSERT INTO blocks SELECT id, 1, 0 FROM generate_series(11, {CROWD}) id; \
         INSERT INTO dm_pairs SELECT 3, id, id + 100000 FROM generate_series(11, {CROWD}) id"
    ))
    .unwrap();
    let policy = StoragePolicy::for_tools();
    transaction(&mut conn, |conn| -> Result<(), StorageError> {
        let (kind, creator, members) = (ChatKind::Dm, UserId(1), vec![UserId(2)]);
        let new = NewChat { kind, title: None, creator, members, custom: Custom::default() };
        let Made::New { snapshot, .. } = create_chat(conn, &policy, &new)? else { panic!("it is new") };
        let chat = snapshot.chat.id;
        let before = rows_read(conn, "blocks")?;
        assert!(membership::membership(conn, chat, UserId(1))?.is_some());
        let read = rows_read(conn, "blocks")? - before;
        assert!(read <= 10, "{read} blocks are read");
        let before = rows_read(conn, "dm_pairs")?;
        apply(conn, &policy, &Command { chat, by: UserId(1), action: Action::DeleteChat })?;
        let read = rows_read(conn, "dm_pairs")? - before;
        assert!(read <= 10, "{read} dms are read");
        Ok(())
    })
    .unwrap();
}
