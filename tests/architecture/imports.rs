//! Imports between the source files, and the cycles that they form.

use std::collections::BTreeMap;

use crate::source::{Module, Source, sources, words};

/// An import of another file.
pub(crate) struct Import {
    pub line: usize,
    pub to: usize,
}

/// All files and their imports.
pub(crate) struct Tree {
    pub sources: Vec<Source>,
    pub imports: Vec<Vec<Import>>,
}

impl Tree {
    pub(crate) fn read() -> Self {
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
    pub(crate) fn loops(&self) -> Vec<Vec<usize>> {
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
