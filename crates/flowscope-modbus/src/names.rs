//! Numbers that have names.

use std::fmt;

/// A function, without the bit of an exception (MODBUS Application Protocol §5.1). Displays its name, or its number where it
/// has none.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct ModbusFunction(pub u8);

/// Why a request is refused (MODBUS Application Protocol §7). Displays its name, or its number where it has none.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct ModbusException(pub u8);

impl ModbusFunction {
    /// The name, as Zeek has it, where the number has one.
    #[must_use]
    pub fn name(self) -> Option<&'static str> {
        self.names().map(|names| names.0)
    }

    /// The name, as Suricata has it, where the number has one.
    pub(crate) fn eve_name(self) -> Option<&'static str> {
        self.names().map(|names| names.1)
    }

    /// Whose number it is, as Suricata says it (§5.1, annex A).
    pub(crate) const fn category(self) -> &'static str {
        match self.0 {
            65..=72 | 100..=110 => "USER_DEFINED",
            9 | 10 | 13 | 14 | 18 | 19 | 41 | 42 | 90 | 91 | 125..=127 => "RESERVED",
            _ if self.names().is_some() => "PUBLIC_ASSIGNED",
            _ => "PUBLIC_UNASSIGNED",
        }
    }

    /// Zeek's name, and Suricata's.
    const fn names(self) -> Option<(&'static str, &'static str)> {
        Some(match self.0 {
            1 => ("READ_COILS", "RdCoils"),
            2 => ("READ_DISCRETE_INPUTS", "RdDiscreteInputs"),
            3 => ("READ_HOLDING_REGISTERS", "RdHoldRegs"),
            4 => ("READ_INPUT_REGISTERS", "RdInputRegs"),
            5 => ("WRITE_SINGLE_COIL", "WrSingleCoil"),
            6 => ("WRITE_SINGLE_REGISTER", "WrSingleReg"),
            7 => ("READ_EXCEPTION_STATUS", "RdExcStatus"),
            8 => ("DIAGNOSTICS", "Diagnostic"),
            9 => ("PROGRAM_484", "Program484"),
            10 => ("POLL_484", "Poll484"),
            11 => ("GET_COMM_EVENT_COUNTER", "GetCommEventCtr"),
            12 => ("GET_COMM_EVENT_LOG", "GetCommEventLog"),
            13 => ("PROGRAM_584_984", "ProgramController"),
            14 => ("POLL_584_984", "PollController"),
            15 => ("WRITE_MULTIPLE_COILS", "WrMultCoils"),
            16 => ("WRITE_MULTIPLE_REGISTERS", "WrMultRegs"),
            17 => ("REPORT_SLAVE_ID", "ReportServerID"),
            18 => ("PROGRAM_884_U84", "Program884"),
            19 => ("RESET_COMM_LINK_884_U84", "ResetCommLink"),
            20 => ("READ_FILE_RECORD", "RdFileRec"),
            21 => ("WRITE_FILE_RECORD", "WrFileRec"),
            22 => ("MASK_WRITE_REGISTER", "MaskWrReg"),
            23 => ("READ_WRITE_MULTIPLE_REGISTERS", "RdWrMultRegs"),
            24 => ("READ_FIFO_QUEUE", "RdFIFOQueue"),
            43 => ("ENCAP_INTERFACE_TRANSPORT", "MEI"),
            _ => return None,
        })
    }
}

impl ModbusException {
    /// The name, as Zeek has it, where the number has one.
    #[must_use]
    pub fn name(self) -> Option<&'static str> {
        self.names().map(|names| names.0)
    }

    /// The name, as Suricata has it, where the number has one.
    pub(crate) fn eve_name(self) -> Option<&'static str> {
        self.names().map(|names| names.1)
    }

    const fn names(self) -> Option<(&'static str, &'static str)> {
        Some(match self.0 {
            1 => ("ILLEGAL_FUNCTION", "IllegalFunction"),
            2 => ("ILLEGAL_DATA_ADDRESS", "IllegalDataAddr"),
            3 => ("ILLEGAL_DATA_VALUE", "IllegalDataValue"),
            4 => ("SLAVE_DEVICE_FAILURE", "ServerDeviceFail"),
            5 => ("ACKNOWLEDGE", "Ack"),
            6 => ("SLAVE_DEVICE_BUSY", "ServerDeviceBusy"),
            7 => ("NEGATIVE_ACKNOWLEDGE", "NegAck"),
            8 => ("MEMORY_PARITY_ERROR", "MemParityErr"),
            10 => ("GATEWAY_PATH_UNAVAILABLE", "GatewayPathUnavailable"),
            11 => ("GATEWAY_TARGET_DEVICE_FAILED_TO_RESPOND", "GatewayTargetFailToResp"),
            _ => return None,
        })
    }
}

impl fmt::Display for ModbusFunction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.pad(name),
            None => write!(f, "function {}", self.0),
        }
    }
}

impl fmt::Display for ModbusException {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.pad(name),
            None => write!(f, "exception {}", self.0),
        }
    }
}
