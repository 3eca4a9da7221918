use flowscope_record::{ByteSet, NoParser, Ports, Protocol, Schema};

use crate::schema::RADIUS;
use crate::{RadiusExchange, RadiusParser};

/// RADIUS over UDP.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Radius;

impl Protocol for Radius {
    const NAME: &'static str = "radius";
    const RECORDS: &'static str =
        "one per request with its answer, and one per answer whose request was not captured";
    const PORTS: Ports = Ports::udp(&[1812, 1813, 1645, 1646, 3799]);
    /// The codes.
    const FIRST_BYTES: ByteSet = ByteSet::of(&[1, 2, 3, 4, 5, 11, 12, 40, 41, 42, 43, 44, 45]);
    type Stream = NoParser<RadiusExchange>;
    type Datagram = RadiusParser;
    type Record = RadiusExchange;
    const SCHEMA: &'static Schema<RadiusExchange> = &RADIUS;
}
