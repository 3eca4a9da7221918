//! The NetBIOS name service over UDP (RFC 1001 §15, RFC 1002 §4.2).

mod message;
mod name;
mod parser;
mod protocol;
mod schema;

pub use message::{NbnsAddress, NbnsDefect, NbnsMessage, NbnsNodeName, NbnsOpcode, NbnsType};
pub use name::NbnsName;
pub use parser::NbnsParser;
pub use protocol::Nbns;
#[cfg(test)]
pub(crate) use schema::NBNS;
