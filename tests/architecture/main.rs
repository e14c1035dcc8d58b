//! Architecture tests: which folder may import which, and rules of shape that the compiler does not check. An
//! existing violation has a budget: a number or a list that may only shrink.

mod imports;
mod prose;
mod source;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use imports::Tree;
use source::{Source, sources, types, words};

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
    &["hub", "rate_limit", "bus", "pictures", "previews", "files"],
    &["view", "input", "error", "paths", "outbound"],
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
const WORN_NAMES: &[&str] = &[];

/// Crates that only some folders may use.
const FENCED: &[(&str, &[&str])] =
    &[("diesel", &["storage"]), ("diesel_migrations", &["storage"]), ("actix_web_actors", &["ws"])];

/// Folders that use nothing of actix, so that they run on any runtime, and the files that are exempt.
const WITHOUT_ACTIX: &[&str] = &["core", "storage", "load"];
const WITH_ACTIX: &[&str] = &[
    // Signs session cookies as actix-session does.
    "src/load/fixtures/in_database.rs",
];

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
fn the_core_storage_and_the_load_generator_use_nothing_of_actix() {
    let uses_actix = |source: &Source| words(&source.code).any(|(_, word)| word.starts_with("actix"));
    let found: BTreeSet<String> = sources()
        .into_iter()
        .filter(|source| WITHOUT_ACTIX.contains(&source.module[0].as_str()) && uses_actix(source))
        .map(|source| source.path)
        .collect();
    let allowed: BTreeSet<String> = WITH_ACTIX.iter().map(|path| (*path).to_owned()).collect();
    assert_eq!(found, allowed, "found, and allowed by WITH_ACTIX");
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
