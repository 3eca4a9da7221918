//! The traces that figures are quoted for. All are made from fixed seeds: the same on every run.

use flowscope_testkit::{Rng, frame};

use crate::Trace;
use crate::conversation::{Conversation, Topic};

/// Time from one packet to the next, in nanoseconds.
pub(crate) const STEP: u64 = 20_000;

/// Where traces begin, in nanoseconds since the epoch.
pub(crate) const START: u64 = 1_700_000_000_000_000_000;

/// Short flows: 300 000 × `scale` of them, a third of which are alive at any time, 30 % HTTP, 35 %
/// TLS, 35 % DNS; about 7.2 packets each, of 119 bytes on average.
#[must_use]
pub fn m300(scale: f64) -> Trace {
    let (flows, alive) = (scaled(300_000.0, scale), scaled(100_000.0, scale));
    interleaved(flows, alive, flows * 15 / 2, 124, STEP, |rng| Talk::All.topic(rng))
}

/// What short flows are about.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Talk {
    /// 30 % HTTP, 35 % TLS, 35 % DNS, as in [`m300`].
    All,
    /// A request and a response over TCP: 9 packets.
    Http,
    /// A handshake and a record each way: 11 packets.
    Tls,
    /// A query and a response: 2 packets.
    Dns,
    /// Random bytes each way, on a port of no protocol: half of the flows over TCP, 9 packets, half over UDP, 2
    /// packets.
    Unknown,
}

impl Talk {
    fn topic(self, rng: &mut Rng) -> Topic {
        match self {
            Talk::Http => Topic::Http,
            Talk::Tls => Topic::Tls,
            Talk::Dns => Topic::Dns,
            Talk::Unknown if rng.one_in(2) => Topic::Unknown,
            Talk::Unknown => Topic::UnknownDatagrams,
            Talk::All => match rng.below(100) {
                0..30 => Topic::Http,
                30..65 => Topic::Tls,
                _ => Topic::Dns,
            },
        }
    }
}

/// `flows` short flows, `alive` of them at a time. A packet of each comes every 1.4 seconds or so, however
/// many they are, so that the entries which wait in a flow table for their timeouts are in proportion.
#[must_use]
pub fn short(talk: Talk, flows: usize, alive: usize) -> Trace {
    let step = 1_400_000_000 / alive.max(1) as u64;
    interleaved(flows, alive, flows * 15 / 2, 124, step, |rng| talk.topic(rng))
}

/// Flows of all sizes: 60 000 × `scale` of them, about 22 packets each, of about 540 bytes on
/// average.
#[must_use]
pub fn mix(scale: f64) -> Trace {
    let flows = scaled(60_000.0, scale);
    interleaved(flows, flows / 3, flows * 22, 560, STEP, |rng| match rng.below(100) {
        0..30 => Topic::Http,
        30..65 => Topic::Dns,
        65..82 => Topic::Download(4),
        82..93 => Topic::Download(12),
        _ => Topic::Download(80),
    })
}

/// 200 transfers with 7500 × `scale` packets each, two full segments to an ACK: about 1030 bytes on
/// average.
#[must_use]
pub fn bulk(scale: f64) -> Trace {
    let segments = scaled(5000.0, scale) as u32;
    interleaved(200, 200, 300 * segments as usize, 1040, STEP, |_| Topic::Bulk(segments))
}

/// `flows` flows of one SYN each.
#[must_use]
pub fn syn(flows: usize) -> Trace {
    let mut rng = Rng::new(0x515e);
    let mut trace = Trace::with_capacity(flows, 70);
    for at in 0..flows {
        Conversation::new(Topic::Probe, &mut rng).speak(
            &mut trace,
            START + at as u64 * 1000,
            &mut rng,
        );
    }
    trace
}

/// One TCP segment of 64 bytes under every kind of encapsulation that is read, by name; the
/// flow is another in each of the 4096 frames.
#[must_use]
pub fn encapsulated() -> Vec<(&'static str, Trace)> {
    let outer = || frame().ethernet();
    let tunnel = || outer().ipv4("192.0.2.1", "192.0.2.2");
    let shapes = [
        ("plain", outer()),
        ("vlan", outer().vlan(5)),
        ("qinq", outer().vlan_tag(0x88a8, 7).vlan(5)),
        ("mpls", outer().mpls(99)),
        ("pppoe", outer().pppoe(7)),
        ("ipip", tunnel()),
        ("gre", tunnel().gre()),
        ("nvgre", tunnel().gre_key(0x1234_5600).ethernet()),
        ("erspan", tunnel().erspan(3).ethernet()),
        ("vxlan", tunnel().vxlan(42).ethernet()),
        ("geneve", tunnel().geneve(42).ethernet()),
        ("gtpu", tunnel().gtpu(77)),
        (
            "vlan+vxlan+vlan",
            outer().vlan(5).ipv4("192.0.2.1", "192.0.2.2").vxlan(42).ethernet().vlan(9),
        ),
    ];
    shapes
        .into_iter()
        .map(|(name, around)| {
            let mut trace = Trace::default();
            for i in 0..4096_u32 {
                let segment = around
                    .clone()
                    .ipv4(std::net::Ipv4Addr::from(0x0a00_0001 + i), "10.255.0.1")
                    .tcp(1024 + i as u16, 443)
                    .ack(1)
                    .flags(flowscope_core::TcpFlags::ACK)
                    .payload([7; 64]);
                trace.push(&segment.build(), START + u64::from(i) * STEP);
            }
            (name, trace)
        })
        .collect()
}

pub(crate) fn scaled(number: f64, scale: f64) -> usize {
    ((number * scale) as usize).max(3)
}

/// `flows` conversations, `alive` of them at a time, who speaks next being chance.
fn interleaved(
    flows: usize,
    alive: usize,
    packets: usize,
    average: usize,
    step: u64,
    topic: impl Fn(&mut Rng) -> Topic,
) -> Trace {
    let mut rng = Rng::new(0x0300);
    let mut trace = Trace::with_capacity(packets, average);
    let mut begun = 0;
    let mut talking: Vec<Conversation> = Vec::with_capacity(alive);
    let mut now = START;
    while begun < flows && talking.len() < alive {
        talking.push(Conversation::new(topic(&mut rng), &mut rng));
        begun += 1;
    }
    while !talking.is_empty() {
        let at = rng.below(talking.len());
        now += step;
        if talking[at].speak(&mut trace, now, &mut rng) {
            continue;
        }
        if begun < flows {
            talking[at] = Conversation::new(topic(&mut rng), &mut rng);
            begun += 1;
        } else {
            talking.swap_remove(at);
        }
    }
    trace
}

/// Established TCP flows, and 102-byte packets over them picked uniformly: the worst case for a
/// cache.
pub struct Established {
    flows: Vec<Conversation>,
    rng: Rng,
    now: u64,
}

impl Established {
    /// As many flows, their beginnings not yet written.
    #[must_use]
    pub fn new(flows: usize) -> Self {
        let mut rng = Rng::new(0x0960);
        let flows = (0..flows).map(|_| Conversation::new(Topic::Chat, &mut rng)).collect();
        Established { flows, rng, now: START }
    }

    /// Writes the beginning of every flow: handshake and a segment each way, flow by flow, and
    /// lends it piece by piece, so that a million beginnings are never in memory at once.
    pub fn begin(&mut self, mut take: impl FnMut(&Trace)) {
        let mut trace = Trace::default();
        for at in 0..self.flows.len() {
            for _ in 0..5 {
                self.now += 1000;
                self.flows[at].speak(&mut trace, self.now, &mut self.rng);
            }
            if trace.len() >= 100_000 {
                take(&trace);
                trace.clear();
            }
        }
        take(&trace);
    }

    /// The next packets.
    #[must_use]
    pub fn talk(&mut self, packets: usize) -> Trace {
        let mut trace = Trace::with_capacity(packets, 104);
        for _ in 0..packets {
            self.now += 1000;
            let at = self.rng.below(self.flows.len());
            self.flows[at].speak(&mut trace, self.now, &mut self.rng);
        }
        trace
    }
}

/// UDP flows of one sender each: for timeouts, which they reach without ceremony.
pub struct Pings {
    flows: Vec<Conversation>,
    rng: Rng,
}

impl Pings {
    /// As many flows.
    #[must_use]
    pub fn new(flows: usize) -> Self {
        let mut rng = Rng::new(0x0519);
        let flows = (0..flows).map(|_| Conversation::new(Topic::Pings, &mut rng)).collect();
        Pings { flows, rng }
    }

    /// A datagram of each flow within a second that begins `second` seconds into the trace: in the
    /// order in which they were made the first time, in another order each time after.
    #[must_use]
    pub fn round(&mut self, second: u64) -> Trace {
        let mut trace = Trace::with_capacity(self.flows.len(), 66);
        let step = 1_000_000_000 / self.flows.len().max(1) as u64;
        for at in 0..self.flows.len() {
            let now = Self::at(second) + at as u64 * step;
            self.flows[at].speak(&mut trace, now, &mut self.rng);
        }
        self.rng.shuffle(&mut self.flows);
        trace
    }

    /// `second` seconds into the trace, in nanoseconds since the epoch.
    #[must_use]
    pub const fn at(second: u64) -> u64 {
        START + second * 1_000_000_000
    }
}

#[cfg(test)]
mod tests {
    use flowscope_extract::FiveTuple;
    use flowscope_track::{EndReason, FlowTracker};

    use super::*;
    use crate::{Tally, feed};

    #[test]
    fn traces_have_the_sizes_that_figures_are_quoted_for() {
        let check = |trace: &Trace, packets: usize, bytes: usize| {
            let near = |is: usize, quoted: usize| is.abs_diff(quoted) * 20 <= quoted;
            let average = trace.bytes() / trace.len();
            assert!(
                near(trace.len(), packets) && near(average, bytes),
                "{} packets of {average} bytes",
                trace.len()
            );
        };
        check(&m300(0.1), 216_000, 119);
        check(&mix(0.1), 130_000, 542);
        check(&bulk(0.1), 150_000, 1033);
        let mut established = Established::new(1000);
        established.begin(|_| ());
        check(&established.talk(1000), 1000, 104);
    }

    #[test]
    fn every_flow_goes_as_its_script_says() {
        let trace = m300(0.01);
        let mut tracker = FlowTracker::new(FiveTuple::bidirectional());
        let mut tally = Tally::default();
        feed::one_by_one(&mut tracker, &trace, 0..trace.len(), 0, &mut tally);
        let tcp = tracker.stats().ended(EndReason::Fin);
        assert!((1900..2000).contains(&tcp), "{tcp} of about 1950");
        assert_eq!((tally.started, tally.anomalies), (3000, 0));
        assert_eq!(tally.established, tcp);
    }

    #[test]
    fn chatter_is_in_sequence() {
        let mut established = Established::new(50);
        let mut tracker = FlowTracker::new(FiveTuple::bidirectional());
        let mut tally = Tally::default();
        established.begin(|trace| {
            feed::one_by_one(&mut tracker, trace, 0..trace.len(), 0, &mut tally);
        });
        let trace = established.talk(1000);
        feed::in_batches(&mut tracker, &trace, 0..trace.len(), 0, &mut tally);
        assert_eq!((tally.started, tally.packets, tally.anomalies), (50, 1250, 0));
        assert!(tracker.flows().all(|flow| flow.stats().initiator.retransmitted == 0));
    }
}
