//! The interface of a scenario.

use super::{
    environment::Environment, error::LoadError, fixtures::plan::Plan, measure::results::Results,
    options::Options,
};

/// A kind of load: what it needs, and how it is run. Serialized, it is the `settings` of the results.
pub(crate) trait Scenario: serde::Serialize {
    const NAME: &'static str;

    fn options(&self) -> &Options;

    /// Returns a sentence if the options contradict each other.
    fn check(&self) -> Result<(), String> {
        Ok(())
    }

    /// Returns the users and chats that the scenario needs.
    fn plan(&self) -> Plan;

    /// Returns the highest number of connections that the scenario has open at a time.
    fn connections(&self) -> usize;

    /// Runs the load and returns its results.
    async fn run(&self, environment: &Environment) -> Result<Results, LoadError>;
}
