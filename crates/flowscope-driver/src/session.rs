//! From the flow table to parsers: per-flow state, dispatch of payload, session events.

mod closing;
mod drivers;
mod engine;
mod event;
mod expectations;
mod flow_sink;
mod other_side;
mod padding;
mod slot;
mod stream_dispatch;

pub use drivers::{DatagramDriver, Driver, SessionDriver, StreamDriver};
pub use engine::SessionEngine;
pub use event::{SessionChange, SessionEvent, SessionSink};
pub use slot::{Slot, SlotOf};

pub(crate) use flow_sink::{ParserHost, SessionFlowSink};
