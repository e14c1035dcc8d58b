//! Files of users: CSV with a header, or JSON Lines.

use std::{
    cell::Cell,
    collections::BTreeSet,
    io::{self, BufRead, BufReader, Chain, Read},
    rc::Rc,
    time::Duration,
};

use csv::{ByteRecord, Reader, ReaderBuilder, Terminator};
use serde_json::Value;

use super::error::CliError;
use crate::{
    auth::passwords::StoredHash,
    core::model::{
        FieldErrors,
        text::{Username, email, external_id, person_name},
    },
    storage::{
        commands::user_import::{ImportedHash, UserLine},
        tables::users::NO_PASSWORD,
    },
};

/// A line of the file, counted from 1: a valid user, or what is wrong with it.
pub(super) struct NumberedLine {
    pub(super) number: u64,
    pub(super) user: Result<UserLine, FieldErrors>,
}

/// The users in a file, one after another.
pub(super) struct UserLines {
    format: Format,
    /// Lines before the first user or the header.
    skipped: u64,
    unread: BTreeSet<String>,
    position: Rc<Cell<u64>>,
}

type Input = BufReader<Counted>;

/// A reader of records. The file ends with a line feed in any case.
type CsvReader = Reader<Chain<Input, &'static [u8]>>;

enum Format {
    /// The header has `None` for a column that is not read.
    Csv {
        reader: CsvReader,
        header: Vec<Option<String>>,
        record: ByteRecord,
    },
    Json {
        reader: Input,
        line: u64,
        text: Vec<u8>,
    },
}

/// The texts of one line, unchecked. `None`: not given.
#[derive(Default)]
struct RawUser {
    username: Option<String>,
    password: Option<String>,
    email: Option<String>,
    first_name: Option<String>,
    last_name: Option<String>,
    is_active: Option<String>,
    is_staff: Option<String>,
    external_id: Option<String>,
}

/// A reader that counts its bytes.
struct Counted {
    reader: Box<dyn Read>,
    position: Rc<Cell<u64>>,
}

impl UserLines {
    /// Recognizes the format of a file, and reads the header of CSV.
    pub(super) fn open(reader: Box<dyn Read>) -> Result<Self, CliError> {
        let position = Rc::new(Cell::new(0));
        let mut reader = BufReader::new(Counted { reader, position: position.clone() });
        let (first, skipped) = skip_blanks(&mut reader)?;
        let mut unread = BTreeSet::new();
        let format = match first {
            None => return Err(refused("there are no users in it: it is empty")),
            Some(b'[') => {
                return Err(refused("it is a JSON array; write one object a line, as `jq -c '.[]'` does"));
            }
            Some(b'{') => Format::Json { reader, line: skipped, text: Vec::new() },
            Some(_) => {
                // Line feeds alone end a record, so that lines are counted right in files of Windows too.
                let mut builder = ReaderBuilder::new();
                builder.flexible(true).terminator(Terminator::Any(b'\n'));
                let mut reader = builder.from_reader(reader.chain(&b"\n"[..]));
                let header = header(&mut reader, &mut unread)?;
                Format::Csv { reader, header, record: ByteRecord::new() }
            }
        };
        Ok(Self { format, skipped, unread, position })
    }

    /// Returns the number of bytes read so far.
    pub(super) fn position(&self) -> u64 {
        self.position.get()
    }

    /// Returns the names of fields that are not read. Names that may be anything else are left out: without a
    /// header, the first line contains a hash.
    pub(super) fn unread(&self) -> impl Iterator<Item = &str> {
        let is_name = |name: &&str| {
            name.len() <= 30 && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        };
        self.unread.iter().map(String::as_str).filter(is_name)
    }

    /// Reads the next user. `None`: the end of the file.
    pub(super) fn next(&mut self) -> Result<Option<NumberedLine>, CliError> {
        match &mut self.format {
            Format::Csv { reader, header, record } => loop {
                if !reader.read_byte_record(record).map_err(|error| CliError::Io(error.into()))? {
                    return Ok(None);
                }
                if record.len() == 1 && record[0].trim_ascii().is_empty() {
                    continue;
                }
                // Each record ends with a line feed, which is read by now.
                let inside = record.as_slice().iter().filter(|byte| **byte == b'\n').count() as u64;
                let number = self.skipped + reader.position().line() - 1 - inside;
                let user = of_record(header, record).and_then(RawUser::check);
                return Ok(Some(NumberedLine { number, user }));
            },
            Format::Json { reader, line, text } => loop {
                text.clear();
                if reader.read_until(b'\n', text)? == 0 {
                    return Ok(None);
                }
                *line += 1;
                if !text.trim_ascii().is_empty() {
                    let user = of_json(text, &mut self.unread).and_then(RawUser::check);
                    return Ok(Some(NumberedLine { number: *line, user }));
                }
            },
        }
    }
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.reader.read(buffer)?;
        self.position.set(self.position.get() + count as u64);
        Ok(count)
    }
}

/// Skips a byte order mark and white space. Returns the next byte, and the number of lines skipped.
fn skip_blanks(reader: &mut Input) -> io::Result<(Option<u8>, u64)> {
    let mut lines = 0;
    loop {
        let Some(byte) = reader.fill_buf()?.first().copied() else { return Ok((None, lines)) };
        match byte {
            b'\n' => lines += 1,
            b' ' | b'\t' | b'\r' | 0xEF | 0xBB | 0xBF => {}
            _ => return Ok((Some(byte), lines)),
        }
        reader.consume(1);
    }
}

/// Reads the names of the columns.
fn header(reader: &mut CsvReader, unread: &mut BTreeSet<String>) -> Result<Vec<Option<String>>, CliError> {
    let names = reader.byte_headers().map_err(|error| CliError::Io(error.into()))?;
    let mut header = Vec::new();
    for name in names {
        let name = String::from_utf8_lossy(name.trim_ascii()).into_owned();
        let is_read = RawUser::default().field(&name).is_some();
        if is_read && header.contains(&Some(name.clone())) {
            return Err(refused(&format!("the column {name} is in it twice")));
        }
        if !is_read {
            unread.insert(name.clone());
        }
        header.push(is_read.then_some(name));
    }
    let has = |name: &str| header.iter().flatten().any(|column| column == name);
    if !has("username") && !has("external_id") {
        return Err(refused("its first line must name the columns, among them username or external_id"));
    }
    Ok(header)
}

fn of_record(header: &[Option<String>], record: &ByteRecord) -> Result<RawUser, FieldErrors> {
    if record.len() != header.len() {
        let sentence = format!("It has {} fields, and the header {}.", record.len(), header.len());
        return Err(FieldErrors::whole(sentence));
    }
    let mut raw = RawUser::default();
    for (index, (name, cell)) in header.iter().zip(record).enumerate() {
        let Some(name) = name else { continue };
        let is_last = index + 1 == header.len();
        let cell = cell.strip_suffix(b"\r").filter(|_| is_last).unwrap_or(cell);
        let text = str::from_utf8(cell).map_err(|_| FieldErrors::of(name.clone(), "It is not UTF-8."))?;
        if let Some(field) = raw.field(name) {
            *field = Some(text.to_owned());
        }
    }
    Ok(raw)
}

fn of_json(text: &[u8], unread: &mut BTreeSet<String>) -> Result<RawUser, FieldErrors> {
    let value = serde_json::from_slice(text);
    // The error has no part of the line.
    let sentence = |error: serde_json::Error| error.to_string().replace("line 1 column", "column") + ".";
    let value = value.map_err(|error| FieldErrors::whole(sentence(error)))?;
    let Value::Object(object) = value else { return Err(FieldErrors::whole("It is no JSON object.")) };
    let mut raw = RawUser::default();
    for (name, value) in object {
        let Some(field) = raw.field(&name) else {
            unread.insert(name);
            continue;
        };
        *field = match value {
            Value::Null => None,
            Value::Bool(value) => Some(value.to_string()),
            Value::Number(number) => Some(number.to_string()),
            Value::String(text) => Some(text),
            Value::Array(_) | Value::Object(_) => {
                return Err(FieldErrors::of(name, "Not a valid string."));
            }
        };
    }
    Ok(raw)
}

impl RawUser {
    /// Returns the field of a name; `None` if there is none.
    fn field(&mut self, name: &str) -> Option<&mut Option<String>> {
        Some(match name {
            "username" => &mut self.username,
            "password" => &mut self.password,
            "email" => &mut self.email,
            "first_name" => &mut self.first_name,
            "last_name" => &mut self.last_name,
            "is_active" => &mut self.is_active,
            "is_staff" => &mut self.is_staff,
            "external_id" => &mut self.external_id,
            _ => return None,
        })
    }

    /// Validates all fields. An empty e-mail address or name is a value; any other empty field is not given.
    fn check(self) -> Result<UserLine, FieldErrors> {
        let mut errors = FieldErrors::default();
        let name = |text: &str| person_name(text, 150);
        let filled = |text: Option<String>| text.filter(|text| !text.is_empty());
        let line = UserLine {
            username: parsed(&mut errors, "username", filled(self.username), Username::parse),
            password: parsed(&mut errors, "password", filled(self.password), password),
            email: parsed(&mut errors, "email", self.email, email),
            first_name: parsed(&mut errors, "first_name", self.first_name, name),
            last_name: parsed(&mut errors, "last_name", self.last_name, name),
            is_active: parsed(&mut errors, "is_active", filled(self.is_active), boolean),
            is_staff: parsed(&mut errors, "is_staff", filled(self.is_staff), boolean),
            external_id: parsed(&mut errors, "external_id", filled(self.external_id), external_id),
        };
        if errors.is_empty() { Ok(line) } else { Err(errors) }
    }
}

fn parsed<T>(
    errors: &mut FieldErrors,
    name: &'static str,
    text: Option<String>,
    parse: impl Fn(&str) -> Result<T, String>,
) -> Option<T> {
    errors.note(name, parse(&text?))
}

/// Parses a hash. Django writes `!` and random letters for a user without a password.
fn password(text: &str) -> Result<ImportedHash, String> {
    if text.starts_with('!') {
        return Ok(ImportedHash { hash: NO_PASSWORD.to_owned(), cost: Duration::ZERO });
    }
    let cost = StoredHash::parse(text).map_err(|error| error.to_string())?.estimate();
    Ok(ImportedHash { hash: text.to_owned(), cost })
}

/// Parses a boolean as Python, SQLite, PostgreSQL and JSON write it.
fn boolean(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "t" | "1" => Ok(true),
        "false" | "f" | "0" => Ok(false),
        _ => Err("Must be a valid boolean.".to_owned()),
    }
}

fn refused(sentence: &str) -> CliError {
    CliError::Refused(format!("cannot import the users of this file: {sentence}"))
}
