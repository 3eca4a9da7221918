//! How a trace gets into a session driver, and what is read there.

use std::convert::Infallible;
use std::num::NonZeroUsize;
use std::ops::Range;

use flowscope_core::{FlowExtractor, PacketView, ParserStatus, SessionParser, StreamChunk};
use flowscope_dns::{DnsMessage, DnsUdpParser};
use flowscope_driver::{
    Classifier, DriverConfig, Protocols, Recognition, SessionChange, SessionEngine, SessionEvent,
    SessionSink,
};
use flowscope_http::{HttpExchange, HttpExchanges, HttpOutcome};
use flowscope_reassembly::StreamConfig;
use flowscope_tls::{TlsHandshake, TlsHandshakes};
use flowscope_track::{Change, Flow, FlowEvent, TrackerConfig};

use crate::Trace;
use crate::feed::BATCH;

/// A message of any protocol that is read.
#[derive(Clone, Debug, PartialEq)]
// As the parsers give them: a box would be one more allocation for each.
#[allow(clippy::large_enum_variant)]
pub enum AppRecord {
    /// A request and its response.
    Http(HttpExchange),
    /// Both hellos.
    Tls(TlsHandshake),
    /// A query or a response.
    Dns(DnsMessage),
}

/// HTTP, TLS and DNS on their ports, and where their first bytes are seen.
#[must_use]
pub fn protocols() -> Protocols<AppRecord> {
    Protocols::new()
        .stream(
            "http",
            HttpExchanges::default(),
            Recognition::by_ports([80]).or_bytes(),
            AppRecord::Http,
        )
        .stream(
            "tls",
            TlsHandshakes::default(),
            Recognition::by_ports([443]).or_bytes(),
            AppRecord::Tls,
        )
        .datagram(
            "dns",
            DnsUdpParser::default(),
            Recognition::by_ports([53]).or_bytes(),
            AppRecord::Dns,
        )
}

/// A parser that reads all bytes and makes nothing of them.
#[derive(Clone, Debug, Default)]
pub struct Mute;

impl SessionParser for Mute {
    type Message = Infallible;

    fn feed_initiator(&mut self, _: &[u8]) -> Vec<Infallible> {
        Vec::new()
    }

    fn feed_responder(&mut self, _: &[u8]) -> Vec<Infallible> {
        Vec::new()
    }

    #[inline]
    fn feed_into(&mut self, feed: StreamChunk<'_>, _: &mut Vec<Infallible>) -> ParserStatus {
        std::hint::black_box(feed.bytes.as_ptr());
        ParserStatus::Continue
    }
}

/// Room for so many flows and to spare. `history` is how many delivered chunks of each stream are
/// remembered.
#[must_use]
pub fn roomy(flows: usize, history: u8) -> DriverConfig {
    DriverConfig::default()
        .tracker(roomy_tracker(flows))
        .streams(StreamConfig::default().history(history))
}

/// The flow table of [`roomy`]: nothing is evicted from it.
#[must_use]
pub fn roomy_tracker(flows: usize) -> TrackerConfig {
    TrackerConfig::default()
        .max_flows(NonZeroUsize::new(flows).unwrap_or(NonZeroUsize::MIN))
        .memory_budget(16 << 30)
}

/// [`BATCH`] packets at a time, events lent to `sink`.
pub fn lend<E: FlowExtractor, C: Classifier<E::Key>, U>(
    driver: &mut SessionEngine<E, C, U>,
    trace: &Trace,
    packets: Range<usize>,
    later: u64,
    sink: &mut impl SessionSink<E::Key, C::Message, U>,
) {
    let mut views: Vec<PacketView<'_>> = Vec::with_capacity(BATCH);
    batches(packets, |batch| {
        views.clear();
        views.extend(batch.map(|at| trace.view(at, later)));
        driver.handle_batch_with(&views, sink);
    });
}

/// [`BATCH`] packets at a time, events queued and taken after each batch.
pub fn queue<E: FlowExtractor, C: Classifier<E::Key>, U>(
    driver: &mut SessionEngine<E, C, U>,
    trace: &Trace,
    packets: Range<usize>,
    later: u64,
    mut take: impl FnMut(SessionEvent<E::Key, C::Message>),
) {
    let mut views: Vec<PacketView<'_>> = Vec::with_capacity(BATCH);
    batches(packets, |batch| {
        views.clear();
        views.extend(batch.map(|at| trace.view(at, later)));
        driver.handle_batch(&views);
        while let Some(event) = driver.poll_event() {
            take(event);
        }
    });
}

fn batches(packets: Range<usize>, mut take: impl FnMut(Range<usize>)) {
    let mut at = packets.start;
    while at < packets.end {
        let end = packets.end.min(at + BATCH);
        take(at..end);
        at = end;
    }
}

/// Counts what it is lent.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Heard {
    /// Flows started.
    pub started: u64,
    /// Flows ended.
    pub ended: u64,
    /// HTTP exchanges.
    pub http: u64,
    /// Of these, with a response that was captured to its end.
    pub whole: u64,
    /// TLS handshakes.
    pub tls: u64,
    /// DNS messages.
    pub dns: u64,
    /// Gaps, conflicts, and anomalies of packets.
    pub odd: u64,
}

impl Heard {
    /// Messages of all kinds.
    #[must_use]
    pub fn messages(&self) -> u64 {
        self.http + self.tls + self.dns
    }

    /// Counts a message.
    #[inline]
    pub fn hear(&mut self, message: &AppRecord) {
        match message {
            AppRecord::Http(exchange) => {
                self.http += 1;
                let whole =
                    exchange.outcome == HttpOutcome::Answered && exchange.response_body.complete;
                self.whole += u64::from(whole);
            }
            AppRecord::Tls(_) => self.tls += 1,
            AppRecord::Dns(_) => self.dns += 1,
        }
    }

    /// Counts an event that was queued.
    #[inline]
    pub fn take<K>(&mut self, event: &SessionEvent<K, AppRecord>) {
        match event {
            SessionEvent::Started { .. } => self.started += 1,
            SessionEvent::Closed { .. } => self.ended += 1,
            SessionEvent::Application { message, .. } => self.hear(message),
            SessionEvent::Gap { .. }
            | SessionEvent::Conflict { .. }
            | SessionEvent::Flow(FlowEvent::Anomaly { .. }) => self.odd += 1,
            _ => {}
        }
    }
}

impl<K, U> SessionSink<K, AppRecord, U> for Heard {
    #[inline]
    fn flow(&mut self, _: Flow<'_, K, U>, change: Change) {
        match change {
            Change::Started { .. } => self.started += 1,
            Change::Ended { .. } => self.ended += 1,
            Change::Anomaly { .. } => self.odd += 1,
            _ => {}
        }
    }

    fn session(&mut self, _: Flow<'_, K, U>, change: SessionChange) {
        let odd = matches!(change, SessionChange::Gap { .. } | SessionChange::Conflict { .. });
        self.odd += u64::from(odd);
    }

    #[inline]
    fn message(&mut self, _: Flow<'_, K, U>, _: flowscope_core::FlowSide, message: AppRecord) {
        self.hear(&message);
    }
}

#[cfg(test)]
mod tests {
    use flowscope_core::Loss;
    use flowscope_driver::{Driver, SessionDriver};
    use flowscope_extract::FiveTuple;
    use flowscope_track::EndReason;

    use super::*;
    use crate::traces::{self, Talk};
    use crate::{Reordered, Tally};

    #[test]
    fn short_flows_say_what_their_scripts_say() {
        let talks = [Talk::Http, Talk::Tls, Talk::Dns, Talk::All, Talk::Unknown];
        for (talk, alive) in talks.into_iter().zip([10, 300, 100, 30, 100]) {
            let trace = traces::short(talk, 300, alive);
            let mut driver =
                Driver::with_config(FiveTuple::bidirectional(), protocols(), roomy(10_000, 16));
            let mut heard = Heard::default();
            lend(&mut driver, &trace, 0..trace.len(), 0, &mut heard);
            driver.finish_with(EndReason::EndOfInput, &mut heard);
            assert_eq!((heard.started, heard.ended, heard.odd), (300, 300, 0), "{talk:?}");
            assert_eq!(heard.http, heard.whole);
            match talk {
                Talk::Http => assert_eq!(heard.messages(), heard.http),
                Talk::Tls => assert_eq!((heard.messages(), heard.tls), (300, 300)),
                Talk::Dns => assert_eq!((heard.messages(), heard.dns), (600, 600)),
                Talk::All => assert_eq!(heard.http + heard.tls + heard.dns / 2, 300),
                Talk::Unknown => assert_eq!(heard.messages(), 0),
            }
            let mut queued = Heard::default();
            let mut driver =
                Driver::with_config(FiveTuple::bidirectional(), protocols(), roomy(10_000, 16));
            queue(&mut driver, &trace, 0..trace.len(), 0, |event| queued.take(&event));
            driver.finish(EndReason::EndOfInput);
            while let Some(event) = driver.poll_event() {
                queued.take(&event);
            }
            assert_eq!(queued, heard);
        }
    }

    #[test]
    fn all_that_was_reordered_is_there_to_be_read() {
        for late in [0, 10, 200] {
            let sent = Reordered::new(late, 0.01);
            assert_eq!(sent.again > 0, late > 0);
            let mut driver = SessionDriver::new(FiveTuple::bidirectional(), Mute);
            lend(&mut driver, &sent.trace, 0..sent.trace.len(), 0, &mut ());
            driver.finish_with(EndReason::EndOfInput, &mut ());
            assert_eq!(driver.bytes().delivered(), sent.bytes, "{late}");
            assert_eq!(driver.bytes().lost(Loss::Duplicate), sent.again, "{late}");
            let mut tally = Tally::default();
            let mut tracker = flowscope_track::FlowTracker::new(FiveTuple::bidirectional());
            crate::feed::in_batches(&mut tracker, &sent.trace, 0..sent.trace.len(), 0, &mut tally);
            assert_eq!((tally.started, tally.bytes), (20, sent.bytes + sent.again));
        }
    }
}
