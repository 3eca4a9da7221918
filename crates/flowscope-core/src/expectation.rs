use std::net::{IpAddr, SocketAddr};

use crate::FlowSide;

/// A connection that the two ends of another one are about to open, as the parser of that one has read it: a data
/// connection of FTP.
///
/// A parser that has some returns [`ParserStatus::Expects`](crate::ParserStatus::Expects), and gives them by
/// [`take_expectation`](crate::SessionParser::take_expectation).
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Expectation {
    /// The name of the protocol that the connection will speak.
    pub protocol: &'static str,
    /// The side of the parser's own flow that is connected to, by the other side.
    pub listener: FlowSide,
    /// The address that is connected to; `None` for that of `listener` in the parser's own flow.
    pub host: Option<IpAddr>,
    /// The port that is connected to.
    pub port: u16,
    /// What the parser of that connection gets by [`introduce`](crate::SessionParser::introduce), in words that the two
    /// parsers agree on. Empty if nothing is known yet: a later expectation of the same place completes it.
    pub about: Vec<u8>,
}

impl Expectation {
    /// A connection to this port of `listener`, at the address that it has in the parser's own flow.
    #[must_use]
    pub fn new(protocol: &'static str, listener: FlowSide, port: u16) -> Self {
        Expectation { protocol, listener, host: None, port, about: Vec::new() }
    }

    /// Sets the address that is connected to. Default: that of `listener`.
    #[must_use]
    pub fn host(mut self, host: Option<IpAddr>) -> Self {
        self.host = host;
        self
    }

    /// Sets what the parser of the connection gets. Default: nothing.
    #[must_use]
    pub fn about(mut self, about: Vec<u8>) -> Self {
        self.about = about;
        self
    }
}

/// A place that the receiver of a packet is about to connect to: what the packet alone says of an [`Expectation`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Announcement {
    /// The name of the protocol that the connection will speak.
    pub protocol: &'static str,
    /// The address; `None` for that of the packet's sender.
    pub host: Option<IpAddr>,
    /// The port.
    pub port: u16,
}

impl Announcement {
    /// Of a connection to this place.
    #[must_use]
    pub fn new(protocol: &'static str, host: Option<IpAddr>, port: u16) -> Self {
        Announcement { protocol, host, port }
    }
}

/// How packets are known that announce connections.
///
/// Where flows are distributed over several tables, the one that is announced goes to the table of the one that
/// announces it, so that its parser can be [introduced](crate::SessionParser::introduce). Where flows are recognised and
/// not read, announcements are all that is known of them.
#[derive(Clone, Copy, Debug)]
pub struct Announcer {
    /// The bytes by which the payload of such a packet may begin.
    pub first_bytes: &'static [u8],
    /// Finds an announcement in the payload of a TCP packet.
    pub find: fn(&[u8]) -> Option<Announcement>,
}

/// The two ends of a flow.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Endpoints {
    /// The sender of packets whose orientation is [`Forward`](crate::Orientation::Forward).
    pub a: SocketAddr,
    /// Their receiver.
    pub b: SocketAddr,
}
