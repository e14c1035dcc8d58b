//! Hand-written SQL statements for both databases.
//!
//! diesel's query builder is used where it can express a statement that is not hot. It never caches updates
//! and upserts, and cannot express some statements on both databases. Those use [`sql!`]: the text is written
//! once, with `?` for its values. Each use is a separate type, so diesel prepares it once per connection and
//! finds it again without building its text.

use std::{marker::PhantomData, sync::OnceLock};

use diesel::{
    QueryResult, RunQueryDsl,
    backend::Backend,
    connection::{DefaultLoadingMode, LoadConnection},
    deserialize::FromSqlRow,
    expression::QueryMetadata,
    pg::Pg,
    query_builder::{AstPass, Query, QueryFragment, QueryId},
    result::Error,
    serialize::ToSql,
    sql_types::{self, BigInt, Binary, Bool, HasSqlType, Nullable, SingleValue, SqlType},
    sqlite::Sqlite,
};

use super::{conn::AnyConn, watched};
use crate::core::model::{ChatId, MessageId, Timestamp, TokenId, UserId};

/// Builds a [`Statement`]: a text with `?` for each value, then the values.
macro_rules! sql {
    ($text:expr $(, $value:expr)* $(,)?) => {{
        struct Id;
        static SQL: $crate::storage::db::sql::Text =
            $crate::storage::db::sql::Text::new($text, concat!(file!(), ":", line!()));
        $crate::storage::db::sql::Statement::<Id>::new(
            &SQL,
            vec![$($crate::storage::db::sql::Value::from($value)),*],
        )
    }};
}
pub(crate) use sql;

/// The text of a statement. diesel walks the text on each run, so it is split at its values only once.
pub(crate) struct Text {
    text: &'static str,
    /// The file and line of the statement.
    location: &'static str,
    pieces: OnceLock<Box<[&'static str]>>,
    postgres: OnceLock<Box<[String]>>,
}

impl Text {
    pub(crate) const fn new(text: &'static str, location: &'static str) -> Self {
        Self { text, location, pieces: OnceLock::new(), postgres: OnceLock::new() }
    }

    /// Returns the text before, between and after the values.
    fn pieces(&self) -> &[&'static str] {
        self.pieces.get_or_init(|| self.text.split('?').collect())
    }

    /// Returns the pieces for PostgreSQL. A list is compared as an array there. For `IN (SELECT unnest(...))`
    /// the planner may scan the whole table, if its statistics are from when it was small.
    fn postgres_pieces(&self) -> &[String] {
        self.postgres
            .get_or_init(|| self.text.replace(" IN ?", " = ANY ?").split('?').map(str::to_owned).collect())
    }
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
    Option<MessageId> => |value| Self::MaybeInt(value.map(|id| id.0)),
    Timestamp => |value| Self::Int(value.0),
    Vec<i64> => |values| Self::Array(Array::Ints(values)),
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
    values: Vec<Value<'a>>,
    id: PhantomData<Id>,
}

impl<'a, Id: 'static> Statement<'a, Id> {
    pub(crate) fn new(text: &'static Text, values: Vec<Value<'a>>) -> Self {
        debug_assert_eq!(text.pieces().len(), values.len() + 1, "{}", text.text);
        Self { text, values, id: PhantomData }
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
    pub(crate) fn rows<T: Row>(self, conn: &mut AnyConn) -> QueryResult<Vec<T>> {
        let location = self.text.location;
        let rows = T::load(self, conn);
        watched::note(conn, location);
        rows
    }

    /// Returns the first row, if there is one.
    pub(crate) fn first<T: Row>(self, conn: &mut AnyConn) -> QueryResult<Option<T>> {
        Ok(self.rows(conn)?.into_iter().next())
    }

    /// Returns the only row of a statement that always has one.
    pub(crate) fn one<T: Row>(self, conn: &mut AnyConn) -> QueryResult<T> {
        self.first(conn)?.ok_or(diesel::result::Error::NotFound)
    }

    /// Appends the pieces and values to `out`. `list` also receives the text before the list.
    fn walk<'b, DB>(
        &'b self,
        pieces: &'static [impl AsRef<str>],
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
            out.push_sql(piece.as_ref());
            match value {
                Value::Int(value) => out.push_bind_param::<BigInt, _>(value)?,
                Value::MaybeInt(value) => out.push_bind_param::<Nullable<BigInt>, _>(value)?,
                Value::Text(value) => out.push_bind_param::<sql_types::Text, str>(value)?,
                Value::MaybeText(value) => out.push_bind_param::<Nullable<sql_types::Text>, _>(value)?,
                Value::Bool(value) => out.push_bind_param::<Bool, _>(value)?,
                Value::MaybeBytes(value) => out.push_bind_param::<Nullable<Binary>, _>(value)?,
                Value::Ints(value) => list(&mut out, piece.as_ref(), value)?,
                Value::Array(value) => array(&mut out, value)?,
            }
        }
        if let Some(last) = pieces.last() {
            out.push_sql(last.as_ref());
        }
        Ok(())
    }
}

// The only difference between the databases: how a list expands to rows.
impl<Id: 'static> QueryFragment<Sqlite> for Statement<'_, Id> {
    fn walk_ast<'b>(&'b self, out: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        let list = |out: &mut AstPass<'_, 'b, Sqlite>, _: &'static str, list: &'b IntList| {
            out.push_sql("(SELECT value FROM json_each(");
            out.push_bind_param::<sql_types::Text, _>(&list.json)?;
            out.push_sql("))");
            Ok(())
        };
        self.walk(self.text.pieces(), out, list, |_, _| {
            Err(Error::QueryBuilderError("SQLite has no arrays".into()))
        })
    }
}

impl<Id: 'static> QueryFragment<Pg> for Statement<'_, Id> {
    fn walk_ast<'b>(&'b self, out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        let list = |out: &mut AstPass<'_, 'b, Pg>, before: &'static str, list: &'b IntList| {
            let is_compared = before.ends_with("= ANY ");
            out.push_sql(if is_compared { "(" } else { "(SELECT unnest(" });
            out.push_bind_param::<sql_types::Array<BigInt>, _>(&list.values)?;
            out.push_sql(if is_compared { ")" } else { ") AS value)" });
            Ok(())
        };
        self.walk(self.text.postgres_pieces(), out, list, |out, array| match array {
            Array::Ints(values) => out.push_bind_param::<sql_types::Array<BigInt>, _>(values),
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

impl<Conn, Id> RunQueryDsl<Conn> for Statement<'_, Id> {}

/// A statement that returns rows of the SQL type `Sql`.
struct Returning<'a, Id, Sql> {
    statement: Statement<'a, Id>,
    sql: PhantomData<Sql>,
}

impl<Id: 'static, Sql, DB: Backend> QueryFragment<DB> for Returning<'_, Id, Sql>
where
    for<'a> Statement<'a, Id>: QueryFragment<DB>,
{
    fn walk_ast<'b>(&'b self, out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        self.statement.walk_ast(out)
    }
}

impl<Id: 'static, Sql> QueryId for Returning<'_, Id, Sql> {
    type QueryId = Statement<'static, Id>;
    const HAS_STATIC_QUERY_ID: bool = true;
}

impl<Id, Sql: 'static> Query for Returning<'_, Id, Sql> {
    type SqlType = Sql;
}

impl<Conn, Id, Sql> RunQueryDsl<Conn> for Returning<'_, Id, Sql> {}

/// A Rust type that one column can be read into.
pub(crate) trait Column {
    type Sql: SqlType + SingleValue;
}

macro_rules! column {
    ($($type:ty => $sql:ty),* $(,)?) => { $(impl Column for $type { type Sql = $sql; })* };
}
column! {
    i64 => BigInt,
    String => sql_types::Text,
    bool => Bool,
    Vec<u8> => Binary,
    Option<i64> => Nullable<BigInt>,
    Option<bool> => Nullable<Bool>,
    Option<String> => Nullable<sql_types::Text>,
    Option<Vec<u8>> => Nullable<Binary>,
}

/// A tuple of columns.
pub(crate) trait Columns {
    type Sql: 'static;
}

/// A tuple of columns that a row can be read into.
pub(crate) trait Row: Sized {
    fn load<Id: 'static>(statement: Statement<'_, Id>, conn: &mut AnyConn) -> QueryResult<Vec<Self>>;
}

/// Two tuples of columns, one after the other: for rows with more columns than one tuple can have.
pub(crate) struct Concat<A, B>(pub A, pub B);

impl<A: Columns, B: Columns> Row for Concat<A, B>
where
    (A, B): FromSqlRow<(A::Sql, B::Sql), Sqlite> + FromSqlRow<(A::Sql, B::Sql), Pg>,
    Sqlite: QueryMetadata<(A::Sql, B::Sql)>,
    Pg: QueryMetadata<(A::Sql, B::Sql)>,
{
    fn load<Id: 'static>(statement: Statement<'_, Id>, conn: &mut AnyConn) -> QueryResult<Vec<Self>> {
        let query = Returning::<'_, Id, (A::Sql, B::Sql)> { statement, sql: PhantomData };
        let rows: Vec<(A, B)> = match conn {
            AnyConn::Sqlite(conn) => LoadConnection::<DefaultLoadingMode>::load(conn, query)?
                .map(|row| build::<_, (A::Sql, B::Sql), _>(&row?))
                .collect::<QueryResult<_>>()?,
            AnyConn::Postgres(conn) => LoadConnection::<DefaultLoadingMode>::load(conn, query)?
                .map(|row| build::<_, (A::Sql, B::Sql), _>(&row?))
                .collect::<QueryResult<_>>()?,
        };
        Ok(rows.into_iter().map(|(one, other)| Self(one, other)).collect())
    }
}

fn build<'a, T, Sql, DB: Backend>(row: &impl diesel::row::Row<'a, DB>) -> QueryResult<T>
where
    T: FromSqlRow<Sql, DB>,
{
    T::build_from_row(row).map_err(Error::DeserializationError)
}

macro_rules! row {
    ($($column:ident)+) => {
        impl<$($column: Column),+> Columns for ($($column,)+)
        where
            ($($column::Sql,)+): 'static,
        {
            type Sql = ($($column::Sql,)+);
        }

        impl<$($column: Column),+> Row for ($($column,)+)
        where
            ($($column::Sql,)+): 'static,
            Self: FromSqlRow<($($column::Sql,)+), Sqlite> + FromSqlRow<($($column::Sql,)+), Pg>,
            Sqlite: QueryMetadata<($($column::Sql,)+)>,
            Pg: QueryMetadata<($($column::Sql,)+)>,
        {
            fn load<Id: 'static>(
                statement: Statement<'_, Id>,
                conn: &mut AnyConn,
            ) -> QueryResult<Vec<Self>> {
                let query = Returning::<'_, Id, ($($column::Sql,)+)> { statement, sql: PhantomData };
                match conn {
                    AnyConn::Sqlite(conn) => LoadConnection::<DefaultLoadingMode>::load(conn, query)?.map(|row| build::<_, ($($column::Sql,)+), _>(&row?)).collect(),
                    AnyConn::Postgres(conn) => LoadConnection::<DefaultLoadingMode>::load(conn, query)?.map(|row| build::<_, ($($column::Sql,)+), _>(&row?)).collect(),
                }
            }
        }
    };
}
row!(A);
row!(A B);
row!(A B C);
row!(A B C D);
row!(A B C D E);
row!(A B C D E F);
row!(A B C D E F G);
row!(A B C D E F G H);
row!(A B C D E F G H I);
row!(A B C D E F G H I J);
row!(A B C D E F G H I J K);
row!(A B C D E F G H I J K L);
row!(A B C D E F G H I J K L M);
row!(A B C D E F G H I J K L M N);
row!(A B C D E F G H I J K L M N O);
row!(A B C D E F G H I J K L M N O P);
