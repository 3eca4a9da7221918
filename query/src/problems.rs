//! What was wrong with inputs of a query that goes on.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

/// Problems, each of them once: a query may read an input several times.
#[derive(Debug, Default)]
pub(crate) struct Problems(Mutex<BTreeSet<String>>);

impl Problems {
    pub(crate) fn add(&self, problem: String) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(problem);
    }

    /// All of them, in order.
    pub(crate) fn all(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }
}
