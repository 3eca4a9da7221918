//! Which flows meet a condition, known before anything is made of them.

use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use flowscope::core::FlowSide;
use flowscope::driver::SessionChange;
use flowscope::extract::FiveTupleKey;
use flowscope::track::{Change, EndReason, Flow};

use crate::args::Running;
use crate::error::{Failure, Status};
use crate::files;
use crate::numbers::Numbers;
use crate::output::{Flows, RecordFormat, Target, Totals};
use crate::reading::{AppRecord, PayloadMode};

/// What is kept with each flow while flows are chosen. It is the same while their packets are found, because
/// the size of it decides how many flows fit into the memory.
pub(crate) type FlowState = <Flows as RecordFormat>::State;

/// An error if one of the inputs cannot be read again.
pub(crate) fn can_be_reread(files: &[PathBuf]) -> Result<(), Failure> {
    let once = |file: &&PathBuf| {
        file.as_os_str() == "-" || fs::metadata(file).is_ok_and(|there| !there.is_file())
    };
    match files.iter().find(once) {
        Some(file) => Err(Failure::Usage(format!(
            "{}: can be read only once, and flows are chosen before anything is made of them: give a file",
            if file.as_os_str() == "-" {
                "standard input".into()
            } else {
                file.display().to_string()
            }
        ))),
        None => Ok(()),
    }
}

/// The ids of the flows that have a record, and the status of reading the captures. Errors of the captures
/// are printed unless `silently` says otherwise.
pub(crate) fn choose(
    files: &[PathBuf],
    args: &Running,
    flows: &Flows,
    silently: bool,
) -> Result<(Status, Numbers), Failure> {
    let chosen = Arc::<Mutex<Numbers>>::default();
    let choice = Choice { flows: flows.clone(), chosen: Arc::clone(&chosen) };
    let status = if silently {
        files::track_silently(files, args, choice)?
    } else {
        files::track(files, args, Target::Stream(None), choice)?
    };
    let mut chosen = chosen.lock().unwrap_or_else(PoisonError::into_inner);
    Ok((status, std::mem::take(&mut chosen)))
}

/// Notes flows instead of writing their records.
#[derive(Clone, Debug)]
struct Choice {
    flows: Flows,
    chosen: Arc<Mutex<Numbers>>,
}

impl RecordFormat for Choice {
    type State = FlowState;
    /// The id of a flow.
    type Record = u64;

    fn state(&self, key: &FiveTupleKey) -> FlowState {
        self.flows.state(key)
    }

    fn reading(&self) -> PayloadMode {
        self.flows.reading()
    }

    fn portable(&self) -> bool {
        false
    }

    #[inline]
    fn record(&self, flow: Flow<'_, FiveTupleKey, FlowState>, change: Change) -> Option<u64> {
        let id = flow.id.0;
        self.flows.record(flow, change).map(|_| id)
    }

    fn removed(&self, flow: Flow<'_, FiveTupleKey, FlowState>, reason: EndReason) -> Option<u64> {
        let id = flow.id.0;
        self.flows.removed(flow, reason).map(|_| id)
    }

    fn session(
        &self,
        flow: Flow<'_, FiveTupleKey, FlowState>,
        change: SessionChange,
    ) -> Option<u64> {
        let id = flow.id.0;
        self.flows.session(flow, change).map(|_| id)
    }

    fn message(
        &self,
        flow: Flow<'_, FiveTupleKey, FlowState>,
        side: FlowSide,
        said: AppRecord,
    ) -> Option<u64> {
        let id = flow.id.0;
        self.flows.message(flow, side, said).map(|_| id)
    }

    fn write(&mut self, id: &u64, _: &mut Vec<u8>) {
        self.chosen.lock().unwrap_or_else(PoisonError::into_inner).insert(*id);
    }

    fn end(&mut self, _: &Totals, _: &mut Vec<u8>) {}
}
