//! HTTP/1.x messages for passive session tracking.

mod chunked;
mod config;
mod exchange;
mod fields;
mod framing;
mod head;
mod message;
mod notes;
mod pairing;
mod parser;
mod side;
mod wire;

pub use config::{Bodies, HttpConfig};
pub use exchange::{BodySummary, HttpExchange, HttpExchanges, Outcome};
pub use fields::Fields;
pub use message::{
    Anomaly, AnomalyKind, Body, Ending, Framing, HttpMessage, MessageEnd, MessageKind, Request,
    Response, Version,
};
pub use parser::HttpParser;
