//! The program in the kernel, as plain code.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use flowscope_core::{
    Extracted, L4Proto, Orientation, ReturnedPacket, ShuntStart, Shunted, ShuntedSide, TcpFlags,
    Timestamp,
};
use flowscope_track::{Shunt, ShuntRefusal};

/// Map of the flows that are shunted.
#[derive(Clone, Default)]
pub(crate) struct Kernel(Arc<Mutex<BTreeMap<u8, Entry>>>, usize);

struct Entry {
    start: ShuntStart,
    counted: Shunted,
}

impl Kernel {
    pub(crate) fn with_room_for(flows: usize) -> Self {
        Kernel(Arc::default(), flows)
    }

    fn map(&self) -> MutexGuard<'_, BTreeMap<u8, Entry>> {
        self.0.lock().expect("no test panics while it holds the map")
    }

    pub(crate) fn flows(&self) -> usize {
        self.map().len()
    }

    /// Whether the packet is counted, and kept back.
    pub(crate) fn keeps(&self, x: &Extracted<u8>, ts: Timestamp, wire_len: u32) -> bool {
        let mut map = self.map();
        let Some(entry) = map.get_mut(&x.key) else { return false };
        if entry.counted.returned.is_some() {
            return false;
        }
        let (i, tcp) = (usize::from(x.orientation == Orientation::Reverse), x.tcp);
        match entry.judge(x, ts) {
            Verdict::Pass => false,
            Verdict::Return => {
                let tcp = tcp.unwrap_or_default();
                entry.counted.returned = Some(ReturnedPacket {
                    orientation: x.orientation,
                    ip_len: x.ip.len,
                    seq: tcp.seq,
                    ack: tcp.ack,
                    window: tcp.window,
                    flags: tcp.flags,
                });
                false
            }
            Verdict::Keep => {
                let peer = entry.counted.sides[1 - i].next;
                let side = &mut entry.counted.sides[i];
                side.packets += 1;
                side.wire_bytes += u64::from(wire_len);
                side.ip_bytes += u64::from(x.ip.len);
                side.payload_bytes += u64::from(x.payload.wire_len);
                if let Some(tcp) = tcp {
                    let repeats = tcp.ack == side.ack && x.payload.wire_len == 0;
                    side.duplicate_acks +=
                        u32::from(repeats && tcp.window == side.window && tcp.ack != peer);
                    side.next = tcp.seq.wrapping_add(x.payload.wire_len);
                    side.ack = tcp.ack;
                    side.window = tcp.window;
                    side.min_window = side.min_window.min(tcp.window);
                    side.max_window = side.max_window.max(tcp.window);
                    side.flags |= tcp.flags;
                }
                entry.counted.last_seen = ts;
                true
            }
        }
    }
}

enum Verdict {
    Keep,
    Pass,
    Return,
}

impl Entry {
    fn judge(&mut self, x: &Extracted<u8>, ts: Timestamp) -> Verdict {
        let i = usize::from(x.orientation == Orientation::Reverse);
        let start = &self.start;
        let fits = ts.since(self.counted.last_seen) <= start.idle
            && start.until.is_none_or(|until| ts < until)
            && x.ip.ttl == start.sides[i].ttl;
        let len = x.payload.wire_len;
        if x.l4 == Some(L4Proto::Udp) {
            return if fits && start.sides[i].data { Verdict::Keep } else { Verdict::Return };
        }
        let Some(tcp) = x.tcp else { return Verdict::Return };
        let may = if len > 0 { start.sides[i].data } else { start.sides[i].acks };
        let plain = TcpFlags(tcp.flags.0 & !TcpFlags::PSH.0) == TcpFlags::ACK;
        if !fits || !may || !plain || tcp.window == 0 {
            return Verdict::Return;
        }
        let (seq_known, ack_known) = if self.counted.sides[i].learned {
            (self.counted.sides[i].next, self.counted.sides[i].ack)
        } else {
            (start.sides[i].next, start.sides[i].ack)
        };
        let ahead = tcp.ack.wrapping_sub(ack_known).cast_signed();
        let beyond = tcp.seq.wrapping_sub(seq_known).cast_signed();
        let peer = self.counted.sides[1 - i];
        let own = &mut self.counted.sides[i];
        if !own.learned {
            if ahead < 0 || beyond < 0 {
                return Verdict::Return;
            }
            own.learned = true;
        } else if beyond != 0
            || ahead < 0
            || peer.learned && tcp.ack.wrapping_sub(peer.next).cast_signed() > 0
        {
            return Verdict::Return;
        } else if peer.learned {
            return Verdict::Keep;
        }
        own.next = tcp.seq.wrapping_add(len);
        own.ack = tcp.ack;
        own.window = tcp.window;
        (own.base_seq, own.base_ack) = (own.next, own.ack);
        self.counted.last_seen = ts;
        Verdict::Pass
    }
}

impl Shunt<u8> for Kernel {
    fn start(&mut self, key: &u8, start: &ShuntStart) -> Result<(), ShuntRefusal> {
        let mut map = self.map();
        if map.len() == self.1 {
            return Err(ShuntRefusal::Full);
        }
        let side = ShuntedSide { min_window: u16::MAX, ..ShuntedSide::default() };
        let counted = Shunted { sides: [side; 2], last_seen: start.last_seen, returned: None };
        map.insert(*key, Entry { start: *start, counted });
        Ok(())
    }

    fn peek(&mut self, key: &u8) -> Option<Shunted> {
        self.map().get(key).map(|entry| entry.counted)
    }

    fn take(&mut self, key: &u8) -> Option<Shunted> {
        self.map().remove(key).map(|entry| entry.counted)
    }
}
