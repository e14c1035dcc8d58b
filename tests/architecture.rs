//! Architecture tests: which folder may import which, and rules of shape that the compiler does not check. An
//! existing violation has a budget: a number or a list that may only shrink.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// The folders of `src/`, and the files beside them, from top to bottom. A folder may import only folders of
/// LATER rows, none of its own row or above.
const LAYERS: &[&[&str]] = &[
    &["main"],
    &["cli"],
    &["server"],
    &["routes"],
    &["web"],
    &["openapi", "routing"],
    &["api", "ws"],
    &["middleware"],
    &["services"],
    &["state"],
    &["feed", "cluster", "telemetry"],
    &["auth"],
    &["net"],
    &["chat"],
    &["presence", "config"],
    &["hub", "rate_limit", "bus", "pictures"],
    &["view", "input", "error", "paths"],
    &["load"],
    &["storage/maintenance"],
    &["storage/message_search"],
    &["storage/writer"],
    &["storage/commands"],
    &["storage/queries"],
    &["storage/tables"],
    &["storage"],
    &["storage/db"],
    &["core/text_index"],
    &["core/metrics"],
    &["core/model"],
    &["core", "output"],
];

/// Imports from the same row or from above.
const UPWARD: usize = 0;

/// Import cycles between files, and the number of files in them.
const LOOPS: usize = 0;
const FILES_IN_LOOPS: usize = 0;

/// Maximum length of a file in `src/`, in lines, and the files that exceed it.
const LONGEST: usize = 400;
const LONG_FILES: &[&str] = &[];

/// Type names that are declared in more than two files.
const WORN_NAMES: &[&str] = &[
    "Answer",
    "Asked",
    "Chat",
    "Connection",
    "Found",
    "Head",
    "Heard",
    "Kind",
    "Line",
    "News",
    "Next",
    "Outcome",
    "Place",
    "Queue",
    "Row",
    "Session",
    "Stage",
    "Standing",
    "State",
    "Turn",
    "Waiting",
    "Wanted",
    "Watch",
];

/// Crates that only some folders may use.
const FENCED: &[(&str, &[&str])] =
    &[("diesel", &["storage"]), ("diesel_migrations", &["storage"]), ("actix_web_actors", &["ws"])];

/// A module path below the crate root.
type Module = Vec<String>;

/// The code of a file in `src/`, without comments, string literals and tests.
struct Source {
    path: String,
    module: Module,
    code: String,
    lines: usize,
}

/// An import of another file.
struct Import {
    line: usize,
    to: usize,
}

/// All files and their imports.
struct Tree {
    sources: Vec<Source>,
    imports: Vec<Vec<Import>>,
}

#[test]
fn folders_import_what_is_below_them() {
    let tree = Tree::read();
    let mut upward = Vec::new();
    for (source, imports) in tree.sources.iter().zip(&tree.imports) {
        let from = layer(source);
        for import in imports {
            let target = &tree.sources[import.to];
            let to = layer(target);
            if from.1 != to.1 && from.0 >= to.0 {
                let Source { path, .. } = source;
                upward.push(format!(
                    "{path}:{} imports {}: {} may not use {}",
                    import.line, target.path, from.1, to.1
                ));
            }
        }
    }
    within_budget("UPWARD", upward.len(), UPWARD, &upward.join("\n"));
}

#[test]
fn no_files_import_one_another_in_a_loop() {
    let tree = Tree::read();
    let loops = tree.loops();
    let path = |file: &usize| tree.sources[*file].path.as_str();
    let details: Vec<String> =
        loops.iter().map(|files| files.iter().map(path).collect::<Vec<_>>().join(", ")).collect();
    within_budget("LOOPS", loops.len(), LOOPS, &details.join("\n"));
    within_budget("FILES_IN_LOOPS", loops.iter().map(Vec::len).sum(), FILES_IN_LOOPS, &details.join("\n"));
}

#[test]
fn each_crate_stays_behind_its_fence() {
    for (name, folders) in FENCED {
        for source in sources() {
            let names_it = words(&source.code).any(|(_, word)| word == *name);
            assert!(
                !names_it || folders.contains(&source.module[0].as_str()),
                "{} names {name}, which only {folders:?} may",
                source.path
            );
        }
    }
}

#[test]
fn files_are_short() {
    let long: BTreeSet<String> =
        sources().into_iter().filter(|source| source.lines > LONGEST).map(|source| source.path).collect();
    let allowed: BTreeSet<String> = LONG_FILES.iter().map(|path| (*path).to_owned()).collect();
    assert_eq!(
        long, allowed,
        "found, and allowed by LONG_FILES: files over {LONGEST} lines hide a second noun"
    );
}

#[test]
fn a_name_means_one_thing_or_two() {
    let mut files: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for source in sources() {
        for name in types(&source.code) {
            files.entry(name).or_default().insert(source.path.clone());
        }
    }
    files.retain(|_, files| files.len() > 2);
    let worn: BTreeSet<&str> = files.keys().map(String::as_str).collect();
    let allowed: BTreeSet<&str> = WORN_NAMES.iter().copied().collect();
    assert_eq!(worn, allowed, "found, and allowed by WORN_NAMES: {files:#?}");
}

#[test]
fn the_map_is_the_one_in_the_docs() {
    let page = fs::read_to_string("docs/ARCHITECTURE.md").unwrap();
    let row = |line: &str| {
        let (number, rest) = line.strip_prefix("| ")?.split_once(" | ")?;
        let _: usize = number.parse().ok()?;
        let names = rest.strip_prefix('`')?.split(" | ").next()?.split(", ");
        Some(names.map(|name| name.trim_matches(['`', '/']).to_owned()).collect::<Vec<_>>())
    };
    let documented: Vec<Vec<String>> = page.lines().filter_map(row).collect();
    assert_eq!(documented, LAYERS[1..], "the map in docs/ARCHITECTURE.md, and LAYERS");
}

/// Fails if a budget is exceeded, and also if it can be lowered.
fn within_budget(name: &str, found: usize, budget: usize, details: &str) {
    assert!(found <= budget, "{found} are more than {name} allows, {budget}:\n{details}");
    assert_eq!(found, budget, "{name} can be lowered");
}

/// Returns the row of a file's folder, and the folder's name in that row.
fn layer(source: &Source) -> (usize, &'static str) {
    let path = source.module.join("/");
    let rows =
        LAYERS.iter().enumerate().flat_map(|(row, folders)| folders.iter().map(move |folder| (row, *folder)));
    let is_in = |folder: &str| path == folder || path.starts_with(&format!("{folder}/"));
    let found = rows.filter(|(_, folder)| is_in(folder)).max_by_key(|(_, folder)| folder.len());
    found.unwrap_or_else(|| panic!("{} is in no row of LAYERS", source.path))
}

fn sources() -> Vec<Source> {
    let mut paths = Vec::new();
    list(Path::new("src"), &mut paths);
    paths.sort();
    let sources = paths.iter().map(|path| Source::read(path));
    // `lib.rs` only lists modules. Files of tests are not part of the program.
    sources.filter(|source| !source.module.is_empty() && source.module.last().unwrap() != "tests").collect()
}

fn list(folder: &Path, paths: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            list(&path, paths);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            paths.push(path);
        }
    }
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

fn words(code: &str) -> impl Iterator<Item = (usize, &str)> {
    let is_part = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    let pieces = code.split(move |letter| !is_part(letter)).filter(|word| !word.is_empty());
    pieces.map(|word| (word.as_ptr() as usize - code.as_ptr() as usize, word))
}

/// Returns the names of the types that a file declares.
fn types(code: &str) -> Vec<String> {
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

impl Tree {
    fn read() -> Self {
        let sources = sources();
        let modules =
            sources.iter().enumerate().map(|(file, source)| (source.module.clone(), file)).collect();
        let facades = Facades::of(&sources, &modules);
        let imports = sources.iter().enumerate().map(|(file, source)| {
            let mut found: BTreeMap<usize, usize> = BTreeMap::new();
            for (at, path, is_public) in paths_in(&source.code) {
                let Some(path) = absolute(&path, &source.module, &modules) else { continue };
                let (to, rest) = facades.follow(longest(&path, &modules));
                // A re-export from a folder's own files is not a use.
                let is_list = is_public && !rest.is_empty() && sources[to].module.starts_with(&source.module);
                if to != file && !is_list {
                    found.entry(to).or_insert(1 + source.code[..at].matches('\n').count());
                }
            }
            found.into_iter().map(|(to, line)| Import { line, to }).collect()
        });
        let imports = imports.collect();
        Self { sources, imports }
    }

    /// Returns the import cycles: Tarjan's strongly connected components of more than one file.
    fn loops(&self) -> Vec<Vec<usize>> {
        let mut search = Search::new(self);
        (0..self.sources.len()).for_each(|file| {
            if search.number[file].is_none() {
                search.visit(file);
            }
        });
        search.found
    }
}

struct Search<'t> {
    tree: &'t Tree,
    number: Vec<Option<usize>>,
    low: Vec<usize>,
    stack: Vec<usize>,
    seen: usize,
    found: Vec<Vec<usize>>,
}

impl<'t> Search<'t> {
    fn new(tree: &'t Tree) -> Self {
        let count = tree.sources.len();
        Self {
            tree,
            number: vec![None; count],
            low: vec![0; count],
            stack: Vec::new(),
            seen: 0,
            found: Vec::new(),
        }
    }

    fn visit(&mut self, file: usize) {
        self.number[file] = Some(self.seen);
        self.low[file] = self.seen;
        self.seen += 1;
        self.stack.push(file);
        for Import { to, .. } in &self.tree.imports[file] {
            match self.number[*to] {
                None => {
                    self.visit(*to);
                    self.low[file] = self.low[file].min(self.low[*to]);
                }
                Some(number) if self.stack.contains(to) => self.low[file] = self.low[file].min(number),
                Some(_) => {}
            }
        }
        if Some(self.low[file]) == self.number[file] {
            let begin = self.stack.iter().position(|other| *other == file).unwrap();
            let mut files = self.stack.split_off(begin);
            files.sort_unstable();
            if files.len() > 1 {
                self.found.push(files);
            }
        }
    }
}

type Modules = BTreeMap<Module, usize>;

/// Names that a folder re-exports from its files.
struct Facades(BTreeMap<(usize, String), (usize, Module)>);

impl Facades {
    fn of(sources: &[Source], modules: &Modules) -> Self {
        let mut names = BTreeMap::new();
        for (file, source) in sources.iter().enumerate() {
            for (_, path, is_public) in paths_in(&source.code) {
                let Some(path) = absolute(&path, &source.module, modules).filter(|_| is_public) else {
                    continue;
                };
                let (to, rest) = longest(&path, modules);
                if let Some(name) = path.last().filter(|_| to != file) {
                    names.insert((file, name.clone()), (to, rest));
                }
            }
        }
        Self(names)
    }

    /// Follows re-exports to the file that declares a name.
    fn follow(&self, (mut file, mut rest): (usize, Module)) -> (usize, Module) {
        while let Some((to, there)) = rest.first().and_then(|name| self.0.get(&(file, name.clone()))) {
            (file, rest) = (*to, there.clone());
        }
        (file, rest)
    }
}

/// Returns the paths in a file: the position, the path, and whether it is re-exported.
fn paths_in(code: &str) -> Vec<(usize, Module, bool)> {
    let mut paths = Vec::new();
    let mut end_of_use = 0;
    for (at, word) in words(code) {
        if at < end_of_use {
            continue;
        }
        let follows = code[at + word.len()..].starts_with("::");
        if word == "use" {
            let length = code[at..].find(';').unwrap_or(0);
            end_of_use = at + length;
            let line = code[..at].rsplit('\n').next().unwrap_or_default();
            let is_public = line.trim_start().starts_with("pub");
            let mut leaves = Vec::new();
            leaves_of(&code[at + 3..end_of_use], &mut Vec::new(), &mut leaves);
            paths.extend(leaves.into_iter().map(|path| (at, path, is_public)));
        } else if follows && !code[..at].ends_with("::") {
            let is_part = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | ':');
            let text = code[at..].split(|letter| !is_part(letter)).next().unwrap_or_default();
            let parts = text.split("::").filter(|part| !part.is_empty()).map(str::to_owned);
            paths.push((at, parts.collect(), false));
        }
    }
    paths
}

/// Expands a tree such as `crate::{a::{self, b}, c}` into single paths.
fn leaves_of(tree: &str, stem: &mut Module, leaves: &mut Vec<Module>) {
    let tree = tree.trim();
    if let Some(inner) = tree.strip_prefix('{') {
        let inner = inner.trim_end().strip_suffix('}').unwrap_or(inner);
        let (mut depth, mut begin) = (0, 0);
        for (at, letter) in inner.char_indices().chain([(inner.len(), ',')]) {
            match letter {
                '{' => depth += 1,
                '}' => depth -= 1,
                ',' if depth == 0 => {
                    leaves_of(&inner[begin..at], stem, leaves);
                    begin = at + 1;
                }
                _ => {}
            }
        }
    } else if let Some((first, rest)) = tree.split_once("::") {
        stem.push(first.trim().to_owned());
        leaves_of(rest, stem, leaves);
        stem.pop();
    } else if !tree.is_empty() {
        let name = tree.split_whitespace().next().unwrap_or_default();
        let is_name = !matches!(name, "self" | "*") || stem.is_empty();
        leaves.push(
            stem.iter()
                .map(String::as_str)
                .chain(Some(name).filter(|_| is_name))
                .map(str::to_owned)
                .collect(),
        );
    }
}

/// Returns a path from the crate root; `None` for a path into another crate.
fn absolute(path: &[String], module: &[String], modules: &Modules) -> Option<Module> {
    let mut base = module.to_vec();
    let rest = match path.first()?.as_str() {
        "crate" => {
            base.clear();
            &path[1..]
        }
        "self" => &path[1..],
        "super" => {
            let ups = path.iter().take_while(|part| *part == "super").count();
            base.truncate(base.len().checked_sub(ups)?);
            &path[ups..]
        }
        child => {
            base.push(child.to_owned());
            modules.get(&base)?;
            &path[1..]
        }
    };
    base.extend_from_slice(rest);
    (!base.is_empty()).then_some(base)
}

/// Returns the file that a path leads to, and the rest of the path within that file.
fn longest(path: &[String], modules: &Modules) -> (usize, Module) {
    let found = (1..=path.len()).rev().find_map(|length| Some((*modules.get(&path[..length])?, length)));
    let (file, length) = found.unwrap_or_else(|| panic!("{path:?} leads nowhere"));
    (file, path[length..].to_vec())
}
