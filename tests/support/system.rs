//! The runtime of a test.

use std::pin::Pin;

use actix_rt::SystemRunner;

/// An actix system for one test: `#[actix_rt::test(system = "crate::System")]`. The type of the test's future
/// is erased. Without that, the compiler makes a runtime for each test, which is half of the code of a suite.
pub(crate) struct System(SystemRunner);

impl System {
    pub(crate) fn new() -> Self {
        Self(actix_rt::System::new())
    }

    /// Runs a test to its end.
    pub(crate) fn block_on(&self, test: impl Future<Output = ()>) {
        let test: Pin<Box<dyn Future<Output = ()> + '_>> = Box::pin(test);
        self.0.block_on(test);
    }
}
