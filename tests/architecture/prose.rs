//! The English of comments and documents: words that hide which thing acts.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use crate::source::walk;

/// Folders whose comments and documents are checked, each folder below them alone.
const ROOTS: &[&str] = &["src", "tests", "web", "docs"];

/// Folders of others' texts.
const FOREIGN: &[&str] = &["vendor", "node_modules", "screenshots"];

/// Words that are for people only, or that stand for a plainer verb. See CONTRIBUTING.md, "Names and comments".
const VAGUE: &[&str] = &[
    "who",
    "whoever",
    "somebody",
    "nobody",
    "told",
    "heard",
    "hears",
    "goodbye",
    "comes",
    "goes",
    "stands",
    "meanwhile",
];

/// Maximum number of vague words in a thousand words of a folder.
const MAX_PER_THOUSAND: usize = 5;

/// Number of lines that a failure shows of each folder.
const SHOWN: usize = 5;

/// The comments and documents of one folder.
#[derive(Default)]
struct Prose {
    words: usize,
    vague: usize,
    /// Lines with vague words, each with their number.
    lines: Vec<(usize, String)>,
}

#[test]
fn comments_and_documents_name_the_thing_that_acts() {
    let mut folders: BTreeMap<String, Prose> = BTreeMap::new();
    for root in ROOTS {
        for path in walk(Path::new(root), FOREIGN) {
            let Some(marks) = prose_marks(&path) else { continue };
            let is_prose = |line: &str| marks.iter().any(|mark| line.trim_start().starts_with(mark));
            let folder = path.parent().unwrap().display().to_string();
            let prose = folders.entry(folder).or_default();
            let text = fs::read_to_string(&path).unwrap();
            for (number, line) in text.lines().enumerate().filter(|(_, line)| is_prose(line)) {
                prose.add(line, || format!("{}:{}: {}", path.display(), number + 1, line.trim()));
            }
        }
    }
    folders.retain(|_, prose| prose.vague * 1_000 > prose.words * MAX_PER_THOUSAND);
    let report: Vec<String> = folders.into_iter().map(|(folder, prose)| prose.report(&folder)).collect();
    assert!(report.is_empty(), "too many of {VAGUE:?}:\n{}", report.join("\n"));
}

#[test]
fn docs_can_be_read_alone() {
    let is_rust = |path: &&PathBuf| path.extension().is_some_and(|extension| extension == "rs");
    for path in walk(Path::new("src"), FOREIGN).iter().filter(is_rust) {
        let text = fs::read_to_string(path).unwrap();
        let mut before = "";
        for (number, line) in text.lines().map(str::trim_start).enumerate() {
            let begins = !before.starts_with("///") && line.starts_with("/// The same");
            assert!(!begins, "{}:{}: a doc leans on the one before it", path.display(), number + 1);
            before = line;
        }
    }
}

impl Prose {
    fn add(&mut self, line: &str, place: impl FnOnce() -> String) {
        let is_part = |letter: char| letter.is_ascii_alphabetic() || letter == '\'';
        let words: Vec<&str> =
            line.split(|letter| !is_part(letter)).filter(|word| !word.is_empty()).collect();
        let is_vague = |word: &&&str| VAGUE.iter().any(|vague| word.eq_ignore_ascii_case(vague));
        let vague = words.iter().filter(is_vague).count();
        self.words += words.len();
        self.vague += vague;
        if vague > 0 {
            self.lines.push((vague, place()));
        }
    }

    fn report(mut self, folder: &str) -> String {
        self.lines.sort_by_key(|(vague, _)| std::cmp::Reverse(*vague));
        let lines: Vec<String> = self.lines.into_iter().take(SHOWN).map(|(_, line)| line).collect();
        format!("{folder}: {} of {} words\n  {}", self.vague, self.words, lines.join("\n  "))
    }
}

/// Returns how the lines of a file's prose begin; `None` for files without prose.
fn prose_marks(path: &Path) -> Option<&'static [&'static str]> {
    match path.extension()?.to_str()? {
        "rs" => Some(&["// ", "/// ", "//! "]),
        "js" | "mjs" => Some(&["//", "*", "/*"]),
        "py" | "sh" => Some(&["#"]),
        "md" => Some(&[""]),
        _ => None,
    }
}
