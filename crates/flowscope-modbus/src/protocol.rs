use flowscope_record::{ByteSet, NoParser, Ports, Protocol, Schema};

use crate::schema::MODBUS;
use crate::{ModbusExchange, ModbusParser};

/// Modbus over TCP.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Modbus;

impl Protocol for Modbus {
    const NAME: &'static str = "modbus";
    const RECORDS: &'static str =
        "one per request with its response, and one per response whose request was not captured";
    const PORTS: Ports = Ports::tcp(&[502]);
    /// Of a small transaction identifier: clients count.
    const FIRST_BYTES: ByteSet = ByteSet::of(&[0]);
    type Stream = ModbusParser;
    type Datagram = NoParser<ModbusExchange>;
    type Record = ModbusExchange;
    const SCHEMA: &'static Schema<ModbusExchange> = &MODBUS;
}
