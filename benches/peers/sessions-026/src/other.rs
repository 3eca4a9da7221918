//! The published crate behind the same face as ours.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use flowscope_benches::Trace;
use flowscope_benches::feed::BATCH;
use flowscope_benches::sessions::Heard;
use peer::dns::{DnsMessage, DnsUdpParser};
use peer::driver::{Driver, DriverBuilder, Event, SlotHandle, SlotMessage};
use peer::extract::{FiveTuple, FiveTupleKey};
use peer::http::{HttpExchange, HttpExchangeParser};
use peer::tls::{TlsHandshake, TlsHandshakeParser};

/// A driver with a parser for HTTP, TLS and DNS.
pub(crate) struct Other {
    driver: Driver<FiveTuple>,
    events: Vec<Event<FiveTupleKey>>,
    http: Slot<HttpExchange>,
    tls: Slot<TlsHandshake>,
    dns: Slot<DnsMessage>,
}

struct Slot<M: Send + 'static> {
    handle: SlotHandle<M, FiveTupleKey>,
    messages: Vec<SlotMessage<M, FiveTupleKey>>,
}

impl<M: Send + 'static> Slot<M> {
    fn new(handle: SlotHandle<M, FiveTupleKey>) -> Self {
        Slot { handle, messages: Vec::new() }
    }

    fn drain(&mut self) -> u64 {
        self.handle.drain(&mut self.messages);
        let count = self.messages.len() as u64;
        self.messages.clear();
        count
    }
}

fn builder(flows: usize) -> DriverBuilder<FiveTuple> {
    let mut config = peer::tracker::FlowTrackerConfig::default();
    config.max_flows = flows;
    config.idle_timeout_tcp = Duration::from_secs(300);
    config.idle_timeout_udp = Duration::from_secs(60);
    config.auto_sweep_interval = Some(Duration::from_secs(10));
    config.suppress_events = peer::event::EventMask::PACKET;
    let mut builder = Driver::builder(FiveTuple::bidirectional());
    builder.config(config);
    builder
}

impl Other {
    pub(crate) fn new(flows: usize) -> Self {
        let mut builder = builder(flows);
        let http = Slot::new(builder.session_on_ports(HttpExchangeParser::default(), [80]));
        let tls = Slot::new(builder.session_on_ports(TlsHandshakeParser::default(), [443]));
        let dns = Slot::new(builder.datagram_on_ports(DnsUdpParser::default(), [53]));
        Other { driver: builder.build(), events: Vec::new(), http, tls, dns }
    }

    pub(crate) fn feed(
        &mut self,
        trace: &Trace,
        packets: Range<usize>,
        later: u64,
        heard: &mut Heard,
    ) {
        for at in packets {
            self.driver.track_into(view(trace, at, later), &mut self.events);
            if at % BATCH == BATCH - 1 {
                self.drain(heard);
            }
        }
        self.drain(heard);
    }

    /// Lets everything end.
    pub(crate) fn finish(&mut self, heard: &mut Heard) {
        self.driver.finish_into(&mut self.events);
        self.drain(heard);
    }

    fn drain(&mut self, heard: &mut Heard) {
        for event in self.events.drain(..) {
            match event {
                Event::Started { .. } => heard.started += 1,
                Event::Ended { .. } => heard.ended += 1,
                Event::FlowAnomaly { .. } | Event::TrackerAnomaly { .. } => heard.odd += 1,
                _ => {}
            }
        }
        heard.http += self.http.drain();
        heard.tls += self.tls.drain();
        heard.dns += self.dns.drain();
    }
}

/// A driver with a parser that counts bytes.
pub(crate) struct Raw {
    driver: Driver<FiveTuple>,
    events: Vec<Event<FiveTupleKey>>,
    _handle: SlotHandle<u8, FiveTupleKey>,
    bytes: Arc<AtomicU64>,
}

#[derive(Clone)]
struct Count {
    own: u64,
    all: Arc<AtomicU64>,
}

impl peer::session::SessionParser for Count {
    type Message = u8;

    fn feed_initiator(&mut self, bytes: &[u8], _: peer::Timestamp, _: &mut Vec<u8>) {
        self.own += bytes.len() as u64;
    }

    fn feed_responder(&mut self, bytes: &[u8], _: peer::Timestamp, _: &mut Vec<u8>) {
        self.own += bytes.len() as u64;
    }
}

impl Drop for Count {
    fn drop(&mut self) {
        self.all.fetch_add(self.own, Ordering::Relaxed);
    }
}

impl Raw {
    pub(crate) fn new(flows: usize) -> Self {
        let mut builder = builder(flows);
        let bytes = Arc::new(AtomicU64::new(0));
        let _handle = builder.session_broadcast(Count { own: 0, all: Arc::clone(&bytes) });
        Raw { driver: builder.build(), events: Vec::new(), _handle, bytes }
    }

    pub(crate) fn feed(&mut self, trace: &Trace, packets: Range<usize>) {
        for at in packets {
            self.driver.track_into(view(trace, at, 0), &mut self.events);
            if at % BATCH == BATCH - 1 {
                self.events.clear();
            }
        }
    }

    /// Bytes that parsers were given.
    pub(crate) fn finish(mut self) -> u64 {
        self.driver.finish_into(&mut self.events);
        let Raw { driver, bytes, .. } = self;
        drop(driver);
        bytes.load(Ordering::Relaxed)
    }
}

fn view(trace: &Trace, at: usize, later: u64) -> peer::PacketView<'_> {
    let (frame, nanos) = trace.frame(at);
    let nanos = nanos + later;
    let time = peer::Timestamp::new((nanos / 1_000_000_000) as u32, (nanos % 1_000_000_000) as u32);
    peer::PacketView::new(frame, time)
}
