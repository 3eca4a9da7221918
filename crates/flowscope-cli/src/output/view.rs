//! What a view on the terminal is made of.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use flowscope::core::{FlowSide, Loss, Timestamp};
use flowscope::driver::SessionChange;
use flowscope::extract::FiveTupleKey;
use flowscope::output::{FlowRecord, RecordHeader};
use flowscope::track::{Change, EndReason, Flow, PacketInfo};
use flowscope_tui::{Losses, Tick, View};

use super::spoken::Spoken;
use super::{RecordFormat, Totals};
use crate::reading::{AppRecord, MessageOptions, PayloadMode};

/// A view that one thread fills and another one draws.
#[derive(Debug)]
pub(crate) struct SharedView {
    view: Mutex<View>,
    /// Whether there is something to be drawn: packets can be read.
    begun: AtomicBool,
    /// Whether no more packets are wanted.
    over: AtomicBool,
}

impl SharedView {
    pub(crate) fn new(view: View) -> Self {
        SharedView {
            view: Mutex::new(view),
            begun: AtomicBool::new(false),
            over: AtomicBool::new(false),
        }
    }

    /// The view. The thread that fills it waits meanwhile.
    pub(crate) fn lock(&self) -> MutexGuard<'_, View> {
        self.view.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    pub(crate) fn is_locked(&self) -> bool {
        self.view.try_lock().is_err()
    }

    pub(crate) fn has_begun(&self) -> bool {
        self.begun.load(Ordering::Acquire)
    }

    /// Wants no more packets.
    pub(crate) fn stop(&self) {
        self.over.store(true, Ordering::Release);
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.over.load(Ordering::Acquire)
    }
}

/// Gathers everything for a view.
#[derive(Clone, Debug)]
pub(crate) struct Gathering {
    shared: Arc<SharedView>,
    community_id_seed: u16,
    /// What the view was not given yet.
    pending: Vec<Entry>,
    /// Whether the view knows when packets began.
    begun: bool,
    /// Time of the last counters.
    now: Timestamp,
}

/// The view is given so many entries at once at least, or what there is before counters.
const BATCH: usize = 4096;

/// A record of a flow is this old at most when a packet comes.
const FRESH: Duration = Duration::from_secs(1);

/// What is known of a flow besides its record.
#[derive(Debug, Default)]
pub(crate) struct ViewState {
    spoken: Spoken,
    ambiguous: bool,
    /// When its last record was made.
    recorded: Option<Timestamp>,
    ended: Option<EndReason>,
    /// Missing bytes that were counted.
    gap_bytes: u64,
}

/// What is added to a view.
#[derive(Clone, Debug)]
pub(crate) enum Entry {
    Packet(u64, PacketInfo),
    /// A flow up to now, and how many bytes turned out to be missing.
    Flow(Box<FlowRecord>, u64),
    Session(Box<(RecordHeader, AppRecord)>),
}

impl Gathering {
    pub(crate) fn new(shared: Arc<SharedView>, community_id_seed: u16) -> Self {
        let pending = Vec::new();
        Gathering { shared, community_id_seed, pending, begun: false, now: Timestamp::ZERO }
    }

    /// The record of a flow up to now.
    fn whole(&self, flow: &mut Flow<'_, FiveTupleKey, ViewState>) -> Entry {
        let mut record = FlowRecord::of_whole(flow, flow.state.ended);
        let ViewState { spoken, ambiguous, recorded, gap_bytes, .. } = &mut *flow.state;
        *recorded = Some(flow.ts);
        record.header.ambiguous = *ambiguous;
        record.header.community_id_seed = self.community_id_seed;
        let missing: u64 = record.sides.iter().map(|side| side.gap_bytes).sum();
        // Bytes that come late are missing no more; those that were counted stay so.
        let new = missing.saturating_sub(*gap_bytes);
        *gap_bytes += new;
        Entry::Flow(Box::new(spoken.record(record)), new)
    }

    /// Gives the view what it was not given yet.
    fn pass_on(&mut self, view: &mut View) {
        for entry in self.pending.drain(..) {
            match entry {
                Entry::Packet(flow, packet) => view.packet(flow, &packet),
                Entry::Flow(record, new_gap_bytes) => view.flow(*record, new_gap_bytes),
                Entry::Session(session) => view.session(&session.0, &session.1),
            }
        }
    }

    fn show(&mut self, show: impl FnOnce(&mut View)) {
        let shared = Arc::clone(&self.shared);
        let mut view = shared.lock();
        self.pass_on(&mut view);
        show(&mut view);
    }
}

impl RecordFormat for Gathering {
    const PACKETS: bool = true;
    const TICK: Option<Duration> = Some(Duration::from_millis(250));
    type State = ViewState;
    type Record = Entry;

    fn state(&self, _: &FiveTupleKey) -> ViewState {
        ViewState::default()
    }

    fn reading(&self) -> PayloadMode {
        PayloadMode::Messages(MessageOptions { transactions: true, ..MessageOptions::ALL })
    }

    /// What an entry changes depends on those before.
    fn portable(&self) -> bool {
        false
    }

    #[inline]
    fn record(&self, mut flow: Flow<'_, FiveTupleKey, ViewState>, change: Change) -> Option<Entry> {
        match change {
            Change::Packet(packet) => {
                let recorded = flow.state.recorded;
                let is_fresh = recorded.is_some_and(|at| packet.ts.since(at) < FRESH);
                Some(if is_fresh {
                    Entry::Packet(flow.id.0, packet)
                } else {
                    self.whole(&mut flow)
                })
            }
            Change::StateChange { .. } => Some(self.whole(&mut flow)),
            // The next packet brings the new counters.
            Change::Anomaly { .. } => {
                flow.state.recorded = None;
                None
            }
            Change::Ended { reason } => {
                flow.state.ended = Some(reason);
                Some(self.whole(&mut flow))
            }
            _ => None,
        }
    }

    fn removed(
        &self,
        mut flow: Flow<'_, FiveTupleKey, ViewState>,
        reason: EndReason,
    ) -> Option<Entry> {
        flow.state.ended = Some(reason);
        Some(self.whole(&mut flow))
    }

    fn session(
        &self,
        mut flow: Flow<'_, FiveTupleKey, ViewState>,
        change: SessionChange,
    ) -> Option<Entry> {
        flow.state.spoken.note(&change);
        flow.state.ambiguous |= matches!(change, SessionChange::Conflict { .. });
        let names_it = matches!(
            change,
            SessionChange::Chosen(_) | SessionChange::Contradicted(_) | SessionChange::Withdrawn(_)
        );
        names_it.then(|| self.whole(&mut flow))
    }

    fn message(
        &self,
        flow: Flow<'_, FiveTupleKey, ViewState>,
        _: FlowSide,
        message: AppRecord,
    ) -> Option<Entry> {
        let header = RecordHeader::new(flow.ts, flow.id.0, *flow.key, flow.orientation());
        Some(Entry::Session(Box::new((header.at_packet(flow.packet), message))))
    }

    fn begin(&mut self, start: Timestamp, _: &mut Vec<u8>) {
        if !self.begun {
            self.begun = true;
            self.show(|view| view.tick(&Tick { now: start, ..Tick::default() }));
        }
    }

    fn write(&mut self, entry: &Entry, _: &mut Vec<u8>) {
        self.pending.push(entry.clone());
        if self.pending.len() >= BATCH {
            self.show(|_| {});
        }
    }

    fn flush(&mut self, _: &mut Vec<u8>) {
        self.show(|_| {});
    }

    fn tick(&mut self, totals: &Totals, open: u64, now: Timestamp) {
        (self.begun, self.now) = (true, now.max(self.now));
        let tick = tick(totals, open, self.now);
        self.show(|view| view.tick(&tick));
        self.shared.begun.store(true, Ordering::Release);
    }

    fn is_complete(&self) -> bool {
        self.shared.is_stopped()
    }

    fn summarises(&self) -> bool {
        true
    }

    fn end(&mut self, totals: &Totals, _: &mut Vec<u8>) {
        let tick = tick(totals, 0, totals.end.max(self.now));
        self.show(|view| view.end(&tick));
        self.shared.begun.store(true, Ordering::Release);
    }
}

/// The counters of a view.
fn tick(totals: &Totals, open: u64, now: Timestamp) -> Tick {
    let losses = |is_it: fn(Loss) -> bool| -> u64 {
        let losses = totals.packets.losses().filter(|(cause, _)| is_it(*cause));
        losses.map(|(_, packets)| packets).sum()
    };
    let of_kernel = |cause| matches!(cause, Loss::KernelDrop);
    let of_rings = |cause| matches!(cause, Loss::RingFull | Loss::FillEmpty | Loss::QueueFreeze);
    let kernel = losses(of_kernel).saturating_add(totals.capture.os_drop);
    let ring = losses(of_rings).saturating_add(totals.capture.interface_drop);
    let dropped = losses(of_kernel) + losses(of_rings);
    Tick {
        now,
        packets: totals.packets.seen().saturating_sub(dropped),
        wire_bytes: totals.wire_bytes,
        flows: totals.flows,
        open,
        losses: Losses {
            kernel,
            ring,
            untracked: losses(|cause| cause != Loss::Shunted).saturating_sub(dropped),
            evicted: totals.evicted,
        },
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;

    use flowscope::core::FlowSide::Initiator;
    use flowscope_testkit::{Dialogue, views};
    use ratatui_core::backend::TestBackend;
    use ratatui_core::terminal::Terminal;

    use super::*;
    use crate::args::{Cli, Command};
    use crate::output::{Output, Target};
    use crate::run::Run;

    /// What is drawn behind the packets of a conversation that goes on.
    fn drawn(packets: &[(Timestamp, Vec<u8>)]) -> String {
        let args = ["flowscope", "live", "x.pcap"].map(Into::into);
        let Command::Live(args) = Cli::parse(args).unwrap().command else { panic!("not `live`") };
        let shared = Arc::new(SharedView::new(View::new("x.pcap")));
        let gathering = Gathering::new(Arc::clone(&shared), 0);
        let out = Output::open(gathering, Target::Stream(None)).unwrap();
        let running = &args.common.running;
        let workers = NonZeroUsize::MIN;
        let mut run =
            Run::<Gathering, FiveTupleKey>::new(running, out, workers, None, None).unwrap();
        run.take(&views(packets).collect::<Vec<_>>());
        run.catch_up(None).unwrap();
        let mut terminal = Terminal::new(TestBackend::new(100, 12)).unwrap();
        terminal.draw(|frame| shared.lock().draw(frame)).unwrap();
        terminal.backend().to_string()
    }

    #[test]
    fn a_new_state_needs_no_further_packet() {
        let talk = Dialogue::tcp("10.0.0.1:40000", "10.0.0.2:80").at(1_767_323_045);
        let packets = talk.handshake().data(Initiator, "GET ").close(Initiator).build();
        // The fifth is the FIN, less than a second behind the record of the fourth.
        let [asked, established, closing] = [1, 4, 5].map(|count| drawn(&packets[..count]));
        assert!(asked.contains(" new "), "{asked}");
        assert!(established.contains(" active "), "{established}");
        assert!(closing.contains(" closing"), "{closing}");
    }
}
