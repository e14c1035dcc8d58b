//! Who is asking: sessions, tokens, passwords, and the checks at the door.

pub mod audit;
pub mod cookies;
pub mod cross_site;
pub mod failures;
pub mod gate;
pub mod hosts;
pub mod identities;
pub mod passwords;
pub mod registrations;
pub mod sessions;
pub mod sightings;
mod strength;

pub use cookies::pick_cookie;
pub use failures::{Failures, neighbourhood};
pub use gate::gate;
pub use identities::{Caller, Identities};
pub use passwords::{Hasher, NewPassword};
pub use registrations::Registrations;
pub use sessions::Sessions;
pub use sightings::Sightings;
