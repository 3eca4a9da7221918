//! Whether a packet of a flow in the map is counted and kept back, or makes the flow come back.

use super::super::asm::{Cond, Op, Src, Width};
use super::super::layout;
use super::{
    Builder, ETHERNET, FRAME_LEN, HEADERS, IP_LEN, NOW, OWN, PAYLOAD, PEER, PROTO, SWAPPED,
    TRANSPORT, TTL, UDP, VALUE, WINDOW,
};
use crate::sys::bpf::Kind;

use Src::{Imm, Reg};
use Width::{Byte, Double, Half, Word};

impl Builder<'_> {
    /// Whether counting was stopped; time, TTL, and lengths that contradict each other.
    pub(super) fn limits(&mut self, stopped: i32) {
        self.asm.map_value(1, stopped);
        self.asm.load(Double, 1, 1, 0);
        self.back_if(Cond::Ne, 1, Imm(0));
        self.asm.call(KTIME);
        self.store(Double, NOW, 0);
        self.asm.op(Op::Mov, 1, Reg(0));
        self.asm.load(Double, 2, VALUE, layout::LAST);
        self.asm.op(Op::Sub, 1, Reg(2));
        self.asm.load(Double, 2, VALUE, layout::IDLE);
        self.back_if(Cond::SignedGt, 1, Reg(2));
        self.asm.load(Double, 2, VALUE, layout::UNTIL);
        self.back_if(Cond::Ge, 0, Reg(2));
        self.asm.load(Byte, 1, OWN, layout::TTL);
        self.load(Double, 2, TTL);
        self.back_if(Cond::Ne, 1, Reg(2));
        self.load(Double, 1, IP_LEN);
        self.asm.op(Op::Add, 1, Imm(ETHERNET.into()));
        self.load(Double, 2, FRAME_LEN);
        self.back_if(Cond::Gt, 1, Reg(2));
    }

    /// Leaves the length of the payload on the stack; goes on only with a packet to be counted.
    pub(super) fn segment(&mut self) {
        let (udp, counted) = (self.asm.label(), self.asm.label());
        // What is behind the IP header.
        self.load(Double, 2, IP_LEN);
        self.load(Double, 3, HEADERS);
        self.asm.op(Op::Sub, 3, Imm(ETHERNET.into()));
        self.asm.op(Op::Sub, 2, Reg(3));
        self.load(Byte, 1, PROTO);
        self.asm.jump(Cond::Eq, 1, Imm(UDP), udp);
        self.tcp();
        self.asm.go(counted);
        self.asm.place(udp);
        self.load(Half, 1, TRANSPORT + 4);
        self.asm.network_order(1, 16);
        self.back_if(Cond::Ne, 1, Reg(2));
        self.asm.op(Op::Sub, 2, Imm(8));
        self.back_if(Cond::SignedLt, 2, Imm(0));
        self.store(Double, PAYLOAD, 2);
        self.asm.load(Byte, 1, OWN, layout::MAY);
        self.asm.op(Op::And, 1, Imm(layout::MAY_DATA.into()));
        self.back_if(Cond::Eq, 1, Imm(0));
        self.asm.place(counted);
    }

    /// RFC 9293 §3.1. Register 2 is the length of the segment.
    fn tcp(&mut self) {
        self.load(Byte, 1, TRANSPORT + 12);
        self.asm.op(Op::Mov, 3, Reg(1));
        self.asm.op(Op::And, 3, Imm(0xf));
        self.back_if(Cond::Ne, 3, Imm(0));
        self.asm.op(Op::Shr, 1, Imm(4));
        self.asm.op(Op::Shl, 1, Imm(2));
        self.back_if(Cond::Lt, 1, Imm(20));
        self.asm.op(Op::Sub, 2, Reg(1));
        self.back_if(Cond::SignedLt, 2, Imm(0));
        self.store(Double, PAYLOAD, 2);
        self.load(Byte, 1, TRANSPORT + 13);
        self.asm.op(Op::And, 1, Imm(!PSH & 0xff));
        self.back_if(Cond::Ne, 1, Imm(ACK));
        self.load(Half, 3, TRANSPORT + 14);
        self.asm.network_order(3, 16);
        self.back_if(Cond::Eq, 3, Imm(0));
        self.store(Double, WINDOW, 3);
        let (pure, chosen) = (self.asm.label(), self.asm.label());
        self.asm.jump(Cond::Eq, 2, Imm(0), pure);
        self.asm.op(Op::Mov, 4, Imm(layout::MAY_DATA.into()));
        self.asm.go(chosen);
        self.asm.place(pure);
        self.asm.op(Op::Mov, 4, Imm(layout::MAY_ACK.into()));
        self.asm.place(chosen);
        self.asm.load(Byte, 1, OWN, layout::MAY);
        self.asm.op(Op::And, 1, Reg(4));
        self.back_if(Cond::Eq, 1, Imm(0));
        self.place();
    }

    /// The place of the segment: registers 1 and 2 are its sequence and acknowledgement numbers.
    fn place(&mut self) {
        let (learned, learn) = (self.asm.label(), self.asm.label());
        for (register, at) in [(1, TRANSPORT + 4), (2, TRANSPORT + 8)] {
            self.load(Word, register, at);
            self.asm.network_order(register, 32);
        }
        self.asm.load(Byte, 3, OWN, layout::LEARNED);
        self.asm.jump(Cond::Ne, 3, Imm(0), learned);
        // Not behind what the reader knew.
        for (register, at) in [(1, layout::NEXT), (2, layout::ACK)] {
            self.asm.load(Word, 4, OWN, at);
            self.asm.op32(Op::Mov, 5, Reg(register));
            self.asm.op32(Op::Sub, 5, Reg(4));
            self.back_if32(Cond::SignedLt, 5, Imm(0));
        }
        self.asm.store_constant(Byte, OWN, layout::LEARNED, 1);
        // Passed on, as long as the other side has not shown where it stands.
        self.asm.place(learn);
        self.load(Double, 3, PAYLOAD);
        self.asm.op32(Op::Add, 1, Reg(3));
        self.load(Double, 3, WINDOW);
        self.load(Double, 4, NOW);
        for (at, register) in
            [(layout::NEXT, 1), (layout::BASE_SEQ, 1), (layout::ACK, 2), (layout::BASE_ACK, 2)]
        {
            self.asm.store(Word, OWN, at, register);
        }
        self.asm.store(Half, OWN, layout::WINDOW, 3);
        self.asm.store(Double, VALUE, layout::LAST, 4);
        let pass = self.pass;
        self.asm.go(pass);

        self.asm.place(learned);
        self.asm.load(Word, 4, OWN, layout::NEXT);
        self.back_if32(Cond::Ne, 1, Reg(4));
        self.asm.load(Word, 4, OWN, layout::ACK);
        self.asm.op32(Op::Mov, 5, Reg(2));
        self.asm.op32(Op::Sub, 5, Reg(4));
        self.back_if32(Cond::SignedLt, 5, Imm(0));
        self.asm.load(Byte, 3, PEER, layout::LEARNED);
        self.asm.jump(Cond::Eq, 3, Imm(0), learn);
        self.asm.load(Word, 4, PEER, layout::NEXT);
        self.asm.op32(Op::Mov, 3, Reg(2));
        self.asm.op32(Op::Sub, 3, Reg(4));
        self.back_if32(Cond::SignedGt, 3, Imm(0));
        self.duplicate();
        self.advance();
    }

    /// Counts a repeated acknowledgement: 5 and 3 are the distances to the last one, and to what is outstanding.
    fn duplicate(&mut self) {
        let none = self.asm.label();
        self.asm.jump32(Cond::Ne, 5, Imm(0), none);
        self.asm.jump32(Cond::Eq, 3, Imm(0), none);
        self.load(Double, 0, PAYLOAD);
        self.asm.jump(Cond::Ne, 0, Imm(0), none);
        self.load(Double, 0, WINDOW);
        self.asm.load(Half, 4, OWN, layout::WINDOW);
        self.asm.jump(Cond::Ne, 0, Reg(4), none);
        self.asm.load(Word, 0, OWN, layout::DUPLICATES);
        self.asm.op32(Op::Add, 0, Imm(1));
        self.asm.store(Word, OWN, layout::DUPLICATES, 0);
        self.asm.place(none);
    }

    /// Moves the side on behind the segment.
    fn advance(&mut self) {
        self.load(Double, 3, PAYLOAD);
        self.asm.op32(Op::Add, 1, Reg(3));
        self.asm.store(Word, OWN, layout::NEXT, 1);
        self.asm.store(Word, OWN, layout::ACK, 2);
        self.load(Double, 3, WINDOW);
        self.asm.store(Half, OWN, layout::WINDOW, 3);
        for (at, beyond) in [(layout::MIN_WINDOW, Cond::Ge), (layout::MAX_WINDOW, Cond::Le)] {
            let within = self.asm.label();
            self.asm.load(Half, 4, OWN, at);
            self.asm.jump(beyond, 3, Reg(4), within);
            self.asm.store(Half, OWN, at, 3);
            self.asm.place(within);
        }
        self.load(Byte, 3, TRANSPORT + 13);
        self.asm.load(Byte, 4, OWN, layout::FLAGS);
        self.asm.op(Op::Or, 3, Reg(4));
        self.asm.store(Byte, OWN, layout::FLAGS, 3);
    }

    /// Counts the packet, and keeps it back.
    pub(super) fn count(&mut self, total: i32) {
        self.asm.op(Op::Mov, 1, Imm(1));
        self.asm.add_to(OWN, layout::PACKETS, 1);
        for (at, from) in
            [(layout::WIRE, FRAME_LEN), (layout::IP, IP_LEN), (layout::PAYLOAD, PAYLOAD)]
        {
            self.load(Double, 2, from);
            self.asm.add_to(OWN, at, 2);
        }
        self.load(Double, 2, NOW);
        self.asm.store(Double, VALUE, layout::LAST, 2);
        self.asm.map_value(2, total);
        self.asm.add_to(2, 0, 1);
        self.asm.op(
            Op::Mov,
            0,
            Imm(match self.kind {
                Kind::Xdp { .. } => XDP_DROP,
                Kind::SocketFilter => 0,
            }),
        );
        self.asm.exit();
    }

    /// Remembers with which packet the flow comes back, and passes it on.
    pub(super) fn give_back(&mut self) {
        let freeze = self.freeze;
        self.asm.place(freeze);
        for (from, to) in [(TRANSPORT + 4, layout::BACK_SEQ), (TRANSPORT + 8, layout::BACK_ACK)] {
            self.load(Word, 1, from);
            self.asm.network_order(1, 32);
            self.asm.store(Word, VALUE, to, 1);
        }
        self.load(Half, 1, TRANSPORT + 14);
        self.asm.network_order(1, 16);
        self.asm.store(Half, VALUE, layout::BACK_WINDOW, 1);
        self.load(Byte, 1, TRANSPORT + 13);
        self.asm.store(Byte, VALUE, layout::BACK_FLAGS, 1);
        self.load(Double, 1, SWAPPED);
        self.asm.store(Byte, VALUE, layout::BACK_SIDE, 1);
        self.load(Double, 1, IP_LEN);
        self.asm.store(Word, VALUE, layout::BACK_LEN, 1);
        self.asm.store_constant(Word, VALUE, layout::STATE, 1);
    }
}

/// Flags of a segment.
const PSH: i32 = 0x08;
const ACK: i32 = 0x10;

/// Helper function of the kernel.
const KTIME: i32 = 5;

/// What becomes of a frame that is kept back.
const XDP_DROP: i32 = 1;
