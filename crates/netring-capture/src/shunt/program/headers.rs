//! From the frame to the flow that it belongs to. Frames of no flow in the map are passed on.

use super::super::asm::{Cond, Op, Src, Width};
use super::super::layout::{self, SIDE};
use super::{
    Builder, CTX, DST, FRAME, FRAME_LEN, FRAME_POINTER, HEADERS, IP_LEN, KEY_AT, NET, OWN, PEER,
    PORTS, PROTO, SRC, SWAPPED, TCP, TRANSPORT, TTL, UDP, VALUE, VERSION,
};
use crate::sys::bpf::Kind;

use Src::{Imm, Reg};
use Width::{Byte, Double, Half, Word};

impl Builder<'_> {
    /// Copies bytes of the frame to the stack; passes a frame on that has less.
    fn copy(&mut self, from: Src, to: i16, len: i32) {
        self.asm.op(Op::Mov, 1, Reg(CTX));
        self.asm.op(Op::Mov, 2, from);
        self.asm.op(Op::Mov, 3, Reg(FRAME_POINTER));
        self.asm.op(Op::Add, 3, Imm(to.into()));
        self.asm.op(Op::Mov, 4, Imm(len));
        self.asm.call(match self.kind {
            Kind::Xdp { .. } => XDP_LOAD_BYTES,
            Kind::SocketFilter => SKB_LOAD_BYTES,
        });
        self.pass_if(Cond::Ne, 0, Imm(0));
    }

    /// Reads the headers, and makes the key with the source first.
    pub(super) fn headers(&mut self) {
        self.asm.op(Op::Mov, CTX, Reg(1));
        for at in (TRANSPORT..0).step_by(8) {
            self.asm.store_constant(Double, FRAME_POINTER, at, 0);
        }
        match self.kind {
            Kind::Xdp { .. } => self.asm.call(XDP_GET_BUFF_LEN),
            Kind::SocketFilter => {
                // The outer tag is not in the frame.
                self.asm.load(Word, 1, CTX, SKB_VLAN_PRESENT);
                self.pass_if(Cond::Ne, 1, Imm(0));
                self.asm.load(Word, 0, CTX, SKB_LEN);
            }
        }
        self.store(Double, FRAME_LEN, 0);
        self.copy(Imm(0), FRAME, 34);
        let (v6, transport) = (self.asm.label(), self.asm.label());
        self.load(Half, 1, FRAME + 12);
        self.asm.network_order(1, 16);
        self.asm.jump(Cond::Eq, 1, Imm(0x86dd), v6);
        self.pass_if(Cond::Ne, 1, Imm(0x0800));
        self.v4();
        self.asm.go(transport);
        self.asm.place(v6);
        self.v6();
        self.asm.place(transport);
        self.transport();
    }

    /// IPv4 without options, and no fragment (RFC 791 §3.1).
    fn v4(&mut self) {
        self.load(Byte, 1, NET);
        self.pass_if(Cond::Ne, 1, Imm(0x45));
        self.load(Half, 1, NET + 6);
        self.asm.network_order(1, 16);
        self.asm.op(Op::And, 1, Imm(0x3fff));
        self.pass_if(Cond::Ne, 1, Imm(0));
        self.load(Half, 1, NET + 2);
        self.asm.network_order(1, 16);
        self.store(Double, IP_LEN, 1);
        self.load(Byte, 1, NET + 8);
        self.store(Double, TTL, 1);
        self.load(Byte, 8, NET + 9);
        for (from, to) in [(NET + 12, SRC), (NET + 16, DST)] {
            self.load(Word, 1, from);
            self.store(Word, to, 1);
        }
        self.asm.store_constant(Byte, FRAME_POINTER, VERSION, 4);
        self.asm.op(Op::Mov, 7, Imm(34));
    }

    /// IPv6 without extension headers (RFC 8200 §3).
    fn v6(&mut self) {
        self.copy(Imm(34), FRAME + 34, 20);
        self.load(Byte, 1, NET);
        self.asm.op(Op::Shr, 1, Imm(4));
        self.pass_if(Cond::Ne, 1, Imm(6));
        self.load(Half, 1, NET + 4);
        self.asm.network_order(1, 16);
        self.asm.op(Op::Add, 1, Imm(40));
        self.store(Double, IP_LEN, 1);
        self.load(Byte, 1, NET + 7);
        self.store(Double, TTL, 1);
        self.load(Byte, 8, NET + 6);
        for (from, to) in [(NET + 8, SRC), (NET + 24, DST)] {
            for word in (0..16).step_by(4) {
                self.load(Word, 1, from + word);
                self.store(Word, to + word, 1);
            }
        }
        self.asm.store_constant(Byte, FRAME_POINTER, VERSION, 6);
        self.asm.op(Op::Mov, 7, Imm(54));
    }

    fn transport(&mut self) {
        let (udp, ports) = (self.asm.label(), self.asm.label());
        self.store(Double, HEADERS, 7);
        self.store(Byte, PROTO, 8);
        self.asm.jump(Cond::Eq, 8, Imm(UDP), udp);
        self.pass_if(Cond::Ne, 8, Imm(TCP));
        self.copy(Reg(7), TRANSPORT, 20);
        self.asm.go(ports);
        self.asm.place(udp);
        self.copy(Reg(7), TRANSPORT, 8);
        self.asm.place(ports);
        for end in [0, 2] {
            self.load(Half, 1, TRANSPORT + end);
            self.store(Half, PORTS + end, 1);
        }
    }

    /// Puts the lower end first, and looks the flow up.
    pub(super) fn look_up(&mut self, flows: i32) {
        let (swap, ordered) = (self.asm.label(), self.asm.label());
        self.asm.op(Op::Mov, 9, Imm(0));
        for word in [0, 8] {
            self.load(Double, 1, SRC + word);
            self.load(Double, 2, DST + word);
            self.asm.jump(Cond::Lt, 1, Reg(2), ordered);
            self.asm.jump(Cond::Gt, 1, Reg(2), swap);
        }
        self.load(Half, 1, PORTS);
        self.load(Half, 2, PORTS + 2);
        self.asm.jump(Cond::Le, 1, Reg(2), ordered);
        self.asm.place(swap);
        self.asm.op(Op::Mov, 9, Imm(1));
        for word in [0, 8] {
            self.load(Double, 1, SRC + word);
            self.load(Double, 2, DST + word);
            self.store(Double, SRC + word, 2);
            self.store(Double, DST + word, 1);
        }
        self.load(Half, 1, PORTS);
        self.load(Half, 2, PORTS + 2);
        self.store(Half, PORTS, 2);
        self.store(Half, PORTS + 2, 1);
        self.asm.place(ordered);
        self.store(Double, SWAPPED, 9);
        self.asm.map(1, flows);
        self.asm.op(Op::Mov, 2, Reg(FRAME_POINTER));
        self.asm.op(Op::Add, 2, Imm(KEY_AT.into()));
        self.asm.call(MAP_LOOKUP);
        self.pass_if(Cond::Eq, 0, Imm(0));
        self.asm.op(Op::Mov, VALUE, Reg(0));
        let (first, known) = (self.asm.label(), self.asm.label());
        self.asm.jump(Cond::Eq, 9, Imm(0), first);
        for (own, peer, last) in [(SIDE, 0, false), (0, SIDE, true)] {
            if last {
                self.asm.place(first);
            }
            self.asm.op(Op::Mov, OWN, Reg(VALUE));
            self.asm.op(Op::Add, OWN, Imm(own.into()));
            self.asm.op(Op::Mov, PEER, Reg(VALUE));
            self.asm.op(Op::Add, PEER, Imm(peer.into()));
            if !last {
                self.asm.go(known);
            }
        }
        self.asm.place(known);
        self.asm.load(Word, 1, VALUE, layout::STATE);
        self.pass_if(Cond::Ne, 1, Imm(0));
    }
}

/// Helper functions of the kernel.
const MAP_LOOKUP: i32 = 1;
const SKB_LOAD_BYTES: i32 = 26;
const XDP_GET_BUFF_LEN: i32 = 188;
const XDP_LOAD_BYTES: i32 = 189;

/// Offsets in the context of a socket filter.
const SKB_LEN: i16 = 0;
const SKB_VLAN_PRESENT: i16 = 20;
