//! What the random traffic makes the model do.

use std::collections::{BTreeMap, BTreeSet};

use flowscope_track::{Anomaly, EndReason};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;

use super::{Op, Step};
use crate::model::{Model, Settings, What};

/// Each of these is expected to come up.
const WANTED: &[&str] = &[
    // Events.
    "Started Syn",
    "Started SynAck",
    "Started ListeningPort",
    "Started FirstPacket",
    "Established",
    "to SynReceived",
    "to Established from SynSent",
    "to Established from SynReceived",
    "to Established from FinWait",
    "to Established from ClosingTcp",
    "to FinWait",
    "to ClosingTcp",
    "to Closed",
    "to Reset from SynSent",
    "to Reset from Established",
    "InvalidReset",
    "InvalidFin",
    "RetractedFin",
    "UnexpectedSyn",
    "UnexpectedSynAck",
    "OutOfWindow",
    "UrgentData",
    "second Interim",
    "Late",
    "LateSegment",
    "Ended Fin",
    "Ended Rst",
    "Ended IdleTimeout",
    "Ended Evicted",
    "Ended Superseded",
    "Ended Forced",
    "Ended EndOfInput",
    "Removed Fin",
    "Removed Rst",
    "Removed IdleTimeout",
    "Removed Evicted",
    "Removed Superseded",
    "Removed Forced",
    "Removed EndOfInput",
    // States at the end.
    "no TCP",
    "ended in None",
    "ended in SynSent",
    "ended in SynReceived",
    "ended in Established",
    "ended in FinWait1",
    "ended in FinWait2",
    "ended in TimeWait",
    "ended in LastAck",
    "ended in CloseWait",
    "ended in Closing",
    "ended in Closed",
    // What is behind them.
    "begun by a remembered SYN",
    "begun by a SYN that was repeated",
    "a pending reset counted",
    "a pending reset was contradicted",
    "a lingering entry made room",
    "a half-open flow made room for an older one's sake",
    "a reset signed against the agreement",
    "another SYN+ACK was taken",
    "segments far ahead were acknowledged",
    "both sides were far ahead",
    "a FIN ahead was withdrawn",
    // Statistics.
    "retransmitted",
    "out_of_order",
    "duplicate_acks",
    "zero_windows",
    "probes",
    "urgent",
    "out_of_window",
    "bad_checksums",
    "gap_bytes",
    "window_scale",
    "syn_rtt",
    "ack_rtt",
    "mid_stream",
    "S0",
    "S1",
    "SF",
    "REJ",
    "S2",
    "S3",
    "RSTO",
    "RSTR",
    "RSTOS0",
    "RSTRH",
    "SH",
    "SHR",
    "OTH",
    // Letters.
    "letters ^acdfghiqrstw",
    "late letters adfr",
];

/// What does not come up in so many runs of each kind of traffic.
pub fn missed(runs: usize) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let mut letters = BTreeSet::new();
    let mut late_letters = BTreeSet::new();
    let mut runner = TestRunner::deterministic();
    let kinds =
        [super::steps(40).boxed(), super::busy_steps(100).boxed(), super::reuse_steps(50).boxed()];
    for kind in kinds {
        let strategy = (super::settings(), kind);
        for _ in 0..runs {
            let tree = strategy.new_tree(&mut runner).expect("nothing is filtered");
            let (settings, steps) = tree.current();
            look(&settings, &steps, &mut seen, &mut letters, &mut late_letters);
        }
    }
    seen.insert(format!("late letters {}", late_letters.into_iter().collect::<String>()));
    seen.insert(format!("letters {}", letters.into_iter().collect::<String>()));
    let missed = WANTED.iter().filter(|wanted| !seen.contains(**wanted));
    let mut missed: Vec<String> = missed.map(|wanted| (*wanted).to_owned()).collect();
    if !missed.is_empty() {
        missed.extend(seen.into_iter().filter(|seen| seen.starts_with("letters")));
    }
    missed
}

fn look(
    settings: &Settings,
    steps: &[Step],
    seen: &mut BTreeSet<String>,
    letters: &mut BTreeSet<char>,
    late_letters: &mut BTreeSet<char>,
) {
    let mut at_end = BTreeMap::new();
    let mut model = Model::new(settings.clone());
    for op in super::play(settings, steps) {
        let before = model.snapshots();
        let entries = model.len();
        let mut ts = None;
        let mut reset = false;
        match op {
            Op::Packet(packet) => {
                ts = Some(packet.ts);
                let tcp = packet.found.and_then(|found| found.tcp);
                reset = tcp.is_some_and(|tcp| tcp.flags.rst());
                model.packet(&packet);
            }
            Op::Expire(now) => model.expire(now),
            Op::End(key) => {
                model.end(key);
            }
        }
        if ts.is_some() && entries == settings.max_flows && model.len() == entries {
            let calls = model.calls();
            let started = calls.iter().any(|call| matches!(call.what, What::Started(_)));
            let ended = calls.iter().find(|call| matches!(call.what, What::Ended(..)));
            match ended.map(|call| &call.what) {
                None if started => {
                    seen.insert("a lingering entry made room".into());
                }
                Some(What::Ended(EndReason::Evicted, stats, _))
                    if stats.state.is_half_open()
                        && before.iter().any(|other| {
                            !other.stats.state.is_half_open()
                                && other.stats.last_seen < stats.last_seen
                        }) =>
                {
                    seen.insert("a half-open flow made room for an older one's sake".into());
                }
                _ => {}
            }
        }
        for call in model.take_calls() {
            note(&call, ts, seen, letters);
            match &call.what {
                What::Ended(.., history) => {
                    at_end.insert(call.flow, history.len());
                }
                What::Removed(.., history) => {
                    let late = &history[at_end[&call.flow]..];
                    late_letters.extend(late.chars().map(|letter| letter.to_ascii_lowercase()));
                }
                _ => {}
            }
            let now = model.snapshots().into_iter().find(|now| now.flow == call.flow);
            let repeated = now.is_some_and(|now| now.stats.sides[0].retransmitted > 0);
            match call.what {
                What::Started(_) if call.flow != call.packet && repeated => {
                    seen.insert("begun by a SYN that was repeated".into());
                }
                What::Anomaly(Anomaly::InvalidReset, _) if !reset => {
                    seen.insert("a pending reset was contradicted".into());
                }
                _ => {}
            }
        }
    }
    seen.extend(model.reached.drain(..).map(str::to_owned));
    model.finish(EndReason::EndOfInput);
    for call in model.take_calls() {
        note(&call, None, seen, letters);
    }
}

fn note(
    call: &crate::model::Call,
    ts: Option<flowscope_core::Timestamp>,
    seen: &mut BTreeSet<String>,
    letters: &mut BTreeSet<char>,
) {
    let mut saw = |what: String| {
        seen.insert(what);
    };
    match &call.what {
        What::Started(evidence) => {
            saw(format!("Started {evidence:?}"));
            if call.flow != call.packet {
                saw("begun by a remembered SYN".into());
            }
        }
        What::Established => saw("Established".into()),
        What::StateChange(from, to) => {
            saw(format!("to {to:?}"));
            saw(format!("to {to:?} from {from:?}"));
        }
        What::Anomaly(kind, _) => {
            saw(format!("{kind:?}"));
        }
        What::Interim(2, _) => saw("second Interim".into()),
        What::Late(_) => saw("Late".into()),
        What::LateSegment { .. } => saw("LateSegment".into()),
        What::Removed(reason, ..) => saw(format!("Removed {reason:?}")),
        What::Ended(reason, stats, history) => {
            saw(format!("Ended {reason:?}"));
            if *reason == EndReason::Rst && ts.is_some_and(|ts| ts != call.ts) {
                saw("a pending reset counted".into());
            }
            letters.extend(history.chars().map(|letter| letter.to_ascii_lowercase()));
            saw(stats.conn_state.as_str().to_owned());
            saw(stats.tcp_state.map_or("no TCP".into(), |state| format!("ended in {state:?}")));
            let sides = &stats.sides;
            for (name, holds) in [
                ("retransmitted", sides.iter().any(|side| side.retransmitted > 0)),
                ("out_of_order", sides.iter().any(|side| side.out_of_order > 0)),
                ("duplicate_acks", sides.iter().any(|side| side.duplicate_acks > 0)),
                ("zero_windows", sides.iter().any(|side| side.zero_windows > 0)),
                ("probes", sides.iter().any(|side| side.probes > 0)),
                ("urgent", sides.iter().any(|side| side.urgent > 0)),
                ("out_of_window", sides.iter().any(|side| side.out_of_window > 0)),
                ("bad_checksums", sides.iter().any(|side| side.bad_checksums > 0)),
                ("gap_bytes", sides.iter().any(|side| side.gap_bytes > 0)),
                ("window_scale", sides.iter().any(|side| side.window_scale.is_some())),
                ("syn_rtt", stats.syn_rtt.is_some()),
                ("ack_rtt", stats.ack_rtt.is_some()),
                ("mid_stream", stats.mid_stream),
            ] {
                if holds {
                    saw(name.to_owned());
                }
            }
        }
        _ => {}
    }
}
