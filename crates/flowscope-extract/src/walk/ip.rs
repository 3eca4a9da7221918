use etherparse::err::{ip_auth, ipv4, ipv6};
use etherparse::{
    IpAuthHeaderSlice, Ipv4HeaderSlice, Ipv6FragmentHeaderSlice, Ipv6HeaderSlice,
    Ipv6RawExtHeaderSlice,
};
use flowscope_core::{Fragment, IpInfo, NextHeader, Refusal};

use super::bytes::Bytes;
use super::numbers::{ETHERTYPE_IPV4, ETHERTYPE_IPV6};
use crate::addr::{AddrPair, words};

/// An IP header and the extension headers behind it.
#[derive(Clone, Copy, Debug)]
pub(super) struct IpPacket {
    pub(super) addrs: AddrPair,
    pub(super) ip: IpInfo,
    pub(super) fragment: Option<Fragment>,
    /// Next-header number of the last header read, and the offset behind it.
    pub(super) proto: u8,
    pub(super) at: usize,
    /// Where the packet ends, by its length field.
    pub(super) end: usize,
}

/// The IP version that the layer above names.
#[derive(Clone, Copy, Debug)]
pub(super) enum Version {
    V4,
    V6,
    ByHeader,
}

/// The version of the IP header that comes next, if one does.
pub(super) fn version(next: NextHeader) -> Option<Version> {
    match next {
        NextHeader::Ip | NextHeader::IpFragment => Some(Version::ByHeader),
        NextHeader::EtherType(ETHERTYPE_IPV4) => Some(Version::V4),
        NextHeader::EtherType(ETHERTYPE_IPV6) => Some(Version::V6),
        _ => None,
    }
}

pub(super) fn read(bytes: Bytes<'_>, at: usize, version: Version) -> Result<IpPacket, Refusal> {
    let [first] = *bytes.array::<1>(at)?;
    match (version, first >> 4) {
        (Version::V4 | Version::ByHeader, 4) => v4(bytes, at),
        (Version::V6 | Version::ByHeader, 6) => v6(bytes, at),
        _ => Err(Refusal::HeaderMalformed),
    }
}

fn v4(bytes: Bytes<'_>, at: usize) -> Result<IpPacket, Refusal> {
    let header = Ipv4HeaderSlice::from_slice(bytes.from(at)).map_err(|error| match error {
        ipv4::HeaderSliceError::Len(short) => bytes.missing(at + short.required_len),
        ipv4::HeaderSliceError::Content(_) => Refusal::HeaderMalformed,
    })?;
    let header_len = header.slice().len();
    let len = length(bytes, at, usize::from(header.total_len()));
    if len < header_len {
        return Err(Refusal::HeaderMalformed);
    }
    let offset = header.fragments_offset().value() * 8;
    let fragment = header.is_fragmenting_payload().then(|| Fragment {
        id: u32::from(header.identification()),
        offset: u32::from(offset),
        more: header.more_fragments(),
        header_at: at as u32,
    });
    let mut network = IpPacket {
        addrs: AddrPair::V4 {
            src: u32::from_be_bytes(header.source()),
            dst: u32::from_be_bytes(header.destination()),
        },
        ip: IpInfo {
            header_at: at as u32,
            len: len as u32,
            version: 4,
            ttl: header.ttl(),
            tos: header.dcp().value() << 2 | header.ecn().value(),
            flow_label: 0,
        },
        fragment,
        proto: header.protocol().0,
        at: at + header_len,
        end: at + len,
    };
    // The authentication header is the only one that can stand between IPv4 and the transport header.
    while network.proto == AUTH && fragment.is_none() {
        let (next, len) = auth(bytes.until(network.end), network.at)?;
        network.proto = next;
        network.at += len;
    }
    Ok(network)
}

fn v6(bytes: Bytes<'_>, at: usize) -> Result<IpPacket, Refusal> {
    let header = Ipv6HeaderSlice::from_slice(bytes.from(at)).map_err(|error| match error {
        ipv6::HeaderSliceError::Len(short) => bytes.missing(at + short.required_len),
        ipv6::HeaderSliceError::Content(_) => Refusal::HeaderMalformed,
    })?;
    let proto = header.next_header().0;
    let len = match (header.payload_length(), proto) {
        (0, NO_NEXT_HEADER) => 40,
        (0, HOP_BY_HOP) => {
            length(bytes, at, jumbo_length(bytes, at + 40)?.map_or(0, |len| len.saturating_add(40)))
        }
        (0, _) => length(bytes, at, 0),
        (len, _) => length(bytes, at, 40 + usize::from(len)),
    };
    let mut network = IpPacket {
        addrs: AddrPair::V6 { src: words(header.source()), dst: words(header.destination()) },
        ip: IpInfo {
            header_at: at as u32,
            len: len as u32,
            version: 6,
            ttl: header.hop_limit(),
            tos: header.traffic_class(),
            flow_label: header.flow_label().value(),
        },
        fragment: None,
        proto,
        at: at + 40,
        end: at + len,
    };
    skip_extension_headers(bytes.until(network.end), at, &mut network)?;
    Ok(network)
}

/// Length of the packet at `at` whose length field is `declared`. Segmentation offload leaves 0 in packets of
/// more than 64 KiB, or in packets not yet segmented: then the packet is all that is there. A packet is not
/// longer than what was on the wire.
fn length(bytes: Bytes<'_>, at: usize, declared: usize) -> usize {
    let available = bytes.wire.saturating_sub(at);
    if declared == 0 { available } else { declared.min(available) }
}

/// Payload length in the jumbo option of the hop-by-hop header at `at` (RFC 2675 §2).
fn jumbo_length(bytes: Bytes<'_>, at: usize) -> Result<Option<usize>, Refusal> {
    let mut options = options_header(bytes, at)?.payload();
    loop {
        match *options {
            [0, ref rest @ ..] => options = rest,
            [0xc2, 4, a, b, c, d, ..] => {
                let len = u32::from_be_bytes([a, b, c, d]);
                return Ok(Some(usize::try_from(len).unwrap_or(usize::MAX)));
            }
            [_, len, ref rest @ ..] => options = rest.get(usize::from(len)..).unwrap_or_default(),
            _ => return Ok(None),
        }
    }
}

/// Skips the extension headers (RFC 8200 §4) from `network.at` to the first other header, or to one that
/// hides its payload: ESP, a fragment. Each is at least 8 bytes long, so the loop ends.
fn skip_extension_headers(
    bytes: Bytes<'_>,
    header_at: usize,
    network: &mut IpPacket,
) -> Result<(), Refusal> {
    loop {
        let at = network.at;
        let (next, len) = match network.proto {
            HOP_BY_HOP | ROUTING | DESTINATION => {
                let header = options_header(bytes, at)?;
                (header.next_header().0, header.slice().len())
            }
            AUTH => auth(bytes, at)?,
            FRAGMENT => {
                let header = Ipv6FragmentHeaderSlice::from_slice(bytes.from(at))
                    .map_err(|short| bytes.missing(at + short.required_len))?;
                // RFC 6946: offset 0 and no more fragments is a whole datagram.
                network.fragment = header.is_fragmenting_payload().then(|| Fragment {
                    id: header.identification(),
                    offset: u32::from(header.fragment_offset().value()) * 8,
                    more: header.more_fragments(),
                    header_at: header_at as u32,
                });
                (header.next_header().0, header.slice().len())
            }
            _ => return Ok(()),
        };
        network.proto = next;
        network.at += len;
        if network.fragment.is_some() {
            return Ok(());
        }
    }
}

/// Next-header number of an authentication header, and its length (RFC 4302 §2).
fn auth(bytes: Bytes<'_>, at: usize) -> Result<(u8, usize), Refusal> {
    match IpAuthHeaderSlice::from_slice(bytes.from(at)) {
        Ok(header) => Ok((header.next_header().0, header.slice().len())),
        Err(ip_auth::HeaderSliceError::Len(short)) => Err(bytes.missing(at + short.required_len)),
        Err(ip_auth::HeaderSliceError::Content(_)) => Err(Refusal::HeaderMalformed),
    }
}

fn options_header(bytes: Bytes<'_>, at: usize) -> Result<Ipv6RawExtHeaderSlice<'_>, Refusal> {
    Ipv6RawExtHeaderSlice::from_slice(bytes.from(at))
        .map_err(|short| bytes.missing(at + short.required_len))
}

const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const AUTH: u8 = 51;
const NO_NEXT_HEADER: u8 = 59;
const DESTINATION: u8 = 60;
