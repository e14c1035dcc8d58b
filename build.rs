//! Embeds `web/` in the program: generates a table of its files, each plain and compressed, for
//! `src/web/assets.rs`. Comments are removed from our own scripts and styles: they are a sixth of what a
//! first visit loads.

use std::{
    env,
    fmt::Write as _,
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use flate2::{Compression, write::GzEncoder};

fn main() -> io::Result<()> {
    println!("cargo:rerun-if-changed=web");
    let folder = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default()).join("web");
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    let mut files = Vec::new();
    list(&folder, &mut files)?;
    files.sort();
    let mut table = String::from("static FILES: &[File] = &[\n");
    for (number, file) in files.iter().enumerate() {
        let path: Vec<_> =
            file.strip_prefix(&folder).unwrap_or(file).iter().map(|part| part.to_string_lossy()).collect();
        let path = path.join("/");
        let (plain, compressed) = (out.join(format!("{number}.plain")), out.join(format!("{number}.gz")));
        fs::write(&plain, packed(&path, fs::read(file)?))?;
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
            // Files without an extension are maintenance scripts.
            files.push(path);
        }
    }
    Ok(())
}

/// Returns the content to serve. Vendored files are unchanged, so that they keep their licences.
fn packed(path: &str, bytes: Vec<u8>) -> Vec<u8> {
    let is_ours = !path.starts_with("vendor/") && (path.ends_with(".js") || path.ends_with(".css"));
    match String::from_utf8(bytes) {
        Ok(text) if is_ours => without_comments(&text).into_bytes(),
        Ok(text) => text.into_bytes(),
        Err(error) => error.into_bytes(),
    }
}

/// Empties lines that contain only a comment. Line numbers do not change.
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
