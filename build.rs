//! Packs `web/` into the program: a table of its files, each as it is and compressed, which `src/web/assets.rs` includes.

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
        let compressed = out.join(format!("{number}.gz"));
        compress(file, &compressed)?;
        let path: Vec<_> =
            file.strip_prefix(&folder).unwrap_or(file).iter().map(|part| part.to_string_lossy()).collect();
        let path = path.join("/");
        let _ = writeln!(
            table,
            "    File {{ path: {path:?}, plain: include_bytes!({file:?}), gzip: include_bytes!({compressed:?}) }},"
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
            // What has none is a program that looks after the others.
            files.push(path);
        }
    }
    Ok(())
}

fn compress(file: &Path, to: &Path) -> io::Result<()> {
    let mut encoder = GzEncoder::new(fs::File::create(to)?, Compression::best());
    encoder.write_all(&fs::read(file)?)?;
    encoder.finish().map(drop)
}
