//! A kind of load.

use super::{
    environment::Stage, error::LoadError, fixtures::plan::Plan, measure::results::Outcome, options::Options,
};

/// A kind of load.
pub(crate) trait Scenario: serde::Serialize {
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
