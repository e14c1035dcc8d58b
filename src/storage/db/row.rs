//! Typed rows of [`sql!`](super::sql::sql) statements.
//!
//! [`row!`] declares a struct with a field for each column. Both the SELECT list and the mapper are generated
//! from it, so their orders cannot differ. A statement contains `{}` in the place of the list. A field whose
//! type is another row adds the columns of that row: this is how joins are read.
//!
//! Columns are read by index, and each read is inlined, so that a row costs no more than a tuple of diesel.
//! Tuples of columns are for short lists that one statement selects.

use std::error::Error;

use diesel::{
    backend::Backend,
    deserialize::{self, FromSql},
    pg::Pg,
    result::{UnexpectedEndOfRow, UnexpectedNullError},
    row::{Field, Row as DbRow},
    sql_types::{BigInt, Binary, Bool, Text},
    sqlite::Sqlite,
};

use crate::core::model::{
    AttachmentId, ChatId, ChatKind, FileId, GuestAccess, MessageId, NotifyLevel, Role, Timestamp, UserId,
};

/// A Rust type of a column that is never null. An `Option` of it is the type of a nullable column.
pub(crate) trait Column: Sized {
    /// The type of the column in the database.
    type Sql;
    /// The type that diesel reads.
    type Raw;

    fn from_raw(raw: Self::Raw) -> Self;
}

macro_rules! column {
    ($($type:ty: $sql:ty => |$raw:ident: $read:ty| $make:expr),* $(,)?) => {
        $(impl Column for $type {
            type Sql = $sql;
            type Raw = $read;

            fn from_raw($raw: $read) -> Self { $make }
        })*
    };
}
column! {
    i64: BigInt => |raw: i64| raw,
    bool: Bool => |raw: bool| raw,
    String: Text => |raw: String| raw,
    Vec<u8>: Binary => |raw: Vec<u8>| raw,
    ChatId: BigInt => |raw: i64| Self(raw),
    UserId: BigInt => |raw: i64| Self(raw),
    MessageId: BigInt => |raw: i64| Self(raw),
    AttachmentId: BigInt => |raw: i64| Self(raw),
    FileId: BigInt => |raw: i64| Self(raw),
    Timestamp: BigInt => |raw: i64| Self(raw),
    ChatKind: Text => |raw: String| Self::parse(&raw).unwrap_or(Self::Group),
    GuestAccess: Text => |raw: String| Self::parse(&raw).unwrap_or_default(),
    // A level that this version does not know counts as the loudest one.
    NotifyLevel: Text => |raw: String| Self::parse(&raw).unwrap_or_default(),
    Role: Text => |raw: String| Self::parse(&raw).unwrap_or(Self::Member),
}

/// The columns of a database row, read from left to right.
pub(crate) struct Cursor<'r, R> {
    row: &'r R,
    next: usize,
}

impl<R> Cursor<'_, R> {
    #[inline(always)]
    fn next<'c, 'a: 'c, DB: Backend>(&'c mut self) -> deserialize::Result<R::Field<'c>>
    where
        R: DbRow<'a, DB>,
    {
        let column = self.next;
        self.next += 1;
        Ok(self.row.get(column).ok_or(UnexpectedEndOfRow)?)
    }
}

/// A part of a row: a column, or all columns of a row type.
pub(crate) trait Part {
    /// Appends the columns to a SELECT list. `name`: the name of a single column, with its table.
    fn columns(name: &str, list: &mut Vec<String>);
}

/// A part that is read from a row of the database `DB`.
pub(crate) trait Read<DB: Backend>: Part + Sized {
    fn read<'a, R: DbRow<'a, DB>>(cursor: &mut Cursor<'_, R>) -> deserialize::Result<Self>;
}

impl<T: Column> Part for T {
    fn columns(name: &str, list: &mut Vec<String>) {
        list.push(name.to_owned());
    }
}

impl<T: Column, DB: Backend> Read<DB> for T
where
    T::Raw: FromSql<T::Sql, DB>,
{
    #[inline(always)]
    fn read<'a, R: DbRow<'a, DB>>(cursor: &mut Cursor<'_, R>) -> deserialize::Result<Self> {
        let field = cursor.next()?;
        match T::Raw::from_nullable_sql(field.value()) {
            Ok(raw) => Ok(T::from_raw(raw)),
            Err(error) => Err(failed(&field, error)),
        }
    }
}

impl<T: Column> Part for Option<T> {
    fn columns(name: &str, list: &mut Vec<String>) {
        list.push(name.to_owned());
    }
}

impl<T: Column, DB: Backend> Read<DB> for Option<T>
where
    T::Raw: FromSql<T::Sql, DB>,
{
    #[inline(always)]
    fn read<'a, R: DbRow<'a, DB>>(cursor: &mut Cursor<'_, R>) -> deserialize::Result<Self> {
        let field = cursor.next()?;
        let Some(value) = field.value() else { return Ok(None) };
        match T::Raw::from_sql(value) {
            Ok(raw) => Ok(Some(T::from_raw(raw))),
            Err(error) => Err(failed(&field, error)),
        }
    }
}

type BoxError = Box<dyn Error + Send + Sync>;

/// Adds the name of the column to an error.
#[cold]
fn failed<'a, DB: Backend>(field: &impl Field<'a, DB>, error: BoxError) -> BoxError {
    let column = field.field_name().unwrap_or("without a name");
    if error.is::<UnexpectedNullError>() { error } else { format!("column {column}: {error}").into() }
}

/// What a statement returns: a struct of [`row!`], one column, or a tuple of columns.
pub(crate) trait Row: Sized {
    /// The SELECT list for `{}`. `None`: the statement names its columns itself.
    const COLUMNS: Option<fn() -> String>;

    fn from_sqlite<'a>(row: &impl DbRow<'a, Sqlite>) -> deserialize::Result<Self>;
    fn from_postgres<'a>(row: &impl DbRow<'a, Pg>) -> deserialize::Result<Self>;
}

/// Reads a whole row.
#[inline]
pub(crate) fn read_all<'a, DB: Backend, R: DbRow<'a, DB>, T>(
    row: &R,
    read: impl FnOnce(&mut Cursor<'_, R>) -> deserialize::Result<T>,
) -> deserialize::Result<T> {
    let mut cursor = Cursor { row, next: 0 };
    let value = read(&mut cursor)?;
    debug_assert_eq!(cursor.next, row.field_count(), "the statement selects other columns");
    Ok(value)
}

/// A part that is one column.
pub(crate) trait Single: Read<Sqlite> + Read<Pg> {}

impl<T: Column> Single for T where T: Read<Sqlite> + Read<Pg> {}
impl<T: Column> Single for Option<T> where Option<T>: Read<Sqlite> + Read<Pg> {}

impl<T: Single> Row for T {
    const COLUMNS: Option<fn() -> String> = None;

    fn from_sqlite<'a>(row: &impl DbRow<'a, Sqlite>) -> deserialize::Result<Self> {
        read_all(row, T::read)
    }

    fn from_postgres<'a>(row: &impl DbRow<'a, Pg>) -> deserialize::Result<Self> {
        read_all(row, T::read)
    }
}

macro_rules! tuple {
    ($($part:ident)+) => {
        impl<$($part: Single),+> Row for ($($part,)+) {
            const COLUMNS: Option<fn() -> String> = None;

            fn from_sqlite<'a>(row: &impl DbRow<'a, Sqlite>) -> deserialize::Result<Self> {
                read_all(row, |cursor| Ok(($(<$part as Read<Sqlite>>::read(cursor)?,)+)))
            }

            fn from_postgres<'a>(row: &impl DbRow<'a, Pg>) -> deserialize::Result<Self> {
                read_all(row, |cursor| Ok(($(<$part as Read<Pg>>::read(cursor)?,)+)))
            }
        }
    };
}
tuple!(A B);
tuple!(A B C);
tuple!(A B C D);
tuple!(A B C D E);

/// Declares a row type: `row! { struct ChatRow from chats c { id: ChatId, seq: Seq } }` selects `c.id, c.seq`.
/// A statement that returns it gives the table that alias. A column may be an expression:
/// `is_open: bool = "c.title IS NULL"`. Without `from`, the row only joins other rows.
macro_rules! row {
    ($(#[$meta:meta])* $vis:vis struct $name:ident from $table:ident $alias:ident { $($fields:tt)* }) => {
        $crate::storage::db::row::row! {
            @(concat!(stringify!($alias), ".")) $(#[$meta])* $vis struct $name { $($fields)* }
        }
    };
    ($(#[$meta:meta])* $vis:vis struct $name:ident { $($fields:tt)* }) => {
        $crate::storage::db::row::row! { @("") $(#[$meta])* $vis struct $name { $($fields)* } }
    };
    (
        @($table:expr) $(#[$meta:meta])* $vis:vis struct $name:ident {
            $($(#[$doc:meta])* $field:ident: $type:ty $(= $sql:expr)?),+ $(,)?
        }
    ) => {
        $(#[$meta])*
        $vis struct $name {
            $($(#[$doc])* $vis $field: $type),+
        }

        impl $crate::storage::db::row::Part for $name {
            fn columns(_: &str, list: &mut Vec<String>) {
                $($crate::storage::db::row::row!(@column list, $table, $field, $type $(, $sql)?);)+
            }
        }

        impl<DB: ::diesel::backend::Backend> $crate::storage::db::row::Read<DB> for $name
        where
            $($type: $crate::storage::db::row::Read<DB>),+
        {
            #[inline]
            fn read<'a, R: ::diesel::row::Row<'a, DB>>(
                cursor: &mut $crate::storage::db::row::Cursor<'_, R>,
            ) -> ::diesel::deserialize::Result<Self> {
                Ok(Self { $($field: $crate::storage::db::row::Read::<DB>::read(cursor)?),+ })
            }
        }

        impl $crate::storage::db::row::Row for $name {
            const COLUMNS: Option<fn() -> String> = Some(|| {
                let mut list = Vec::new();
                <Self as $crate::storage::db::row::Part>::columns("", &mut list);
                list.join(", ")
            });

            fn from_sqlite<'a>(
                row: &impl ::diesel::row::Row<'a, ::diesel::sqlite::Sqlite>,
            ) -> ::diesel::deserialize::Result<Self> {
                $crate::storage::db::row::read_all(row, $crate::storage::db::row::Read::read)
            }

            fn from_postgres<'a>(
                row: &impl ::diesel::row::Row<'a, ::diesel::pg::Pg>,
            ) -> ::diesel::deserialize::Result<Self> {
                $crate::storage::db::row::read_all(row, $crate::storage::db::row::Read::read)
            }
        }
    };
    (@column $list:ident, $table:expr, $field:ident, $type:ty) => {
        <$type as $crate::storage::db::row::Part>::columns(concat!($table, stringify!($field)), $list)
    };
    (@column $list:ident, $table:expr, $field:ident, $type:ty, $sql:expr) => {
        $list.push(String::from($sql))
    };
}
pub(crate) use row;
