//! The information elements of a flow record.

use std::fmt::Write as _;
use std::net::IpAddr;

use flowscope_core::Timestamp;
use flowscope_output::{FlowRecord, FlowRecordKind, FlowRecordSide, initiator_evidence};
use flowscope_track::EndReason;

/// The enterprise number of elements that count the reverse direction (RFC 5103 §6.1).
pub const REVERSE_ENTERPRISE: u32 = 29305;

/// The enterprise number that is reserved for examples (RFC 5612), in place of one of the exporter's own.
pub const EXAMPLE_ENTERPRISE: u32 = 32473;

/// The bit that the number of an own element has in addition where it is of the reverse direction (RFC 5103
/// §6.2).
pub const REVERSE: u16 = 0x4000;

/// An information element: what it is called, and how it is encoded.
#[derive(Debug)]
#[non_exhaustive]
pub struct Element {
    /// Its name, IANA's where it is IANA's.
    pub name: &'static str,
    /// Its number, without enterprise bit.
    pub number: u16,
    /// Who gave it the number.
    pub owner: Owner,
    /// What it means, in a sentence.
    pub doc: &'static str,
    pub(crate) only: Only,
    pub(crate) get: Get,
}

/// Who gives elements their numbers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Owner {
    /// IANA's registry "IPFIX Information Elements" (RFC 7012).
    Iana,
    /// The enterprise that [`ExporterConfig::enterprise`](crate::ExporterConfig::enterprise) names.
    Own,
}

/// Which records have an element.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Only {
    All,
    V4,
    V6,
    /// Of protocols with ports.
    Ports,
    IcmpV4,
    IcmpV6,
}

/// How an element is taken from a record, and its length.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Get {
    U8(fn(&FlowRecord) -> u8),
    U16(fn(&FlowRecord) -> u16),
    U32(fn(&FlowRecord) -> u32),
    U64(fn(&FlowRecord) -> u64),
    Addr4(fn(&FlowRecord) -> IpAddr),
    Addr6(fn(&FlowRecord) -> IpAddr),
    Bool(fn(&FlowRecord) -> bool),
    Millis(fn(&FlowRecord) -> Timestamp),
    /// Of variable length (RFC 7011 §7), at most so many bytes.
    Text(u8, fn(&FlowRecord, &mut Text)),
    /// One of each direction.
    Side16(fn(&FlowRecordSide) -> u16),
    Side32(fn(&FlowRecordSide) -> u32),
    Side64(fn(&FlowRecordSide) -> u64),
}

/// The text of one value.
#[derive(Debug, Default)]
pub(crate) struct Text(String);

impl Text {
    /// At most as many bytes, cut between characters.
    fn cut(&self, most: u8) -> &[u8] {
        &self.0.as_bytes()[..self.0.floor_char_boundary(most.into())]
    }

    fn put(&mut self, text: &str) {
        self.0.push_str(text);
    }

    fn show(&mut self, what: impl std::fmt::Display) {
        write!(self.0, "{what}").expect("a string takes all");
    }
}

/// The most bytes of names of protocols, of names of enumerations, and of eight tunnels. Less than 255, which would
/// take a length of three bytes (RFC 7011 §7).
const NAME: u8 = 48;
const WORD: u8 = 32;
const PATH: u8 = 176;

/// The elements of flow records, in the order of the templates. Those that count one direction are in a
/// template twice, the second time of the responder.
#[rustfmt::skip]
pub static ELEMENTS: &[Element] = &[
    iana(148, "flowId", Get::U64(|x| x.header.flow_id), "Id of the flow: the number of its first packet in the input."),
    iana(8, "sourceIPv4Address", Get::Addr4(|x| x.header.endpoints().0.addr), "Address of the initiator.").only(Only::V4),
    iana(12, "destinationIPv4Address", Get::Addr4(|x| x.header.endpoints().1.addr), "Address of the responder.").only(Only::V4),
    iana(27, "sourceIPv6Address", Get::Addr6(|x| x.header.endpoints().0.addr), "Address of the initiator.").only(Only::V6),
    iana(28, "destinationIPv6Address", Get::Addr6(|x| x.header.endpoints().1.addr), "Address of the responder.").only(Only::V6),
    iana(7, "sourceTransportPort", Get::U16(|x| x.header.endpoints().0.port.unwrap_or(0)), "Port of the initiator.").only(Only::Ports),
    iana(11, "destinationTransportPort", Get::U16(|x| x.header.endpoints().1.port.unwrap_or(0)), "Port of the responder.").only(Only::Ports),
    iana(32, "icmpTypeCodeIPv4", Get::U16(icmp), "Type and code of the first message of an ICMP flow.").only(Only::IcmpV4),
    iana(139, "icmpTypeCodeIPv6", Get::U16(icmp), "Type and code of the first message of an ICMPv6 flow.").only(Only::IcmpV6),
    iana(4, "protocolIdentifier", Get::U8(|x| x.header.key.proto().number()), "Protocol over IP."),
    iana(152, "flowStartMilliseconds", Get::Millis(|x| x.start), "When the first packet was captured."),
    iana(153, "flowEndMilliseconds", Get::Millis(|x| x.end), "When the last packet was captured."),
    iana(136, "flowEndReason", Get::U8(end_reason), "1: idle timeout, 2: active timeout, the flow goes on, 3: closed, reset, or its ports used again, 4: the capture ended, 5: evicted."),
    iana(239, "biflowDirection", Get::U8(|_| 1), "Always 1: the source is the initiator (RFC 5103 §6.3)."),
    iana(58, "vlanId", Get::U16(|x| vlan(x, 0)), "The same as `dot1qVlanId`, for collectors that read this one."),
    iana(243, "dot1qVlanId", Get::U16(|x| vlan(x, 0)), "Outermost VLAN id, 0 without one."),
    iana(245, "dot1qCustomerVlanId", Get::U16(|x| vlan(x, 1)), "Second VLAN id, 0 without one."),
    iana(351, "layer2SegmentId", Get::U64(layer_2_segment), "Type of the overlay in the first byte, 1 for VXLAN and 2 for NVGRE, and its network id; 0 without one."),
    iana(96, "applicationName", Get::Text(NAME, |x, text| text.put(x.app_proto.unwrap_or(""))), "Protocol that the flow speaks, as `app_proto` in FORMATS.md; `-` if it was not recognised."),
    iana(1, "octetDeltaCount", Get::Side64(|side| side.counters.ip_bytes), "Bytes of the innermost IP packets."),
    iana(2, "packetDeltaCount", Get::Side64(|side| side.counters.packets), "Packets."),
    iana(352, "layer2OctetDeltaCount", Get::Side64(|side| side.counters.wire_bytes), "Bytes of whole frames on the wire."),
    iana(401, "transportOctetDeltaCount", Get::Side64(|side| side.counters.payload_bytes), "Bytes of payload of the transport protocol."),
    iana(6, "tcpControlBits", Get::Side16(|side| side.tcp_flags.0.into()), "TCP flags, 0 of other protocols.").only(Only::Ports),
    own(1, "communityId", Get::Text(WORD, |x, text| text.show(x.header.community_id())), "Community ID of the flow, version 1."),
    own(2, "connState", Get::Text(WORD, |x, text| text.put(x.conn_state.as_str())), "Zeek's summary of the connection."),
    own(3, "history", Get::Text(WORD, |x, text| text.put(x.history.as_str())), "What happened, in Zeek's letters, upper case for the initiator."),
    own(4, "endReason", Get::Text(WORD, |x, text| text.put(x.reason())), "`end_reason` of FORMATS.md, which is finer than `flowEndReason`."),
    own(5, "initiatorEvidence", Get::Text(WORD, |x, text| text.put(initiator_evidence(x.evidence))), "Why this side is called the initiator: syn, syn_ack, listening_port or first_packet."),
    own(6, "midStream", Get::Bool(|x| x.mid_stream), "Whether the flow began before the capture: 1 if so, 2 if not (RFC 7011 §6.1.5)."),
    own(7, "interim", Get::U32(|x| match x.kind { FlowRecordKind::Interim(number) => number, _ => 0 }), "Number of the record of a flow that goes on, from 1; 0 in its last record."),
    own(8, "synRttNanoseconds", Get::U64(|x| nanos(x.syn_rtt)), "Time from SYN to SYN+ACK, 0 if unknown."),
    own(9, "ackRttNanoseconds", Get::U64(|x| nanos(x.ack_rtt)), "Time from SYN+ACK to ACK, 0 if unknown."),
    own(10, "applicationNameBefore", Get::Text(NAME, |x, text| text.put(x.header.within.unwrap_or(""))), "Protocol that the flow spoke first, where `applicationName` began within it: `smtp` for TLS behind STARTTLS."),
    own(11, "tunnels", Get::Text(PATH, tunnels), "Tags and tunnels around the flow but VLANs, outermost first, with spaces between them: kind and id."),
    own(32, "retransmittedSegments", Get::Side32(|side| side.retransmits), "Segments sent again, since the start of the flow."),
    own(33, "outOfOrderSegments", Get::Side32(|side| side.out_of_order), "Segments that came behind later ones, since the start of the flow."),
    own(34, "duplicateAcks", Get::Side32(|side| side.duplicate_acks), "Acknowledgements without news, since the start of the flow."),
    own(35, "zeroWindows", Get::Side32(|side| side.zero_windows), "Segments that closed the receive window, since the start of the flow."),
    own(36, "gapOctets", Get::Side64(|side| side.gap_bytes), "Bytes that were acknowledged but not captured, since the start of the flow."),
];

const fn iana(number: u16, name: &'static str, get: Get, doc: &'static str) -> Element {
    Element { name, number, owner: Owner::Iana, doc, only: Only::All, get }
}

const fn own(number: u16, name: &'static str, get: Get, doc: &'static str) -> Element {
    Element { name, number, owner: Owner::Own, doc, only: Only::All, get }
}

impl Element {
    const fn only(mut self, only: Only) -> Self {
        self.only = only;
        self
    }

    /// Its abstract data type (RFC 7012 §3.1).
    #[must_use]
    pub fn data_type(&self) -> &'static str {
        match self.get {
            Get::U8(_) => "unsigned8",
            Get::Bool(_) => "boolean",
            Get::U16(_) | Get::Side16(_) => "unsigned16",
            Get::U32(_) | Get::Side32(_) => "unsigned32",
            Get::Millis(_) => "dateTimeMilliseconds",
            Get::U64(_) | Get::Side64(_) => "unsigned64",
            Get::Addr4(_) => "ipv4Address",
            Get::Addr6(_) => "ipv6Address",
            Get::Text(..) => "string",
        }
    }

    /// Whether there is one of each direction.
    #[must_use]
    pub fn has_reverse(&self) -> bool {
        matches!(self.get, Get::Side16(_) | Get::Side32(_) | Get::Side64(_))
    }

    /// Its length in a template, [`VARIABLE`] if every record has its own.
    pub(crate) fn len(&self) -> u16 {
        match self.get {
            Get::U8(_) | Get::Bool(_) => 1,
            Get::U16(_) | Get::Side16(_) => 2,
            Get::U32(_) | Get::Side32(_) | Get::Addr4(_) => 4,
            Get::U64(_) | Get::Side64(_) | Get::Millis(_) => 8,
            Get::Addr6(_) => 16,
            Get::Text(..) => VARIABLE,
        }
    }

    /// Appends the value. `side` is that of elements that count one direction.
    pub(crate) fn write(&self, record: &FlowRecord, side: &FlowRecordSide, out: &mut Vec<u8>) {
        match self.get {
            Get::U8(get) => out.push(get(record)),
            // RFC 7011 §6.1.5: true is 1, false is 2.
            Get::Bool(get) => out.push(if get(record) { 1 } else { 2 }),
            Get::Millis(get) => {
                out.extend((get(record).as_nanos() / 1_000_000).to_be_bytes());
            }
            Get::U16(get) => out.extend(get(record).to_be_bytes()),
            Get::U32(get) => out.extend(get(record).to_be_bytes()),
            Get::U64(get) => out.extend(get(record).to_be_bytes()),
            Get::Side16(get) => out.extend(get(side).to_be_bytes()),
            Get::Side32(get) => out.extend(get(side).to_be_bytes()),
            Get::Side64(get) => out.extend(get(side).to_be_bytes()),
            Get::Addr4(get) => match get(record) {
                IpAddr::V4(addr) => out.extend(addr.octets()),
                IpAddr::V6(_) => out.extend([0; 4]),
            },
            Get::Addr6(get) => match get(record) {
                IpAddr::V4(addr) => out.extend(addr.to_ipv6_mapped().octets()),
                IpAddr::V6(addr) => out.extend(addr.octets()),
            },
            Get::Text(most, get) => {
                let mut text = Text::default();
                get(record, &mut text);
                // Some collectors drop a record with text of no length.
                let bytes = if text.0.is_empty() { ABSENT } else { text.cut(most) };
                out.push(bytes.len() as u8);
                out.extend(bytes);
            }
        }
    }
}

/// Text that is absent, as Zeek writes it.
const ABSENT: &[u8] = b"-";

/// The length of fields whose length is in the record (RFC 7011 §7).
pub(crate) const VARIABLE: u16 = u16::MAX;

fn nanos(span: Option<std::time::Duration>) -> u64 {
    span.map_or(0, |span| u64::try_from(span.as_nanos()).unwrap_or(u64::MAX))
}

fn icmp(record: &FlowRecord) -> u16 {
    record.header.icmp.map_or(0, |(kind, code)| u16::from_be_bytes([kind, code]))
}

fn vlan(record: &FlowRecord, at: usize) -> u16 {
    record.header.vlans().nth(at).and_then(|id| u16::try_from(id).ok()).unwrap_or(0)
}

fn layer_2_segment(record: &FlowRecord) -> u64 {
    let segment = |(kind, id): (&str, u32)| match kind {
        "vxlan" => Some(1 << 56 | u64::from(id)),
        "nvgre" => Some(2 << 56 | u64::from(id)),
        _ => None,
    };
    record.header.tunnels().find_map(segment).unwrap_or(0)
}

fn tunnels(record: &FlowRecord, text: &mut Text) {
    for (at, (kind, id)) in record.header.tunnels().enumerate() {
        text.show(format_args!("{}{kind}:{id}", if at > 0 { " " } else { "" }));
    }
}

/// RFC 5102 §5.11.3, in IANA's registry.
fn end_reason(record: &FlowRecord) -> u8 {
    match record.kind {
        FlowRecordKind::Interim(_) => 2,
        FlowRecordKind::Ended(reason) | FlowRecordKind::Late(reason) => match reason {
            EndReason::IdleTimeout => 1,
            EndReason::Fin | EndReason::Rst | EndReason::Superseded => 3,
            EndReason::Evicted => 5,
            _ => 4,
        },
    }
}
