//! Code that parses the headers, once for all terms.

use flowscope_core::LinkType;

use super::{CompileError, Compiler, NO_PROTOCOL, NO_TAG, Registers, Slot};
use crate::asm::Label;
use crate::op;

pub(super) const IPV4: u32 = 0x0800;
pub(super) const ARP: u32 = 0x0806;
pub(super) const RARP: u32 = 0x8035;
pub(super) const IPV6: u32 = 0x86dd;
const TPIDS: [u32; 3] = [0x8100, 0x88a8, 0x9100];
const TCP: u32 = 6;
const UDP: u32 = 17;
const SCTP: u32 = 132;
/// Of IPv6 (RFC 8200 §4.1); each takes a step of the program's, and a sound packet has four.
const MOST_EXTENSIONS: usize = 6;

impl Compiler {
    /// Emits code that stores in scratch memory the header fields that the terms need.
    pub(super) fn headers(&mut self, link: LinkType) -> Result<Registers, CompileError> {
        // An unknown link type is an error for every expression.
        let reader = match link {
            LinkType::ETHERNET => Reader::Tagged { kind_at: 12, next: 14 },
            LinkType::LINUX_SLL => Reader::Tagged { kind_at: 14, next: 16 },
            LinkType::LINUX_SLL2 => Reader::Tagged { kind_at: 0, next: 20 },
            LinkType::RAW | LinkType::RAW_BSD | LinkType::RAW_OPENBSD => Reader::Version,
            LinkType::IPV4 => Reader::Only(IPV4),
            LinkType::IPV6 => Reader::Only(IPV6),
            LinkType::NULL | LinkType::LOOP => Reader::Family,
            LinkType::PPP | LinkType::PPP_HDLC => Reader::Ppp,
            LinkType::PPP_ETHER => Reader::PppoeSession,
            _ => return Err(CompileError::Link(link)),
        };
        if !self.needs.network {
            return Ok(Registers::default());
        }
        let done = self.asm.label();
        if self.needs.vlan {
            self.asm.emit(op::LD_IMM, NO_TAG);
            self.asm.emit(op::ST, Slot::OuterTag as u32);
            self.asm.emit(op::ST, Slot::InnerTag as u32);
        }
        match reader {
            Reader::Tagged { kind_at, next } if self.needs.vlan => {
                let inline = self.asm.label();
                self.asm.emit(op::LD_B_ABS, op::AD_VLAN_TAG_PRESENT);
                self.asm.branch_if(op::JEQ_K, 0, inline);
                self.tag(op::LD_H_ABS, op::AD_VLAN_TAG, Slot::OuterTag);
                self.tags(kind_at, next, &[Slot::InnerTag], done);
                self.asm.place(inline);
                self.tags(kind_at, next, &[Slot::OuterTag, Slot::InnerTag], done);
            }
            Reader::Tagged { kind_at, next } => self.behind_tags(kind_at, next, done),
            other => {
                if self.needs.vlan {
                    let untagged = self.asm.label();
                    self.asm.emit(op::LD_B_ABS, op::AD_VLAN_TAG_PRESENT);
                    self.asm.branch_if(op::JEQ_K, 0, untagged);
                    self.tag(op::LD_H_ABS, op::AD_VLAN_TAG, Slot::OuterTag);
                    self.asm.place(untagged);
                }
                self.untagged(other, done);
            }
        }
        self.asm.place(done);
        let regs = Registers { a: Some(Slot::Kind), x: Some(Slot::Network) };
        if self.needs.protocol || self.needs.ports {
            self.protocol();
            return Ok(Registers::default());
        }
        Ok(regs)
    }

    /// Stores the id of a tag whose control field is at `at`.
    fn tag(&mut self, load: u16, at: u32, slot: Slot) {
        self.asm.emit(load, at);
        self.asm.emit(op::AND_K, 0x0fff);
        self.asm.emit(op::ST, slot as u32);
    }

    /// Steps over tags in the frame, at most as many as there are slots, and stores their ids.
    fn tags(&mut self, kind_at: u32, next: u32, slots: &[Slot], done: Label) {
        self.asm.emit(op::LD_H_ABS, kind_at);
        let Some((&slot, slots)) = slots.split_first() else {
            return self.network_at(next, done);
        };
        self.tag_or_network(next, done);
        if self.needs.vlan {
            self.tag(op::LD_H_ABS, next, slot);
        }
        self.tags(next + 2, next + 4, slots, done);
    }

    /// The same where no condition asks for ids. Whether a tag was taken out matters where there is one
    /// in the frame: two count.
    fn behind_tags(&mut self, kind_at: u32, next: u32, done: Label) {
        self.asm.emit(op::LD_H_ABS, kind_at);
        self.tag_or_network(next, done);
        let inner = self.asm.label();
        self.asm.emit(op::LD_B_ABS, op::AD_VLAN_TAG_PRESENT);
        self.asm.branch_unless(op::JEQ_K, 0, inner);
        self.tags(next + 2, next + 4, &[Slot::InnerTag], done);
        self.asm.place(inner);
        self.tags(next + 2, next + 4, &[], done);
    }

    /// Goes on if A is the TPID of a tag; if not, it is what stands at `next`.
    fn tag_or_network(&mut self, next: u32, done: Label) {
        let [tagged, plain] = [(); 2].map(|()| self.asm.label());
        // IPv4 and ARP have smaller numbers.
        self.asm.branch_unless(op::JGE_K, TPIDS[0], plain);
        for tpid in TPIDS {
            self.asm.branch_if(op::JEQ_K, tpid, tagged);
        }
        self.asm.place(plain);
        self.network_at(next, done);
        self.asm.place(tagged);
    }

    /// A is the Ethertype of what stands at `next`.
    fn network_at(&mut self, next: u32, done: Label) {
        if self.needs.kind {
            self.asm.emit(op::ST, Slot::Kind as u32);
        }
        self.asm.emit(op::LDX_IMM, next);
        if self.needs.addresses {
            self.asm.emit(op::STX, Slot::Network as u32);
        }
        self.asm.goto(done);
    }

    fn known(&mut self, kind: u32, next: u32, done: Label) {
        self.asm.emit(op::LD_IMM, kind);
        self.network_at(next, done);
    }

    fn untagged(&mut self, reader: Reader, done: Label) {
        match reader {
            Reader::Tagged { kind_at, next } => self.behind_tags(kind_at, next, done),
            Reader::Only(kind) => self.known(kind, 0, done),
            Reader::Version => {
                self.asm.emit(op::LD_B_ABS, 0);
                self.asm.emit(op::AND_K, 0xf0);
                self.choose(&[(0x40, IPV4), (0x60, IPV6)], 0, done);
                self.known(NOTHING, 0, done);
            }
            Reader::Family => {
                // As the capturing host numbers them, in its byte order. IPv6 is 10 on Linux, 24
                // on NetBSD and OpenBSD, 28 on FreeBSD, 30 on macOS.
                let families = [(2, IPV4), (10, IPV6), (24, IPV6), (28, IPV6), (30, IPV6)];
                let swapped = families.map(|(family, kind)| (u32::swap_bytes(family), kind));
                self.asm.emit(op::LD_W_ABS, 0);
                self.choose(&[families, swapped].concat(), 4, done);
                let cisco = self.asm.label();
                self.cisco(cisco);
                self.known(NOTHING, 0, done);
                self.asm.place(cisco);
                self.asm.emit(op::LD_H_ABS, 2);
                self.network_at(4, done);
            }
            Reader::Ppp => {
                let (framed, cisco) = (self.asm.label(), self.asm.label());
                self.cisco(cisco);
                self.asm.branch_if(op::JEQ_K, 0xff03, framed);
                self.ppp(0, done);
                self.asm.place(framed);
                self.ppp(2, done);
                self.asm.place(cisco);
                self.asm.emit(op::LD_H_ABS, 2);
                self.network_at(4, done);
            }
            Reader::PppoeSession => {
                // Version and type 1, code 0 for session packets (RFC 2516 §4).
                let other = self.asm.label();
                self.asm.emit(op::LD_H_ABS, 0);
                self.asm.branch_unless(op::JEQ_K, 0x1100, other);
                self.ppp(6, done);
                self.asm.place(other);
                self.known(NOTHING, 0, done);
            }
        }
    }

    /// Goes to `cisco` if the frame begins with a header of Cisco HDLC, unicast or multicast,
    /// which some writers put in place of others; leaves its first half word in A.
    fn cisco(&mut self, cisco: Label) {
        self.asm.emit(op::LD_H_ABS, 0);
        self.asm.branch_if(op::JEQ_K, 0x0f00, cisco);
        self.asm.branch_if(op::JEQ_K, 0x8f00, cisco);
    }

    /// A PPP protocol field: one byte if that byte is odd, else two (RFC 1661 §2 and §6.5).
    fn ppp(&mut self, at: u32, done: Label) {
        let compressed = self.asm.label();
        let numbers = [(0x21, IPV4), (0x57, IPV6)];
        self.asm.emit(op::LD_B_ABS, at);
        self.asm.branch_if(op::JSET_K, 1, compressed);
        self.asm.emit(op::LD_H_ABS, at);
        self.choose(&numbers, at + 2, done);
        self.known(NOTHING, 0, done);
        self.asm.place(compressed);
        self.choose(&numbers, at + 1, done);
        self.known(NOTHING, 0, done);
    }

    /// The kind that belongs to A, at `next`; goes on where there is none.
    fn choose(&mut self, kinds: &[(u32, u32)], next: u32, done: Label) {
        for kind in [IPV4, IPV6] {
            let (this, on) = (self.asm.label(), self.asm.label());
            for (value, _) in kinds.iter().filter(|(_, of)| *of == kind) {
                self.asm.branch_if(op::JEQ_K, *value, this);
            }
            self.asm.goto(on);
            self.asm.place(this);
            self.known(kind, next, done);
            self.asm.place(on);
        }
    }

    /// From the network header, whose kind is in A and whose place is in X: the protocol and, if
    /// asked for, where ports are.
    fn protocol(&mut self) {
        let [ipv4, ipv6, portless, done] = [(); 4].map(|()| self.asm.label());
        self.asm.branch_if(op::JEQ_K, IPV4, ipv4);
        self.asm.branch_if(op::JEQ_K, IPV6, ipv6);
        self.asm.emit(op::LD_IMM, NO_PROTOCOL);
        self.store_protocol();
        self.asm.goto(portless);

        self.asm.place(ipv4);
        self.asm.emit(op::LD_B_IND, 9);
        self.store_protocol();
        if self.needs.ports {
            self.go_on_with_ports(portless);
            // Of a datagram's fragments, only the one at offset 0 has them.
            self.asm.emit(op::LD_H_IND, 6);
            self.asm.branch_if(op::JSET_K, 0x1fff, portless);
            self.asm.emit(op::LD_B_IND, 0);
            self.asm.emit(op::AND_K, 0x0f);
            self.asm.branch_unless(op::JGE_K, 5, portless);
            self.asm.emit(op::LSH_K, 2);
            self.asm.emit(op::ADD_X, 0);
            self.asm.emit(op::ST, Slot::Ports as u32);
        }
        self.asm.goto(done);

        self.asm.place(ipv6);
        self.extensions(portless);
        self.store_protocol();
        if self.needs.ports {
            self.go_on_with_ports(portless);
            self.asm.emit(op::STX, Slot::Ports as u32);
        }
        self.asm.goto(done);

        self.asm.place(portless);
        if self.needs.ports {
            self.asm.emit(op::LD_IMM, 0);
            self.asm.emit(op::ST, Slot::Ports as u32);
        }
        self.asm.place(done);
    }

    fn store_protocol(&mut self) {
        if self.needs.protocol {
            self.asm.emit(op::ST, Slot::Protocol as u32);
        }
    }

    fn go_on_with_ports(&mut self, portless: Label) {
        let ports = self.asm.label();
        for protocol in [TCP, UDP, SCTP] {
            self.asm.branch_if(op::JEQ_K, protocol, ports);
        }
        self.asm.goto(portless);
        self.asm.place(ports);
    }

    /// Steps over the extension headers of the IPv6 packet at X: goes on with the protocol in A
    /// and its place in X, or to `portless` with the protocol stored.
    fn extensions(&mut self, portless: Label) {
        let [over, endless] = [(); 2].map(|()| self.asm.label());
        self.asm.emit(op::LD_B_IND, 6);
        self.step_x(|asm| asm.emit(op::ADD_K, 40));
        for step in 0..=MOST_EXTENSIONS {
            let [skip, fragment, next] = [(); 3].map(|()| self.asm.label());
            for sized in [0, 43, 60] {
                self.asm.branch_if(op::JEQ_K, sized, skip);
            }
            self.asm.branch(op::JEQ_K, 44, fragment, over);
            if step == MOST_EXTENSIONS {
                self.asm.place(skip);
                self.asm.place(fragment);
                self.asm.goto(endless);
                self.asm.place(next);
                break;
            }

            self.asm.place(skip);
            self.asm.emit(op::LD_B_IND, 0);
            self.asm.emit(op::ST, Slot::Protocol as u32);
            // In units of 8 bytes, not counting the first.
            self.asm.emit(op::LD_B_IND, 1);
            self.asm.emit(op::ADD_K, 1);
            self.asm.emit(op::LSH_K, 3);
            self.asm.emit(op::ADD_X, 0);
            self.asm.emit(op::TAX, 0);
            self.asm.emit(op::LD_MEM, Slot::Protocol as u32);
            self.asm.goto(next);

            self.asm.place(fragment);
            self.asm.emit(op::LD_B_IND, 0);
            self.asm.emit(op::ST, Slot::Protocol as u32);
            self.asm.emit(op::LD_H_IND, 2);
            self.asm.branch_if(op::JSET_K, 0xfff8, portless);
            self.asm.emit(op::LD_MEM, Slot::Protocol as u32);
            self.step_x(|asm| asm.emit(op::ADD_K, 8));
            self.asm.place(next);
        }
        self.asm.place(endless);
        self.asm.emit(op::LD_IMM, NO_PROTOCOL);
        self.store_protocol();
        self.asm.goto(portless);
        self.asm.place(over);
    }

    /// Changes X by what `change` does to A, and keeps A.
    fn step_x(&mut self, change: impl FnOnce(&mut crate::asm::Assembler)) {
        self.asm.emit(op::ST, Slot::Protocol as u32);
        self.asm.emit(op::TXA, 0);
        change(&mut self.asm);
        self.asm.emit(op::TAX, 0);
        self.asm.emit(op::LD_MEM, Slot::Protocol as u32);
    }
}

/// How a link type names the payload of its frames.
#[derive(Clone, Copy, Debug)]
enum Reader {
    /// An Ethertype here, and behind it, at `next`, what it names: perhaps a tag.
    Tagged {
        kind_at: u32,
        next: u32,
    },
    /// By the first four bits.
    Version,
    /// Always this.
    Only(u32),
    /// An address family of a BSD.
    Family,
    Ppp,
    PppoeSession,
}

/// Kind of what is none of those that terms are about.
const NOTHING: u32 = 0;
