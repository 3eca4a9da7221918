use crate::Expected;

/// Why no record could be read from the available bytes.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The record is incomplete, or there are no bytes.
    Short(Short),
    /// The bytes are not a record.
    Damage(Expected),
    /// The record has to wait until the packets before it are delivered.
    Wait,
}

/// An incomplete record.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Short {
    /// What kind of record.
    pub(crate) record: &'static str,
    /// Its total length in bytes, as far as it is known.
    pub(crate) need: usize,
    /// Whether the header of a packet is complete, so that a packet is lost if the input ends here.
    pub(crate) packet: bool,
}

impl From<Short> for Stop {
    fn from(short: Short) -> Stop {
        Stop::Short(short)
    }
}

impl From<Expected> for Stop {
    fn from(expected: Expected) -> Stop {
        Stop::Damage(expected)
    }
}
