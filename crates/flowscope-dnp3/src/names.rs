//! Numbers that have names.

use std::fmt;

/// A function (IEEE 1815 §4.4). Displays its name, or its number where it has none.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Dnp3Function(pub u8);

impl Dnp3Function {
    /// A fragment was received.
    pub const CONFIRM: Dnp3Function = Dnp3Function(0);
    /// Values are read.
    pub const READ: Dnp3Function = Dnp3Function(1);
    /// A request is answered.
    pub const RESPONSE: Dnp3Function = Dnp3Function(129);
    /// An outstation reports unasked.
    pub const UNSOLICITED_RESPONSE: Dnp3Function = Dnp3Function(130);

    /// The name, as Zeek has it, where the number has one.
    #[must_use]
    pub const fn name(self) -> Option<&'static str> {
        Some(match self.0 {
            0 => "CONFIRM",
            1 => "READ",
            2 => "WRITE",
            3 => "SELECT",
            4 => "OPERATE",
            5 => "DIRECT_OPERATE",
            6 => "DIRECT_OPERATE_NR",
            7 => "IMMED_FREEZE",
            8 => "IMMED_FREEZE_NR",
            9 => "FREEZE_CLEAR",
            10 => "FREEZE_CLEAR_NR",
            11 => "FREEZE_AT_TIME",
            12 => "FREEZE_AT_TIME_NR",
            13 => "COLD_RESTART",
            14 => "WARM_RESTART",
            15 => "INITIALIZE_DATA",
            16 => "INITIALIZE_APPL",
            17 => "START_APPL",
            18 => "STOP_APPL",
            19 => "SAVE_CONFIG",
            20 => "ENABLE_UNSOLICITED",
            21 => "DISABLE_UNSOLICITED",
            22 => "ASSIGN_CLASS",
            23 => "DELAY_MEASURE",
            24 => "RECORD_CURRENT_TIME",
            25 => "OPEN_FILE",
            26 => "CLOSE_FILE",
            27 => "DELETE_FILE",
            28 => "GET_FILE_INFO",
            29 => "AUTHENTICATE_FILE",
            30 => "ABORT_FILE",
            31 => "ACTIVATE_CONFIG",
            32 => "AUTHENTICATE_REQ",
            33 => "AUTHENTICATE_ERR",
            129 => "RESPONSE",
            130 => "UNSOLICITED_RESPONSE",
            131 => "AUTHENTICATE_RESP",
            _ => return None,
        })
    }

    /// Whether an outstation sends it.
    #[must_use]
    pub const fn is_response(self) -> bool {
        self.0 >= 0x80
    }

    /// Whether it is a request that is answered.
    #[must_use]
    pub const fn is_answered(self) -> bool {
        !self.is_response() && !matches!(self.0, 0 | 6 | 8 | 10 | 12 | 33)
    }
}

impl fmt::Display for Dnp3Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.pad(name),
            None => write!(f, "function {}", self.0),
        }
    }
}

/// Internal indications of an outstation: its state, and what is wrong with the request (IEEE 1815 §4.5). The first byte, IIN1,
/// is the higher one.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub struct Dnp3Indications(pub u16);

impl Dnp3Indications {
    /// Names of those that are set, as Suricata has them.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        const NAMES: [(u16, &str); 14] = [
            (0x8000, "device_restart"),
            (0x4000, "device_trouble"),
            (0x2000, "local_control"),
            (0x1000, "need_time"),
            (0x0800, "class_3_events"),
            (0x0400, "class_2_events"),
            (0x0200, "class_1_events"),
            (0x0100, "all_stations"),
            (0x0020, "config_corrupt"),
            (0x0010, "already_executing"),
            (0x0008, "event_buffer_overflow"),
            (0x0004, "parameter_error"),
            (0x0002, "object_unknown"),
            (0x0001, "no_func_code_support"),
        ];
        NAMES.into_iter().filter(move |(bit, _)| self.0 & bit != 0).map(|(_, name)| name)
    }

    /// Whether the outstation could not do what it was asked.
    #[must_use]
    pub const fn has_error(self) -> bool {
        self.0 & 0x0037 != 0
    }
}
