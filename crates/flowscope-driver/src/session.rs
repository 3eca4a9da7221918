//! From the flow table to parsers: per-flow state, dispatch of payload, session events.

mod engine;
mod event;
mod flow_sink;
mod slot;
mod stream_dispatch;

pub use engine::{DatagramDriver, Driver, SessionDriver, SessionEngine, StreamDriver};
pub use event::{SessionChange, SessionEvent, SessionSink};
pub use slot::{Slot, SlotOf};

pub(crate) use flow_sink::{ParserHost, SessionFlowSink};
