use std::io::{self, Write};
use std::net::IpAddr;

use flowscope_core::{L4Proto, Timestamp};
use flowscope_output::{CaptureStats, FlowRecord, FlowRecordKind, RecordHeader};
use flowscope_record::Record;
use flowscope_track::{Clock, ClockConfig};

use crate::health::Health;
use crate::page;
use crate::rates::Rates;
use crate::sample::{FlowSample, SessionSample};
use crate::session::{NAMES, Session};
use crate::steps::Steps;
use crate::{Heavy, MAX_KEYS, SessionReader};

/// What a capture amounts to, gathered from its packets, flow records and session records.
///
/// Memory is bounded, whatever is added: at most [`MAX_KEYS`] addresses, pairs of addresses, ports, names and
/// protocols are summed up separately, and a thousand records of flows and of sessions are kept for tables. The page
/// says what was left out, and by which rule. It is less than 2 MB, even if all names are hostile.
///
/// ```
/// use flowscope_core::{L4Proto, Timestamp};
/// use flowscope_report::{Report, ReportTotals};
///
/// let mut report = Report::new();
/// report.packet(Timestamp::from_secs(1), 1500, L4Proto::Tcp);
/// let mut page = Vec::new();
/// report.write(&ReportTotals::default(), &mut page)?;
/// assert!(page.starts_with(b"<!doctype html>"));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Report {
    clock: Clock,
    pub(crate) rates: Rates,
    /// Bytes of both sides.
    pub(crate) talkers: Heavy<IpAddr, Talker>,
    /// Bytes by port of the responder and transport, with the number of flows.
    pub(crate) ports: Heavy<(u16, L4Proto), u64>,
    /// How often each was seen.
    pub(crate) names: [Heavy<String, ()>; NAMES.len()],
    /// Bytes by version of IP, transport and application, with packets and flows.
    pub(crate) protocols: Heavy<(u8, L4Proto, &'static str), [u64; 2]>,
    /// Bytes of both sides, with those that the first and the second sent.
    pub(crate) pairs: Heavy<(IpAddr, IpAddr), [u64; 2]>,
    pub(crate) health: Health,
    pub(crate) steps: Steps,
    pub(crate) flows: FlowSample,
    pub(crate) sessions: SessionSample,
    reader: SessionReader,
}

/// What an address took part in.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Talker {
    pub(crate) flows: u64,
    pub(crate) packets: u64,
    pub(crate) sent: u64,
}

/// What a whole run amounted to: what a [`Report`] cannot know from records.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ReportTotals {
    /// Names of the captures, without folders.
    pub sources: Vec<String>,
    /// Where packets and payload went, and what the capture says of itself.
    pub stats: CaptureStats,
    /// Flows that started.
    pub flows: u64,
    /// Flows evicted for lack of room.
    pub evicted: u64,
    /// Bytes on the wire of all packets.
    pub wire_bytes: u64,
    /// Time of the first packet, if there was any.
    pub start: Option<Timestamp>,
    /// The latest believable packet time.
    pub end: Timestamp,
    /// Link types, each once.
    pub links: Vec<String>,
}

impl Report {
    /// A report of nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Report {
            clock: Clock::new(ClockConfig::default()),
            rates: Rates::new(),
            talkers: Heavy::new(MAX_KEYS),
            ports: Heavy::new(MAX_KEYS),
            names: std::array::from_fn(|_| Heavy::new(MAX_KEYS)),
            protocols: Heavy::new(MAX_KEYS),
            pairs: Heavy::new(MAX_KEYS),
            health: Health::new(MAX_KEYS),
            steps: Steps::new(),
            flows: FlowSample::default(),
            sessions: SessionSample::new(),
            reader: SessionReader::new(),
        }
    }

    /// Adds a packet of a flow, of this length on the wire in bytes.
    ///
    /// One whose time is too far ahead to be [accepted](Clock) counts at the watermark: intervals of the rates never
    /// become shorter again.
    pub fn packet(&mut self, ts: Timestamp, wire_len: u32, proto: L4Proto) {
        let watermark = self.clock.observe(ts).watermark;
        self.rates.add(ts.min(watermark), wire_len, proto);
    }

    /// Adds the record of a flow, or an interim record: bytes are those since the record before.
    pub fn flow(&mut self, record: &FlowRecord) {
        let [sent, back] = record.sides.each_ref().map(|side| side.counters);
        let bytes = sent.wire_bytes + back.wire_bytes;
        let packets = sent.packets + back.packets;
        let flows = u64::from(matches!(record.kind, FlowRecordKind::Ended(_)));
        let (from, to) = record.header.endpoints();
        let transport = record.header.key.proto();
        let protocol = (record.header.ip_version(), transport, record.app_proto.unwrap_or(UNKNOWN));
        let [of_packets, of_flows] = self.protocols.add(protocol, bytes);
        *of_packets += packets;
        *of_flows += flows;
        let mut talkers = vec![(from.addr, sent), (to.addr, back)];
        talkers.dedup_by_key(|(addr, _)| *addr);
        for (addr, own) in talkers {
            let talker = self.talkers.add(addr, bytes);
            talker.flows += flows;
            talker.packets += packets;
            talker.sent += own.wire_bytes;
        }
        if let Some(port) = to.port {
            *self.ports.add((port, transport), bytes) += flows;
        }
        let (pair, sent) = if from.addr <= to.addr {
            ((from.addr, to.addr), [sent.wire_bytes, back.wire_bytes])
        } else {
            ((to.addr, from.addr), [back.wire_bytes, sent.wire_bytes])
        };
        let sums = self.pairs.add(pair, bytes);
        sums[0] += sent[0];
        sums[1] += sent[1];
        self.health.flow(record);
        self.steps.flow(record);
        self.flows.add(record);
    }

    /// Adds a session record: one transaction, handshake or message, complete at this packet time.
    pub fn session(&mut self, header: &RecordHeader, complete: Timestamp, record: &impl Record) {
        let facts = self.reader.read(header, record);
        let session = Session::new(header, complete, record, facts);
        for (names, name) in self.names.iter_mut().zip(&session.names) {
            if let Some(name) = name {
                names.add(name.clone(), 1);
            }
        }
        self.steps.session(&session);
        self.sessions.add(session);
    }

    /// Writes the page: one HTML file that needs no other, and no network.
    ///
    /// The same records, in the same order, give the same bytes.
    ///
    /// # Errors
    ///
    /// Those of the writer.
    pub fn write(&self, totals: &ReportTotals, out: &mut impl Write) -> io::Result<()> {
        out.write_all(page::page(self, totals).as_bytes())
    }
}

impl Default for Report {
    fn default() -> Self {
        Report::new()
    }
}

/// The application of a flow of which nothing more is known.
pub(crate) const UNKNOWN: &str = "unknown";
