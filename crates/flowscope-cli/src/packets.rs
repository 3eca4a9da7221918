//! Commands that write packets of capture files: those of chosen flows to one capture, or each flow to a
//! capture of its own.
//!
//! Which flows are chosen is known when they have ended, so files are read more than once: first to choose
//! flows by their ids, then to find their packets. Both readings track with the same limits, and so give
//! flows the same ids.

mod capture;
mod choice;
mod extract;
mod numbers;
mod pieces;
mod reread;
mod split;

use std::fs;
use std::path::PathBuf;

use crate::error::Failure;

pub(crate) use extract::extract;
pub(crate) use split::split;

/// An error if one of the inputs cannot be read again.
fn can_be_reread(files: &[PathBuf]) -> Result<(), Failure> {
    let once = |file: &&PathBuf| {
        file.as_os_str() == "-" || fs::metadata(file).is_ok_and(|there| !there.is_file())
    };
    match files.iter().find(once) {
        Some(file) => Err(Failure::Usage(format!(
            "{}: can be read only once, and flows are chosen before their packets are written: give a file",
            if file.as_os_str() == "-" {
                "standard input".into()
            } else {
                file.display().to_string()
            }
        ))),
        None => Ok(()),
    }
}
