//! A parser that is chosen late gets what it would have got, had it been chosen at the first byte.

use flowscope_core::FlowSide::{self, Initiator, Responder};
use flowscope_core::{ParserStatus, Probe, SessionParser, StreamChunk};
use flowscope_driver::{Driver, Protocols, Recognition, SessionEvent};
use flowscope_extract::{AutoDetectEncap, FiveTuple};
use flowscope_testkit::{Dialogue, Packet, Rng};
use flowscope_track::EndReason;

use super::{EXTRACTOR, packets};

/// A call of a parser.
#[derive(Clone, Debug, Eq, PartialEq)]
enum Call {
    Bytes { side: FlowSide, at: u64, bytes: Vec<u8>, acked: Option<u64> },
    Gap { side: FlowSide, len: u64 },
    Fin(FlowSide),
    Rst(FlowSide),
    End,
}

/// Reports each call, and is sure of a side's first bytes when there are `N` of them.
#[derive(Clone, Default)]
struct Recorder<const N: usize>;

impl<const N: usize> SessionParser for Recorder<N> {
    type Message = Call;

    fn feed_initiator(&mut self, _: &[u8]) -> Vec<Call> {
        unreachable!("the driver calls `feed_into`")
    }

    fn feed_responder(&mut self, _: &[u8]) -> Vec<Call> {
        unreachable!("the driver calls `feed_into`")
    }

    fn feed_into(&mut self, chunk: StreamChunk<'_>, out: &mut Vec<Call>) -> ParserStatus {
        let StreamChunk { side, offset: at, bytes, acked, .. } = chunk;
        out.push(Call::Bytes { side, at, bytes: bytes.to_vec(), acked });
        ParserStatus::Continue
    }

    fn gap(&mut self, side: FlowSide, len: u64, out: &mut Vec<Call>) -> ParserStatus {
        out.push(Call::Gap { side, len });
        ParserStatus::Continue
    }

    fn fin(&mut self, side: FlowSide, out: &mut Vec<Call>) {
        out.push(Call::Fin(side));
    }

    fn rst(&mut self, side: FlowSide, out: &mut Vec<Call>) {
        out.push(Call::Rst(side));
    }

    fn end(&mut self, out: &mut Vec<Call>) {
        out.push(Call::End);
    }

    fn probe(_: FlowSide, start: &[u8]) -> Probe {
        if start.len() >= N { Probe::Yes } else { Probe::Maybe }
    }
}

/// What a run gives, in the order in which it came.
#[derive(Default)]
struct Run {
    calls: Vec<Call>,
    gaps: Vec<(FlowSide, u64, u64)>,
    delivered: u64,
    seen: u64,
}

fn run<const N: usize>(packets: &[Packet]) -> Run {
    let recognition = Recognition::by_ports([7]);
    let protocols = Protocols::new().stream("recorder", Recorder::<N>, recognition, |call| call);
    let mut driver: Driver<AutoDetectEncap<FiveTuple>, Call> = Driver::new(EXTRACTOR, protocols);
    for packet in packets {
        driver.handle_packet(packet.view());
    }
    driver.finish(EndReason::EndOfInput);
    let mut run = Run::default();
    while let Some(event) = driver.poll_event() {
        match event {
            SessionEvent::Application { message, .. } => run.calls.push(message),
            SessionEvent::Gap { side, offset, len, .. } => run.gaps.push((side, offset, len)),
            _ => {}
        }
    }
    assert_eq!(driver.pending(), 0);
    (run.delivered, run.seen) = (driver.bytes().delivered(), driver.bytes().seen());
    run
}

impl Run {
    /// The calls about a side, bytes and gaps joined: how they were cut is not of interest.
    fn of(&self, side: FlowSide) -> Vec<Call> {
        let mut joined: Vec<Call> = Vec::new();
        for call in &self.calls {
            let about = match call {
                Call::Bytes { side, .. } | Call::Gap { side, .. } => *side,
                Call::Fin(side) | Call::Rst(side) => *side,
                Call::End => side,
            };
            if about != side {
                continue;
            }
            match (joined.last_mut(), call) {
                (
                    Some(Call::Bytes { bytes, acked, .. }),
                    Call::Bytes { bytes: more, acked: of_more, .. },
                ) if acked == of_more => bytes.extend_from_slice(more),
                (Some(Call::Gap { len, .. }), Call::Gap { len: more, .. }) => *len += more,
                _ => joined.push(call.clone()),
            }
        }
        joined
    }

    /// The bytes of both sides in their order.
    fn in_turn(&self) -> Vec<(FlowSide, Vec<u8>)> {
        let mut turns: Vec<(FlowSide, Vec<u8>)> = Vec::new();
        for call in &self.calls {
            let Call::Bytes { side, bytes, .. } = call else { continue };
            match turns.last_mut() {
                Some((last, all)) if last == side => all.extend_from_slice(bytes),
                _ => turns.push((*side, bytes.clone())),
            }
        }
        turns
    }
}

/// A conversation behind a handshake, some of it lost, swapped or sent twice.
fn conversation(rng: &mut Rng) -> Vec<Packet> {
    let side = |rng: &mut Rng| *rng.pick(&[Initiator, Responder]);
    let mut script = Dialogue::tcp("10.0.0.1:40000", "10.0.0.2:7").handshake();
    for _ in 0..1 + rng.below(14) {
        let from = side(rng);
        let len = 1 + rng.below(60);
        script = script.data(from, rng.bytes(len));
        if rng.one_in(4) {
            script = script.ack_from(!from);
        }
    }
    script = match rng.below(4) {
        0 => script.close(side(rng)),
        1 => script.fin(side(rng)),
        2 => script.rst(side(rng)),
        _ => script,
    };
    let mut packets = packets(script);
    if rng.one_in(2) {
        for at in (4..packets.len()).rev() {
            match rng.below(16) {
                0 => drop(packets.remove(at)),
                1 | 2 => packets.swap(at - 1, at),
                3 => packets.insert(at, packets[at].clone()),
                _ => {}
            }
        }
    }
    packets.iter_mut().for_each(|packet| packet.ts = flowscope_core::Timestamp::from_secs(1));
    packets
}

#[test]
fn what_came_before_the_choice_is_given_as_it_came() {
    let check = |seed: u64, packets: &[Packet], late: &Run| {
        let early = run::<0>(packets);
        for side in [Initiator, Responder] {
            assert_eq!(late.of(side), early.of(side), "{seed}");
        }
        let mut gaps = [&early, late].map(|run| run.gaps.clone());
        gaps.iter_mut()
            .for_each(|gaps| gaps.sort_unstable_by_key(|(side, at, _)| (side.index(), *at)));
        assert_eq!(gaps[0], gaps[1], "{seed}");
        if gaps[0].is_empty() {
            assert_eq!(late.in_turn(), early.in_turn(), "{seed}");
        }
        assert_eq!((late.delivered, late.seen), (early.delivered, early.seen), "{seed}");
    };
    for seed in 0..600 {
        let packets = conversation(&mut Rng::new(seed));
        check(seed, &packets, &run::<40>(&packets));
        // It is never sure: the port decides, where no more bytes are waited for.
        check(seed, &packets, &run::<300>(&packets));
    }
}
