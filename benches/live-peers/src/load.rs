use std::hint;
use std::num::NonZeroU32;
use std::thread;
use std::time::{Duration, Instant};

use flowscope_benches::Trace;
use flowscope_core::TcpFlags;
use flowscope_testkit::{Rng, frame};
use netring_capture::{AfPacket, AfPacketConfig, Capture, CaptureError};
use serde::Serialize;

/// What is sent.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Mix {
    /// Of 12 frames seven have 64 bytes, four 594 and one 1514: 362 on average.
    Imix,
    /// All frames have 64 bytes.
    Small,
}

/// Flows in a mix: three of four TCP.
pub(crate) const FLOWS: usize = 1000;

/// Ethernet, IPv4, TCP.
const TCP_HEADERS: usize = 54;

/// Ethernet, IPv4, UDP.
const UDP_HEADERS: usize = 42;

impl Mix {
    pub(crate) const ALL: [Mix; 2] = [Mix::Imix, Mix::Small];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Mix::Imix => "imix",
            Mix::Small => "small",
        }
    }

    pub(crate) fn named(name: &str) -> Option<Mix> {
        Mix::ALL.into_iter().find(|mix| mix.name() == name)
    }

    fn len(self, rng: &mut Rng) -> usize {
        match (self, rng.below(12)) {
            (Mix::Imix, 0..4) => 594,
            (Mix::Imix, 4) => 1514,
            _ => 64,
        }
    }

    /// `packets` frames of [`FLOWS`] flows, `step` nanoseconds apart, the same at every call. Each
    /// flow comes once before any comes by chance; TCP shakes hands, and all is in sequence.
    pub(crate) fn trace(self, packets: usize, step: u64) -> Trace {
        let mut rng = Rng::new(0x11fe);
        let mut flows: Vec<Talk> = (0..FLOWS).map(Talk::new).collect();
        let mut trace = Trace::with_capacity(packets, if self == Mix::Imix { 364 } else { 64 });
        for at in 0..packets {
            let flow = if at < FLOWS { at } else { rng.below(FLOWS) };
            let len = self.len(&mut rng);
            let bytes = flows[flow].speak(len, &mut rng);
            trace.push(&bytes, START + at as u64 * step);
        }
        trace
    }
}

/// Nanoseconds since the epoch, for frames that are not captured.
const START: u64 = 1_700_000_000_000_000_000;

/// A conversation of two hosts.
struct Talk {
    number: usize,
    /// Segments of the handshake that were sent; all of them for UDP.
    shaken: usize,
    /// What either side sends next.
    next: [u32; 2],
}

impl Talk {
    fn new(number: usize) -> Self {
        let is_tcp = number % 4 != 3;
        Talk { number, shaken: if is_tcp { 0 } else { 3 }, next: [1000, 5000] }
    }

    /// Its next frame, of `len` bytes if it carries anything.
    fn speak(&mut self, len: usize, rng: &mut Rng) -> Vec<u8> {
        let client = (format!("10.0.{}.{}", self.number / 250, self.number % 250 + 1), 20_000);
        let server = (format!("192.168.1.{}", self.number % 200 + 1), 443);
        let is_tcp = self.number % 4 != 3;
        let by_server = match self.shaken {
            0 | 2 => false,
            1 => true,
            _ => !rng.one_in(2),
        };
        let (from, to) = if by_server { (&server, &client) } else { (&client, &server) };
        let packet = frame().ethernet().ipv4(&from.0, &to.0);
        if !is_tcp {
            return packet.udp(from.1, to.1).payload(vec![7; len - UDP_HEADERS]).build();
        }
        let [own, other] = if by_server { [1, 0] } else { [0, 1] };
        let (flags, payload) = match self.shaken {
            0 => (TcpFlags::SYN, 0),
            1 => (TcpFlags::SYN | TcpFlags::ACK, 0),
            2 => (TcpFlags::ACK, 0),
            _ => (TcpFlags::ACK | TcpFlags::PSH, len - TCP_HEADERS),
        };
        let mut segment = packet.tcp(from.1, to.1).seq(self.next[own]).flags(flags);
        if self.shaken > 0 {
            segment = segment.ack(self.next[other]);
        }
        let taken = payload as u32 + u32::from(self.shaken < 2);
        self.next[own] = self.next[own].wrapping_add(taken);
        self.shaken = (self.shaken + 1).min(3);
        segment.payload(vec![7; payload]).build()
    }
}

/// Sends through an interface of this name, and captures nothing of note.
pub(crate) fn sender(interface: &str) -> Result<AfPacket, CaptureError> {
    let config = AfPacketConfig::default()
        .blocks(NonZeroU32::MIN)
        .block_size(NonZeroU32::MIN)
        .ignore_outgoing(true);
    AfPacket::open(interface, &config)
}

/// Frames in one system call.
const BURST: usize = 32;

/// Sends all frames, `rate` of them per second or, with 0, as fast as it goes, and says how long it
/// took. A sender that was held up makes up for it.
pub(crate) fn send(
    from: &mut AfPacket,
    frames: &[&[u8]],
    rate: u64,
) -> Result<Duration, CaptureError> {
    let start = Instant::now();
    let mut sent = 0_u64;
    for burst in frames.chunks(BURST) {
        if let Some(nanos) = (sent * 1_000_000_000).checked_div(rate) {
            let due = start + Duration::from_nanos(nanos);
            while Instant::now() < due {
                hint::spin_loop();
            }
        }
        let mut burst = burst;
        while !burst.is_empty() {
            let some = from.send_batch(burst)?;
            if some == 0 {
                thread::yield_now();
            }
            burst = &burst[some..];
            sent += some as u64;
        }
    }
    Ok(start.elapsed())
}

#[cfg(test)]
mod tests {
    use flowscope_benches::{Tally, feed};
    use flowscope_extract::FiveTuple;
    use flowscope_track::FlowTracker;

    use super::*;

    #[test]
    fn all_flows_come_and_all_is_in_sequence() {
        for (mix, average) in [(Mix::Imix, 362), (Mix::Small, 64)] {
            let trace = mix.trace(40_000, 5000);
            let mut tracker = FlowTracker::new(FiveTuple::bidirectional());
            let mut tally = Tally::default();
            feed::in_batches(&mut tracker, &trace, 0..trace.len(), 0, &mut tally);
            assert_eq!((tally.started, tally.packets), (FLOWS as u64, 40_000));
            assert_eq!((tally.anomalies, tally.established), (0, FLOWS as u64 * 3 / 4));
            assert!(tracker.flows().all(|flow| flow.stats().initiator.retransmitted == 0));
            let is = trace.bytes() / trace.len();
            assert!(is.abs_diff(average) * 10 < average, "{is}");
        }
    }
}
