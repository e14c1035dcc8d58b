//! Authentication: sessions, tokens, passwords, the identity cache, throttling of sign-ins and registrations.

pub mod audit;
mod client_range;
pub mod identity_cache;
pub mod jwt;
pub mod login_throttle;
pub mod passwords;
pub mod registrations;
mod session_cookies;
pub mod session_store;
pub mod sightings;
mod strength;

pub use client_range::client_prefix;
pub use identity_cache::{Caller, IdentityCache};
pub use jwt::JwtVerifier;
pub use login_throttle::LoginThrottle;
pub use passwords::{Hasher, NewPassword};
pub use registrations::Registrations;
pub use session_cookies::SessionCookies;
pub use session_store::{NewSession, Sessions};
pub use sightings::Sightings;
