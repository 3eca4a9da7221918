//! What flows were found to speak.

use flowscope::driver::{Detection, SessionChange};
use flowscope::output::FlowRecord;

use crate::reading::zeek_service;

/// What a flow was found to speak.
#[derive(Clone, Debug, Default)]
pub(crate) struct Spoken {
    protocol: Option<&'static str>,
    /// The protocol of the connection within which that one began.
    within: Option<&'static str>,
    /// What the bytes of each side were found to be, where that is something else.
    sides: Option<Box<[Option<&'static str>; 2]>>,
}

/// The `app_proto` of a flow that turned out not to speak the protocol that was chosen for it, or of one side that
/// does not, as Suricata has it.
const FAILED: &str = "failed";

impl Spoken {
    /// Notes what a change says of it.
    pub(super) fn note(&mut self, change: &SessionChange) {
        match change {
            SessionChange::Chosen(detection) | SessionChange::Contradicted(detection) => {
                *self = Spoken {
                    protocol: Some(detection.protocol),
                    within: detection.within,
                    sides: sides(detection, detection.protocol),
                };
            }
            SessionChange::Withdrawn(detection) => {
                let protocol = detection.within.unwrap_or(FAILED);
                let sides = match detection.within {
                    None => sides(detection, FAILED),
                    Some(_) => None,
                };
                *self = Spoken { protocol: Some(protocol), within: None, sides };
            }
            _ => {}
        }
    }

    /// The protocol of the connection within which the flow's began.
    pub(super) fn within(&self) -> Option<&'static str> {
        self.within
    }

    /// Whether one of these protocols was spoken, by one side at least.
    pub(super) fn is_any_of(&self, names: &[String]) -> bool {
        let is_in =
            |spoken: Option<&str>| spoken.is_some_and(|name| names.iter().any(|it| it == name));
        let is_side = |sides: &[Option<_>; 2]| sides.iter().any(|side| is_in(*side));
        is_in(self.protocol) || is_in(self.within) || self.sides.as_deref().is_some_and(is_side)
    }

    /// The record of a flow that speaks this.
    pub(super) fn record(&self, mut record: FlowRecord) -> FlowRecord {
        record.header.within = self.within;
        record.app_proto = self.protocol;
        record.app_proto_sides.clone_from(&self.sides);
        let transport = record.header.key.proto();
        let known = self.protocol.filter(|name| *name != FAILED);
        record.service = known.map(|name| zeek_service(name, transport));
        record
    }
}

/// What each side speaks, where that is not what is said of the flow.
fn sides(
    detection: &Detection,
    of_the_flow: &'static str,
) -> Option<Box<[Option<&'static str>; 2]>> {
    let contradicted = detection.contradicted?;
    let mut sides = [None; 2];
    sides[contradicted.side.index()] = Some(contradicted.protocol.unwrap_or(FAILED));
    if let Some(sure) = detection.sure {
        sides[sure.index()] = Some(detection.protocol);
    }
    let differing = sides.map(|side| side.filter(|name| *name != of_the_flow));
    (differing != [None; 2]).then(|| Box::new(differing))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flow_has_no_more_state_than_two_names_and_a_pointer() {
        assert!(size_of::<Spoken>() <= 40);
    }
}
