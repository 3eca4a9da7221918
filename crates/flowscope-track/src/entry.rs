//! What is kept per flow: a hot part of two cache lines, a cold part, and a rare part that most
//! flows never have.

use std::time::Duration;

use flowscope_core::{
    FlowSide, IcmpInfo, L4Proto, Orientation, Path, TcpFlags, TcpOptions, Timestamp,
};

use crate::history::{Letters, MoreLetters};
use crate::holes::Holes;
use crate::stats::{Counters, LateStats};
use crate::{FlowState, InitiatorEvidence, Macs};

/// The part that every packet touches, key first.
#[repr(C, align(64))]
pub(crate) struct Hot<K> {
    pub(crate) key: K,
    pub(crate) record: HotRecord,
}

/// The hot part without the key: 88 bytes, so that a key of 40 fills two cache lines.
#[derive(Clone, Copy)]
pub(crate) struct HotRecord {
    /// Watermark at the latest counted packet; of an ended flow, at its end.
    pub(crate) touched: Timestamp,
    /// Number of the latest counted packet.
    pub(crate) last_packet: u64,
    /// Number of the first packet: what names the flow. Of a free slot, the slot that was freed before.
    pub(crate) id: u64,
    pub(crate) sides: [SideRecord; 2],
    pub(crate) state: FlowState,
    pub(crate) proto: u8,
    pub(crate) bits: u8,
    /// Why this flow's packets cannot take the fast path; 0 if they can.
    pub(crate) slow_path: u8,
    pub(crate) tos: [u8; 2],
    /// TTL of each side's latest packet.
    pub(crate) ttl: [u8; 2],
}

/// Bits of [`HotRecord::bits`].
pub(crate) mod bit {
    /// The initiator's packets have the key's reverse orientation.
    pub(crate) const REVERSE: u8 = 1;
    /// Picked up without a SYN.
    pub(crate) const MID_STREAM: u8 = 2;
    /// `last_seen` is not `touched`; see [`times`](crate::times).
    pub(crate) const LAGGED: u8 = 4;
    /// The flow has no transport protocol that was recognised.
    pub(crate) const NO_L4: u8 = 8;
    /// In a list of the eviction order.
    pub(crate) const LISTED: u8 = 16;
    /// In the sorted map of the eviction order.
    pub(crate) const MAPPED: u8 = 32;
    /// Established at some time.
    pub(crate) const ESTABLISHED: u8 = 64;
    /// Of the FINs, the responder's was the first to take effect.
    pub(crate) const RESPONDER_FIN_FIRST: u8 = 128;
}

/// Bits of [`HotRecord::slow_path`].
pub(crate) mod slow_path {
    /// The rare part holds something that each packet may resolve: a hole, a stray segment, a
    /// remembered SYN, a pending reset.
    pub(crate) const RARE: u8 = 1;
    /// A FIN was seen.
    pub(crate) const FIN: u8 = 2;
    /// One of the sides has not shown itself or acknowledged nothing yet.
    pub(crate) const UNSEEN: u8 = 4;
    /// Interim records or Ethernet addresses are configured.
    pub(crate) const ALWAYS: u8 = 8;
    /// Not TCP, or a TCP flow that is not established.
    pub(crate) const STATE: u8 = 16;
    /// The capture counts ordinary packets of the flow.
    pub(crate) const SHUNTED: u8 = 32;
    /// The capture is to count them as soon as that is possible.
    pub(crate) const SHUNT: u8 = 64;
    /// Reasons that the state of a TCP connection does not give.
    pub(crate) const LASTING: u8 = ALWAYS | SHUNTED | SHUNT;
}

/// The hot part of one side.
#[derive(Clone, Copy, Default)]
pub(crate) struct SideRecord {
    // Since the last spill into the rare part.
    pub(crate) packets: u32,
    pub(crate) wire: u32,
    pub(crate) ip: u32,
    pub(crate) payload: u32,
    /// Where the side's stream stands.
    pub(crate) next: u32,
    /// The highest acknowledgement it sent.
    pub(crate) ack: u32,
    /// The last window it sent.
    pub(crate) window: u16,
    pub(crate) flags: TcpFlags,
    pub(crate) bits: u8,
}

/// Bits of [`SideRecord::bits`].
pub(crate) mod side_bit {
    /// `next` is known.
    pub(crate) const SEQ_KNOWN: u8 = 1;
    /// `ack` is known.
    pub(crate) const ACKED: u8 = 2;
    /// Its SYN was seen.
    pub(crate) const SYN: u8 = 4;
    /// A FIN of it was seen and stands.
    pub(crate) const FIN: u8 = 8;
    /// The other side acknowledged its FIN.
    pub(crate) const FIN_ACKED: u8 = 16;
    /// `a` is in the history.
    pub(crate) const HISTORY_A: u8 = 32;
    /// `d` is in the history.
    pub(crate) const HISTORY_D: u8 = 64;
    /// Its window scale is in force.
    pub(crate) const SYN_ACK: u8 = 128;
}

/// The part that a flow's first packets, its last ones and unusual ones touch.
#[derive(Clone)]
pub(crate) struct Cold {
    pub(crate) labels: [LabelAndScale; 2],
    pub(crate) first_seen: Timestamp,
    /// One of two times; see [`times`](crate::times).
    pub(crate) seen_or_closed: Timestamp,
    /// Payload that the capture cut off, per side; what does not fit is in the rare part.
    pub(crate) cut: [u32; 2],
    /// TCP: sequence number of each side's SYN, seen or acknowledged, or of its first byte minus one. ICMP: the
    /// identifier, with bit 16 set if there is one.
    pub(crate) isn: [u32; 2],
    /// Where each side's FIN stands. ICMP: code and type of the first packet.
    pub(crate) fin: [u32; 2],
    pub(crate) letters: Letters,
    pub(crate) first_window: [u16; 2],
    pub(crate) min_window: [u16; 2],
    pub(crate) max_window: [u16; 2],
    pub(crate) mss: [u16; 2],
    pub(crate) min_ttl: [u8; 2],
    pub(crate) max_ttl: [u8; 2],
    /// In units of 10 ns; 0 is unknown.
    pub(crate) syn_rtt: u32,
    pub(crate) ack_rtt: u32,
    pub(crate) rare: Option<Box<Rare>>,
    pub(crate) evidence: InitiatorEvidence,
    pub(crate) marks: u8,
}

/// What a side's first packet and its SYN say: the IPv6 flow label in the low 20 bits; in the high four the
/// window scale plus one, 0 for none.
#[derive(Clone, Copy)]
pub(crate) struct LabelAndScale(u32);

/// Bits of [`Cold::marks`].
pub(crate) mod mark {
    pub(crate) const SACK: [u8; 2] = [1, 2];
    /// The flow was reset, by the initiator or the responder.
    pub(crate) const RESET: [u8; 2] = [4, 8];
    /// There was at least one window on this side that was no SYN's.
    pub(crate) const WINDOW: [u8; 2] = [16, 32];
    /// The first packet's ICMP code and type are stored in `fin`.
    pub(crate) const ICMP: u8 = 64;
    /// An accepted SYN+ACK acknowledged the initiator's SYN before anything of the initiator was seen:
    /// `isn[0]` is what it says.
    pub(crate) const SYN_ACKED: u8 = 128;
}

/// What few flows need.
#[derive(Clone, Default)]
pub(crate) struct Rare {
    pub(crate) path: Path,
    /// What was spilled from the hot counters.
    pub(crate) spilled: [Counters; 2],
    pub(crate) sides: [RareSide; 2],
    pub(crate) interims: u32,
    /// Start of the current active interval, once the first is over.
    pub(crate) interim_from: Option<Timestamp>,
    /// The counters at the last interim record.
    pub(crate) interim_base: [Counters; 2],
    pub(crate) late: Option<LateStats>,
    pub(crate) syns: Vec<PendingSyn>,
    /// SYN+ACKs of the responder beside the one that was accepted first.
    pub(crate) syn_acks: Option<Box<SynAcks>>,
    pub(crate) reset: Option<PendingReset>,
    /// The initiator is not who sent the first packet, and that is in the history.
    pub(crate) inconsistent: [bool; 2],
    pub(crate) multi_flag: [bool; 2],
    /// Letters of the history for which the cold part has no room.
    pub(crate) more_letters: MoreLetters,
    /// `closed` of a flow that lags; zero if it has not.
    pub(crate) closed: Timestamp,
    /// Letters at the end of the history that late packets wrote, hidden until the flow is removed.
    pub(crate) late_letters: u8,
    /// Ethernet addresses, if they are kept.
    pub(crate) macs: Option<Box<Macs>>,
    /// What the capture counted.
    pub(crate) shunt: Option<Box<ShuntCounters>>,
}

/// What the capture counted of a flow, initiator first.
#[derive(Clone, Copy, Default)]
pub(crate) struct ShuntCounters {
    pub(crate) total: [Counters; 2],
    /// Since it began to for the last time, and added already.
    pub(crate) merged: [Counters; 2],
}

impl Rare {
    /// Whether it holds something that each packet may resolve.
    #[inline(never)]
    pub(crate) fn is_busy(&self) -> bool {
        !self.syns.is_empty()
            || self.reset.is_some()
            || self.sides.iter().any(|side| side.stray.is_some() || !side.holes.is_empty())
    }
}

/// What few sides need.
#[derive(Clone, Default)]
pub(crate) struct RareSide {
    pub(crate) retransmitted: u32,
    /// Those of them that had payload.
    pub(crate) payload_again: u32,
    pub(crate) out_of_order: u32,
    pub(crate) duplicate_acks: u32,
    pub(crate) zero_windows: u32,
    pub(crate) probes: u32,
    pub(crate) urgent: u32,
    pub(crate) out_of_window: u32,
    /// Payload of those of them that were not acknowledged.
    pub(crate) stray_bytes: u64,
    pub(crate) bad_checksums: u32,
    pub(crate) gaps: u32,
    /// Bytes of holes no longer remembered.
    pub(crate) lost: u64,
    /// Payload cut off, once it did not fit the cold part.
    pub(crate) cut: u64,
    pub(crate) holes: Holes,
    /// The latest segments, if they were out of window.
    pub(crate) stray: Option<Stray>,
    /// Its SYN carried a signature (RFC 2385, RFC 5925).
    pub(crate) signed: bool,
    pub(crate) last_rst: Option<u32>,
    pub(crate) last_fin: Option<u32>,
}

/// A SYN that may begin another connection on a live entry.
#[derive(Clone)]
pub(crate) struct PendingSyn {
    pub(crate) side: FlowSide,
    pub(crate) seq: u32,
    /// Payload of the SYN itself (RFC 7413).
    pub(crate) len: u32,
    pub(crate) packet: u64,
    pub(crate) ts: Timestamp,
    pub(crate) last_ts: Timestamp,
    /// How often it was repeated.
    pub(crate) again: u32,
    /// What the SYN and its repetitions added to the flow they hit.
    pub(crate) counters: Counters,
    /// What the hit flow's `first_seen` and `last_seen` are without them.
    pub(crate) seen_without: (Timestamp, Timestamp),
    pub(crate) flags: TcpFlags,
    pub(crate) window: u16,
    pub(crate) options: TcpOptions,
    pub(crate) ttl: u8,
    pub(crate) tos: u8,
    pub(crate) flow_label: u32,
    pub(crate) path: Path,
}

/// Segments far outside the window, each of which continues the one before.
#[derive(Clone, Copy)]
pub(crate) struct Stray {
    pub(crate) start: u32,
    pub(crate) end: u32,
    /// Acknowledgement number and flags of the latest of them.
    pub(crate) ack: u32,
    pub(crate) flags: TcpFlags,
}

/// At most four, oldest first.
pub(crate) type SynAcks = Vec<PendingSynAck>;

/// A SYN+ACK with another number than the accepted one.
#[derive(Clone, Copy)]
pub(crate) struct PendingSynAck {
    pub(crate) seq: u32,
    /// Payload of the SYN+ACK itself.
    pub(crate) len: u32,
    pub(crate) window: u16,
    pub(crate) options: TcpOptions,
    pub(crate) ts: Timestamp,
}

/// A reset somewhere in the window.
#[derive(Clone, Copy)]
pub(crate) struct PendingReset {
    pub(crate) side: FlowSide,
    /// Its own time.
    pub(crate) ts: Timestamp,
    /// The watermark at it.
    pub(crate) at: Timestamp,
}

impl HotRecord {
    #[inline]
    pub(crate) fn side(&self, side: FlowSide) -> &SideRecord {
        &self.sides[side.index()]
    }

    #[inline]
    pub(crate) fn is_tcp(&self) -> bool {
        self.proto == L4Proto::Tcp.number()
    }

    #[inline]
    pub(crate) fn has(&self, bit: u8) -> bool {
        self.bits & bit != 0
    }

    #[inline]
    pub(crate) fn set(&mut self, bit: u8, on: bool) {
        if on {
            self.bits |= bit;
        } else {
            self.bits &= !bit;
        }
    }

    /// Which side a packet of this orientation is of.
    #[inline]
    pub(crate) fn side_of(&self, orientation: Orientation) -> FlowSide {
        if (orientation == Orientation::Reverse) == self.has(bit::REVERSE) {
            FlowSide::Initiator
        } else {
            FlowSide::Responder
        }
    }
}

impl SideRecord {
    #[inline]
    pub(crate) fn has(&self, bit: u8) -> bool {
        self.bits & bit != 0
    }
}

impl Cold {
    pub(crate) fn rare(&mut self) -> &mut Rare {
        self.rare.get_or_insert_default()
    }

    /// Adds a letter to the history.
    #[inline]
    pub(crate) fn push_letter(&mut self, letter: u8, side: FlowSide) {
        if !self.letters.push(letter, side) {
            self.push_further_letter(letter, side);
        }
    }

    #[cold]
    fn push_further_letter(&mut self, letter: u8, side: FlowSide) {
        if !self.letters.is_full() {
            let more = &mut self.rare.get_or_insert_default().more_letters;
            self.letters.push_further(letter, side, more);
        }
    }

    pub(crate) fn set_icmp(&mut self, icmp: &IcmpInfo) {
        self.marks |= mark::ICMP;
        self.fin = [u32::from(icmp.code), u32::from(icmp.kind)];
        self.isn[0] = icmp.id.map_or(0, |id| 1 << 16 | u32::from(id));
    }
}

impl LabelAndScale {
    pub(crate) const NONE: LabelAndScale = LabelAndScale(0);
    const SCALE: u32 = 28;
    const LABEL: u32 = 0xf_ffff;

    pub(crate) fn label(self) -> u32 {
        self.0 & LabelAndScale::LABEL
    }

    #[inline]
    pub(crate) fn set_label(&mut self, label: u32) {
        self.0 = self.0 & !LabelAndScale::LABEL | label & LabelAndScale::LABEL;
    }

    /// Window scale that the SYN offered.
    pub(crate) fn scale(self) -> Option<u8> {
        (self.0 >> LabelAndScale::SCALE).checked_sub(1).map(|shift| shift as u8)
    }

    /// Remembers the window scale that the SYN offered, at most 14 (RFC 7323 §2.3).
    pub(crate) fn set_scale(&mut self, scale: Option<u8>) {
        let stored = scale.map_or(0, |shift| u32::from(shift.min(14)) + 1);
        self.0 = self.label() | stored << LabelAndScale::SCALE;
    }
}

/// The smallest span of time that is stored for round trips.
const RTT_UNIT: u64 = 10;

/// Stores a round trip; 0, which means unknown, if it does not fit.
pub(crate) fn stored_rtt(rtt: Duration) -> u32 {
    u64::try_from(rtt.as_nanos())
        .ok()
        .and_then(|n| u32::try_from((n / RTT_UNIT).max(1)).ok())
        .unwrap_or(0)
}

pub(crate) fn loaded_rtt(stored: u32) -> Option<Duration> {
    (stored != 0).then(|| Duration::from_nanos(u64::from(stored) * RTT_UNIT))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hot_part_is_two_cache_lines_and_the_cold_part_fits_the_figure() {
        assert_eq!(size_of::<Hot<[u64; 5]>>(), 128);
        assert!(size_of::<Cold>() <= 96, "{}", size_of::<Cold>());
    }

    #[test]
    fn flow_label_and_window_scale_share_a_word() {
        let mut both = LabelAndScale::NONE;
        assert_eq!((both.label(), both.scale()), (0, None));
        both.set_label(0xf_ffff);
        both.set_scale(Some(200));
        assert_eq!((both.label(), both.scale()), (0xf_ffff, Some(14)));
        both.set_label(0xabcde);
        both.set_scale(Some(0));
        assert_eq!((both.label(), both.scale()), (0xabcde, Some(0)));
        both.set_scale(None);
        assert_eq!((both.label(), both.scale()), (0xabcde, None));
    }

    #[test]
    fn round_trips_keep_ten_nanoseconds() {
        assert_eq!(
            loaded_rtt(stored_rtt(Duration::from_micros(123))),
            Some(Duration::from_micros(123))
        );
        assert_eq!(loaded_rtt(stored_rtt(Duration::from_secs(60))), None);
        assert_eq!(loaded_rtt(stored_rtt(Duration::ZERO)), Some(Duration::from_nanos(10)));
    }
}
