//! Modbus over TCP: who reads and writes which coils and registers of which unit, and what is refused.
//!
//! [`ModbusParser`] emits a [`ModbusExchange`] for each request with its response (MODBUS Messaging on TCP/IP Implementation
//! Guide V1.0b, MODBUS Application Protocol Specification V1.1b3). Values are not kept, but for those that are written alone.
//!
//! ```
//! use flowscope_modbus::{ModbusException, ModbusParser, ModbusRange, SessionParser};
//!
//! let mut parser = ModbusParser::default();
//! parser.feed_initiator(&[0, 1, 0, 0, 0, 6, 17, 3, 0, 107, 0, 3]);
//! let exchanges = parser.feed_responder(&[0, 1, 0, 0, 0, 3, 17, 0x83, 2]);
//! assert_eq!(exchanges[0].function.name(), Some("READ_HOLDING_REGISTERS"));
//! assert_eq!(exchanges[0].read, Some(ModbusRange { address: 107, quantity: 3 }));
//! assert_eq!(exchanges[0].exception, Some(ModbusException(2)));
//! ```

mod message;
mod names;
mod parser;
mod pdu;
mod probe;
mod protocol;
mod schema;

#[doc(no_inline)]
pub use flowscope_core::{FlowSide, ParserStatus, Probe, SessionParser, StreamChunk, Timestamp};
pub use message::{ModbusExchange, ModbusRange};
pub use names::{ModbusException, ModbusFunction};
pub use parser::ModbusParser;
pub use protocol::Modbus;
pub use schema::MODBUS;
