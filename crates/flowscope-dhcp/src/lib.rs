//! DHCP messages over UDP: who asks for an address, who gives which one out, for how long.
//!
//! [`DhcpParser`] reads DHCP for IPv4 (RFC 2131, RFC 2132) and the BOOTP that it grew out of, [`Dhcpv6Parser`] DHCP
//! for IPv6 (RFC 8415). Each datagram gives one message. Messages of an exchange are not put together: most of
//! them are broadcast or multicast and belong to different flows. What they have in common is the transaction
//! identifier.
//!
//! ```
//! use flowscope_core::{DatagramParser, FlowSide};
//! use flowscope_dhcp::{DhcpMessageType, DhcpParser};
//!
//! let mut discover = vec![0; 236];
//! discover[..4].copy_from_slice(&[1, 1, 6, 0]);
//! discover[28..34].copy_from_slice(&[2, 0, 0, 0, 0, 1]);
//! discover.extend([0x63, 0x82, 0x53, 0x63, 53, 1, 1, 12, 4, b'h', b'o', b's', b't', 255]);
//!
//! let messages = DhcpParser::new().parse(&discover, FlowSide::Initiator);
//! assert_eq!(messages[0].message_type(), Some(DhcpMessageType::DISCOVER));
//! assert_eq!(messages[0].host_name(), Some(&b"host"[..]));
//! assert_eq!(messages[0].hardware_address(), [2, 0, 0, 0, 0, 1]);
//! ```

mod text;
mod v4;
mod v6;
mod wire;

#[doc(no_inline)]
pub use flowscope_core::{Datagram, DatagramParser, FlowSide, ParserStatus, Probe, Timestamp};
pub use v4::{Dhcp, DhcpDefect, DhcpMessage, DhcpMessageType, DhcpParser};
pub use v6::{
    Dhcpv6, Dhcpv6Address, Dhcpv6Message, Dhcpv6MessageType, Dhcpv6Parser, Dhcpv6Prefix,
    Dhcpv6Relay, Dhcpv6Status,
};
