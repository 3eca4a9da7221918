//! Code of a single term.

use std::net::IpAddr;

use super::headers::{ARP, IPV4, IPV6, RARP};
use super::{Compiler, NO_TAG, Registers, Slot, Targets};
use crate::expr::{Direction, Term};
use crate::net::Net;
use crate::op;

impl Compiler {
    /// Emits the code of a term, and returns the register contents at each target.
    pub(super) fn term(
        &mut self,
        term: Term,
        to: Targets,
        mut regs: Registers,
    ) -> (Registers, Registers) {
        match term {
            Term::Ip => self.equals(Slot::Kind, IPV4, to, regs),
            Term::Ip6 => self.equals(Slot::Kind, IPV6, to, regs),
            Term::Arp => self.equals(Slot::Kind, ARP, to, regs),
            Term::Tcp => self.equals(Slot::Protocol, 6, to, regs),
            Term::Udp => self.equals(Slot::Protocol, 17, to, regs),
            Term::Sctp => self.equals(Slot::Protocol, 132, to, regs),
            Term::Protocol(number) => self.equals(Slot::Protocol, number.into(), to, regs),
            Term::Icmp => self.of_one_version(1, IPV4, to, regs),
            Term::Icmp6 => self.of_one_version(58, IPV6, to, regs),
            Term::Net(direction, net) => {
                self.load_x(Slot::Network, &mut regs);
                self.load(Slot::Kind, &mut regs);
                match net.addr() {
                    IpAddr::V4(addr) => self.net4(direction, net, addr.to_bits(), to),
                    IpAddr::V6(addr) => self.net6(direction, net, addr.to_bits(), to),
                }
                same(Registers { a: None, ..regs })
            }
            Term::Ports(direction, first, last) => {
                self.load_x(Slot::Ports, &mut regs);
                self.asm.emit(op::TXA, 0);
                self.asm.branch_if(op::JEQ_K, 0, to.if_false);
                self.either(direction, to, |this, end, to| {
                    this.port(end, first.into(), last.into(), to);
                });
                same(Registers { a: None, ..regs })
            }
            Term::Vlan(None) => {
                let swapped = Targets { if_true: to.if_false, if_false: to.if_true };
                self.equals(Slot::OuterTag, NO_TAG, swapped, regs)
            }
            Term::Vlan(Some(id)) => {
                self.load(Slot::OuterTag, &mut regs);
                self.asm.branch_if(op::JEQ_K, id.into(), to.if_true);
                self.load(Slot::InnerTag, &mut regs);
                self.asm.branch(op::JEQ_K, id.into(), to.if_true, to.if_false);
                (Registers { a: None, ..regs }, regs)
            }
            Term::Mac(direction, addr) => {
                self.either(direction, to, |this, end, to| this.mac(end, addr, to));
                same(Registers { a: None, ..regs })
            }
        }
    }

    fn equals(
        &mut self,
        slot: Slot,
        value: u32,
        to: Targets,
        mut regs: Registers,
    ) -> (Registers, Registers) {
        self.load(slot, &mut regs);
        self.asm.branch(op::JEQ_K, value, to.if_true, to.if_false);
        same(regs)
    }

    fn of_one_version(
        &mut self,
        protocol: u32,
        kind: u32,
        to: Targets,
        mut regs: Registers,
    ) -> (Registers, Registers) {
        self.load(Slot::Protocol, &mut regs);
        self.asm.branch_unless(op::JEQ_K, protocol, to.if_false);
        self.load(Slot::Kind, &mut regs);
        self.asm.branch(op::JEQ_K, kind, to.if_true, to.if_false);
        (regs, Registers { a: None, ..regs })
    }

    /// Code of one end, or of the source and then the destination.
    fn either(
        &mut self,
        direction: Direction,
        to: Targets,
        mut one: impl FnMut(&mut Self, End, Targets),
    ) {
        match direction {
            Direction::Src => one(self, End::Src, to),
            Direction::Dst => one(self, End::Dst, to),
            Direction::Either => {
                let dst = self.asm.label();
                one(self, End::Src, Targets { if_false: dst, ..to });
                self.asm.place(dst);
                one(self, End::Dst, to);
            }
        }
    }

    /// The kind is in A, the place of the network header in X.
    fn net4(&mut self, direction: Direction, net: Net, addr: u32, to: Targets) {
        let [ip, arp] = [(); 2].map(|()| self.asm.label());
        self.asm.branch_if(op::JEQ_K, IPV4, ip);
        self.asm.branch_if(op::JEQ_K, ARP, arp);
        self.asm.branch(op::JEQ_K, RARP, arp, to.if_false);
        let mask = u32::MAX.checked_shl(32 - u32::from(net.prefix_len())).unwrap_or(0);
        // RFC 791 §3.1; RFC 826, with addresses of 6 and 4 bytes.
        for (kind, [src, dst]) in [(ip, [12, 16]), (arp, [14, 24])] {
            self.asm.place(kind);
            self.either(direction, to, |this, end, to| match mask {
                0 => this.asm.goto(to.if_true),
                _ => this.word(end.of(src, dst), addr, mask, to),
            });
        }
    }

    /// The same.
    fn net6(&mut self, direction: Direction, net: Net, addr: u128, to: Targets) {
        self.asm.branch_unless(op::JEQ_K, IPV6, to.if_false);
        let mask = u128::MAX.checked_shl(128 - u32::from(net.prefix_len())).unwrap_or(0);
        self.either(direction, to, |this, end, to| {
            // RFC 8200 §3.
            let at = end.of(8, 24);
            for (offset, shift) in [(0, 96), (4, 64), (8, 32), (12, 0)] {
                let (addr, mask) = ((addr >> shift) as u32, (mask >> shift) as u32);
                if mask != 0 {
                    let same = this.asm.label();
                    this.word(at + offset, addr, mask, Targets { if_true: same, ..to });
                    this.asm.place(same);
                }
            }
            this.asm.goto(to.if_true);
        });
    }

    fn word(&mut self, at: u32, value: u32, mask: u32, to: Targets) {
        self.asm.emit(op::LD_W_IND, at);
        if mask != u32::MAX {
            self.asm.emit(op::AND_K, mask);
        }
        self.asm.branch(op::JEQ_K, value, to.if_true, to.if_false);
    }

    fn port(&mut self, end: End, first: u32, last: u32, to: Targets) {
        self.asm.emit(op::LD_H_IND, end.of(0, 2));
        if first == last {
            self.asm.branch(op::JEQ_K, first, to.if_true, to.if_false);
        } else {
            self.asm.branch_unless(op::JGE_K, first, to.if_false);
            self.asm.branch(op::JGT_K, last, to.if_false, to.if_true);
        }
    }

    fn mac(&mut self, end: End, addr: [u8; 6], to: Targets) {
        let [a, b, c, d, e, f] = addr;
        let at = end.of(6, 0);
        // The end of an address tells more apart than its beginning.
        self.asm.emit(op::LD_W_ABS, at + 2);
        self.asm.branch_unless(op::JEQ_K, u32::from_be_bytes([c, d, e, f]), to.if_false);
        self.asm.emit(op::LD_H_ABS, at);
        self.asm.branch(op::JEQ_K, u16::from_be_bytes([a, b]).into(), to.if_true, to.if_false);
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

fn same(regs: Registers) -> (Registers, Registers) {
    (regs, regs)
}
