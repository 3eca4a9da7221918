use flowscope_record::{ByteSet, NoParser, Ports, Protocol, Schema};

use crate::schema::FINGER;
use crate::{FingerLookup, FingerParser};

/// Finger over TCP.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Finger;

impl Protocol for Finger {
    const NAME: &'static str = "finger";
    const RECORDS: &'static str = "one per query, with the length of its answer";
    const PORTS: Ports = Ports::tcp(&[79]);
    const FIRST_BYTES: ByteSet = ByteSet::NONE;
    type Stream = FingerParser;
    type Datagram = NoParser<FingerLookup>;
    type Record = FingerLookup;
    const SCHEMA: &'static Schema<FingerLookup> = &FINGER;
}
