#!/bin/sh
# quick_cache 0.7.0 (Rust): Lifecycle::on_evict, documented as "Called when an item is evicted", is also called when a value
# is replaced under a key that stays in the cache. It is not called when a key is removed.
#
# Seen: after a second insert of the same key into a cache with room for 100, on_evict gets the key with its first value,
# although the cache has the key. An index kept by this hook loses keys that are still cached, and keeps those that were
# removed. It has to ask the cache (contains_key) after each call.
#
# Seen with Rust 1.95. Exits with 0 while that is so, and with 1 when it has changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
mkdir src
cat >Cargo.toml <<'TOML'
[package]
name = "finding"
version = "0.0.0"
edition = "2021"

[dependencies]
quick_cache = "=0.7.0"
TOML
cat >src/main.rs <<'RUST'
use std::sync::{Arc, Mutex};

use quick_cache::{sync::Cache, DefaultHashBuilder, Lifecycle, UnitWeighter};

#[derive(Clone, Default)]
struct Note(Arc<Mutex<Vec<(&'static str, u32)>>>);

impl Lifecycle<&'static str, u32> for Note {
    type RequestState = ();

    fn on_evict(&self, _: &mut (), key: &'static str, value: u32) {
        self.0.lock().unwrap().push((key, value));
    }
}

fn main() {
    let note = Note::default();
    let cache = Cache::with(100, 100, UnitWeighter, DefaultHashBuilder::default(), note.clone());
    let noted = || std::mem::take(&mut *note.0.lock().unwrap());
    cache.insert("a", 1);
    println!("inserted: {:?}", noted());
    cache.insert("a", 2);
    println!("replaced: {:?}, cached: {}, entries: {}", noted(), cache.contains_key("a"), cache.len());
    cache.remove("a");
    println!("removed: {:?}, cached: {}", noted(), cache.contains_key("a"));
}
RUST
cargo run --quiet >seen
cat seen
cat >expected <<'TEXT'
inserted: []
replaced: [("a", 1)], cached: true, entries: 1
removed: [], cached: false
TEXT
cmp seen expected || { echo "this has changed"; exit 1; }
