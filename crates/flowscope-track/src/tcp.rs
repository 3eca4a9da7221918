//! The TCP side of a flow: which packets belong to it, and what each one changes.
//!
//! Implements the rules of `docs/TCP_LIFE.md` over the record of one flow, without table, timers
//! or sink.

mod fast_path;
mod fin;
mod late;
mod letters;
mod reset;
mod segment;
mod shunted;
mod state;
mod stray;
mod successor;
mod syn;
mod syn_ack;

use std::ops::Deref;

use flowscope_core::{Extracted, FlowSide, PacketView, Payload, TcpFlags, TcpInfo, Timestamp};

use crate::clock::PacketTime;
use crate::config::TrackerConfig;
use crate::entry::{Cold, HotRecord, PendingSyn};
use crate::{Anomaly, EndReason, FlowState};

/// The receive window is taken for at least this, in bytes: its scale is unknown for flows picked
/// up in the middle, and a capture that lost packets sees windows late.
const MIN_RECEIVE_WINDOW: i64 = 1 << 20;
/// Numbers this far behind are another connection's.
const MAX_BEHIND: i32 = -(1 << 30);
/// How many SYNs that may begin another connection are remembered.
pub(crate) const MAX_PENDING_SYNS: usize = 4;

/// A TCP packet, seen from its flow; its header by reference.
#[derive(Clone, Copy)]
pub(crate) struct Seg<'a> {
    tcp: &'a TcpInfo,
    pub(crate) ts: Timestamp,
    /// Payload on the wire.
    pub(crate) len: u32,
    /// So many bytes at its end were not captured.
    pub(crate) cut: u32,
    pub(crate) side: FlowSide,
}

impl Deref for Seg<'_> {
    type Target = TcpInfo;

    #[inline]
    fn deref(&self) -> &TcpInfo {
        self.tcp
    }
}

impl<'a> Seg<'a> {
    /// The segment of a packet of this flow, if it is one whose header is known.
    #[inline]
    pub(crate) fn of<K>(
        hot: &HotRecord,
        side: FlowSide,
        view: &PacketView<'_>,
        x: &'a Extracted<K>,
    ) -> Option<Self> {
        // ORIG-2: a corrupt packet is one with a cut header.
        let tcp = x.tcp.as_ref().filter(|_| hot.is_tcp() && !x.corrupt)?;
        let Payload { wire_len, cut, .. } = x.payload;
        let is_flagged = tcp.flags.intersects(TcpFlags::SYN | TcpFlags::FIN);
        let len = if is_flagged && wire_len > 0 { len_without_padding(view, x) } else { wire_len };
        Some(Seg { cut, ..Seg::new(side, tcp, len, view.ts()) })
    }

    #[inline]
    pub(crate) fn new(side: FlowSide, tcp: &'a TcpInfo, len: u32, ts: Timestamp) -> Self {
        Seg { tcp, ts, len, cut: 0, side }
    }

    fn end(&self) -> u32 {
        self.seq.wrapping_add(self.len).wrapping_add(u32::from(self.flags.fin()))
    }

    fn occupies(&self) -> bool {
        self.len > 0 || self.flags.fin()
    }
}

/// What a minimal Ethernet frame carries, in bytes (IEEE 802.3 §3.2.8): shorter packets are padded.
pub(crate) const MIN_ETHERNET_PAYLOAD: u32 = 46;

/// SEG-8: whether the payload may be the padding of a minimal frame. RFC 894: "This padding is not part of the IP
/// packet and should not be included in the total length field of the IP header"; devices do. RFC 9293 §3.9.1.2: a
/// sender "MUST set the PSH bit in the last buffered segment".
#[cold]
pub(crate) fn may_be_padding<K>(view: &PacketView<'_>, x: &Extracted<K>) -> bool {
    let payload = x.payload.of(view);
    x.ip.len <= MIN_ETHERNET_PAYLOAD
        && !payload.is_empty()
        && x.payload.cut == 0
        && x.tcp.as_ref().is_some_and(|tcp| !tcp.flags.intersects(TcpFlags::PSH | TcpFlags::URG))
        && payload.iter().all(|byte| *byte == 0)
}

/// SEG-8: the length of the payload of a SYN or FIN.
#[cold]
#[inline(never)]
fn len_without_padding<K>(view: &PacketView<'_>, x: &Extracted<K>) -> u32 {
    if may_be_padding(view, x) { 0 } else { x.payload.wire_len }
}

/// Which SYN a new connection begins with, where this packet does not belong to the flow it hit.
pub(crate) enum Successor {
    /// This packet is it.
    This,
    /// This packet answers one remembered.
    Remembered(Box<PendingSyn>),
}

/// What a packet changed.
pub(crate) struct Step {
    pub(crate) before: FlowState,
    pub(crate) established: bool,
    /// It was a SYN that is remembered now, or was already.
    pub(crate) remembered: bool,
    /// SEG-4: the segment is out of window; SYN-4, SYNACK-4: or a SYN that was not accepted.
    pub(crate) out_of_window: bool,
    /// FIN-1: its FIN is not accepted, although it is in window.
    pub(crate) refused_fin: bool,
    /// ACK-1: whether its acknowledgement is beyond the window; `None` if it was not processed.
    pub(crate) far_ack: Option<bool>,
    pub(crate) ended: Option<EndReason>,
    /// How many of `anomalies` there are.
    reported: usize,
    anomalies: [(Anomaly, FlowSide); 4],
}

impl Step {
    #[inline]
    pub(crate) fn new(before: FlowState) -> Self {
        Step {
            before,
            established: false,
            remembered: false,
            out_of_window: false,
            refused_fin: false,
            far_ack: None,
            ended: None,
            reported: 0,
            anomalies: [(Anomaly::OutOfWindow, FlowSide::Initiator); 4],
        }
    }

    #[inline]
    pub(crate) fn anomalies(&self) -> impl Iterator<Item = (Anomaly, FlowSide)> + '_ {
        self.anomalies.iter().take(self.reported).copied()
    }

    /// Whether it gives events.
    #[inline]
    pub(crate) fn is_told(&self, hot: &HotRecord) -> bool {
        self.reported > 0 || self.established || self.before != hot.state
    }

    fn report(&mut self, anomaly: Anomaly, side: FlowSide) {
        if let Some(free) = self.anomalies.get_mut(self.reported) {
            *free = (anomaly, side);
            self.reported += 1;
        }
    }
}

/// One flow's record, for the time of one packet.
pub(crate) struct Tcp<'a> {
    pub(crate) hot: &'a mut HotRecord,
    pub(crate) cold: &'a mut Cold,
    pub(crate) config: &'a TrackerConfig,
}

impl Tcp<'_> {
    /// A packet of the flow; its counters are up to date.
    #[inline(always)]
    pub(crate) fn advance(&mut self, seg: &Seg, now: &PacketTime, step: &mut Step) {
        if seg.flags.intersects(TcpFlags::SYN | TcpFlags::RST | TcpFlags::URG) {
            self.advance_flagged(seg, now, step);
        } else {
            self.regular(seg, step);
        }
        self.close_states(step);
    }

    #[inline(never)]
    fn advance_flagged(&mut self, seg: &Seg, now: &PacketTime, step: &mut Step) {
        self.urgent(seg, step);
        if seg.flags.rst() {
            self.reset(seg, now, step);
        } else if seg.flags.syn() {
            self.synchronise(seg, now, step);
        } else {
            self.regular(seg, step);
        }
        self.unusual_flags(seg);
    }

    fn urgent(&mut self, seg: &Seg, step: &mut Step) {
        if seg.flags.contains(TcpFlags::URG) {
            self.cold.rare().sides[seg.side.index()].urgent += 1;
            step.report(Anomaly::UrgentData, seg.side);
        }
    }
}
