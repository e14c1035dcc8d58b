//! Previews of links: fetches the pages that messages link to, and reads what they say of themselves.

mod fetch;
mod page;
mod queue;

pub use fetch::PageFetcher;
pub use queue::{PreviewQueue, Waiting, Wanted};
