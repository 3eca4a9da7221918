//! Headers: text of version 1, binary of version 2.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use flowscope_core::ParseError;

use super::{ProxyCommand, ProxyHeader};

/// The header at the start of a stream, `None` for want of bytes.
pub(super) fn header(bytes: &[u8]) -> Result<Option<ProxyHeader>, ParseError> {
    let agrees = |start: &[u8]| bytes.iter().zip(start).all(|(a, b)| a == b);
    if agrees(SIGNATURE) {
        version2(bytes)
    } else if agrees(TEXT) {
        version1(bytes)
    } else {
        Err(ParseError::NotTheProtocol)
    }
}

/// "PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n" (§2.1)
fn version1(bytes: &[u8]) -> Result<Option<ProxyHeader>, ParseError> {
    let end = bytes.iter().take(MAX_LINE).position(|&byte| byte == b'\n');
    let Some(end) = end else {
        let is_long = bytes.len() >= MAX_LINE;
        return if is_long { Err(ParseError::TooLong(MAX_LINE as u64 + 1)) } else { Ok(None) };
    };
    let line = bytes[..end].strip_suffix(b"\r").ok_or(ParseError::InvalidField("CRLF"))?;
    let mut header = ProxyHeader { version: 1, len: end as u64 + 1, ..ProxyHeader::default() };
    let text = str::from_utf8(line).map_err(|_| ParseError::InvalidField("header"))?;
    let fields: Vec<&str> = text.split(' ').take(7).collect();
    match fields[..] {
        // "the receiver must ignore anything presented before the CRLF is found"
        ["PROXY", "UNKNOWN", ..] => header.command = ProxyCommand::Unknown,
        ["PROXY", family @ ("TCP4" | "TCP6"), source, destination, from, to] => {
            header.transport = Some("tcp");
            let end = |addr: &str, port: &str| {
                let addr: IpAddr = addr.parse().ok()?;
                (addr.is_ipv4() == (family == "TCP4")).then_some(())?;
                Some(SocketAddr::new(addr, port.parse().ok()?))
            };
            header.source = end(source, from);
            header.destination = end(destination, to);
            if header.source.is_none() || header.destination.is_none() {
                return Err(ParseError::InvalidField("address"));
            }
        }
        _ => return Err(ParseError::InvalidField("header")),
    }
    Ok(Some(header))
}

/// Signature, version and command, family and transport, length, addresses, TLVs (§2.2).
fn version2(bytes: &[u8]) -> Result<Option<ProxyHeader>, ParseError> {
    let Some((start, rest)) = bytes.split_first_chunk::<16>() else { return Ok(None) };
    let [.., version, family, high, low] = *start;
    let command = match version {
        0x20 => ProxyCommand::Local,
        0x21 => ProxyCommand::Proxy,
        _ => return Err(ParseError::InvalidField("ver_cmd")),
    };
    let len = usize::from(u16::from_be_bytes([high, low]));
    if len > MAX_LEN {
        return Err(ParseError::TooLong(len as u64));
    }
    let Some(rest) = rest.get(..len) else { return Ok(None) };
    if command == ProxyCommand::Local {
        // The receiver "must discard the protocol block including the family which is ignored" (§2.2).
        let len = 16 + len as u64;
        return Ok(Some(ProxyHeader { version: 2, command, len, ..ProxyHeader::default() }));
    }
    let mut header = ProxyHeader {
        version: 2,
        command,
        len: 16 + len as u64,
        transport: match family {
            0x11 | 0x21 => Some("tcp"),
            0x12 | 0x22 => Some("udp"),
            0x31 | 0x32 => Some("unix"),
            _ => None,
        },
        ..ProxyHeader::default()
    };
    let addresses = match family >> 4 {
        1 => 12,
        2 => 36,
        3 => 216,
        _ => 0,
    };
    let Some((addresses, tlvs)) = rest.split_at_checked(addresses) else {
        return Err(ParseError::InvalidField("len"));
    };
    match *addresses {
        [a, b, c, d, e, f, g, h, s0, s1, d0, d1] => {
            let end = |ip: [u8; 4], port| {
                SocketAddr::new(Ipv4Addr::from(ip).into(), u16::from_be_bytes(port))
            };
            header.source = Some(end([a, b, c, d], [s0, s1]));
            header.destination = Some(end([e, f, g, h], [d0, d1]));
        }
        _ if addresses.len() == 36 => {
            let end = |at: usize, port: usize| {
                let ip: [u8; 16] = addresses[at..at + 16].try_into().ok()?;
                let port = u16::from_be_bytes([addresses[port], addresses[port + 1]]);
                Some(SocketAddr::new(Ipv6Addr::from(ip).into(), port))
            };
            header.source = end(0, 32);
            header.destination = end(16, 34);
        }
        _ => {}
    }
    for (kind, value) in Tlvs(tlvs) {
        match kind {
            0x01 => header.alpn = text(value),
            0x02 => header.authority = text(value),
            0x05 => header.unique_id = text(value),
            // Flags and a result, then TLVs again.
            0x20 => {
                for (kind, value) in Tlvs(value.get(5..).unwrap_or_default()) {
                    match kind {
                        0x21 => header.tls_version = text(value),
                        0x22 => header.client_cn = text(value),
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
    Ok(Some(header))
}

/// As much of a value as is kept.
fn text(value: &[u8]) -> Option<Vec<u8>> {
    Some(value[..value.len().min(ProxyHeader::MAX_TEXT)].to_vec())
}

/// Type, length of two bytes, value; up to the first that is cut.
struct Tlvs<'a>(&'a [u8]);

impl<'a> Iterator for Tlvs<'a> {
    type Item = (u8, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let ([kind, high, low], rest) = self.0.split_first_chunk()?;
        let (value, rest) = rest.split_at_checked(u16::from_be_bytes([*high, *low]).into())?;
        self.0 = rest;
        Some((*kind, value))
    }
}

/// What version 1 begins with.
const TEXT: &[u8] = b"PROXY ";
/// What version 2 begins with (§2.2).
pub(super) const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
/// "The maximum line lengths the receiver must support including the CRLF": 107 (§2.1).
const MAX_LINE: usize = 107;
/// Longer headers are not read. With all TLVs there are some hundred bytes.
const MAX_LEN: usize = 4096;
