//! The headers of an IP packet, and of the tunnels in it, unrolled: classic BPF has no loops.

use super::{GOLDEN, HASH, KIND, TEMP, advance, advance_by_a, any_of};
use crate::asm::{Assembler, Label};
use crate::op;

/// Packets in one another that are looked at.
const LEVELS: usize = 3;
const MOST_TAGS: usize = 3;
const MOST_LABELS: usize = 4;
const MOST_EXTENSIONS: usize = 6;
const MOST_GTP_EXTENSIONS: usize = 2;

const IPV4: u32 = 0x0800;
const IPV6: u32 = 0x86dd;
const TPIDS: [u32; 5] = [0x8100, 0x88a8, 0x9100, 0x9200, 0x9300];
const MPLS: [u32; 2] = [0x8847, 0x8848];
const PPPOE: u32 = 0x8864;
const BRIDGING: u32 = 0x6558;
const ERSPAN: u32 = 0x88be;
const ERSPAN_III: u32 = 0x22eb;

/// TCP, UDP, SCTP, UDP-Lite: ports come first.
const WITH_PORTS: [u32; 4] = [6, 17, 132, 136];

pub(super) struct Levels {
    levels: Vec<Level>,
    done: Label,
}

/// Entries of the code for one packet; X is the offset of its first header.
#[derive(Clone, Copy)]
pub(super) struct Level {
    /// A is the Ethertype.
    by_type: Label,
    /// The first header is IP.
    pub(super) by_version: Label,
    /// The first header is Ethernet.
    by_frame: Label,
}

impl Levels {
    pub(super) fn new(asm: &mut Assembler) -> Self {
        let levels = (0..LEVELS).map(|_| Level {
            by_type: asm.label(),
            by_version: asm.label(),
            by_frame: asm.label(),
        });
        let levels = levels.collect();
        Levels { levels, done: asm.label() }
    }

    pub(super) fn first(&self) -> Level {
        self.levels[0]
    }

    /// Emits all levels. Control enters with an Ethertype, and leaves with the sum in `HASH`.
    pub(super) fn emit(self, asm: &mut Assembler) {
        for (number, level) in self.levels.iter().enumerate() {
            if number > 0 {
                self.frame_in_tunnel(asm, *level);
            }
            self.level(asm, *level, self.levels.get(number + 1).copied());
        }
        asm.place(self.done);
    }

    /// Continues with the Ethertype of a frame, which control enters only by its label.
    fn frame_in_tunnel(&self, asm: &mut Assembler, level: Level) {
        asm.goto(self.done);
        asm.place(level.by_frame);
        self.require(asm, 14);
        asm.emit(op::LD_H_IND, 12);
        asm.emit(op::ST, KIND);
        advance(asm, 14);
        asm.emit(op::LD_MEM, KIND);
    }

    fn level(&self, asm: &mut Assembler, level: Level, inner: Option<Level>) {
        asm.place(level.by_type);
        let (v4, v6, over_ip) = (asm.label(), asm.label(), asm.label());
        for _ in 0..MOST_TAGS {
            let (tag, on) = (asm.label(), asm.label());
            any_of(asm, &TPIDS, tag);
            asm.goto(on);
            asm.place(tag);
            self.require(asm, 4);
            asm.emit(op::LD_H_IND, 2);
            asm.emit(op::ST, KIND);
            advance(asm, 4);
            asm.emit(op::LD_MEM, KIND);
            asm.place(on);
        }
        let (labels, pppoe) = (asm.label(), asm.label());
        any_of(asm, &[IPV4], v4);
        any_of(asm, &[IPV6], v6);
        any_of(asm, &MPLS, labels);
        any_of(asm, &[PPPOE], pppoe);
        asm.goto(self.done);

        asm.place(pppoe);
        advance(asm, 8);
        asm.goto(level.by_version);

        // RFC 3032 §2.1: the last label has a bit set. Without a protocol field, the version nibble identifies IP.
        asm.place(labels);
        for _ in 0..MOST_LABELS {
            self.require(asm, 4);
            asm.emit(op::LD_B_IND, 2);
            asm.emit(op::ST, TEMP);
            advance(asm, 4);
            asm.emit(op::LD_MEM, TEMP);
            asm.branch_if(op::JSET_K, 1, level.by_version);
        }
        asm.goto(self.done);

        asm.place(level.by_version);
        self.require(asm, 1);
        asm.emit(op::LD_B_IND, 0);
        asm.emit(op::RSH_K, 4);
        any_of(asm, &[4], v4);
        any_of(asm, &[6], v6);
        asm.goto(self.done);

        asm.place(v4);
        self.ipv4(asm);
        asm.goto(over_ip);
        asm.place(v6);
        self.ipv6(asm);
        asm.place(over_ip);
        self.over_ip(asm, inner);
    }

    /// Leaves the protocol in `KIND` and the offset of its header in X.
    fn ipv4(&self, asm: &mut Assembler) {
        self.require(asm, 20);
        sum_words(asm, &[12, 16]);
        // RFC 791 §3.1: more fragments, or an offset.
        asm.emit(op::LD_H_IND, 6);
        asm.branch_if(op::JSET_K, 0x3fff, self.done);
        asm.emit(op::LD_B_IND, 9);
        asm.emit(op::ST, KIND);
        asm.emit(op::LD_B_IND, 0);
        asm.emit(op::AND_K, 0x0f);
        asm.emit(op::LSH_K, 2);
        advance_by_a(asm);
    }

    /// As [`ipv4`](Self::ipv4), behind extension headers (RFC 8200 §4).
    fn ipv6(&self, asm: &mut Assembler) {
        self.require(asm, 40);
        sum_words(asm, &[8, 12, 16, 20, 24, 28, 32, 36]);
        asm.emit(op::LD_B_IND, 6);
        asm.emit(op::ST, KIND);
        advance(asm, 40);
        let end = asm.label();
        for _ in 0..MOST_EXTENSIONS {
            let (options, fragment, auth) = (asm.label(), asm.label(), asm.label());
            let (length, on) = (asm.label(), asm.label());
            asm.emit(op::LD_MEM, KIND);
            any_of(asm, &[0, 43, 60], options);
            any_of(asm, &[44], fragment);
            any_of(asm, &[51], auth);
            asm.goto(end);

            asm.place(options);
            self.require(asm, 8);
            self.next_header(asm);
            asm.emit(op::LD_B_IND, 1);
            asm.emit(op::ADD_K, 1);
            asm.emit(op::LSH_K, 3);
            asm.goto(length);

            // RFC 4302 §2.2: in words, minus two.
            asm.place(auth);
            self.require(asm, 8);
            self.next_header(asm);
            asm.emit(op::LD_B_IND, 1);
            asm.emit(op::ADD_K, 2);
            asm.emit(op::LSH_K, 2);
            asm.place(length);
            advance_by_a(asm);
            asm.goto(on);

            // RFC 8200 §4.5: an offset, or more fragments. One that is the whole datagram has neither.
            asm.place(fragment);
            self.require(asm, 8);
            asm.emit(op::LD_H_IND, 2);
            asm.branch_if(op::JSET_K, 0xfff9, self.done);
            self.next_header(asm);
            advance(asm, 8);
            asm.place(on);
        }
        asm.place(end);
    }

    /// Ends with the sum so far unless the frame has so many bytes from X on. A load from behind its end
    /// would end the program. A is lost.
    fn require(&self, asm: &mut Assembler, bytes: u32) {
        asm.emit(op::LD_LEN, 0);
        asm.branch_unless(op::JGE_X, 0, self.done);
        asm.emit(op::SUB_X, 0);
        asm.branch_unless(op::JGE_K, bytes, self.done);
    }

    fn next_header(&self, asm: &mut Assembler) {
        asm.emit(op::LD_B_IND, 0);
        asm.emit(op::ST, KIND);
    }

    /// Adds ports, and goes to the packet in a tunnel if there is one.
    fn over_ip(&self, asm: &mut Assembler, inner: Option<Level>) {
        let ports = asm.label();
        let gre = asm.label();
        asm.emit(op::LD_MEM, KIND);
        any_of(asm, &WITH_PORTS, ports);
        if let Some(inner) = inner {
            // RFC 2003, RFC 2473 and RFC 4213.
            any_of(asm, &[4, 41], inner.by_version);
            any_of(asm, &[47], gre);
        }
        asm.goto(self.done);

        asm.place(ports);
        self.require(asm, 4);
        asm.emit(op::LD_H_IND, 0);
        asm.emit(op::ST, TEMP);
        asm.emit(op::LD_H_IND, 2);
        asm.emit(op::STX, PLACE);
        asm.emit(op::LDX_MEM, TEMP);
        asm.emit(op::ADD_X, 0);
        asm.emit(op::LDX_MEM, HASH);
        asm.emit(op::ADD_X, 0);
        asm.emit(op::ST, HASH);
        asm.emit(op::LDX_MEM, PLACE);
        let Some(inner) = inner else { return };
        asm.emit(op::LD_MEM, KIND);
        asm.branch_unless(op::JEQ_K, 17, self.done);
        let (vxlan, gpe, geneve, gtp) = (asm.label(), asm.label(), asm.label(), asm.label());
        let gre_in_udp = asm.label();
        // Any application may use the port of a tunnel, with less payload than a tunnel has.
        self.require(asm, 16);
        asm.emit(op::LD_H_IND, 2);
        asm.emit(op::ST, KIND);
        advance(asm, 8);
        asm.emit(op::LD_MEM, KIND);
        any_of(asm, &[4789], vxlan);
        any_of(asm, &[4790], gpe);
        any_of(asm, &[6081], geneve);
        any_of(asm, &[4754], gre_in_udp);
        any_of(asm, &[2152], gtp);
        asm.goto(self.done);

        // RFC 7348 §5: a flag for a valid identifier.
        asm.place(vxlan);
        asm.emit(op::LD_B_IND, 0);
        asm.branch_unless(op::JSET_K, 0x08, self.done);
        advance(asm, 8);
        asm.goto(inner.by_frame);

        self.vxlan_gpe(asm, gpe, inner);
        self.geneve(asm, geneve, inner);
        self.gtp_u(asm, gtp, inner);
        asm.place(gre);
        asm.place(gre_in_udp);
        self.gre(asm, inner);
    }

    /// draft-ietf-nvo3-vxlan-gpe §3.1.
    fn vxlan_gpe(&self, asm: &mut Assembler, gpe: Label, inner: Level) {
        let (plain, ip) = (asm.label(), asm.label());
        asm.place(gpe);
        asm.emit(op::LD_B_IND, 0);
        asm.emit(op::AND_K, 0x3c);
        let typed = asm.label();
        any_of(asm, &[0x0c], typed);
        any_of(asm, &[0x08], plain);
        asm.goto(self.done);
        asm.place(typed);
        asm.emit(op::LD_B_IND, 3);
        any_of(asm, &[1, 2], ip);
        any_of(asm, &[3], plain);
        asm.goto(self.done);
        asm.place(plain);
        advance(asm, 8);
        asm.goto(inner.by_frame);
        asm.place(ip);
        advance(asm, 8);
        asm.goto(inner.by_version);
    }

    /// RFC 8926 §3.4: version 0, options in words, an Ethertype.
    fn geneve(&self, asm: &mut Assembler, geneve: Label, inner: Level) {
        asm.place(geneve);
        asm.emit(op::LD_H_IND, 2);
        asm.emit(op::ST, KIND);
        asm.emit(op::LD_B_IND, 0);
        asm.branch_if(op::JSET_K, 0xc0, self.done);
        asm.emit(op::AND_K, 0x3f);
        asm.emit(op::LSH_K, 2);
        asm.emit(op::ADD_K, 8);
        advance_by_a(asm);
        asm.emit(op::LD_MEM, KIND);
        any_of(asm, &[BRIDGING], inner.by_frame);
        any_of(asm, &[IPV4, IPV6], inner.by_type);
        asm.goto(self.done);
    }

    /// 3GPP TS 29.281 §5.1.
    fn gtp_u(&self, asm: &mut Assembler, gtp: Label, inner: Level) {
        asm.place(gtp);
        asm.emit(op::LD_H_IND, 0);
        // Version 1, a user packet.
        asm.emit(op::ST, TEMP);
        asm.emit(op::AND_K, 0xf0ff);
        asm.branch_unless(op::JEQ_K, 0x30ff, self.done);
        advance(asm, 8);
        asm.emit(op::LD_MEM, TEMP);
        let optional = asm.label();
        asm.branch_if(op::JSET_K, 0x0700, optional);
        asm.goto(inner.by_version);
        asm.place(optional);
        // Four more bytes, of which the last begins a chain of headers.
        advance(asm, 4);
        self.require(asm, 0);
        asm.emit(op::LD_MEM, TEMP);
        asm.branch_unless(op::JSET_K, 0x0400, inner.by_version);
        for _ in 0..MOST_GTP_EXTENSIONS {
            previous_byte(asm);
            any_of(asm, &[0], inner.by_version);
            self.require(asm, 4);
            asm.emit(op::LD_B_IND, 0);
            any_of(asm, &[0], self.done);
            asm.emit(op::LSH_K, 2);
            advance_by_a(asm);
            self.require(asm, 0);
        }
        previous_byte(asm);
        any_of(asm, &[0], inner.by_version);
        asm.goto(self.done);
    }

    /// RFC 2784 and RFC 2890: version 0; checksum, key and sequence number take four bytes each.
    fn gre(&self, asm: &mut Assembler, inner: Level) {
        self.require(asm, 4);
        asm.emit(op::LD_H_IND, 0);
        asm.branch_if(op::JSET_K, 0x4007, self.done);
        asm.emit(op::ST, TEMP);
        asm.emit(op::LD_H_IND, 2);
        asm.emit(op::ST, KIND);
        advance(asm, 4);
        for flag in [0x8000, 0x2000, 0x1000] {
            let without = asm.label();
            asm.emit(op::LD_MEM, TEMP);
            asm.branch_unless(op::JSET_K, flag, without);
            advance(asm, 4);
            asm.place(without);
        }
        let (erspan, erspan_iii) = (asm.label(), asm.label());
        asm.emit(op::LD_MEM, KIND);
        any_of(asm, &[IPV4, IPV6], inner.by_type);
        any_of(asm, &[BRIDGING], inner.by_frame);
        any_of(asm, &[ERSPAN], erspan);
        any_of(asm, &[ERSPAN_III], erspan_iii);
        asm.goto(self.done);

        // draft-foschiano-erspan §4: type I, without a sequence number, has no header of its own.
        asm.place(erspan);
        asm.emit(op::LD_MEM, TEMP);
        asm.branch_unless(op::JSET_K, 0x1000, inner.by_frame);
        advance(asm, 8);
        asm.goto(inner.by_frame);

        // Type III has 12 bytes, and 8 more if its last bit says so.
        asm.place(erspan_iii);
        self.require(asm, 12);
        asm.emit(op::LD_B_IND, 11);
        asm.emit(op::ST, TEMP);
        advance(asm, 12);
        asm.emit(op::LD_MEM, TEMP);
        asm.branch_unless(op::JSET_K, 1, inner.by_frame);
        advance(asm, 8);
        asm.goto(inner.by_frame);
    }
}

/// The byte before X, in A. A negative offset would be read as one from the link header.
fn previous_byte(asm: &mut Assembler) {
    asm.emit(op::STX, PLACE);
    asm.emit(op::TXA, 0);
    asm.emit(op::SUB_K, 1);
    asm.emit(op::TAX, 0);
    asm.emit(op::LD_B_IND, 0);
    asm.emit(op::LDX_MEM, PLACE);
}

/// Starts the sum anew, with the words at these offsets from X.
fn sum_words(asm: &mut Assembler, offsets: &[u32]) {
    asm.emit(op::LD_IMM, 0);
    asm.emit(op::ST, HASH);
    for offset in offsets {
        asm.emit(op::LD_W_IND, *offset);
        asm.emit(op::STX, PLACE);
        asm.emit(op::LDX_MEM, HASH);
        asm.emit(op::ADD_X, 0);
        asm.emit(op::ST, HASH);
        asm.emit(op::LDX_MEM, PLACE);
    }
    // Ports are added, and must not make up for a difference of addresses.
    asm.emit(op::LD_MEM, HASH);
    asm.emit(op::MUL_K, GOLDEN);
    asm.emit(op::ST, HASH);
}

/// Scratch memory: X, while it is used for something else.
const PLACE: u32 = 3;
