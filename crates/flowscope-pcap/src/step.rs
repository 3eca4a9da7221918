use crate::Expected;

/// Why no record could be taken from the bytes that a format was shown.
#[derive(Debug)]
pub(crate) enum Stop {
    /// They are the start of one, or none at all.
    Short(Short),
    /// They are no record.
    Damage(Expected),
}

/// A record of which too little is there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Short {
    /// What kind of record.
    pub(crate) record: &'static str,
    /// How many bytes it needs in all, as far as the bytes that are there tell.
    pub(crate) need: usize,
    /// Whether the header of a packet is whole, so that a packet is lost if no more comes.
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
