//! Tells `pq-src` where the headers are.

fn main() {
    println!("cargo:rerun-if-changed=include");
    println!("cargo:include={}/include", env!("CARGO_MANIFEST_DIR"));
}
