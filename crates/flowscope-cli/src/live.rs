//! The commands that use interfaces.

mod control;
mod doctor;
mod feed;
mod files;
mod interfaces;
mod metrics;
mod open;
mod record;
mod replay;
mod sandbox;
mod scrape;
mod signals;
mod track;
mod user;

use std::time::SystemTime;

use flowscope::core::Timestamp;
use netring::ring::CaptureError;
use tokio::runtime::{Builder, Runtime};

use crate::error::Failure;

pub(crate) use doctor::doctor;
pub(crate) use interfaces::interfaces;
pub(crate) use record::capture;
pub(crate) use replay::replay;
#[cfg(feature = "tui")]
pub(crate) use signals::watch as watch_signals;
pub(crate) use track::track;

/// The runtime that waits for packets, signals and time.
fn runtime() -> Result<Runtime, Failure> {
    Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::Failed(format!("cannot wait for packets: {error}")))
}

/// Failure of a run after a capture error.
fn failure(error: &CaptureError) -> Failure {
    match error {
        CaptureError::NoPermission(denial) => {
            Failure::Denied { what: denial.reason(), remedy: denial.remedy() }
        }
        _ => Failure::Failed(error.to_string()),
    }
}

/// The system's time.
fn now() -> Timestamp {
    SystemTime::now().into()
}
