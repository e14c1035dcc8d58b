//! Pages for people, and the files that they and the pages of other sites are made of.

pub mod assets;
pub mod pages;
/// Part of `build.rs`; here for its tests.
#[cfg(test)]
mod bundle;
