use std::net::Ipv6Addr;

use flowscope_core::{
    Datagram, DatagramParser, FlowSide, MessageCheck, ParserStatus, Probe, Timestamp, parse_once,
};

use super::{
    Dhcpv6Address, Dhcpv6Message, Dhcpv6MessageType, Dhcpv6Prefix, Dhcpv6Relay, Dhcpv6Status,
};
use crate::DhcpDefect;
use crate::text::dns_name;
use crate::wire::{array, be16, be32};

/// Reads the DHCPv6 messages of a UDP flow: one in each datagram.
///
/// A datagram that is no message, because its type is not assigned or its options do not begin as such, gives
/// nothing. After more than 32 of them, and no message before, the parser fails. It holds no memory.
#[derive(Clone, Debug, Default)]
pub struct Dhcpv6Parser {
    check: MessageCheck,
}

/// Relays that are looked through; a relay discards what came through eight (RFC 8415 §7.6).
const MAX_RELAYS: u8 = 32;

const CLIENT_ID: u16 = 1;
const SERVER_ID: u16 = 2;
const IA_NA: u16 = 3;
const IA_TA: u16 = 4;
const IA_ADDRESS: u16 = 5;
const OPTION_REQUEST: u16 = 6;
const ELAPSED_TIME: u16 = 8;
const RELAY_MESSAGE: u16 = 9;
const STATUS_CODE: u16 = 13;
const RAPID_COMMIT: u16 = 14;
const DNS_SERVERS: u16 = 23;
const IA_PD: u16 = 25;
const IA_PREFIX: u16 = 26;
const CLIENT_FQDN: u16 = 39;

impl Dhcpv6Parser {
    /// A parser at the start of a flow.
    #[must_use]
    pub fn new() -> Self {
        Dhcpv6Parser::default()
    }
}

impl DatagramParser for Dhcpv6Parser {
    type Message = Dhcpv6Message;

    fn parse(&mut self, payload: &[u8], side: FlowSide) -> Vec<Dhcpv6Message> {
        parse_once(self, Datagram::new(side, Timestamp::ZERO, payload))
    }

    fn parse_into(&mut self, datagram: Datagram<'_>, out: &mut Vec<Dhcpv6Message>) -> ParserStatus {
        let message = read(&datagram);
        let status = self.check.record(message.is_some());
        out.extend(message);
        status
    }

    /// Sure is who sees options that fill the message to its end.
    fn probe(_: FlowSide, payload: &[u8]) -> Probe {
        let Some((_, options)) = head(payload) else { return Probe::No };
        if !options.is_empty() && Pieces(options).all(|piece| piece.is_ok()) {
            Probe::Yes
        } else {
            Probe::Maybe
        }
    }
}

/// The type of a message and its options.
fn head(bytes: &[u8]) -> Option<(Dhcpv6MessageType, &[u8])> {
    let kind = Dhcpv6MessageType(*bytes.first()?);
    kind.name()?;
    let options = bytes.get(if kind.is_relay() { RELAY_HEAD } else { HEAD }..)?;
    Some((kind, options))
}

/// Type and transaction identifier.
const HEAD: usize = 4;
/// Type, hop count, two addresses.
const RELAY_HEAD: usize = 34;

fn read(datagram: &Datagram<'_>) -> Option<Dhcpv6Message> {
    let captured = u32::try_from(datagram.payload.len()).unwrap_or(u32::MAX);
    let len = datagram.wire_len.max(captured);
    let (message_type, _) = head(datagram.payload)?;
    let mut message = Dhcpv6Message {
        side: datagram.side,
        ts: datagram.ts,
        len,
        message_type,
        transaction_id: None,
        relays: 0,
        relay: None,
        client_id: None,
        server_id: None,
        addresses: Vec::new(),
        prefixes: Vec::new(),
        requested_options: Vec::new(),
        elapsed_time: None,
        rapid_commit: false,
        status: None,
        client_fqdn: None,
        dns_servers: Vec::new(),
        defect: None,
    };
    let read = message.read(datagram.payload);
    if captured < len {
        message.defect = Some(DhcpDefect::Cut);
    } else if let Err(defect) = read {
        message.defect = Some(defect);
    }
    Some(message)
}

impl Dhcpv6Message {
    /// Looks through relays for the message inside, and reads its options.
    fn read(&mut self, mut bytes: &[u8]) -> Result<(), DhcpDefect> {
        loop {
            let (kind, options) = head(bytes).ok_or(DhcpDefect::Malformed)?;
            self.message_type = kind;
            if !kind.is_relay() {
                let [_, id @ ..] = array::<HEAD>(bytes, 0).ok_or(DhcpDefect::Malformed)?;
                self.transaction_id = Some(u32::from_be_bytes([0, id[0], id[1], id[2]]));
                return self.options(options);
            }
            if self.relays == MAX_RELAYS {
                return Err(DhcpDefect::Malformed);
            }
            self.relays += 1;
            let address = |at| array::<16>(bytes, at).map(Ipv6Addr::from);
            let (Some(link_address), Some(peer_address)) = (address(2), address(18)) else {
                return Err(DhcpDefect::Malformed);
            };
            self.relay = Some(Dhcpv6Relay { hop_count: bytes[1], link_address, peer_address });
            let mut inner = None;
            for piece in Pieces(options) {
                let (code, data) = piece?;
                if code == RELAY_MESSAGE {
                    inner.get_or_insert(data);
                }
            }
            bytes = inner.ok_or(DhcpDefect::Malformed)?;
        }
    }

    fn options(&mut self, options: &[u8]) -> Result<(), DhcpDefect> {
        for piece in Pieces(options) {
            let (code, data) = piece?;
            match code {
                CLIENT_ID => self.client_id = Some(data.to_vec()),
                SERVER_ID => self.server_id = Some(data.to_vec()),
                IA_NA | IA_PD => self.association(data.get(12..))?,
                IA_TA => self.association(data.get(4..))?,
                OPTION_REQUEST => {
                    let (codes, _) = data.as_chunks::<2>();
                    self.requested_options
                        .extend(codes.iter().map(|code| u16::from_be_bytes(*code)));
                }
                ELAPSED_TIME => self.elapsed_time = be16(data, 0),
                // That of the message outranks those of associations.
                STATUS_CODE => self.status = status(data),
                RAPID_COMMIT => self.rapid_commit = true,
                DNS_SERVERS => {
                    let (servers, _) = data.as_chunks::<16>();
                    self.dns_servers.extend(servers.iter().map(|octets| Ipv6Addr::from(*octets)));
                }
                CLIENT_FQDN => self.client_fqdn = data.get(1..).and_then(dns_name),
                _ => {}
            }
        }
        Ok(())
    }

    /// The options inside an association: addresses or prefixes, and how it went.
    fn association(&mut self, options: Option<&[u8]>) -> Result<(), DhcpDefect> {
        for piece in Pieces(options.ok_or(DhcpDefect::Malformed)?) {
            match piece? {
                (IA_ADDRESS, data) => self.addresses.push(address(data)?),
                (IA_PREFIX, data) => self.prefixes.push(prefix(data)?),
                (STATUS_CODE, data) if self.status.is_none() => self.status = status(data),
                _ => {}
            }
        }
        Ok(())
    }
}

fn status(data: &[u8]) -> Option<Dhcpv6Status> {
    Some(Dhcpv6Status { code: be16(data, 0)?, message: data.get(2..)?.to_vec() })
}

fn address(data: &[u8]) -> Result<Dhcpv6Address, DhcpDefect> {
    let parts = (array::<16>(data, 0), be32(data, 16), be32(data, 20));
    let (Some(octets), Some(preferred_lifetime), Some(valid_lifetime)) = parts else {
        return Err(DhcpDefect::Malformed);
    };
    Ok(Dhcpv6Address { address: octets.into(), preferred_lifetime, valid_lifetime })
}

fn prefix(data: &[u8]) -> Result<Dhcpv6Prefix, DhcpDefect> {
    let parts = (be32(data, 0), be32(data, 4), data.get(8), array::<16>(data, 9));
    let (Some(preferred_lifetime), Some(valid_lifetime), Some(&prefix_len), Some(octets)) = parts
    else {
        return Err(DhcpDefect::Malformed);
    };
    Ok(Dhcpv6Prefix { prefix: octets.into(), prefix_len, preferred_lifetime, valid_lifetime })
}

/// Options, one behind the other: code and data (RFC 8415 §21.1). Ends behind the first that does not fit.
struct Pieces<'a>(&'a [u8]);

impl<'a> Iterator for Pieces<'a> {
    type Item = Result<(u16, &'a [u8]), DhcpDefect>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let rest = std::mem::take(&mut self.0);
        let piece = || {
            let (code, len) = (be16(rest, 0)?, be16(rest, 2)?);
            Some((code, rest.get(4..)?.split_at_checked(usize::from(len))?))
        };
        let Some((code, (data, rest))) = piece() else { return Some(Err(DhcpDefect::Malformed)) };
        self.0 = rest;
        Some(Ok((code, data)))
    }
}

#[cfg(test)]
mod tests;
