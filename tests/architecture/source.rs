//! The source files: their code without comments, string literals and tests.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// A module path below the crate root.
pub(crate) type Module = Vec<String>;

/// The code of a file in `src/`, without comments, string literals and tests.
pub(crate) struct Source {
    pub path: String,
    pub module: Module,
    pub code: String,
    pub lines: usize,
}

/// Returns the source files of the program, without those of its tests.
pub(crate) fn sources() -> Vec<Source> {
    let is_rust = |path: &&PathBuf| path.extension().is_some_and(|extension| extension == "rs");
    let paths = walk(Path::new("src"), &[]);
    let sources = paths.iter().filter(is_rust).map(|path| Source::read(path));
    // `lib.rs` only lists modules. Files of tests are not part of the program.
    sources.filter(|source| !source.module.is_empty() && source.module.last().unwrap() != "tests").collect()
}

/// Returns the files in a folder and below it, sorted. Folders of the names in `skipped` are left out.
pub(crate) fn walk(folder: &Path, skipped: &[&str]) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if !path.is_dir() {
            files.push(path);
        } else if !skipped.iter().any(|name| path.ends_with(name)) {
            files.extend(walk(&path, skipped));
        }
    }
    files.sort();
    files
}

impl Source {
    fn read(path: &Path) -> Self {
        let text = fs::read_to_string(path).unwrap();
        let mut module: Module =
            path.with_extension("").iter().skip(1).map(|part| part.to_str().unwrap().to_owned()).collect();
        if matches!(module.last().map(String::as_str), Some("mod" | "lib")) {
            module.pop();
        }
        let path = path.to_str().unwrap().to_owned();
        Self { path, module, code: code_of(&text), lines: text.lines().count() }
    }
}

/// Returns the code of a file. Comments and string literals are blanked; tests at the end are cut off. Line
/// numbers are unchanged.
fn code_of(text: &str) -> String {
    let text = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else if let Some(raw) = rest.strip_prefix("r#\"") {
            raw.find("\"#").map_or(rest.len(), |end| end + 5)
        } else if next == '"' {
            quoted(rest)
        } else if rest.starts_with("'\"'") || rest.starts_with("'\\'") {
            3
        } else {
            code.push(next);
            rest = &rest[next.len_utf8()..];
            continue;
        };
        code.extend(rest[..length].chars().map(|letter| if letter == '\n' { '\n' } else { ' ' }));
        rest = &rest[length..];
    }
    code
}

/// Returns the length of a string literal, with its quotes.
fn quoted(text: &str) -> usize {
    let bytes = text.as_bytes();
    let mut at = 1;
    while at < bytes.len() && bytes[at] != b'"' {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    (at + 1).min(text.len())
}

/// Iterates over the words of a text, each with its position.
pub(crate) fn words(code: &str) -> impl Iterator<Item = (usize, &str)> {
    let is_part = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    let pieces = code.split(move |letter| !is_part(letter)).filter(|word| !word.is_empty());
    pieces.map(|word| (word.as_ptr() as usize - code.as_ptr() as usize, word))
}

/// Returns the names of the types that a file declares.
pub(crate) fn types(code: &str) -> Vec<String> {
    let words: Vec<&str> = words(code).map(|(_, word)| word).collect();
    let named =
        words.windows(2).filter(|pair| matches!(pair[0], "struct" | "enum" | "type" | "trait" | "union"));
    // Associated types of a trait implementation are named by the trait.
    let own = ["Error", "Future", "Output", "Item", "Result", "Context", "Target", "Type", "Parameters"];
    let is_type = |name: &str| name.starts_with(|letter: char| letter.is_ascii_uppercase());
    named
        .map(|pair| pair[1].to_owned())
        .filter(|name| is_type(name) && !own.contains(&name.as_str()))
        .collect()
}
