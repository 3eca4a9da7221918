use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use flowscope::core::{Orientation, PacketSource, PacketView};
use flowscope::extract::FiveTupleKey;
use flowscope::pcap::CaptureFiles;
use flowscope::track::{Change, EndReason, Flow, PacketInfo};

use super::pieces::{Piece, Pieces};
use crate::args::Running;
use crate::choice::FlowState;
use crate::error::Failure;
use crate::files::total_size;
use crate::numbers::Numbers;
use crate::output::{Flows, Output, RecordFormat, Target, Totals};
use crate::reading::PayloadMode;
use crate::recorder::FlowKey;
use crate::run::Run;

/// Takes the packets of flows.
pub(super) trait FlowPackets {
    /// Whether the frames of fragments are needed, and not only their numbers.
    const FRAMES: bool;

    /// A packet of this flow. Those of a flow come in order, but the fragments of a datagram stand
    /// before the packet that completes it.
    fn packet(&mut self, flow: FlowOf, packet: Numbered<'_>) -> Result<(), Failure>;

    /// No packet of this flow will come any more.
    fn over(&mut self, flow: u64) -> Result<(), Failure>;
}

/// The flow of a packet.
#[derive(Clone, Copy, Debug)]
pub(super) struct FlowOf {
    pub(super) id: u64,
    pub(super) key: FiveTupleKey,
    /// Orientation of the initiator, as known with this packet.
    pub(super) orientation: Orientation,
}

/// A packet and its number.
#[derive(Clone, Copy)]
pub(super) struct Numbered<'a> {
    pub(super) number: u64,
    pub(super) view: PacketView<'a>,
}

/// Reads the captures again, and gives `to` the packets of the chosen flows. Errors of the captures
/// were printed when they were read first.
pub(super) fn reread<K: FlowKey, P: FlowPackets>(
    files: &[PathBuf],
    args: &Running,
    flows: &Flows,
    chosen: &Numbers,
    to: &mut P,
) -> Result<(), Failure> {
    let steps = Arc::<Mutex<Vec<Step>>>::default();
    let layout = Assign { flows: flows.clone(), steps: Arc::clone(&steps) };
    let out = Output::open(layout, Target::Stream(None))?;
    // With one worker, a round has the records of all packets so far.
    let run = Run::<Assign, K>::new(args, out, NonZeroUsize::MIN, total_size(files), None)?;
    let pieces = Pieces::new(args.filter.clone(), P::FRAMES);
    let mut again = Again { run, pieces, steps, chosen, read: 0 };
    let mut source = CaptureFiles::new(files);
    loop {
        let position = source.compressed_position();
        let mut taken = Ok(());
        let mut take = |views: &[PacketView<'_>]| {
            if taken.is_ok() {
                taken = again.take(views, position, to);
            }
        };
        match source.next_batch(&mut take) {
            Ok(0) => return Ok(()),
            Ok(_) => taken?,
            Err(_) => {}
        }
    }
}

struct Again<'a, K: FlowKey> {
    run: Run<'a, Assign, K>,
    pieces: Pieces,
    steps: Arc<Mutex<Vec<Step>>>,
    chosen: &'a Numbers,
    /// Packets read so far.
    read: u64,
}

impl<K: FlowKey> Again<'_, K> {
    fn take(
        &mut self,
        views: &[PacketView<'_>],
        position: u64,
        to: &mut impl FlowPackets,
    ) -> Result<(), Failure> {
        let first = self.read + 1;
        self.read += views.len() as u64;
        self.run.take(views);
        self.run.catch_up(Some(position))?;
        let now = self.run.clock().now().watermark;
        let pieces = (first..)
            .zip(views)
            .filter_map(|(number, view)| Some((number, self.pieces.take(number, *view, now)?)));
        let joined: Vec<(u64, Vec<Piece>)> = pieces.collect();
        let mut steps = self.steps.lock().unwrap_or_else(PoisonError::into_inner);
        for step in steps.drain(..) {
            match step {
                Step::Over(flow) if self.chosen.contains(flow) => to.over(flow)?,
                Step::Packet(number, flow) if self.chosen.contains(flow.id) => {
                    let pieces = joined.binary_search_by_key(&number, |(number, _)| *number);
                    for piece in pieces.map_or(&[][..], |at| &joined[at].1) {
                        to.packet(flow, Numbered { number: piece.number, view: piece.view() })?;
                    }
                    let view = number.checked_sub(first).and_then(|at| views.get(at as usize));
                    if let Some(view) = view {
                        to.packet(flow, Numbered { number, view: *view })?;
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// Notes which flow each packet belongs to.
#[derive(Clone)]
struct Assign {
    flows: Flows,
    steps: Arc<Mutex<Vec<Step>>>,
}

enum Step {
    /// The packet of this number belongs to this flow.
    Packet(u64, FlowOf),
    /// The entry of this flow is removed.
    Over(u64),
}

fn step(flow: &Flow<'_, FiveTupleKey, FlowState>) -> Step {
    let of = FlowOf { id: flow.id.0, key: *flow.key, orientation: flow.orientation() };
    Step::Packet(flow.packet, of)
}

impl RecordFormat for Assign {
    const PACKETS: bool = true;
    type State = FlowState;
    type Record = Step;

    fn state(&self, key: &FiveTupleKey) -> FlowState {
        self.flows.state(key)
    }

    fn reading(&self) -> PayloadMode {
        self.flows.reading()
    }

    fn portable(&self) -> bool {
        false
    }

    #[inline]
    fn record(&self, flow: Flow<'_, FiveTupleKey, FlowState>, change: Change) -> Option<Step> {
        matches!(change, Change::Packet(_)).then(|| step(&flow))
    }

    fn late_packet(&self, flow: Flow<'_, FiveTupleKey, FlowState>, _: PacketInfo) -> Option<Step> {
        Some(step(&flow))
    }

    fn removed(&self, flow: Flow<'_, FiveTupleKey, FlowState>, _: EndReason) -> Option<Step> {
        Some(Step::Over(flow.id.0))
    }

    fn write(&mut self, step: &Step, _: &mut Vec<u8>) {
        let mut steps = self.steps.lock().unwrap_or_else(PoisonError::into_inner);
        steps.push(match step {
            Step::Packet(number, flow) => Step::Packet(*number, *flow),
            Step::Over(flow) => Step::Over(*flow),
        });
    }

    fn end(&mut self, _: &Totals, _: &mut Vec<u8>) {}
}
