//! Sums of the bytes of TCP flows, one JSON object per line.

use std::time::Duration;

use flowscope::core::{FlowSide, L4Proto, Orientation, Timestamp};
use flowscope::driver::SessionChange;
use flowscope::extract::FiveTupleKey;
use flowscope::output::json::{self, Object};
use flowscope::output::rfc3339;
use flowscope::reassembly::StreamConfig;
use flowscope::record::Short;
use flowscope::track::{Change, EndReason, Flow};

use super::gaps::Gaps;
use super::{RecordFormat, Totals, Wanted};
use crate::raw::{self, StreamDigest};
use crate::reading::{AppRecord, PayloadMode};

/// Length, hash and gaps of what both sides of each flow sent.
#[derive(Clone, Debug)]
pub(crate) struct Digests {
    wanted: Option<Wanted>,
    community_id_seed: u16,
}

/// A flow and its sums.
#[derive(Debug)]
pub(crate) struct DigestRecord {
    key: FiveTupleKey,
    orientation: Orientation,
    start: Timestamp,
    sums: Box<raw::Digests>,
    gaps: Option<Box<[Gaps; 2]>>,
}

/// What is known of a flow so far.
#[derive(Debug, Default)]
pub(crate) struct DigestState {
    sums: Option<Box<raw::Digests>>,
    gaps: Option<Box<[Gaps; 2]>>,
}

impl Digests {
    pub(crate) fn new(wanted: Option<Wanted>, community_id_seed: u16) -> Self {
        Digests { wanted, community_id_seed }
    }
}

impl RecordFormat for Digests {
    type State = DigestState;
    type Record = DigestRecord;

    fn state(&self, _: &FiveTupleKey) -> Self::State {
        DigestState::default()
    }

    fn reading(&self) -> PayloadMode {
        PayloadMode::Digest
    }

    fn streams(&self, streams: StreamConfig) -> StreamConfig {
        patient(streams)
    }

    fn record(&self, _: Flow<'_, FiveTupleKey, Self::State>, _: Change) -> Option<DigestRecord> {
        None
    }

    fn session_ended(
        &self,
        flow: Flow<'_, FiveTupleKey, Self::State>,
        _: EndReason,
    ) -> Option<DigestRecord> {
        let wanted = self.wanted.as_ref().is_none_or(|wanted| wanted.is(flow.id, flow.key));
        if flow.key.proto() != L4Proto::Tcp || !wanted {
            return None;
        }
        let stats = flow.stats();
        let nothing = || Box::new(raw::Digests([StreamDigest::empty(), StreamDigest::empty()]));
        Some(DigestRecord {
            key: *flow.key,
            orientation: stats.orientation,
            start: stats.first_seen,
            sums: flow.state.sums.take().unwrap_or_else(nothing),
            gaps: flow.state.gaps.take(),
        })
    }

    fn message(
        &self,
        flow: Flow<'_, FiveTupleKey, Self::State>,
        _: FlowSide,
        message: AppRecord,
    ) -> Option<DigestRecord> {
        if let AppRecord::Digest(sums) = message {
            flow.state.sums = Some(sums);
        }
        None
    }

    fn session(
        &self,
        flow: Flow<'_, FiveTupleKey, Self::State>,
        change: SessionChange,
    ) -> Option<DigestRecord> {
        if let SessionChange::Gap { side, offset, len } = change {
            flow.state.gaps.get_or_insert_default()[side.index()].add(offset, len);
        }
        None
    }

    fn write(&mut self, record: &DigestRecord, out: &mut Vec<u8>) {
        let (src, dest) = record.key.endpoints(record.orientation);
        json::line(out, |line| {
            line.put("src_ip", src.addr);
            line.put_some("src_port", src.port);
            line.put("dest_ip", dest.addr);
            line.put_some("dest_port", dest.port);
            let id = record.key.community_id(self.community_id_seed);
            line.put("community_id", Short::<32>::of(id));
            line.put("start", rfc3339(record.start));
            let raw::Digests([to_server, to_client]) = &*record.sums;
            let none = Gaps::default();
            let [gaps, gaps_back] = record.gaps.as_ref().map_or([&none; 2], |gaps| gaps.each_ref());
            line.object("toserver", |to| fill(to, to_server, gaps));
            line.object("toclient", |to| fill(to, to_client, gaps_back));
        });
    }

    fn end(&mut self, _: &Totals, _: &mut Vec<u8>) {}
}

fn fill(side: &mut Object<'_>, sum: &StreamDigest, gaps: &Gaps) {
    side.put("len", sum.len);
    let mut hex = String::with_capacity(64);
    for byte in sum.sha256 {
        hex.extend(
            [byte >> 4, byte & 15].map(|digit| char::from(b"0123456789abcdef"[usize::from(digit)])),
        );
    }
    side.put("sha256", hex.as_str());
    gaps.put(side);
}

/// A reader of a file can wait longer for a missing segment than a live capture:
/// a hole is a gap once the receiver has acknowledged it and a second has passed, or after minutes.
pub(super) fn patient(streams: StreamConfig) -> StreamConfig {
    streams.grace(Duration::from_secs(1)).hole_timeout(Duration::from_secs(300))
}
