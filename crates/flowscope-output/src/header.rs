//! What every record says of its flow.

use std::net::IpAddr;

use flowscope_core::{FlowSide, Layer, Orientation, Path, PathLayer, Timestamp};
use flowscope_extract::{CommunityId, Endpoint, FiveTupleKey};
use flowscope_record::{Column, Kind, Record, Schema, Short, Value, Visitor};
use flowscope_track::{Flow, FlowRef};

use crate::json::{Json, Object};
use crate::names;
use crate::piece::Piece;

/// The flow that a record belongs to: what all formats write before the record's own columns.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RecordHeader {
    /// EVE's `timestamp`, in packet time: when the record was made, or, of a record of a protocol, when what it
    /// describes began.
    pub ts: Timestamp,
    /// The flow's id: the number of its first packet in the input.
    pub flow_id: u64,
    /// The flow's key.
    pub key: FiveTupleKey,
    /// Which orientation of the key the initiator's packets have.
    pub orientation: Orientation,
    /// Number of the packet, in the input from 1, at which the record was made. `None` in records of the flow
    /// itself, and where it is not known.
    pub packet: Option<u64>,
    /// Seed of the Community ID; 0 is that of all tools by default.
    pub community_id_seed: u16,
    /// Type and code of the first message of an ICMP flow, in records of the flow itself.
    pub icmp: Option<(u8, u8)>,
    /// Whether copies of the same bytes differed: what was read is one of several readings.
    pub ambiguous: bool,
    /// The protocol of the connection within which the record's began: `smtp` for TLS behind STARTTLS.
    pub within: Option<&'static str>,
    /// Tags and tunnels around the flow, if there are any.
    pub path: Option<Box<Path>>,
}

/// Appends a member. A name that is a literal is copied by a few moves.
macro_rules! put {
    ($out:expr, $name:literal, $value:expr) => {{
        $out.extend_from_slice(concat!(",\"", $name, "\":").as_bytes());
        Json::write($value, $out);
    }};
}

impl RecordHeader {
    /// Creates the header of a record of this flow, made at this time.
    #[must_use]
    pub fn new(ts: Timestamp, flow_id: u64, key: FiveTupleKey, orientation: Orientation) -> Self {
        RecordHeader {
            ts,
            flow_id,
            key,
            orientation,
            packet: None,
            community_id_seed: 0,
            icmp: None,
            ambiguous: false,
            within: None,
            path: None,
        }
    }

    /// The header of a record that follows from an event. Events do not have tags and tunnels.
    #[must_use]
    pub fn of_event(flow: &FlowRef<FiveTupleKey>) -> Self {
        RecordHeader::new(flow.ts, flow.id.0, flow.key, flow.orientation).at_packet(flow.packet)
    }

    /// The header of a record that follows from a call of a sink.
    #[must_use]
    pub fn of_flow<S>(flow: &Flow<'_, FiveTupleKey, S>) -> Self {
        let path = flow.stats().path;
        let header = RecordHeader::new(flow.ts, flow.id.0, *flow.key, flow.orientation());
        header.at_packet(flow.packet).path(path)
    }

    /// Of a record that was made at this packet of the input, from 1.
    #[must_use]
    pub fn at_packet(mut self, packet: u64) -> Self {
        self.packet = Some(packet);
        self
    }

    /// With Community IDs of this seed: tools must use the same one to get equal values.
    #[must_use]
    pub fn community_id_seed(mut self, seed: u16) -> Self {
        self.community_id_seed = seed;
        self
    }

    /// Sets tags and tunnels.
    #[must_use]
    pub fn path(mut self, path: Path) -> Self {
        self.path = (!path.is_empty()).then(|| Box::new(path));
        self
    }

    /// The Community ID of the flow, with the seed of this header.
    #[must_use]
    pub fn community_id(&self) -> CommunityId {
        self.key.community_id(self.community_id_seed)
    }

    /// Version of the Internet Protocol, by the addresses: 4 or 6.
    #[must_use]
    pub fn ip_version(&self) -> u8 {
        if self.endpoints().0.addr.is_ipv4() { 4 } else { 6 }
    }

    /// Initiator and responder.
    #[must_use]
    pub fn endpoints(&self) -> (Endpoint, Endpoint) {
        self.key.endpoints(self.orientation)
    }

    /// VLAN ids, outermost first.
    pub fn vlans(&self) -> impl Iterator<Item = u32> + Clone {
        self.layers().filter(|layer| layer.layer == Layer::Vlan).map(|layer| layer.id)
    }

    /// Kind and id of what else lies around the flow, outermost first.
    pub fn tunnels(&self) -> impl Iterator<Item = (&'static str, u32)> + Clone {
        self.layers()
            .filter(|layer| layer.layer != Layer::Vlan)
            .map(|layer| (layer.layer.as_str(), layer.id))
    }

    fn layers(&self) -> impl Iterator<Item = PathLayer> + Clone {
        let path = self.path.as_deref().copied().unwrap_or(Path::EMPTY);
        (0..path.len()).filter_map(move |at| path.get(at))
    }

    /// Appends the members of EVE that [`HEADER`] has, and the member `event_type` behind the second. The source
    /// is the side that sent the record.
    pub(crate) fn eve(
        &self,
        event_type: &Piece,
        sender: FlowSide,
        community_id: &[u8; 30],
        out: &mut Vec<u8>,
    ) {
        put!(out, "timestamp", self.ts);
        put!(out, "flow_id", self.flow_id);
        event_type.write(out);
        if let Some(packet) = self.packet {
            put!(out, "pcap_cnt", packet);
        }
        let (initiator, responder) = self.endpoints();
        self.write_ends(initiator, responder, sender, out);
        out.extend_from_slice(match initiator.addr {
            IpAddr::V4(_) => b",\"ip_v\":4",
            IpAddr::V6(_) => b",\"ip_v\":6",
        });
        out.extend_from_slice(b",\"community_id\":\"");
        out.extend_from_slice(community_id);
        out.push(b'"');
        if self.path.is_some() {
            Object::within(out).list("vlan", self.vlans(), Json::write);
        }
        if let Some((kind, code)) = self.icmp {
            put!(out, "icmp_type", kind);
            put!(out, "icmp_code", code);
        }
    }

    /// Adds initiator, responder and protocol to a JSON object, under EVE's names.
    pub fn ends(&self, line: &mut Object<'_>) {
        let (initiator, responder) = self.endpoints();
        self.write_ends(initiator, responder, FlowSide::Initiator, line.members());
    }

    fn write_ends(
        &self,
        initiator: Endpoint,
        responder: Endpoint,
        sender: FlowSide,
        out: &mut Vec<u8>,
    ) {
        let (src, dest) = match sender {
            FlowSide::Initiator => (initiator, responder),
            FlowSide::Responder => (responder, initiator),
        };
        put!(out, "src_ip", src.addr);
        if let Some(port) = src.port {
            put!(out, "src_port", port);
        }
        put!(out, "dest_ip", dest.addr);
        if let Some(port) = dest.port {
            put!(out, "dest_port", port);
        }
        put!(out, "proto", &names::proto(self.key.proto()));
    }

    /// `vxlan:7`, for formats without objects.
    pub(crate) fn tunnel_texts(&self) -> Value<'static> {
        Value::list(self.tunnels().map(|(kind, id)| Value::short(format_args!("{kind}:{id}"))))
    }

    pub(crate) fn tunnel_objects(&self) -> Value<'static> {
        Value::list(
            self.tunnels()
                .map(|(kind, id)| Value::Object(vec![("type", kind.into()), ("id", id.into())])),
        )
    }
}

type C = Column<RecordHeader>;

/// The columns that stand before those of a record. EVE has its `event_type` behind the second.
pub static HEADER: &[Column<RecordHeader>] = &[
    C::new(
        "timestamp",
        Kind::Time,
        |x| x.ts.into(),
        "In packet time, UTC: when the record was made; of records of protocols, when what they describe began.",
    )
    .eve("timestamp"),
    C::new(
        "flow_id",
        Kind::U64,
        |x| x.flow_id.into(),
        "Id of the flow: the number of its first packet in the input, from 1.",
    )
    .eve("flow_id"),
    C::new(
        "pcap_cnt",
        Kind::U64,
        |x| Value::some(x.packet),
        "Number of the packet, in the input from 1, at which the record was made; not in records of the flow itself.",
    )
    .eve("pcap_cnt"),
    C::new("src_ip", Kind::Addr, |x| x.endpoints().0.addr.into(), "Address of the initiator; in EVE that of the sender, where a record is one side's.")
        .eve("src_ip"),
    C::new(
        "src_port",
        Kind::U64,
        |x| Value::some(x.endpoints().0.port),
        "Port of the initiator, where the protocol has ports.",
    )
    .eve("src_port"),
    C::new("dest_ip", Kind::Addr, |x| x.endpoints().1.addr.into(), "Address of the responder.")
        .eve("dest_ip"),
    C::new(
        "dest_port",
        Kind::U64,
        |x| Value::some(x.endpoints().1.port),
        "Port of the responder, where the protocol has ports.",
    )
    .eve("dest_port"),
    C::new(
        "proto",
        Kind::Text,
        |x| names::proto(x.key.proto()),
        "Protocol over IP: TCP, UDP, ICMP, IPv6-ICMP, SCTP, or its number.",
    )
    .eve("proto"),
    C::new("ip_v", Kind::U64, |x| x.ip_version().into(), "Version of IP: 4 or 6.").eve("ip_v"),
    C::new(
        "community_id",
        Kind::Text,
        |x| {
            let text = x.community_id().to_text();
            Value::Short(Short::copy_of(str::from_utf8(&text).unwrap_or_default()))
        },
        "Community ID of the flow, version 1.",
    )
    .eve("community_id"),
    C::new(
        "vlan",
        Kind::List(&Kind::U64),
        |x| Value::list(x.vlans()),
        "VLAN ids, outermost first.",
    )
    .eve("vlan"),
    C::new(
        "icmp_type",
        Kind::U64,
        |x| Value::some(x.icmp.map(|(kind, _)| kind)),
        "Type of an ICMP flow's first message (RFC 792, RFC 4443).",
    )
    .eve("icmp_type"),
    C::new(
        "icmp_code",
        Kind::U64,
        |x| Value::some(x.icmp.map(|(_, code)| code)),
        "Code of an ICMP flow's first message (RFC 792, RFC 4443).",
    )
    .eve("icmp_code"),
];

/// The columns that stand behind those of a record, unless it has them itself.
pub static TRAILER: &[Column<RecordHeader>] = &[
    C::new(
        "within",
        Kind::Text,
        |x| Value::some(x.within),
        "Protocol of the connection within which the record's began: `smtp` for TLS behind STARTTLS.",
    )
    .eve("flowscope.within"),
    C::new(
        "ambiguous",
        Kind::Bool,
        |x| Value::flag(x.ambiguous),
        "Whether copies of the same bytes differed: what was read is one of several readings.",
    )
    .eve("flowscope.ambiguous"),
    C::new(
        "tunnel",
        Kind::List(&Kind::Text),
        RecordHeader::tunnel_texts,
        "Tags and tunnels around the flow but VLANs, outermost first: kind and id. EVE has objects: type, id.",
    )
    .eve_as("flowscope.tunnel", RecordHeader::tunnel_objects),
];

impl RecordHeader {
    /// With the time at which what this record describes began, for EVE's `timestamp`.
    #[must_use]
    pub fn began(mut self, record: &impl Record) -> Self {
        self.ts = record.visit(Began);
        self
    }
}

struct Began;

impl Visitor for Began {
    type Output = Timestamp;

    fn record<R: Send + 'static>(self, schema: &'static Schema<R>, record: &R) -> Timestamp {
        (schema.time)(record)
    }
}

#[cfg(test)]
mod tests {
    use flowscope_core::L4Proto;

    use super::*;
    use crate::json;

    #[test]
    fn eve_has_what_the_columns_say() {
        let mut path = Path::EMPTY;
        path.push(PathLayer { layer: Layer::Vlan, id: 7 }).unwrap();
        let (src, dest) = ("10.0.0.1:5".parse().unwrap(), "10.0.0.2:53".parse().unwrap());
        let (key, orientation) = FiveTupleKey::new(L4Proto::Udp, src, dest).unwrap();
        let mut header = RecordHeader::new(Timestamp::from_secs(1), 3, key, orientation).path(path);
        header.icmp = Some((8, 0));
        header.packet = Some(12);
        let mut own = Vec::new();
        let event_type = Piece::new(",\"event_type\":\"x\"");
        header.eve(&event_type, FlowSide::Initiator, &key.community_id(0).to_text(), &mut own);
        let mut columns = Vec::new();
        for (at, column) in HEADER.iter().enumerate() {
            if at == 2 {
                columns.extend_from_slice(b",\"event_type\":\"x\"");
            }
            let name = Piece::new(&format!(",\"{}\":", column.eve.as_ref().unwrap().path));
            json::member(&name, (column.get)(&header), false, &mut columns);
        }
        assert_eq!(String::from_utf8(own).unwrap(), String::from_utf8(columns).unwrap());
    }

    #[test]
    fn the_source_of_a_line_of_eve_is_the_sender() {
        let (src, dest) = ("10.0.0.1:5".parse().unwrap(), "10.0.0.2:53".parse().unwrap());
        let (key, orientation) = FiveTupleKey::new(L4Proto::Udp, src, dest).unwrap();
        let header = RecordHeader::new(Timestamp::from_secs(1), 3, key, orientation);
        let ends = |sender| {
            let mut out = Vec::new();
            header.eve(
                &Piece::new(",\"event_type\":\"x\""),
                sender,
                &key.community_id(0).to_text(),
                &mut out,
            );
            let text = String::from_utf8(out).unwrap();
            let (_, ends) = text.split_once(",\"src_ip\":").unwrap();
            ends.split_once(",\"proto\"").unwrap().0.to_owned()
        };
        assert_eq!(
            ends(FlowSide::Initiator),
            r#""10.0.0.1","src_port":5,"dest_ip":"10.0.0.2","dest_port":53"#
        );
        assert_eq!(
            ends(FlowSide::Responder),
            r#""10.0.0.2","src_port":53,"dest_ip":"10.0.0.1","dest_port":5"#
        );
    }
}
