//! What scripts ask of an inspection: the variables that rules look at.

use std::sync::Arc;

use super::Inspection;
use crate::detection::profile::target;
use crate::transaction::Transaction;

/// A value that a target chooses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// As rules and logs say it: `ARGS:id`, `REQUEST_URI`.
    pub name: Vec<u8>,
    /// The value.
    pub value: Vec<u8>,
}

impl Inspection {
    /// The first `most` values that a target chooses now, named as rules name it (`ARGS:id`,
    /// `TX:score`).
    ///
    /// # Errors
    /// What is wrong with the target.
    pub fn seen(
        &mut self,
        name: &str,
        most: usize,
        transaction: &Transaction,
    ) -> Result<Vec<Seen>, String> {
        let plan = Arc::clone(&self.profile.plan);
        let target = target(&plan, name).map_err(|complaint| complaint.message)?;
        Ok(self.chosen(&target, most, transaction))
    }
}
