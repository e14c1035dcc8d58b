//! A connection to either database.

use diesel::{
    Connection, MultiConnection, connection::SimpleConnection, pg::PgConnection, sqlite::SqliteConnection,
};

/// A connection to SQLite or to PostgreSQL.
#[derive(MultiConnection)]
pub enum AnyConn {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

/// What a connection is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    Read,
    Write,
}
