//! What statements cost in large tables that PostgreSQL knew while they were small: rows that a statement reads, counted
//! by the database.

use diesel::{
    QueryResult, RunQueryDsl,
    connection::SimpleConnection,
    sql_query,
    sql_types::{BigInt, Nullable},
};
use greenroom::{
    model::{ChatId, UserId},
    storage::{Access, AnyConn, DatabaseUrl, StorageError, members, migrations, transaction, users},
};

use crate::support::database::Database;

const CROWD: i64 = 5_000;

#[derive(diesel::QueryableByName)]
struct Number {
    #[diesel(sql_type = Nullable<BigInt>)]
    number: Option<i64>,
}

/// Rows of a table that this transaction has read so far, in its indexes or in order.
fn rows_read(conn: &mut AnyConn, table: &str) -> QueryResult<i64> {
    let counted = format!(
        "SELECT (seq_tup_read + coalesce(idx_tup_fetch, 0))::bigint AS number FROM pg_stat_xact_user_tables \
         WHERE relname = '{table}'"
    );
    let AnyConn::Postgres(conn) = conn else { panic!("it is PostgreSQL") };
    Ok(sql_query(counted).get_result::<Number>(conn)?.number.unwrap_or(0))
}

/// Fills a chat with members, the first few of whom the planner has seen.
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
