//! Who is asking: sessions, tokens, passwords, and the checks at the door.

pub mod audit;
pub mod identity_cache;
pub mod login_throttle;
pub mod passwords;
pub mod registrations;
pub mod session_store;
pub mod sightings;
mod strength;

pub use identity_cache::{Caller, Identities};
pub use login_throttle::{Failures, neighbourhood};
pub use passwords::{Hasher, NewPassword};
pub use registrations::Registrations;
pub use session_store::Sessions;
pub use sightings::Sightings;
