//! Responses are paired with requests as their sender meant it, whatever a capture does to the connection.
//!
//! The generator knows the truth: each request has a number in its target, and its response has the same one.
//! A capture may show one direction later than the other, lose packets, or begin in the middle.

mod connection;

use std::collections::BTreeMap;
use std::sync::mpsc;
use std::time::Duration;

use connection::{Client, Plan, Sent};
use flowscope::core::FlowSide::{self, Initiator, Responder};
use flowscope::driver::{SessionDriver, SessionEvent, StreamDriver};
use flowscope::extract::FiveTupleKey;
use flowscope::http::{HttpExchange, HttpExchanges, HttpMessage, HttpParser};
use flowscope::session::{Callbacks, Origin};
use flowscope::track::EndReason;
use flowscope_testkit::{Packet, Rng};
use flowscope_tests::session::{EXTRACTOR, run};
use proptest::prelude::*;

const CASES: u32 = if cfg!(debug_assertions) { 600 } else { 20_000 };

/// A delay that the reassembler's grace covers.
const COVERED: u64 = 20_000;

fn connection(client: Client, rng: &mut Rng) -> Vec<Sent> {
    Plan { client, count: 2 + rng.below(9), heads: true }.run(rng)
}

/// A connection in lockstep in which the end of each response is known whatever was lost.
fn in_lockstep(rng: &mut Rng) -> Vec<Sent> {
    Plan { client: Client::Lockstep, count: 2 + rng.below(9), heads: false }.run(rng)
}

fn clients() -> impl Strategy<Value = Client> {
    prop_oneof![
        3 => Just(Client::Lockstep),
        2 => Just(Client::Bursts),
        2 => (2_usize..5).prop_map(Client::Window),
    ]
}

/// Shows the packets of one side `micros` later than they passed. `stamped`: with the time of that, else with
/// their own.
fn delayed(mut packets: Vec<Sent>, side: FlowSide, micros: u64, stamped: bool) -> Vec<Sent> {
    let late = Duration::from_micros(micros);
    let shown = |sent: &Sent| {
        if sent.side == side { sent.packet.ts + late } else { sent.packet.ts }
    };
    packets.sort_by_key(shown);
    if stamped {
        for sent in &mut packets {
            sent.packet.ts = shown(sent);
        }
    }
    packets
}

/// Loses one packet in `n`; returns the largest number of an exchange that lost something.
fn lossy(packets: &mut Vec<Sent>, n: usize, rng: &mut Rng) -> Option<usize> {
    let mut lost = None;
    packets.retain(|sent| {
        let keep = sent.exchanges.is_empty() || !rng.one_in(n);
        if !keep {
            lost = lost.max(sent.exchanges.iter().copied().max());
        }
        keep
    });
    lost
}

fn number(bytes: &[u8]) -> usize {
    String::from_utf8_lossy(bytes).trim_start_matches('/').parse().expect("a number")
}

/// The exchanges of both shapes, which are the same.
fn exchanges(packets: &[Sent]) -> Result<Vec<HttpExchange>, TestCaseError> {
    let packets: Vec<Packet> = packets.iter().map(|sent| sent.packet.clone()).collect();
    let parsed = run(|| SessionDriver::new(EXTRACTOR, HttpExchanges::default()), &packets);
    let parsed: Vec<_> = parsed
        .events
        .into_iter()
        .filter_map(|event| match event {
            SessionEvent::Application { message, .. } => Some(message),
            _ => None,
        })
        .collect();
    let (sender, called) = mpsc::channel();
    let factory =
        Callbacks::<HttpExchanges, _>::new(move |_: Origin<'_, FiveTupleKey>, message| {
            sender.send(message).expect("the receiver is there");
        });
    let mut driver = StreamDriver::new(EXTRACTOR, factory);
    for packet in &packets {
        driver.handle_packet(packet.view());
    }
    driver.finish(EndReason::EndOfInput);
    let called: Vec<HttpExchange> = called.try_iter().collect();
    let brief = |all: &[HttpExchange]| -> Vec<_> {
        all.iter().map(|x| (x.id, asked(x), answered(x), x.outcome, x.resumed)).collect()
    };
    prop_assert_eq!(brief(&called), brief(&parsed));
    messages_are_paired_right(&packets)?;
    Ok(parsed)
}

fn asked(x: &HttpExchange) -> Option<usize> {
    x.request.as_ref().map(|request| number(request.target()))
}

fn answered(x: &HttpExchange) -> Option<usize> {
    x.response.as_ref()?.header("tag").map(number)
}

/// The numbers that messages have, and those that they are given later, are right.
fn messages_are_paired_right(packets: &[Packet]) -> Result<(), TestCaseError> {
    let heard = run(|| SessionDriver::new(EXTRACTOR, HttpParser::default()), packets);
    let (mut requests, mut responses) = (BTreeMap::new(), BTreeMap::new());
    for event in heard.events {
        let SessionEvent::Application { message, .. } = event else { continue };
        match message {
            HttpMessage::Request(request) => {
                if let Some(exchange) = request.exchange {
                    let new = requests.insert(exchange, number(request.target()));
                    prop_assert_eq!(new, None);
                }
            }
            HttpMessage::Response(response) => {
                let Some(tag) = response.header("tag").map(number) else { continue };
                responses.insert(response.offset, tag);
                if let Some(exchange) = response.exchange {
                    prop_assert_eq!(requests.get(&exchange), Some(&tag));
                }
            }
            HttpMessage::Paired(paired) => {
                let (asked, tag) = (requests.get(&paired.exchange), responses.get(&paired.offset));
                prop_assert!(asked.is_some() && asked == tag, "{:?} {:?}", asked, tag);
            }
            _ => {}
        }
    }
    Ok(())
}

/// Which exchanges are paired; none of them is wrong.
fn paired(exchanges: &[HttpExchange]) -> Result<Vec<usize>, TestCaseError> {
    let mut paired = Vec::new();
    for x in exchanges {
        if let (Some(asked), Some(answered)) = (asked(x), answered(x)) {
            prop_assert_eq!(asked, answered, "{:#?}", x);
            paired.push(asked);
        } else {
            prop_assert!(!x.resumed);
        }
    }
    Ok(paired)
}

fn count(packets: &[Sent]) -> usize {
    packets.iter().flat_map(|sent| &sent.exchanges).max().map_or(0, |last| last + 1)
}

fn sides() -> impl Strategy<Value = FlowSide> {
    prop_oneof![Just(Initiator), Just(Responder)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: CASES, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_direction_that_is_late_costs_no_pair(
        seed: u64, client in clients(), side in sides(), micros in 0..COVERED, stamped: bool,
    ) {
        let mut sent = connection(client, &mut Rng::new(seed));
        // A reset ends the flow at once; what is shown behind it is late for that.
        sent.retain(|sent| !sent.reset);
        let count = count(&sent);
        let exchanges = exchanges(&delayed(sent, side, micros, stamped))?;
        prop_assert_eq!(paired(&exchanges)?, (0..count).collect::<Vec<_>>());
        prop_assert_eq!(exchanges.len(), count);
        prop_assert!(exchanges.iter().all(|x| !x.resumed));
    }

    #[test]
    fn a_direction_that_is_late_beyond_measure_makes_no_wrong_pair(
        seed: u64, client in clients(), side in sides(), micros in 0_u64..400_000, stamped: bool,
    ) {
        let sent = connection(client, &mut Rng::new(seed));
        paired(&exchanges(&delayed(sent, side, micros, stamped))?)?;
    }

    #[test]
    fn after_a_loss_pairing_resumes_in_lockstep(seed: u64, n in 2_usize..20) {
        let mut rng = Rng::new(seed);
        let mut sent = in_lockstep(&mut rng);
        let count = count(&sent);
        let Some(last) = lossy(&mut sent, n, &mut rng) else { return Ok(()) };
        let exchanges = exchanges(&sent)?;
        let paired = paired(&exchanges)?;
        for exchange in last + 2..count {
            prop_assert!(paired.contains(&exchange), "{} of {:?} behind {}", exchange, paired, last);
        }
    }

    #[test]
    fn no_loss_makes_a_wrong_pair(
        seed: u64,
        client in clients(),
        n in 2_usize..20,
        side in sides(),
        micros in prop_oneof![Just(0), 0_u64..60_000],
        stamped: bool,
    ) {
        let mut rng = Rng::new(seed);
        let mut sent = connection(client, &mut rng);
        lossy(&mut sent, n, &mut rng);
        paired(&exchanges(&delayed(sent, side, micros, stamped))?)?;
    }

    #[test]
    fn from_mid_stream_pairing_resumes_in_lockstep(seed: u64, start: prop::sample::Index) {
        let mut sent = in_lockstep(&mut Rng::new(seed));
        let count = count(&sent);
        let cut = sent.drain(..1 + start.index(sent.len())).collect::<Vec<_>>();
        let first = cut.iter().flat_map(|sent| &sent.exchanges).max().map_or(0, |last| last + 1);
        let paired = paired(&exchanges(&sent)?)?;
        for exchange in first + 1..count {
            prop_assert!(paired.contains(&exchange), "{} of {:?} from {}", exchange, paired, first);
        }
    }

    #[test]
    fn from_mid_stream_no_pair_is_wrong(
        seed: u64,
        client in clients(),
        start: prop::sample::Index,
        side in sides(),
        micros in prop_oneof![Just(0), 0_u64..60_000],
        stamped: bool,
        n in 2_usize..40,
    ) {
        let mut rng = Rng::new(seed);
        let mut sent = delayed(connection(client, &mut rng), side, micros, stamped);
        sent.drain(..1 + start.index(sent.len()));
        // Where the last response is lost too, nothing shows that one too many was unanswered.
        let end = count(&sent).saturating_sub(1);
        let last = sent.iter().position(|sent| sent.exchanges.contains(&end) && sent.side == Responder);
        if let Some(last) = last.filter(|_| rng.one_in(2)) {
            let tail = sent.split_off(last);
            lossy(&mut sent, n, &mut rng);
            sent.extend(tail);
        }
        paired(&exchanges(&sent)?)?;
    }
}
