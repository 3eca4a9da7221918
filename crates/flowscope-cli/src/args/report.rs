//! Options of `report`.

use std::path::Path;

use clap::Args;

use super::{Common, KeylogArgs};
use crate::error::Failure;
use crate::output::Target;

#[derive(Args, Debug)]
pub(crate) struct ReportArgs {
    #[command(flatten)]
    pub(super) keylog: KeylogArgs,
    #[command(flatten)]
    pub(crate) common: Common,
}

impl ReportArgs {
    /// Where the page goes: not to a terminal.
    pub(crate) fn target(&self) -> Result<Target<'_>, Failure> {
        let target = self.common.running.target();
        match target.terminal() {
            None => Ok(target),
            Some(_) => Err(Failure::Usage("a report is an HTML file: name it with -o".into())),
        }
    }

    /// Names of the captures, without their folders: a report may be passed on.
    pub(crate) fn sources(&self) -> Vec<String> {
        let name = |path: &Path| match path.file_name() {
            Some(name) => name.to_string_lossy().into_owned(),
            None => "capture".to_owned(),
        };
        self.common.files().iter().map(|path| name(path)).collect()
    }
}

pub(super) const REPORT_HELP: &str = "\
One HTML file that opens offline: what was not seen and why, rates over time, most traffic,
protocols, the health of TCP, conversations, what clients waited for, and tables of flows and
sessions. It loads nothing, and runs no script but its own; without scripts it has the same
numbers.

The file stays below 2 MB. Of more than 750 flows, the tables have the largest and the first that
failed; of more than 750 session records, some at regular distances and the first that failed. The
page says so. The same input gives the same bytes.

Exit status: as for `flowscope flows`.

Examples:
  flowscope report -o report.html trace.pcap
  flowscope report -o report.html monday.pcap tuesday.pcap";
