//! Packets in, the events of a session engine out, and what has to be true of any run.

use std::collections::HashMap;
use std::fmt::Debug;

use flowscope::core::{FlowExtractor, FlowSide, Ledger, PacketView};
use flowscope::dns::{DnsMessage, DnsTcpParser, DnsUdpParser};
use flowscope::driver::{
    Classifier, Contradiction, Driver, DriverConfig, Protocols, Recognition, SessionEngine,
    SessionEvent,
};
use flowscope::extract::{AutoDetectEncap, FiveTuple, FiveTupleKey};
use flowscope::http::{Ending, HttpMessage, HttpParser, MessageKind};
use flowscope::tls::{TlsMessage, TlsParser};
use flowscope::track::{EndReason, FlowEvent, FlowId, FlowStats};
use flowscope_testkit::{Dialogue, Packet};

/// What all runs extract with.
pub type Extractor = AutoDetectEncap<FiveTuple>;

/// The innermost five-tuple.
pub const EXTRACTOR: Extractor = AutoDetectEncap(FiveTuple::bidirectional());

/// A message of any of the protocols.
#[derive(Clone, Debug, PartialEq)]
pub enum AppRecord {
    /// Of [`HttpParser`].
    Http(HttpMessage),
    /// Of [`TlsParser`].
    Tls(TlsMessage),
    /// Of [`DnsUdpParser`] or [`DnsTcpParser`].
    Dns(DnsMessage),
}

impl AppRecord {
    /// Who sent it, by its own word: what the end of a flow completes is nobody's packet.
    #[must_use]
    pub fn side(&self) -> FlowSide {
        match self {
            AppRecord::Http(HttpMessage::Request(request)) => request.side,
            AppRecord::Http(HttpMessage::Response(response)) => response.side,
            AppRecord::Http(HttpMessage::Body(body)) => body.side,
            AppRecord::Http(HttpMessage::End(end)) => end.side,
            AppRecord::Http(HttpMessage::Anomaly(anomaly)) => anomaly.side,
            AppRecord::Http(HttpMessage::Paired(paired)) => paired.side,
            AppRecord::Http(other) => panic!("a new message: {other:?}"),
            AppRecord::Tls(message) => message.side(),
            AppRecord::Dns(message) => message.side,
        }
    }
}

/// How far a flow has come, by its events.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Life {
    Open,
    /// Closed or reset: its entry lingers.
    Lingers,
    Over,
}

/// Everything that an engine said about some packets.
pub struct Heard<M> {
    /// All events, in order.
    pub events: Vec<SessionEvent<FiveTupleKey, M>>,
    /// Where the payload went.
    pub bytes: Ledger,
    /// Where the packets went.
    pub packets: Ledger,
    /// Most bytes of memory held at a time.
    pub peak: usize,
}

/// All four protocols: by the ports that they are known by, HTTP and TLS by their bytes too.
#[must_use]
pub fn protocols() -> Protocols<AppRecord> {
    let http = Recognition::by_ports([80, 8080]).or_bytes();
    let tls = Recognition::by_ports([443]).or_bytes();
    let dns = Recognition::by_ports([53, 5353]);
    Protocols::new()
        .stream("http", HttpParser::default(), http, AppRecord::Http)
        .stream("tls", TlsParser::default(), tls, AppRecord::Tls)
        .stream("dns", DnsTcpParser::default(), dns.clone(), AppRecord::Dns)
        .datagram("dns", DnsUdpParser::default(), dns, AppRecord::Dns)
}

/// A script's packets.
#[must_use]
pub fn packets(script: Dialogue) -> Vec<Packet> {
    script.packets()
}

/// What all four protocols say of a script.
#[must_use]
pub fn hear(script: Dialogue) -> Heard<AppRecord> {
    hear_packets(&packets(script))
}

/// What all four protocols say of some packets.
#[must_use]
pub fn hear_packets(packets: &[Packet]) -> Heard<AppRecord> {
    run(|| Driver::with_config(EXTRACTOR, protocols(), DriverConfig::default()), packets)
}

/// Runs packets through engines to the end of input, in batches of several sizes, and checks what
/// has to be true of any run.
///
/// # Panics
///
/// When something is not.
pub fn run<C>(
    make: impl Fn() -> SessionEngine<Extractor, C>,
    packets: &[Packet],
) -> Heard<C::Message>
where
    C: Classifier<FiveTupleKey>,
    C::Message: Debug + PartialEq,
{
    let heard = run_in_batches(1, make(), packets);
    for size in [2, 7, packets.len().max(1)] {
        let other = run_in_batches(size, make(), packets);
        assert_eq!(other.events, heard.events, "in batches of {size}");
        assert_eq!((other.bytes, other.packets), (heard.bytes.clone(), heard.packets.clone()));
    }
    heard
}

/// Runs packets through one engine in batches of one size, with the same checks.
///
/// # Panics
///
/// When one fails.
pub fn run_in_batches<C>(
    size: usize,
    mut engine: SessionEngine<Extractor, C>,
    packets: &[Packet],
) -> Heard<C::Message>
where
    C: Classifier<FiveTupleKey>,
    C::Message: Debug,
{
    let (mut events, mut peak, mut sent, mut payload) = (Vec::new(), 0, 0, 0);
    for batch in packets.chunks(size) {
        let views: Vec<PacketView<'_>> = batch.iter().map(Packet::view).collect();
        engine.handle_batch(&views);
        sent += batch.len() as u64;
        payload += views.iter().filter_map(payload_of).sum::<u64>();
        peak = peak.max(engine.heap_bytes());
        assert_eq!(engine.packets().seen() + engine.pending_fragments(), sent);
        assert_eq!(engine.bytes().seen() + engine.pending(), payload, "after {sent} packets");
        events.extend(std::iter::from_fn(|| engine.poll_event()));
    }
    engine.finish(EndReason::EndOfInput);
    events.extend(std::iter::from_fn(|| engine.poll_event()));
    let (bytes, packets) = (engine.bytes(), engine.packets());
    assert_eq!((engine.pending_fragments(), engine.pending()), (0, 0), "nothing waits at the end");
    assert_eq!((packets.seen(), bytes.seen()), (sent, payload));
    let heard = Heard { events, bytes, packets, peak };
    heard.obey();
    heard
}

/// Bytes of payload on the wire; tests that use this have no fragments.
fn payload_of(view: &PacketView<'_>) -> Option<u64> {
    let found = EXTRACTOR.extract(*view)?;
    assert!(found.fragment.is_none());
    Some(found.payload.wire_len.into())
}

impl<M> Heard<M> {
    /// Flows begin once, end once, and say nothing after that; records miss no packet and no byte.
    fn obey(&self)
    where
        M: Debug,
    {
        let mut open: HashMap<FlowId, Life> = HashMap::new();
        let (mut counted, mut payload, mut last) = (0, 0, 0);
        for event in &self.events {
            let flow = event.flow();
            assert!(last <= flow.packet, "{event:?} after packet {last}");
            last = flow.packet;
            match event {
                SessionEvent::Started { .. } => {
                    assert_eq!(open.insert(flow.id, Life::Open), None, "{event:?}");
                }
                SessionEvent::Closed { stats, reason, .. } => {
                    let lingers = matches!(reason, EndReason::Fin | EndReason::Rst);
                    let then = if lingers { Life::Lingers } else { Life::Over };
                    assert_eq!(open.insert(flow.id, then), Some(Life::Open), "{event:?}");
                    let [a, b] = [&stats.initiator, &stats.responder].map(|side| side.counters);
                    counted += a.packets + b.packets;
                    payload += a.payload_bytes + b.payload_bytes;
                }
                SessionEvent::Flow(FlowEvent::Late { stats, .. }) => {
                    assert_eq!(open.insert(flow.id, Life::Over), Some(Life::Lingers), "{event:?}");
                    let [a, b] = stats.late.map(|late| late.sides).unwrap_or_default();
                    counted += a.packets + b.packets;
                    payload += a.payload_bytes + b.payload_bytes;
                }
                // Streams may go on in bytes that come late.
                _ => assert!(
                    matches!(open.get(&flow.id), Some(Life::Open | Life::Lingers)),
                    "{event:?}"
                ),
            }
        }
        assert!(open.values().all(|life| *life != Life::Open), "a flow that began has not ended");
        assert_eq!(counted, self.packets.delivered(), "records miss no packet");
        assert_eq!(payload, self.bytes.seen(), "records miss no byte");
    }

    /// The messages, in order, and who completed them.
    pub fn messages(&self) -> impl Iterator<Item = (FlowSide, &M)> {
        self.events.iter().filter_map(|event| match event {
            SessionEvent::Application { side, message, .. } => Some((*side, message)),
            _ => None,
        })
    }

    /// Statistics of the flows that ended, in that order.
    pub fn ended(&self) -> impl Iterator<Item = (EndReason, &FlowStats)> {
        self.events.iter().filter_map(|event| match event {
            SessionEvent::Closed { reason, stats, .. } => Some((*reason, &**stats)),
            _ => None,
        })
    }
}

impl Heard<AppRecord> {
    /// Every event in a line. Ends of requests without a body are left out.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        self.events.iter().filter_map(line).collect()
    }

    /// The lines of messages, gaps and conflicts only.
    #[must_use]
    pub fn said(&self) -> Vec<String> {
        self.lines().into_iter().filter(|line| line.starts_with(['<', '>'])).collect()
    }
}

fn line(event: &SessionEvent<FiveTupleKey, AppRecord>) -> Option<String> {
    Some(match event {
        SessionEvent::Started { .. } => "open".to_owned(),
        SessionEvent::ParserChosen { detection, .. } => {
            format!("{} {:?}", detection.protocol, detection.by)
        }
        SessionEvent::Contradicted { detection, .. } => {
            let Contradiction { side, protocol } = detection.contradicted?;
            format!("{} {protocol:?} instead of {}", arrow(side), detection.protocol)
        }
        SessionEvent::Withdrawn { detection, .. } => format!("not {}", detection.protocol),
        SessionEvent::Application { message, .. } => {
            format!("{} {}", arrow(message.side()), message_line(message)?)
        }
        SessionEvent::Gap { side, offset, len, .. } => {
            format!("{} gap {offset}+{len}", arrow(*side))
        }
        SessionEvent::ParserStopped { side: Some(side), why, .. } => {
            format!("{} stopped {why:?}", arrow(*side))
        }
        SessionEvent::ParserStopped { side: None, why, .. } => format!("stopped {why:?}"),
        SessionEvent::Conflict { side, conflict, .. } => {
            format!(
                "{} conflict {}+{} {:?}",
                arrow(*side),
                conflict.at,
                conflict.len,
                conflict.kept
            )
        }
        SessionEvent::Flow(FlowEvent::Anomaly { kind, side, .. }) => {
            format!("{} {kind:?}", arrow(*side))
        }
        SessionEvent::Closed { reason, .. } => format!("closed {reason:?}"),
        SessionEvent::Flow(FlowEvent::Late { .. }) => "late".to_owned(),
        other => format!("{other:?}"),
    })
}

fn arrow(side: FlowSide) -> char {
    if side == FlowSide::Initiator { '>' } else { '<' }
}

fn message_line(message: &AppRecord) -> Option<String> {
    let number = |exchange: Option<u64>| exchange.map_or("?".to_owned(), |n| n.to_string());
    Some(match message {
        AppRecord::Http(HttpMessage::Request(request)) => {
            let (method, target) = (request.method(), request.target().escape_ascii());
            format!("{method} {target} #{}", number(request.exchange))
        }
        AppRecord::Http(HttpMessage::Response(response)) => {
            format!("{} #{}", response.status(), number(response.exchange))
        }
        AppRecord::Http(HttpMessage::End(end)) => {
            let whole = end.ending == Ending::Complete;
            if whole && end.kind == MessageKind::Request && end.body_len == 0 {
                return None;
            }
            let mut text = format!("end #{} {}", number(end.exchange), end.body_len);
            if end.missing > 0 {
                text += &format!(" missing {}", end.missing);
            }
            if !whole {
                text += &format!(" {:?}", end.ending);
            }
            text
        }
        AppRecord::Http(HttpMessage::Anomaly(anomaly)) => format!("! {:?}", anomaly.kind),
        AppRecord::Http(HttpMessage::Paired(paired)) => format!("paired #{}", paired.exchange),
        AppRecord::Http(other) => format!("{other:?}"),
        AppRecord::Tls(TlsMessage::ClientHello(hello)) => {
            format!("hello {}", hello.server_name().unwrap_or(b"-").escape_ascii())
        }
        AppRecord::Tls(TlsMessage::ServerHello(hello)) => format!("server {}", hello.version()),
        AppRecord::Tls(TlsMessage::Encrypted { .. }) => "encrypted".to_owned(),
        AppRecord::Tls(TlsMessage::Anomaly(anomaly)) => {
            format!("! {} {:?}", anomaly.message, anomaly.kind)
        }
        AppRecord::Tls(other) => format!("{other:?}"),
        AppRecord::Dns(message) => match message.defect {
            None => message.to_string(),
            Some(defect) => format!("{message} {defect:?}"),
        },
    })
}
