//! What first bytes say.

use flowscope_core::Probe::{self, Maybe, No, Yes};

use crate::wire::{Variable, variable};

/// How `CONNECT` goes on behind its length: the name of the protocol, and its level.
const NAMES: [&[u8]; 4] =
    [b"\0\x04MQTT\x03", b"\0\x04MQTT\x04", b"\0\x04MQTT\x05", b"\0\x06MQIsdp\x03"];

/// Sure of a `CONNECT`, which comes first (MQTT 5.0 §3.1). A server begins with `CONNACK`, or with `AUTH`.
pub(crate) fn probe(start: &[u8]) -> Probe {
    match start.first() {
        Some(0x10) => {}
        Some(0x20 | 0xf0) | None => return Maybe,
        Some(_) => return No,
    }
    let name = match variable(&start[1..]) {
        Variable::Whole { value, len } if value >= 12 => &start[1 + len..],
        Variable::Short => return Maybe,
        Variable::Whole { .. } | Variable::TooLong => return No,
    };
    // Bridges of mosquitto set the highest bit of the level.
    let starts = |known: &[u8]| {
        let (last, known) = known.split_last().unwrap_or((&0, &[]));
        name.starts_with(known) && name.get(known.len()).is_some_and(|level| level & 0x7f == *last)
    };
    if NAMES.iter().any(|known| starts(known)) {
        Yes
    } else if NAMES.iter().any(|known| known.starts_with(name)) {
        Maybe
    } else {
        No
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connect_is_sure() {
        let check = |start: &[u8], expected| assert_eq!(probe(start), expected, "{start:?}");
        check(b"", Maybe);
        check(b"\x10\x15\0\x04MQTT", Maybe);
        check(b"\x10\x15\0\x04MQTT\x04", Yes);
        check(b"\x10\x15\0\x04MQTT\x84", Yes);
        check(b"\x10\x95\x01\0\x04MQTT\x05\x02", Yes);
        check(b"\x10\x11\0\x06MQIsdp\x03", Yes);
        check(b"\x10\x15\0\x04MQTT\x07", No);
        check(b"\x10\x02\0\x04MQTT\x04", No);
        check(b"\x10\xff\xff\xff\xff\x01", No);
        check(b"\x20\x02\0\0", Maybe);
        check(b"\x30", No);
    }
}
