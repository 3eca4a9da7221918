//! Code of a single term.

use std::net::IpAddr;

use super::headers::{ARP, IPV4, IPV6, RARP};
use super::{Compiler, Exits, Facts, NO_TAG, Slot};
use crate::expr::{Direction, Term};
use crate::net::Net;
use crate::op;

impl Compiler {
    /// Emits the code of a term; the facts are those at either exit.
    pub(super) fn term(&mut self, term: Term, to: Exits, mut facts: Facts) -> (Facts, Facts) {
        match term {
            Term::Ip => self.equals(Slot::Kind, IPV4, to, facts),
            Term::Ip6 => self.equals(Slot::Kind, IPV6, to, facts),
            Term::Arp => self.equals(Slot::Kind, ARP, to, facts),
            Term::Tcp => self.equals(Slot::Protocol, 6, to, facts),
            Term::Udp => self.equals(Slot::Protocol, 17, to, facts),
            Term::Sctp => self.equals(Slot::Protocol, 132, to, facts),
            Term::Protocol(number) => self.equals(Slot::Protocol, number.into(), to, facts),
            Term::Icmp => self.of_one_version(1, IPV4, to, facts),
            Term::Icmp6 => self.of_one_version(58, IPV6, to, facts),
            Term::Net(direction, net) => {
                self.load_x(Slot::Network, &mut facts);
                self.load(Slot::Kind, &mut facts);
                match net.addr() {
                    IpAddr::V4(addr) => self.net4(direction, net, addr.to_bits(), to),
                    IpAddr::V6(addr) => self.net6(direction, net, addr.to_bits(), to),
                }
                same(Facts { a: None, ..facts })
            }
            Term::Ports(direction, first, last) => {
                self.load_x(Slot::Ports, &mut facts);
                self.asm.emit(op::TXA, 0);
                self.asm.branch_if(op::JEQ_K, 0, to.else_);
                self.either(direction, to, |this, end, to| {
                    this.port(end, first.into(), last.into(), to);
                });
                same(Facts { a: None, ..facts })
            }
            Term::Vlan(None) => {
                let swapped = Exits { holds: to.else_, else_: to.holds };
                self.equals(Slot::OuterTag, NO_TAG, swapped, facts)
            }
            Term::Vlan(Some(id)) => {
                self.load(Slot::OuterTag, &mut facts);
                self.asm.branch_if(op::JEQ_K, id.into(), to.holds);
                self.load(Slot::InnerTag, &mut facts);
                self.asm.branch(op::JEQ_K, id.into(), to.holds, to.else_);
                (Facts { a: None, ..facts }, facts)
            }
            Term::Mac(direction, addr) => {
                self.either(direction, to, |this, end, to| this.mac(end, addr, to));
                same(Facts { a: None, ..facts })
            }
        }
    }

    fn equals(&mut self, slot: Slot, value: u32, to: Exits, mut facts: Facts) -> (Facts, Facts) {
        self.load(slot, &mut facts);
        self.asm.branch(op::JEQ_K, value, to.holds, to.else_);
        same(facts)
    }

    fn of_one_version(
        &mut self,
        protocol: u32,
        kind: u32,
        to: Exits,
        mut facts: Facts,
    ) -> (Facts, Facts) {
        self.load(Slot::Protocol, &mut facts);
        self.asm.branch_unless(op::JEQ_K, protocol, to.else_);
        self.load(Slot::Kind, &mut facts);
        self.asm.branch(op::JEQ_K, kind, to.holds, to.else_);
        (facts, Facts { a: None, ..facts })
    }

    /// Code of one end, or of the source and then the destination.
    fn either(
        &mut self,
        direction: Direction,
        to: Exits,
        mut one: impl FnMut(&mut Self, End, Exits),
    ) {
        match direction {
            Direction::Src => one(self, End::Src, to),
            Direction::Dst => one(self, End::Dst, to),
            Direction::Either => {
                let dst = self.asm.label();
                one(self, End::Src, Exits { else_: dst, ..to });
                self.asm.place(dst);
                one(self, End::Dst, to);
            }
        }
    }

    /// The kind is in A, the place of the network header in X.
    fn net4(&mut self, direction: Direction, net: Net, addr: u32, to: Exits) {
        let [ip, arp] = [(); 2].map(|()| self.asm.label());
        self.asm.branch_if(op::JEQ_K, IPV4, ip);
        self.asm.branch_if(op::JEQ_K, ARP, arp);
        self.asm.branch(op::JEQ_K, RARP, arp, to.else_);
        let mask = u32::MAX.checked_shl(32 - u32::from(net.prefix_len())).unwrap_or(0);
        // RFC 791 §3.1; RFC 826, with addresses of 6 and 4 bytes.
        for (kind, [src, dst]) in [(ip, [12, 16]), (arp, [14, 24])] {
            self.asm.place(kind);
            self.either(direction, to, |this, end, to| match mask {
                0 => this.asm.goto(to.holds),
                _ => this.word(end.of(src, dst), addr, mask, to),
            });
        }
    }

    /// The same.
    fn net6(&mut self, direction: Direction, net: Net, addr: u128, to: Exits) {
        self.asm.branch_unless(op::JEQ_K, IPV6, to.else_);
        let mask = u128::MAX.checked_shl(128 - u32::from(net.prefix_len())).unwrap_or(0);
        self.either(direction, to, |this, end, to| {
            // RFC 8200 §3.
            let at = end.of(8, 24);
            for (offset, shift) in [(0, 96), (4, 64), (8, 32), (12, 0)] {
                let (addr, mask) = ((addr >> shift) as u32, (mask >> shift) as u32);
                if mask != 0 {
                    let same = this.asm.label();
                    this.word(at + offset, addr, mask, Exits { holds: same, ..to });
                    this.asm.place(same);
                }
            }
            this.asm.goto(to.holds);
        });
    }

    fn word(&mut self, at: u32, value: u32, mask: u32, to: Exits) {
        self.asm.emit(op::LD_W_IND, at);
        if mask != u32::MAX {
            self.asm.emit(op::AND_K, mask);
        }
        self.asm.branch(op::JEQ_K, value, to.holds, to.else_);
    }

    fn port(&mut self, end: End, first: u32, last: u32, to: Exits) {
        self.asm.emit(op::LD_H_IND, end.of(0, 2));
        if first == last {
            self.asm.branch(op::JEQ_K, first, to.holds, to.else_);
        } else {
            self.asm.branch_unless(op::JGE_K, first, to.else_);
            self.asm.branch(op::JGT_K, last, to.else_, to.holds);
        }
    }

    fn mac(&mut self, end: End, addr: [u8; 6], to: Exits) {
        let [a, b, c, d, e, f] = addr;
        let at = end.of(6, 0);
        // The end of an address tells more apart than its beginning.
        self.asm.emit(op::LD_W_ABS, at + 2);
        self.asm.branch_unless(op::JEQ_K, u32::from_be_bytes([c, d, e, f]), to.else_);
        self.asm.emit(op::LD_H_ABS, at);
        self.asm.branch(op::JEQ_K, u16::from_be_bytes([a, b]).into(), to.holds, to.else_);
    }
}

#[derive(Clone, Copy)]
enum End {
    Src,
    Dst,
}

impl End {
    fn of(self, src: u32, dst: u32) -> u32 {
        match self {
            End::Src => src,
            End::Dst => dst,
        }
    }
}

fn same(facts: Facts) -> (Facts, Facts) {
    (facts, facts)
}
