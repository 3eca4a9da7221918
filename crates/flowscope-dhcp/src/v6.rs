//! DHCP for IPv6.

mod message;
mod parser;
mod protocol;
mod schema;

pub use message::{
    Dhcpv6Address, Dhcpv6Message, Dhcpv6MessageType, Dhcpv6Prefix, Dhcpv6Relay, Dhcpv6Status,
};
pub use parser::Dhcpv6Parser;
pub use protocol::Dhcpv6;
