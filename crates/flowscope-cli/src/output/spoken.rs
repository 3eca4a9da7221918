//! What flows were found to speak.

use flowscope::driver::SessionChange;
use flowscope::output::FlowRecord;

use crate::reading::zeek_service;

/// What a flow was found to speak.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Spoken {
    protocol: Option<&'static str>,
    /// The protocol of the connection within which that one began.
    within: Option<&'static str>,
}

/// The `app_proto` of a flow that turned out not to speak the protocol that was chosen for it, as Suricata has
/// it.
const WITHDRAWN: &str = "failed";

impl Spoken {
    /// Notes what a change says of it.
    pub(super) fn note(&mut self, change: &SessionChange) {
        match change {
            SessionChange::Chosen(detection) => {
                *self = Spoken { protocol: Some(detection.protocol), within: detection.within };
            }
            SessionChange::Withdrawn(detection) => {
                let protocol = detection.within.unwrap_or(WITHDRAWN);
                *self = Spoken { protocol: Some(protocol), within: None };
            }
            _ => {}
        }
    }

    /// The protocol of the connection within which the flow's began.
    pub(super) fn within(self) -> Option<&'static str> {
        self.within
    }

    /// The record of a flow that speaks this.
    pub(super) fn record(self, mut record: FlowRecord) -> FlowRecord {
        record.header.within = self.within;
        record.app_proto = self.protocol;
        record.service = self.protocol.filter(|name| *name != WITHDRAWN).map(zeek_service);
        record
    }
}
