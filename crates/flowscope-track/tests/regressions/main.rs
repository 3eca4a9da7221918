//! Packet sequences, as short as they go, on which the tracker once was wrong.

#![allow(missing_docs)]

mod ends;
mod handshake;
mod history;
#[path = "../model/mod.rs"]
mod model;
mod segments;
mod time;
#[path = "../traffic/mod.rs"]
mod traffic;

use std::time::Duration;

use flowscope_core::{
    Extracted, Fragment, IpInfo, L4Proto, LinkType, Loss, Orientation, PacketView, Payload,
    Progress, TcpFlags, TcpInfo, TcpOptions, Timestamp,
};
use flowscope_track::{
    Anomaly, Change, Clock, ClockConfig, ConnState, EndReason, EventOrder, Eviction, Flow,
    FlowSink, FlowState, FlowTable, FlowTracker, InitiatorEvidence, TrackerConfig,
};

use self::model::{Call, Packet, Settings, Stats, What};
use self::traffic::compare::compare;
use self::traffic::{Input, Op};

const SYN: TcpFlags = TcpFlags::SYN;
const ACK: TcpFlags = TcpFlags::ACK;
const FIN: TcpFlags = TcpFlags::FIN;
const RST: TcpFlags = TcpFlags::RST;
const URG: TcpFlags = TcpFlags::URG;
const A: Orientation = Orientation::Forward;
const B: Orientation = Orientation::Reverse;

/// Packets of one key, a millisecond apart.
struct Script {
    settings: Settings,
    now: Timestamp,
    key: u8,
    ops: Vec<Op>,
}

fn script() -> Script {
    Script { settings: Settings::default(), now: Timestamp::from_secs(1), key: 0, ops: Vec::new() }
}

impl Script {
    fn with(mut self, set: impl FnOnce(&mut Settings)) -> Self {
        set(&mut self.settings);
        self
    }

    fn key(mut self, key: u8) -> Self {
        self.key = key;
        self
    }

    fn after(mut self, time: Duration) -> Self {
        self.now = self.now + time;
        self
    }

    fn at(mut self, time: Timestamp) -> Self {
        self.now = time;
        self
    }

    fn expire(mut self, now: Timestamp) -> Self {
        self.ops.push(Op::Expire(now));
        self
    }

    fn packet(mut self, found: Extracted<u8>) -> Self {
        let len = found.payload.wire_len;
        self.ops.push(Op::Packet(Packet {
            ts: self.now,
            first_ts: self.now,
            frames: 1,
            wire_len: 54 + len,
            payload: vec![b'x'; len as usize],
            found: Some(found),
        }));
        self.after(Duration::from_millis(1))
    }

    fn tcp(self, from: Orientation, flags: TcpFlags, seq: u32, ack: u32, len: u32) -> Self {
        let tcp = TcpInfo { seq, ack, window: 512, flags, ..TcpInfo::default() };
        self.segment(from, tcp, len)
    }

    fn tcp_options(
        self,
        from: Orientation,
        flags: TcpFlags,
        seq: u32,
        ack: u32,
        options: TcpOptions,
    ) -> Self {
        let tcp = TcpInfo { seq, ack, window: 512, flags, options, ..TcpInfo::default() };
        self.segment(from, tcp, 0)
    }

    fn segment(self, from: Orientation, tcp: TcpInfo, len: u32) -> Self {
        let mut found = Extracted::new(self.key, from);
        found.l4 = Some(L4Proto::Tcp);
        found.tcp = Some(tcp);
        found.payload.offset = 4;
        (found.payload.captured, found.payload.wire_len) = (len, len);
        self.packet(found)
    }

    /// TCP, but the capture ends within its header.
    fn cut(self, from: Orientation) -> Self {
        let mut found = Extracted::new(self.key, from);
        found.l4 = Some(L4Proto::Tcp);
        self.packet(found)
    }

    /// A: 1000, B: 5000.
    fn handshake(self) -> Self {
        self.tcp(A, SYN, 1000, 0, 0).tcp(B, SYN | ACK, 5000, 1001, 0).tcp(A, ACK, 1001, 5001, 0)
    }

    /// The model agrees; what the tracker called the sink with, up to the removal of entries.
    #[track_caller]
    fn run(self) -> Vec<Call> {
        let mut calls = self.run_to_removal();
        calls.retain(|call| !matches!(call.what, What::Removed(..)));
        calls
    }

    /// The model agrees; all that the tracker called the sink with.
    #[track_caller]
    fn run_to_removal(self) -> Vec<Call> {
        let calls = compare(&self.settings, &Input::new(self.ops.clone()));
        let calls = calls.unwrap_or_else(|difference| panic!("{difference}"));
        // Numbers have no least one: each of the script may be the last before 0.
        for from in [A, B] {
            for number in numbers_of(&self.ops, from) {
                let moved = moved(&self.ops, from, u32::MAX.wrapping_sub(number));
                if let Err(difference) = compare(&self.settings, &Input::new(moved)) {
                    panic!("{number} of {from:?} as the last number: {difference}");
                }
            }
        }
        calls
    }
}

/// The sequence numbers of a sender where segments begin and end, and what is acknowledged of them.
fn numbers_of(ops: &[Op], from: Orientation) -> Vec<u32> {
    let mut numbers = Vec::new();
    for op in ops {
        let Op::Packet(Packet { found: Some(found), .. }) = op else { continue };
        let Some(tcp) = found.tcp else { continue };
        if found.orientation == from {
            let end = tcp.seq.wrapping_add(found.payload.wire_len);
            numbers.extend([tcp.seq, end, end.wrapping_add(1)]);
        } else if tcp.flags.ack() {
            numbers.push(tcp.ack);
        }
    }
    numbers.sort_unstable();
    numbers.dedup();
    numbers
}

/// The same packets, with the sequence numbers of a sender moved by so many.
fn moved(ops: &[Op], from: Orientation, by: u32) -> Vec<Op> {
    let mut moved = ops.to_vec();
    for op in &mut moved {
        let Op::Packet(Packet { found: Some(found), .. }) = op else { continue };
        let Some(tcp) = &mut found.tcp else { continue };
        if found.orientation == from {
            tcp.seq = tcp.seq.wrapping_add(by);
        } else if tcp.flags.ack() {
            tcp.ack = tcp.ack.wrapping_add(by);
        }
    }
    moved
}

/// Ids of the flows that began.
fn starts(calls: &[Call]) -> Vec<u64> {
    let started = calls.iter().filter(|call| matches!(call.what, What::Started(_)));
    started.map(|call| call.flow).collect()
}

/// What was odd, and about which packet.
fn anomalies(calls: &[Call]) -> Vec<(u64, Anomaly)> {
    let odd = calls.iter().filter_map(|call| match call.what {
        What::Anomaly(kind, _) => Some((call.packet, kind)),
        _ => None,
    });
    odd.collect()
}

fn histories(calls: &[Call]) -> Vec<&str> {
    let ended = calls.iter().filter_map(|call| match &call.what {
        What::Ended(_, _, history) => Some(history.as_str()),
        _ => None,
    });
    ended.collect()
}

/// What is known of the only flow when its entry is removed.
fn removed(calls: &[Call]) -> (&Stats, &str) {
    let removed = calls.iter().find_map(|call| match &call.what {
        What::Removed(_, stats, history) => Some((&**stats, history.as_str())),
        _ => None,
    });
    removed.expect("the flow was removed")
}
