//! DHCP for IPv4.

mod message;
mod options;
mod parser;
mod protocol;
mod schema;

pub use message::{DhcpDefect, DhcpMessage, DhcpMessageType};
pub use parser::DhcpParser;
pub use protocol::Dhcp;
