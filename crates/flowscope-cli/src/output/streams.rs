//! The bytes of all conversations, each direction in a file of its own.

use flowscope::core::{FlowSide, Orientation, Timestamp};
use flowscope::driver::SessionChange;
use flowscope::extract::FiveTupleKey;
use flowscope::output::json::{self, Object};
use flowscope::output::rfc3339;
use flowscope::reassembly::StreamConfig;
use flowscope::record::Short;
use flowscope::track::{Change, EndReason, Flow};

use super::digests::patient;
use super::gaps::Gaps;
use super::store::{INDEX, Store, flow_name};
use super::{RecordFormat, Totals, Wanted, count};
use crate::error::Failure;
use crate::raw::{Chunk, Piece};
use crate::reading::{AppRecord, PayloadMode};

/// What each side of each flow sent, in files; and an index with the gaps between the bytes.
#[derive(Debug)]
pub(crate) struct Streams {
    wanted: Option<Wanted>,
    community_id_seed: u16,
    /// Only where records are written: other copies make them.
    store: Option<Store>,
    failure: Option<Failure>,
    found: bool,
}

/// What is known of a flow so far.
#[derive(Debug, Default)]
pub(crate) struct StreamsState {
    wanted: bool,
    orientation: Option<Orientation>,
    sides: [Side; 2],
}

#[derive(Clone, Debug, Default)]
struct Side {
    /// Bytes that were captured.
    len: u64,
    gaps: Gaps,
    beginning_missing: bool,
}

/// Something of a flow that is wanted.
#[derive(Debug)]
pub(crate) struct Part {
    id: u64,
    key: FiveTupleKey,
    orientation: Orientation,
    what: What,
}

#[derive(Debug)]
enum What {
    /// There is such a flow.
    Began,
    Bytes(FlowSide, Box<[u8]>),
    /// Nothing more comes.
    Ended(Timestamp, Box<[Side; 2]>),
}

impl Streams {
    /// Of the wanted flow, or of all.
    pub(crate) fn new(wanted: Option<Wanted>, community_id_seed: u16, store: Store) -> Self {
        Streams { wanted, community_id_seed, store: Some(store), failure: None, found: false }
    }
}

impl Clone for Streams {
    /// A copy that makes records, and cannot write them.
    fn clone(&self) -> Self {
        let Streams { wanted, community_id_seed, .. } = self;
        Streams {
            wanted: wanted.clone(),
            community_id_seed: *community_id_seed,
            store: None,
            failure: None,
            found: false,
        }
    }
}

impl StreamsState {
    fn part(&self, flow: &Flow<'_, FiveTupleKey, impl Sized>, what: What) -> Option<Part> {
        let (id, key) = (flow.id.0, *flow.key);
        let orientation = self.orientation.unwrap_or(Orientation::Forward);
        self.wanted.then_some(Part { id, key, orientation, what })
    }
}

impl RecordFormat for Streams {
    type State = StreamsState;
    type Record = Part;

    fn state(&self, _: &FiveTupleKey) -> StreamsState {
        StreamsState::default()
    }

    fn reading(&self) -> PayloadMode {
        PayloadMode::Raw
    }

    fn streams(&self, streams: StreamConfig) -> StreamConfig {
        patient(streams)
    }

    fn portable(&self) -> bool {
        false
    }

    fn record(&self, flow: Flow<'_, FiveTupleKey, StreamsState>, change: Change) -> Option<Part> {
        let Change::Started { .. } = change else { return None };
        let wanted = self.wanted.as_ref().is_none_or(|wanted| wanted.is(flow.id, flow.key));
        flow.state.wanted = wanted;
        flow.state.orientation = Some(flow.orientation());
        self.wanted.as_ref()?;
        flow.state.part(&flow, What::Began)
    }

    fn message(
        &self,
        flow: Flow<'_, FiveTupleKey, StreamsState>,
        side: FlowSide,
        message: AppRecord,
    ) -> Option<Part> {
        let AppRecord::Raw(Chunk { offset, what }) = message else { return None };
        if !flow.state.wanted {
            return None;
        }
        match what {
            Piece::Bytes(bytes) => {
                flow.state.sides[side.index()].len += bytes.len() as u64;
                return flow.state.part(&flow, What::Bytes(side, bytes));
            }
            Piece::Gap(0) => flow.state.sides[side.index()].beginning_missing = true,
            Piece::Gap(len) => flow.state.sides[side.index()].gaps.add(offset, len),
            Piece::Fin | Piece::Rst => {}
        }
        None
    }

    fn session(
        &self,
        flow: Flow<'_, FiveTupleKey, StreamsState>,
        change: SessionChange,
    ) -> Option<Part> {
        if let SessionChange::Gap { side, offset, len } = change
            && flow.state.wanted
        {
            flow.state.sides[side.index()].gaps.add(offset, len);
        }
        None
    }

    fn session_ended(
        &self,
        flow: Flow<'_, FiveTupleKey, StreamsState>,
        _: EndReason,
    ) -> Option<Part> {
        let sides = std::mem::take(&mut flow.state.sides);
        let is_empty = |side: &Side| side.len == 0 && side.gaps.is_empty();
        if sides.iter().all(is_empty) {
            return None;
        }
        let ended = What::Ended(flow.stats().first_seen, Box::new(sides));
        flow.state.part(&flow, ended)
    }

    fn write(&mut self, part: &Part, _: &mut Vec<u8>) {
        self.found = true;
        let (Some(store), None) = (&mut self.store, &self.failure) else { return };
        let written = match &part.what {
            What::Began => Ok(()),
            What::Bytes(side, bytes) => {
                let name = || format!("{}_{}.bin", part.name(), to(*side));
                store.append((part.id, side.index() as u8), name, bytes)
            }
            What::Ended(start, sides) => part.end(*start, sides, self.community_id_seed, store),
        };
        self.failure = written.err();
    }

    fn fault(&mut self) -> Result<(), Failure> {
        self.failure.take().map_or(Ok(()), Err)
    }

    fn end(&mut self, _: &Totals, _: &mut Vec<u8>) {
        if let Some(store) = &mut self.store {
            self.failure = self.failure.take().or(store.flush().err());
        }
    }

    fn notes(&self) -> Vec<String> {
        let written = |store: &Store| format!("written: {}", count(store.created(), "stream"));
        self.store.iter().map(written).collect()
    }

    fn missed(&self) -> Option<&'static str> {
        (self.wanted.is_some() && !self.found).then_some("no such conversation in the capture")
    }
}

impl Part {
    fn name(&self) -> String {
        flow_name(self.id, &self.key, self.orientation)
    }

    /// Completes the files of the flow, and appends its line to the index.
    fn end(
        &self,
        start: Timestamp,
        sides: &[Side; 2],
        seed: u16,
        store: &mut Store,
    ) -> Result<(), Failure> {
        let mut text = Vec::new();
        let (src, dest) = self.key.endpoints(self.orientation);
        json::line(&mut text, |line| {
            line.put("flow_id", self.id);
            line.put("proto", Short::<8>::of(self.key.proto()));
            line.put("src_ip", src.addr);
            line.put_some("src_port", src.port);
            line.put("dest_ip", dest.addr);
            line.put_some("dest_port", dest.port);
            line.put("community_id", Short::<32>::of(self.key.community_id(seed)));
            line.put("start", rfc3339(start));
            for side in [FlowSide::Initiator, FlowSide::Responder] {
                let file = store.name((self.id, side.index() as u8));
                line.object(to(side), |object| sides[side.index()].fill(file, object));
            }
        });
        store.close((self.id, 0))?;
        store.close((self.id, 1))?;
        store.append(INDEX, || "index.json".into(), &text)
    }
}

impl Side {
    fn fill(&self, file: Option<&str>, object: &mut Object<'_>) {
        object.put_some("file", file);
        object.put("len", self.len);
        if self.beginning_missing {
            object.put("beginning_missing", true);
        }
        self.gaps.put(object);
    }
}

/// What EVE calls the direction of a side.
fn to(side: FlowSide) -> &'static str {
    match side {
        FlowSide::Initiator => "toserver",
        FlowSide::Responder => "toclient",
    }
}
