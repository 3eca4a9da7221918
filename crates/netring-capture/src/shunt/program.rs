//! The program that counts packets of shunted flows.
//!
//! It runs on every frame, in place of the program that redirects frames to sockets, or of the filter of a
//! packet socket. See `docs/ARCHITECTURE.md` for what it decides.

use super::asm::{Asm, Cond, Label, Op, Src, Width};
use super::layout::{self, KEY, SIDE};
use crate::sys::bpf::{Instruction, Kind};

use Src::{Imm, Reg};
use Width::{Byte, Double, Half, Word};

/// Descriptors of maps, and what becomes of frames that are not kept back.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Parts {
    pub(crate) flows: i32,
    pub(crate) total: i32,
    pub(crate) stopped: i32,
    pub(crate) pass: Pass,
}

/// What becomes of a frame that is not kept back.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Pass {
    /// It goes to the socket of its queue in this map, or to the network stack.
    #[cfg_attr(not(feature = "af-xdp"), expect(dead_code, reason = "made by AF_XDP only"))]
    Redirect { sockets: i32 },
    /// The socket receives at most so many bytes of it.
    Accept { snap_len: u32 },
}

/// The program, of a kind that fits `parts`.
pub(crate) fn assemble(kind: Kind, parts: Parts) -> Vec<Instruction> {
    let mut asm = Asm::default();
    let (pass, freeze) = (asm.label(), asm.label());
    let builder = &mut Builder { asm: &mut asm, kind, pass, freeze };
    builder.headers();
    builder.look_up(parts.flows);
    builder.limits(parts.stopped);
    builder.segment();
    builder.count(parts.total);
    builder.give_back();
    asm.place(pass);
    match parts.pass {
        Pass::Redirect { sockets } => redirect(&mut asm, sockets),
        Pass::Accept { snap_len } => {
            asm.op32(Op::Mov, 0, Imm(snap_len.cast_signed()));
            asm.exit();
        }
    }
    asm.finish()
}

/// Redirects each frame to the socket of its queue in `sockets`, and passes it to the network stack if there is
/// none.
#[cfg(feature = "af-xdp")]
pub(crate) fn redirect_all(sockets: i32) -> Vec<Instruction> {
    let mut asm = Asm::default();
    asm.op(Op::Mov, 6, Reg(1));
    redirect(&mut asm, sockets);
    asm.finish()
}

fn redirect(asm: &mut Asm, sockets: i32) {
    asm.load(Word, 2, CTX, XDP_RX_QUEUE);
    asm.map(1, sockets);
    asm.op(Op::Mov, 3, Imm(XDP_PASS));
    asm.call(REDIRECT_MAP);
    asm.exit();
}

struct Builder<'a> {
    asm: &'a mut Asm,
    kind: Kind,
    /// Not a packet of a shunted flow, or of one that has come back.
    pass: Label,
    /// A packet with which its flow comes back.
    freeze: Label,
}

/// Registers that keep their value over calls. Until the flow is found, 7 is the offset of the transport header,
/// 8 the protocol and 9 whether the ends are swapped.
const CTX: u8 = 6;
const OWN: u8 = 7;
const VALUE: u8 = 8;
const PEER: u8 = 9;
const FRAME_POINTER: u8 = 10;

/// The stack. A frame header begins where the IP header is aligned.
const KEY_AT: i16 = -(KEY as i16);
const SRC: i16 = KEY_AT;
const DST: i16 = KEY_AT + 16;
const PORTS: i16 = KEY_AT + 32;
const PROTO: i16 = KEY_AT + 36;
const VERSION: i16 = KEY_AT + 37;
const TRANSPORT: i16 = -64;
const FRAME: i16 = -130;
const NET: i16 = FRAME + ETHERNET;
const IP_LEN: i16 = -136;
const FRAME_LEN: i16 = -144;
const PAYLOAD: i16 = -152;
const NOW: i16 = -160;
const HEADERS: i16 = -168;
const TTL: i16 = -176;
const SWAPPED: i16 = -184;
const WINDOW: i16 = -192;

const ETHERNET: i16 = 14;

impl Builder<'_> {
    fn load(&mut self, width: Width, to: u8, at: i16) {
        self.asm.load(width, to, FRAME_POINTER, at);
    }

    fn store(&mut self, width: Width, at: i16, from: u8) {
        self.asm.store(width, FRAME_POINTER, at, from);
    }

    fn back_if(&mut self, cond: Cond, left: u8, right: Src) {
        let freeze = self.freeze;
        self.asm.jump(cond, left, right, freeze);
    }

    fn back_if32(&mut self, cond: Cond, left: u8, right: Src) {
        let freeze = self.freeze;
        self.asm.jump32(cond, left, right, freeze);
    }

    fn pass_if(&mut self, cond: Cond, left: u8, right: Src) {
        let pass = self.pass;
        self.asm.jump(cond, left, right, pass);
    }

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
    fn headers(&mut self) {
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
    fn look_up(&mut self, flows: i32) {
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

    /// Whether counting was stopped; time, TTL, and lengths that contradict each other.
    fn limits(&mut self, stopped: i32) {
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
    fn segment(&mut self) {
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
    fn count(&mut self, total: i32) {
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
    fn give_back(&mut self) {
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

/// Protocol numbers and flags.
const TCP: i32 = 6;
const UDP: i32 = 17;
const PSH: i32 = 0x08;
const ACK: i32 = 0x10;

/// Helper functions of the kernel.
const MAP_LOOKUP: i32 = 1;
const KTIME: i32 = 5;
const SKB_LOAD_BYTES: i32 = 26;
const REDIRECT_MAP: i32 = 51;
const XDP_GET_BUFF_LEN: i32 = 188;
const XDP_LOAD_BYTES: i32 = 189;

/// Offsets in the contexts.
const XDP_RX_QUEUE: i16 = 16;
const SKB_LEN: i16 = 0;
const SKB_VLAN_PRESENT: i16 = 20;

/// What becomes of a frame.
const XDP_DROP: i32 = 1;
const XDP_PASS: i32 = 2;
