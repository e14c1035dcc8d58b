//! Hand-written SQL statements for both databases.
//!
//! diesel's query builder is used where it can express a statement that is not hot. It never caches updates
//! and upserts, and cannot express some statements on both databases. Those use [`sql!`]: the text is written
//! once, with `?` for its values. Each use is a separate type, so diesel prepares it once per connection and
//! finds it again without building its text. `{}` stands for the columns of the [row type](super::row) that the
//! statement returns.

use std::{marker::PhantomData, sync::OnceLock};

use diesel::{
    QueryResult, RunQueryDsl,
    backend::Backend,
    connection::{DefaultLoadingMode, LoadConnection},
    deserialize,
    pg::Pg,
    query_builder::{AstPass, Query, QueryFragment, QueryId},
    result::Error,
    serialize::ToSql,
    sql_types::{self, BigInt, Binary, Bool, HasSqlType, Nullable},
    sqlite::Sqlite,
};

use super::{conn::AnyConn, row::Row, watched};
use crate::core::model::{AttachmentId, ChatId, FileId, MessageId, Timestamp, TokenId, UserId};

/// Builds a [`Statement`]: a text with `?` for each value, then the values.
macro_rules! sql {
    ($text:expr $(, $value:expr)* $(,)?) => {{
        struct Id;
        impl $crate::storage::db::sql::Site for Id {
            const TEXT: &'static str = $text;
        }
        static SQL: $crate::storage::db::sql::Text = $crate::storage::db::sql::Text::new(
            <Id as $crate::storage::db::sql::Site>::TEXT,
            concat!(file!(), ":", line!()),
        );
        $crate::storage::db::sql::Statement::<Id>::new(
            &SQL,
            vec![$($crate::storage::db::sql::Value::from($value)),*],
        )
    }};
}
pub(crate) use sql;

/// The place of a statement in the source.
pub(crate) trait Site: 'static {
    const TEXT: &'static str;
    /// Whether the text leaves the columns to the row type.
    const TAKES_COLUMNS: bool = takes_columns(Self::TEXT.as_bytes());
}

const fn takes_columns(text: &[u8]) -> bool {
    let mut at = 1;
    while at < text.len() {
        if text[at - 1] == b'{' && text[at] == b'}' {
            return true;
        }
        at += 1;
    }
    false
}

/// The text of a statement. diesel walks the text on each run, so it is split at its values only once.
pub(crate) struct Text {
    text: &'static str,
    /// The file and line of the statement.
    location: &'static str,
    sqlite: OnceLock<Box<[String]>>,
    postgres: OnceLock<Box<[String]>>,
}

/// Returns the columns that a statement selects.
type Columns = fn() -> String;

impl Text {
    pub(crate) const fn new(text: &'static str, location: &'static str) -> Self {
        Self { text, location, sqlite: OnceLock::new(), postgres: OnceLock::new() }
    }

    /// Returns the text before, between and after the values. A statement has the same columns on each run.
    fn sqlite_pieces(&self, columns: Option<Columns>) -> &[String] {
        self.sqlite.get_or_init(|| split(&self.with_columns(columns)))
    }

    /// Returns the pieces for PostgreSQL. A list is compared as an array there. For `IN (SELECT unnest(...))`
    /// the planner may scan the whole table, if its statistics are from when it was small.
    fn postgres_pieces(&self, columns: Option<Columns>) -> &[String] {
        self.postgres.get_or_init(|| split(&self.with_columns(columns).replace(" IN ?", " = ANY ?")))
    }

    fn with_columns(&self, columns: Option<Columns>) -> String {
        columns.map_or_else(|| self.text.to_owned(), |columns| self.text.replace("{}", &columns()))
    }
}

fn split(text: &str) -> Box<[String]> {
    text.split('?').map(str::to_owned).collect()
}

/// A value in a statement.
pub(crate) enum Value<'a> {
    Int(i64),
    MaybeInt(Option<i64>),
    Text(&'a str),
    MaybeText(Option<&'a str>),
    Bool(bool),
    MaybeBytes(Option<&'a [u8]>),
    /// A list for `IN ?`, or a table whose only column is `value`.
    Ints(IntList),
    /// An array that the statement itself expands; PostgreSQL only.
    Array(Array<'a>),
}

/// A PostgreSQL array of values.
pub(crate) enum Array<'a> {
    Ints(Vec<i64>),
    MaybeInts(Vec<Option<i64>>),
    Texts(Vec<Option<&'a str>>),
    Bytes(Vec<Option<&'a [u8]>>),
}

/// A list of integers, in the formats that SQLite and PostgreSQL expand.
pub(crate) struct IntList {
    values: Vec<i64>,
    json: String,
}

macro_rules! value_from {
    ($($type:ty => |$value:ident| $make:expr),* $(,)?) => {
        $(impl<'a> From<$type> for Value<'a> {
            fn from($value: $type) -> Self { $make }
        })*
    };
}
value_from! {
    i64 => |value| Self::Int(value),
    Option<i64> => |value| Self::MaybeInt(value),
    bool => |value| Self::Bool(value),
    &'a str => |value| Self::Text(value),
    &'a String => |value| Self::Text(value),
    Option<&'a str> => |value| Self::MaybeText(value),
    Option<&'a [u8]> => |value| Self::MaybeBytes(value),
    ChatId => |value| Self::Int(value.0),
    UserId => |value| Self::Int(value.0),
    MessageId => |value| Self::Int(value.0),
    TokenId => |value| Self::Int(value.0),
    AttachmentId => |value| Self::Int(value.0),
    FileId => |value| Self::Int(value.0),
    Option<Timestamp> => |value| Self::MaybeInt(value.map(|at| at.0)),
    Option<MessageId> => |value| Self::MaybeInt(value.map(|id| id.0)),
    Option<UserId> => |value| Self::MaybeInt(value.map(|id| id.0)),
    Timestamp => |value| Self::Int(value.0),
    Vec<i64> => |values| Self::Array(Array::Ints(values)),
    Vec<Option<i64>> => |values| Self::Array(Array::MaybeInts(values)),
    Vec<Option<&'a str>> => |values| Self::Array(Array::Texts(values)),
    Vec<Option<&'a [u8]>> => |values| Self::Array(Array::Bytes(values)),
}

impl<T> From<&[T]> for Value<'_>
where
    T: Copy + Into<i64>,
{
    fn from(list: &[T]) -> Self {
        let values: Vec<i64> = list.iter().map(|value| (*value).into()).collect();
        let json = serde_json::to_string(&values).expect("integers are always JSON");
        Self::Ints(IntList { values, json })
    }
}

/// A statement with its values. `Id` is a type unique to the place in the source.
pub(crate) struct Statement<'a, Id> {
    text: &'static Text,
    columns: Option<Columns>,
    values: Vec<Value<'a>>,
    id: PhantomData<Id>,
}

impl<'a, Id: Site> Statement<'a, Id> {
    pub(crate) fn new(text: &'static Text, values: Vec<Value<'a>>) -> Self {
        debug_assert_eq!(text.text.matches('?').count(), values.len(), "{}", text.text);
        Self { text, columns: None, values, id: PhantomData }
    }

    /// Runs the statement and returns the number of changed rows.
    pub(crate) fn run(self, conn: &mut AnyConn) -> QueryResult<usize> {
        let location = self.text.location;
        let changed = match conn {
            AnyConn::Sqlite(conn) => self.execute(conn),
            AnyConn::Postgres(conn) => self.execute(conn),
        };
        watched::note(conn, location);
        changed
    }

    /// Returns all rows.
    pub(crate) fn rows<T: Row>(mut self, conn: &mut AnyConn) -> QueryResult<Vec<T>> {
        const {
            assert!(T::COLUMNS.is_some() == Id::TAKES_COLUMNS, "braces stand for the columns of a row type");
        }
        self.columns = T::COLUMNS;
        let location = self.text.location;
        let rows = match conn {
            AnyConn::Sqlite(conn) => LoadConnection::<DefaultLoadingMode>::load(conn, self)
                .and_then(|rows| collect(rows, T::from_sqlite)),
            AnyConn::Postgres(conn) => LoadConnection::<DefaultLoadingMode>::load(conn, self)
                .and_then(|rows| collect(rows, T::from_postgres)),
        };
        watched::note(conn, location);
        rows
    }

    /// Returns the first row, if there is one.
    pub(crate) fn first<T: Row>(self, conn: &mut AnyConn) -> QueryResult<Option<T>> {
        Ok(self.rows(conn)?.into_iter().next())
    }

    /// Returns the only row of a statement that always has one.
    pub(crate) fn one<T: Row>(self, conn: &mut AnyConn) -> QueryResult<T> {
        self.first(conn)?.ok_or(Error::NotFound)
    }

    /// Appends the pieces and values to `out`. `list` also receives the text before the list.
    fn walk<'b, DB>(
        &'b self,
        pieces: &'static [String],
        mut out: AstPass<'_, 'b, DB>,
        list: impl for<'c> Fn(&mut AstPass<'c, 'b, DB>, &'static str, &'b IntList) -> QueryResult<()>,
        array: impl for<'c> Fn(&mut AstPass<'c, 'b, DB>, &'b Array<'a>) -> QueryResult<()>,
    ) -> QueryResult<()>
    where
        DB: Backend
            + HasSqlType<BigInt>
            + HasSqlType<sql_types::Text>
            + HasSqlType<Bool>
            + HasSqlType<Binary>,
        i64: ToSql<BigInt, DB>,
        bool: ToSql<Bool, DB>,
        str: ToSql<sql_types::Text, DB>,
        [u8]: ToSql<Binary, DB>,
    {
        for (value, piece) in self.values.iter().zip(pieces) {
            out.push_sql(piece);
            match value {
                Value::Int(value) => out.push_bind_param::<BigInt, _>(value)?,
                Value::MaybeInt(value) => out.push_bind_param::<Nullable<BigInt>, _>(value)?,
                Value::Text(value) => out.push_bind_param::<sql_types::Text, str>(value)?,
                Value::MaybeText(value) => out.push_bind_param::<Nullable<sql_types::Text>, _>(value)?,
                Value::Bool(value) => out.push_bind_param::<Bool, _>(value)?,
                Value::MaybeBytes(value) => out.push_bind_param::<Nullable<Binary>, _>(value)?,
                Value::Ints(value) => list(&mut out, piece, value)?,
                Value::Array(value) => array(&mut out, value)?,
            }
        }
        if let Some(last) = pieces.last() {
            out.push_sql(last);
        }
        Ok(())
    }
}

/// Reads all rows.
fn collect<R, T>(
    rows: impl Iterator<Item = QueryResult<R>>,
    read: impl Fn(&R) -> deserialize::Result<T>,
) -> QueryResult<Vec<T>> {
    rows.map(|row| read(&row?).map_err(Error::DeserializationError)).collect()
}

// The only difference between the databases: how a list expands to rows.
impl<Id: Site> QueryFragment<Sqlite> for Statement<'_, Id> {
    fn walk_ast<'b>(&'b self, out: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        let list = |out: &mut AstPass<'_, 'b, Sqlite>, _: &'static str, list: &'b IntList| {
            out.push_sql("(SELECT value FROM json_each(");
            out.push_bind_param::<sql_types::Text, _>(&list.json)?;
            out.push_sql("))");
            Ok(())
        };
        self.walk(self.text.sqlite_pieces(self.columns), out, list, |_, _| {
            Err(Error::QueryBuilderError("SQLite has no arrays".into()))
        })
    }
}

impl<Id: Site> QueryFragment<Pg> for Statement<'_, Id> {
    fn walk_ast<'b>(&'b self, out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        let list = |out: &mut AstPass<'_, 'b, Pg>, before: &'static str, list: &'b IntList| {
            let is_compared = before.ends_with("= ANY ");
            out.push_sql(if is_compared { "(" } else { "(SELECT unnest(" });
            out.push_bind_param::<sql_types::Array<BigInt>, _>(&list.values)?;
            out.push_sql(if is_compared { ")" } else { ") AS value)" });
            Ok(())
        };
        self.walk(self.text.postgres_pieces(self.columns), out, list, |out, array| match array {
            Array::Ints(values) => out.push_bind_param::<sql_types::Array<BigInt>, _>(values),
            Array::MaybeInts(values) => out.push_bind_param::<sql_types::Array<Nullable<BigInt>>, _>(values),
            Array::Texts(values) => {
                out.push_bind_param::<sql_types::Array<Nullable<sql_types::Text>>, _>(values)
            }
            Array::Bytes(values) => out.push_bind_param::<sql_types::Array<Nullable<Binary>>, _>(values),
        })
    }
}

impl<Id: 'static> QueryId for Statement<'_, Id> {
    type QueryId = Statement<'static, Id>;
    const HAS_STATIC_QUERY_ID: bool = true;
}

impl<Id: 'static> Query for Statement<'_, Id> {
    type SqlType = sql_types::Untyped;
}

impl<Conn, Id> RunQueryDsl<Conn> for Statement<'_, Id> {}
