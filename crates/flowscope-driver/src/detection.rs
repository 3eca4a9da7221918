//! Protocol detection: which parser reads a flow.

mod announcers;
mod classifier;
mod erased;
mod index;
mod naming;
mod protocols;
mod rules;
mod set;
mod single;

pub use classifier::{
    Classification, Classifier, Contradiction, DetectedBy, Detection, ProbeInput, Transport,
};
pub use protocols::{AnyParser, Protocols, Recognition};
pub use set::{NamedEntry, ProtocolSet, SetEntry};
pub use single::{Datagrams, Sessions, Streams};

pub(crate) use announcers::Announcers;
