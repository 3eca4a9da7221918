use std::time::Duration;

use flowscope_core::{FlowSide, Timestamp};

use crate::{ModbusException, ModbusFunction};

/// A request with its response, or a response without a request. Sections are those of the application protocol.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct ModbusExchange {
    /// Time of the end of the request; without one, of the response.
    pub ts: Timestamp,
    /// Who sent the request, or would have.
    pub side: FlowSide,
    /// The identifier that request and response share (Messaging §3.1.3).
    pub transaction_id: u16,
    /// The unit behind the server: of a serial line its address, else 0 or 255 (Messaging §4.4.2.3).
    pub unit_id: u8,
    /// The function (§5.1).
    pub function: ModbusFunction,
    /// Whether the request was captured.
    pub is_requested: bool,
    /// Whether there was a response.
    pub is_answered: bool,
    /// What is read, by the request.
    pub read: Option<ModbusRange>,
    /// What is written, by the request.
    pub write: Option<ModbusRange>,
    /// The value that is written to a single coil or register (§6.5, §6.6): of a coil 0xff00 is on, and 0 off.
    pub value: Option<u16>,
    /// Of a diagnosis its sub-function (§6.8), of an encapsulated interface its type (§6.19): 13 is CANopen, 14 is the
    /// identification of the device.
    pub sub_function: Option<u16>,
    /// Why the response refuses (§7).
    pub exception: Option<ModbusException>,
    /// From the request to its response.
    pub latency: Option<Duration>,
}

/// Coils, inputs or registers that follow each other.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct ModbusRange {
    /// The first, counted from 0 (§4.4).
    pub address: u16,
    /// How many.
    pub quantity: u16,
}

impl ModbusExchange {
    /// Whether the server did what it was asked; `None` if there was no response.
    #[must_use]
    pub fn success(&self) -> Option<bool> {
        self.is_answered.then_some(self.exception.is_none())
    }
}
