//! Flow records that were written as JSON, read again.

use std::collections::HashMap;
use std::fmt;
use std::net::SocketAddr;

use flowscope_core::{FlowSide, L4Proto, Layer, Path, PathLayer, TcpFlags};
use flowscope_extract::FiveTupleKey;
use flowscope_record::Value;
use flowscope_track::{
    ConnState, Counters, EndReason, FlowState, History, InitiatorEvidence, Macs, TcpState,
};

use crate::names::{self, FAILED};
use crate::{FLOW, FlowRecord, FlowRecordKind, FlowRecordSide, HEADER, RecordHeader};

mod values;

#[cfg(test)]
mod tests;

use values::Fields;

/// Reads flow records that [`EveFormat`](crate::EveFormat) and [`JsonFormat`](crate::JsonFormat) wrote, a line at a time, and
/// rows of column stores.
///
/// EVE has all of a record but bytes of IP, the end of a connection as Zeek has it, and bytes that the capture cut off: these
/// are zero, or the time of the last packet. Column stores have as much. Flat JSON has the columns of CSV alone: of TCP, flags are not
/// known, nor more of the state than whether it was new, established or closed.
pub struct FlowReader {
    /// Where EVE has a column.
    paths: HashMap<&'static str, &'static str>,
    names: AppNames,
    community_id_seed: u16,
}

/// The name of a protocol over this transport, and what Zeek calls it, if it is known.
pub type AppNames = fn(&str, L4Proto) -> Option<(&'static str, &'static str)>;

/// Format of a record.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum FlowLayout {
    /// Of [`JsonFormat`](crate::JsonFormat), with all columns.
    Json,
    /// Of [`EveFormat`](crate::EveFormat).
    Eve,
    /// A row of a column store, with the columns that CSV or EVE has.
    Columns,
}

/// Why a line or a row is no flow record. Fields have the names of its format.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum FlowLineError {
    /// It ends within an object.
    Cut,
    /// It is no JSON object.
    NotJson,
    /// It has no such field.
    Missing(&'static str),
    /// The field has another type, or no value that it can have.
    Invalid(&'static str),
    /// The field has the name of a protocol that is not known.
    UnknownProtocol(&'static str),
    /// The Community ID is not that of the addresses and ports with this seed.
    OtherSeed,
}

impl FlowReader {
    /// Creates a reader that knows these protocols. Community IDs have this seed.
    #[must_use]
    pub fn new(names: AppNames, community_id_seed: u16) -> Self {
        let header =
            HEADER.iter().map(|column| (column.name, column.eve.as_ref().map(|eve| eve.path)));
        let own = FLOW
            .columns
            .iter()
            .map(|column| (column.name, column.eve.as_ref().map(|eve| eve.path)));
        let paths = header.chain(own).filter_map(|(name, path)| Some((name, path?))).collect();
        FlowReader { paths, names, community_id_seed }
    }

    /// Reads a line, with or without its end. `None` if it is not of a flow: a record of a protocol, or the statistics of EVE.
    ///
    /// # Errors
    ///
    /// What is wrong with it first.
    pub fn read(&self, line: &[u8]) -> Result<Option<(FlowLayout, FlowRecord)>, FlowLineError> {
        let value: serde_json::Value = serde_json::from_slice(line).map_err(|error| {
            if error.is_eof() { FlowLineError::Cut } else { FlowLineError::NotJson }
        })?;
        let object = value.as_object().ok_or(FlowLineError::NotJson)?;
        let layout = match object.get("event_type") {
            Some(event) if event == FLOW.eve_event => FlowLayout::Eve,
            Some(_) => return Ok(None),
            // Records of protocols have it, those of flows do not.
            None if object.contains_key("timestamp") => return Ok(None),
            None => FlowLayout::Json,
        };
        Ok(Some((layout, self.record(&Fields { object, layout, paths: &self.paths })?)))
    }

    /// Reads a row of a column store: values by the names of their columns. Columns that are not there are as those that are
    /// null; those that are not known are passed over.
    ///
    /// Addresses, ports, times, packets, bytes and how the flow ended have to be there.
    ///
    /// # Errors
    ///
    /// What is wrong with it first.
    pub fn read_row<'a>(
        &self,
        row: impl IntoIterator<Item = (&'a str, Value<'a>)>,
    ) -> Result<FlowRecord, FlowLineError> {
        let object = values::object(row);
        let layout = FlowLayout::Columns;
        self.record(&Fields { object: &object, layout, paths: &self.paths })
    }

    fn record(&self, fields: &Fields<'_>) -> Result<FlowRecord, FlowLineError> {
        let header = self.header(fields)?;
        let proto = header.key.proto();
        let (start, end) = (fields.time("start")?, fields.time("end")?);
        if end < start {
            return Err(fields.invalid("end"));
        }
        let kind = kind(fields)?;
        let tcp_state = if proto == L4Proto::Tcp { Some(tcp_state(fields)?) } else { None };
        let sides = [FlowSide::Initiator, FlowSide::Responder];
        let sides = match sides.map(|from| side(fields, from, proto)) {
            [Ok(initiator), Ok(responder)] => [initiator, responder],
            [Err(error), _] | [_, Err(error)] => return Err(error),
        };
        let sent = |side: &FlowRecordSide| side.counters.packets > 0;
        let (app_proto, service) = self.app(fields, "app_proto", proto)?.unzip();
        let app_side = |name| Ok(self.app(fields, name, proto)?.map(|(name, _)| name));
        let app_sides = [app_side("app_proto_to_server")?, app_side("app_proto_to_client")?];
        Ok(FlowRecord {
            start,
            end,
            closed: end,
            kind,
            evidence: fields.one_of("initiator_evidence", &EVIDENCE, names::initiator_evidence)?,
            state: state(kind, tcp_state),
            tcp_state,
            at_end: is_at_end(fields, kind)?,
            conn_state: fields.one_of("conn_state", &CONN_STATES, ConnState::as_str)?,
            two_way: sides.iter().all(sent) || fields.text("state")? == "established",
            mid_stream: fields.flag("mid_stream")?,
            syn_rtt: fields.span("syn_rtt")?,
            ack_rtt: fields.span("ack_rtt")?,
            app_proto,
            app_proto_sides: (app_sides != [None; 2]).then(|| Box::new(app_sides)),
            service: service.filter(|_| app_proto != Some(FAILED)),
            macs: macs(fields)?.map(Box::new),
            history: History::of_letters(fields.text_or_none("history")?.unwrap_or_default())
                .ok_or(fields.invalid("history"))?,
            sides,
            header,
        })
    }

    fn header(&self, fields: &Fields<'_>) -> Result<RecordHeader, FlowLineError> {
        let (src, dest) = (fields.addr("src_ip")?, fields.addr("dest_ip")?);
        let ports = (fields.number("src_port")?, fields.number("dest_port")?);
        let icmp = match (fields.number::<u8>("icmp_type")?, fields.number::<u8>("icmp_code")?) {
            (Some(kind), Some(code)) => Some((kind, code)),
            _ => None,
        };
        let key = match icmp {
            Some((kind, code)) => {
                let id = fields.number("icmp_id")?.unwrap_or_default();
                FiveTupleKey::of_icmp(src, dest, kind, code, id)
            }
            None => {
                let at = |addr, port: Option<u16>| SocketAddr::new(addr, port.unwrap_or_default());
                FiveTupleKey::new(proto(fields)?, at(src, ports.0), at(dest, ports.1))
            }
        };
        let (key, orientation) = key.ok_or(fields.invalid("dest_ip"))?;
        let ts = fields.time_or_none("timestamp")?;
        let ts = ts.map_or_else(|| fields.time("end"), Ok)?;
        let flow_id = fields.number("flow_id")?.unwrap_or_default();
        let mut header = RecordHeader::new(ts, flow_id, key, orientation).path(path(fields)?);
        header.icmp = icmp;
        header.ambiguous = fields.flag("ambiguous")?;
        header.within = self.app(fields, "app_proto_orig", key.proto())?.map(|(name, _)| name);
        header.community_id_seed = self.community_id_seed;
        match fields.text_or_none("community_id")? {
            Some(id) if id.as_bytes() != header.community_id().to_text() => {
                Err(FlowLineError::OtherSeed)
            }
            _ => Ok(header),
        }
    }

    /// The name of a protocol, and Zeek's.
    fn app(
        &self,
        fields: &Fields<'_>,
        field: &'static str,
        proto: L4Proto,
    ) -> Result<Option<(&'static str, &'static str)>, FlowLineError> {
        let Some(name) = fields.text_or_none(field)? else { return Ok(None) };
        if name == FAILED {
            return Ok(Some((FAILED, FAILED)));
        }
        let known = (self.names)(name, proto);
        known.map(Some).ok_or(FlowLineError::UnknownProtocol(fields.name(field)))
    }
}

impl fmt::Debug for FlowReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seed = &self.community_id_seed;
        f.debug_struct("FlowReader").field("community_id_seed", seed).finish_non_exhaustive()
    }
}

impl fmt::Display for FlowLineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FlowLineError::Cut => f.write_str("the line is cut"),
            FlowLineError::NotJson => f.write_str("no JSON object"),
            FlowLineError::Missing(field) => {
                write!(f, "no `{field}`, which flow records of flowscope have")
            }
            FlowLineError::Invalid(field) => write!(f, "`{field}` has no value of this field"),
            FlowLineError::UnknownProtocol(field) => {
                write!(f, "`{field}` is a protocol that this version does not know")
            }
            FlowLineError::OtherSeed => {
                f.write_str("the Community ID has another seed (--community-id-seed)")
            }
        }
    }
}

impl std::error::Error for FlowLineError {}

fn proto(fields: &Fields<'_>) -> Result<L4Proto, FlowLineError> {
    let text = fields.text("proto")?;
    let named = [L4Proto::Tcp, L4Proto::Udp, L4Proto::Icmp, L4Proto::Icmpv6, L4Proto::Sctp];
    let known = named.into_iter().find(|proto| names::proto(*proto) == text.into());
    let numbered = || text.parse().ok().map(L4Proto::from_number);
    known.or_else(numbered).ok_or(fields.invalid("proto"))
}

fn kind(fields: &Fields<'_>) -> Result<FlowRecordKind, FlowLineError> {
    if fields.text("end_reason")? == "active_timeout" {
        return Ok(FlowRecordKind::Interim(fields.number("interim")?.unwrap_or(1)));
    }
    let reason = fields.one_of("end_reason", &END_REASONS, names::end_reason)?;
    let is_late = fields.flag("late")?;
    Ok(if is_late { FlowRecordKind::Late(reason) } else { FlowRecordKind::Ended(reason) })
}

/// Whether the entry was in the table when the input ended. Of flat JSON that is not known of connections that had ended.
fn is_at_end(fields: &Fields<'_>, kind: FlowRecordKind) -> Result<bool, FlowLineError> {
    let open = [EndReason::EndOfInput, EndReason::Shutdown];
    let is_open = matches!(kind, FlowRecordKind::Ended(reason) if open.contains(&reason));
    Ok(is_open || fields.text_or_none("reason")? == Some("shutdown"))
}

/// The state of a TCP connection; one of those with the same `state` where that is all there is.
fn tcp_state(fields: &Fields<'_>) -> Result<TcpState, FlowLineError> {
    if fields.has("tcp_state") {
        return fields.one_of("tcp_state", &TCP_STATES, TcpState::as_str);
    }
    Ok(match fields.text("state")? {
        "new" => TcpState::SynSent,
        "established" => TcpState::Established,
        "closed" => TcpState::Closed,
        _ => return Err(fields.invalid("state")),
    })
}

/// The state of the flow, as far as that of TCP and its end say.
fn state(kind: FlowRecordKind, tcp: Option<TcpState>) -> FlowState {
    match (tcp, kind) {
        (None, _) => FlowState::Active,
        (Some(_), FlowRecordKind::Ended(EndReason::Rst)) => FlowState::Reset,
        (Some(TcpState::None | TcpState::SynReceived), _) => FlowState::SynReceived,
        (Some(TcpState::SynSent), _) => FlowState::SynSent,
        (Some(TcpState::Established), _) => FlowState::Established,
        (Some(TcpState::FinWait1 | TcpState::FinWait2 | TcpState::CloseWait), _) => {
            FlowState::FinWait
        }
        (Some(TcpState::Closed), _) => FlowState::Closed,
        (Some(_), _) => FlowState::ClosingTcp,
    }
}

fn side(
    fields: &Fields<'_>,
    from: FlowSide,
    proto: L4Proto,
) -> Result<FlowRecordSide, FlowLineError> {
    let name = |names: [&'static str; 2]| names[from.index()];
    let count = |names| fields.count(name(names));
    let more = |names| Ok(fields.number::<u64>(name(names))?.unwrap_or_default());
    // Columns that flat JSON does not have.
    let kept = |names| if fields.has(name(names)) { count(names) } else { more(names) };
    // Columns that a store of another version may not have.
    let known =
        |names| if fields.layout == FlowLayout::Columns { more(names) } else { count(names) };
    let short = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
    let payload_bytes = known(["payload_bytes_to_server", "payload_bytes_to_client"])?;
    let counters = Counters {
        packets: count(["packets_to_server", "packets_to_client"])?,
        wire_bytes: count(["bytes_to_server", "bytes_to_client"])?,
        payload_bytes,
        ..Counters::default()
    };
    let shunted = Counters {
        packets: more(["shunted_packets_to_server", "shunted_packets_to_client"])?,
        wire_bytes: more(["shunted_bytes_to_server", "shunted_bytes_to_client"])?,
        ..Counters::default()
    };
    let flags = name(["tcp_flags_to_server", "tcp_flags_to_client"]);
    let tcp_flags = match fields.text_or_none(flags)? {
        Some(text) => u8::from_str_radix(text, 16).map_err(|_| fields.invalid(flags))?,
        None if fields.has(flags) && proto == L4Proto::Tcp => {
            return Err(fields.missing(flags));
        }
        None => 0,
    };
    Ok(FlowRecordSide {
        counters,
        tcp_flags: TcpFlags(tcp_flags),
        retransmits: short(known(["retransmits_to_server", "retransmits_to_client"])?),
        out_of_order: short(kept(["out_of_order_to_server", "out_of_order_to_client"])?),
        duplicate_acks: short(kept(["duplicate_acks_to_server", "duplicate_acks_to_client"])?),
        zero_windows: short(kept(["zero_windows_to_server", "zero_windows_to_client"])?),
        gap_bytes: known(["gap_bytes_to_server", "gap_bytes_to_client"])?,
        stream_bytes: payload_bytes,
        shunted,
        ..FlowRecordSide::default()
    })
}

/// VLANs, and behind them the tunnels: their order among each other is not written.
fn path(fields: &Fields<'_>) -> Result<Path, FlowLineError> {
    let mut path = Path::EMPTY;
    for id in fields.list("vlan")? {
        let id = id.as_u64().and_then(|id| u32::try_from(id).ok());
        let id = id.ok_or(fields.invalid("vlan"))?;
        path.push(PathLayer { layer: Layer::Vlan, id }).map_err(|_| fields.invalid("vlan"))?;
    }
    for tunnel in fields.list("tunnel")? {
        let pair = match tunnel.as_str() {
            Some(text) => {
                text.split_once(':').and_then(|(kind, id)| Some((kind, id.parse().ok()?)))
            }
            None => tunnel["type"].as_str().zip(tunnel["id"].as_u64()),
        };
        let layer = pair.and_then(|(kind, id)| {
            let layer = LAYERS.into_iter().find(|layer| layer.as_str() == kind)?;
            Some(PathLayer { layer, id: u32::try_from(id).ok()? })
        });
        let layer = layer.ok_or(fields.invalid("tunnel"))?;
        path.push(layer).map_err(|_| fields.invalid("tunnel"))?;
    }
    Ok(path)
}

fn macs(fields: &Fields<'_>) -> Result<Option<Macs>, FlowLineError> {
    let Some(ether) = fields.get("ether") else { return Ok(None) };
    let invalid = || fields.invalid("ether");
    let mut macs = Macs::default();
    for (name, side) in [("src_macs", FlowSide::Initiator), ("dest_macs", FlowSide::Responder)] {
        let Some(list) = ether.get(name) else { continue };
        for text in list.as_array().ok_or_else(invalid)? {
            macs.insert(side, text.as_str().and_then(values::mac).ok_or_else(invalid)?);
        }
    }
    Ok(Some(macs))
}

const EVIDENCE: [InitiatorEvidence; 4] = [
    InitiatorEvidence::Syn,
    InitiatorEvidence::SynAck,
    InitiatorEvidence::ListeningPort,
    InitiatorEvidence::FirstPacket,
];

const END_REASONS: [EndReason; 8] = [
    EndReason::Fin,
    EndReason::Rst,
    EndReason::IdleTimeout,
    EndReason::Evicted,
    EndReason::Superseded,
    EndReason::EndOfInput,
    EndReason::Shutdown,
    EndReason::Forced,
];

const CONN_STATES: [ConnState; 13] = [
    ConnState::S0,
    ConnState::S1,
    ConnState::Sf,
    ConnState::Rej,
    ConnState::S2,
    ConnState::S3,
    ConnState::Rsto,
    ConnState::Rstr,
    ConnState::Rstos0,
    ConnState::Rstrh,
    ConnState::Sh,
    ConnState::Shr,
    ConnState::Oth,
];

const TCP_STATES: [TcpState; 11] = [
    TcpState::None,
    TcpState::SynSent,
    TcpState::SynReceived,
    TcpState::Established,
    TcpState::FinWait1,
    TcpState::FinWait2,
    TcpState::TimeWait,
    TcpState::LastAck,
    TcpState::CloseWait,
    TcpState::Closing,
    TcpState::Closed,
];

const LAYERS: [Layer; 16] = [
    Layer::Mpls,
    Layer::Pppoe,
    Layer::Vxlan,
    Layer::Geneve,
    Layer::Gre,
    Layer::Nvgre,
    Layer::Erspan,
    Layer::GtpU,
    Layer::IpIp,
    Layer::Pseudowire,
    Layer::VnTag,
    Layer::Pbb,
    Layer::TrustSec,
    Layer::Nsh,
    Layer::Teredo,
    Layer::Ayiya,
];
