//! A kind of load.

use super::{cast::Plan, error::LoadError, options::Options, outcome::Outcome, stage::Stage};

/// A kind of load.
pub(super) trait Scenario: serde::Serialize {
    const NAME: &'static str;

    fn options(&self) -> &Options;

    /// Whether what was asked for fits together.
    fn check(&self) -> Result<(), String> {
        Ok(())
    }

    /// Who and what it needs.
    fn plan(&self) -> Plan;

    /// Connections that it has open at most.
    fn connections(&self) -> usize;

    /// Makes the load.
    async fn play(&self, stage: &Stage) -> Result<Outcome, LoadError>;
}
