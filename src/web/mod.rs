//! HTML pages, and the static files for them and for pages of other sites.

pub mod assets;
/// Part of `build.rs`; here for its tests.
#[cfg(test)]
mod bundle;
pub mod pages;
