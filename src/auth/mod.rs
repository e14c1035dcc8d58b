//! Who is asking: sessions, tokens, passwords, and the checks at the door.

pub mod cookies;
pub mod cross_site;
pub mod failures;
pub mod gate;
pub mod identities;
pub mod keys;
pub mod passwords;
pub mod sessions;

pub use cookies::pick_cookie;
pub use failures::{Failures, neighbourhood};
pub use gate::gate;
pub use identities::{Caller, Identities};
pub use passwords::Hasher;
pub use sessions::Sessions;
