//! Protocol detection: which parser reads a flow.

mod classifier;
mod protocols;
mod single;

pub use classifier::{Classification, Classifier, DetectedBy, Detection, ProbeInput, Transport};
pub use protocols::{AnyParser, Protocols, Recognition};
pub use single::{Datagrams, Sessions, Streams};
