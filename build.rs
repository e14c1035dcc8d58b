//! Packs `web/` into the program: a table of its files, each plain and gzipped, which `src/web/assets.rs` includes.
//! Comments of our own scripts and styles are removed: they are a sixth of a first visit's bytes. The JavaScript
//! client is bundled: `greenroom.js` is served with the modules of `client/` in it, so that a page loads one file.

use std::{
    env,
    fmt::Write as _,
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use flate2::{Compression, write::GzEncoder};

#[path = "src/web/bundle.rs"]
mod bundle;

/// The client's entry module: the bundle is served in its place.
const CLIENT: &str = "greenroom.js";
/// The folder of the client's other modules, which are served only as parts of the bundle.
const CLIENT_MODULES: &str = "client/";

fn main() -> io::Result<()> {
    println!("cargo:rerun-if-changed=web");
    let folder = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default()).join("web");
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    let mut files = Vec::new();
    list(&folder, &mut files)?;
    files.sort();
    let client = bundle_client(&folder, &files)?;
    let mut table = String::from("static FILES: &[File] = &[\n");
    for (number, file) in files.iter().enumerate() {
        let path = relative(file, &folder);
        if path.starts_with(CLIENT_MODULES) {
            continue;
        }
        let content = if path == CLIENT { client.clone().into_bytes() } else { fs::read(file)? };
        let (plain, compressed) = (out.join(format!("{number}.plain")), out.join(format!("{number}.gz")));
        fs::write(&plain, packed(&path, content))?;
        compress(&plain, &compressed)?;
        let _ = writeln!(
            table,
            "    File {{ path: {path:?}, plain: include_bytes!({plain:?}), gzip: include_bytes!({compressed:?}) }},"
        );
    }
    table.push_str("];\n");
    fs::write(out.join("web.rs"), table)
}

fn list(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            list(&path, files)?;
        } else if path.extension().is_some() {
            // Files without an extension are scripts that maintain the others.
            files.push(path);
        }
    }
    Ok(())
}

/// Returns a path below `web/`, with slashes on every system.
fn relative(file: &Path, folder: &Path) -> String {
    let path = file.strip_prefix(folder).unwrap_or(file);
    path.iter().map(|part| part.to_string_lossy()).collect::<Vec<_>>().join("/")
}

/// Returns the client with all of its modules in one. Fails where a module is not part of it.
fn bundle_client(folder: &Path, files: &[PathBuf]) -> io::Result<String> {
    let client = bundle::bundle(CLIENT, |path| fs::read_to_string(folder.join(path)).ok())
        .map_err(|error| io::Error::other(format!("web/{CLIENT} cannot be bundled: {error}")))?;
    let mut modules = files.iter().map(|file| relative(file, folder));
    match modules.find(|path| path.starts_with(CLIENT_MODULES) && !client.modules.contains(path)) {
        Some(unused) => Err(io::Error::other(format!("web/{unused} is not imported by web/{CLIENT}"))),
        None => Ok(client.text),
    }
}

/// Returns a file as it is served: our own scripts and styles without comments. Other authors' licences stay.
fn packed(path: &str, bytes: Vec<u8>) -> Vec<u8> {
    let is_ours = !path.starts_with("vendor/") && (path.ends_with(".js") || path.ends_with(".css"));
    match String::from_utf8(bytes) {
        Ok(text) if is_ours => without_comments(&text).into_bytes(),
        Ok(text) => text.into_bytes(),
        Err(error) => error.into_bytes(),
    }
}

/// Empties the lines that have only a comment, so that lines keep their numbers.
fn without_comments(text: &str) -> String {
    let mut is_within = false;
    let mut kept = |line: &str| {
        let trimmed = line.trim();
        let is_comment = is_within || trimmed.starts_with("/*");
        let rest = trimmed.split_once("*/").map(|(_, rest)| rest);
        is_within = is_comment && rest.is_none();
        !trimmed.starts_with("//") && (!is_comment || rest.is_some_and(|rest| !rest.is_empty()))
    };
    text.split('\n').map(|line| if kept(line) { line } else { "" }).collect::<Vec<_>>().join("\n")
}

fn compress(file: &Path, to: &Path) -> io::Result<()> {
    let mut encoder = GzEncoder::new(fs::File::create(to)?, Compression::best());
    encoder.write_all(&fs::read(file)?)?;
    encoder.finish().map(drop)
}
