use std::fmt;

use flowscope_core::LinkType;

use crate::asm::{Assembler, Label};
use crate::expr::{Expr, Node, Term};
use crate::op;
use crate::program::{Program, ProgramError};

mod headers;
mod terms;

impl Expr {
    /// A program that keeps the packets that are meant, whole, and no others, of frames that begin
    /// with `link`. It is right both on an AF_PACKET socket, where the kernel took a tag out of
    /// the frame, and in [`Program::run`].
    ///
    /// Link types: Ethernet, raw IP, Linux cooked captures of both versions, BSD loopback, PPP.
    /// Where a link has no Ethertypes, VLAN tags are those beside the frame.
    ///
    /// # Errors
    ///
    /// [`CompileError`].
    pub fn compile(&self, link: LinkType) -> Result<Program, CompileError> {
        if self.is_too_deep() {
            return Err(CompileError::TooDeep);
        }
        let needs = Needs::of(self);
        if needs.macs && link != LinkType::ETHERNET {
            return Err(CompileError::Mac(link));
        }
        let mut compiler = Compiler { asm: Assembler::default(), needs };
        let facts = compiler.headers(link)?;
        let (holds, else_) = (compiler.asm.label(), compiler.asm.label());
        compiler.expr(self, Exits { holds, else_ }, facts)?;
        compiler.asm.place(holds);
        compiler.asm.emit(op::RET_K, u32::MAX);
        compiler.asm.place(else_);
        compiler.asm.emit(op::RET_K, 0);
        compiler.asm.finish().map_err(|error| match error {
            ProgramError::Length(length) => CompileError::TooLong(length),
            // Nothing else is emitted; a program that could not run must not be attached.
            ProgramError::Instruction { .. } => CompileError::TooLong(usize::MAX),
        })
    }
}

/// Why an expression has no program.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum CompileError {
    /// Frames of this link type cannot be looked into.
    Link(LinkType),
    /// A term is about Ethernet addresses, which frames of this link type do not have.
    Mac(LinkType),
    /// The program would have this many instructions, or more.
    TooLong(usize),
    /// Operators are nested deeper than [`Expr::MAX_DEPTH`].
    TooDeep,
}

impl fmt::Display for CompileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Link(link) => write!(f, "no filter for frames of link type {link}"),
            Self::Mac(link) => {
                write!(f, "frames of link type {link} have no Ethernet addresses to filter by")
            }
            Self::TooLong(_) => {
                f.write_str("the filter is longer than the 4096 instructions it may have")
            }
            Self::TooDeep => write!(f, "the filter is nested deeper than {}", Expr::MAX_DEPTH),
        }
    }
}

impl std::error::Error for CompileError {}

struct Compiler {
    asm: Assembler,
    needs: Needs,
}

/// What the expression asks of the headers.
#[derive(Clone, Copy, Debug, Default)]
struct Needs {
    /// What the frame carries, and where it begins.
    network: bool,
    /// That terms ask for the former by itself,
    kind: bool,
    /// and for the latter.
    addresses: bool,
    /// The protocol of IP packets.
    protocol: bool,
    /// Where ports are.
    ports: bool,
    /// Ids of tags.
    vlan: bool,
    macs: bool,
}

impl Needs {
    fn of(expr: &Expr) -> Self {
        let mut needs = Needs::default();
        expr.for_each_term(&mut |term| match term {
            Term::Ip | Term::Ip6 | Term::Arp => needs.kind = true,
            Term::Net(..) => (needs.kind, needs.addresses) = (true, true),
            Term::Vlan(_) => needs.vlan = true,
            Term::Mac(..) => needs.macs = true,
            Term::Ports(..) => needs.ports = true,
            Term::Icmp | Term::Icmp6 => (needs.kind, needs.protocol) = (true, true),
            Term::Tcp | Term::Udp | Term::Sctp | Term::Protocol(_) => {
                needs.protocol = true;
            }
        });
        needs.network = needs.kind | needs.protocol | needs.ports | needs.vlan;
        needs
    }
}

/// Scratch memory that the headers leave their results in, for all terms.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Slot {
    /// Where the network header begins.
    Network,
    /// Ethertype of what the frame carries.
    Kind,
    /// Its protocol, or `NO_PROTOCOL`.
    Protocol,
    /// Where its ports are; 0 for none.
    Ports,
    /// Id of the outer tag, or `NO_TAG`.
    OuterTag,
    /// Id of the inner tag, or `NO_TAG`.
    InnerTag,
}

const NO_PROTOCOL: u32 = 0x100;
const NO_TAG: u32 = 0x1000;

/// Where to go when a term holds, and when it does not.
#[derive(Clone, Copy)]
struct Exits {
    holds: Label,
    else_: Label,
}

/// What is in the registers, so that it is not loaded again.
#[derive(Clone, Copy, Debug, Default)]
struct Facts {
    a: Option<Slot>,
    x: Option<Slot>,
}

impl Facts {
    /// What is so whichever way one came.
    fn meet(self, other: Facts) -> Facts {
        Facts { a: self.a.filter(|_| self.a == other.a), x: self.x.filter(|_| self.x == other.x) }
    }
}

impl Compiler {
    /// Emits code that ends at one of the exits; the facts are those at either.
    fn expr(
        &mut self,
        expr: &Expr,
        to: Exits,
        facts: Facts,
    ) -> Result<(Facts, Facts), CompileError> {
        if self.asm.len() > op::MOST_INSTRUCTIONS {
            return Err(CompileError::TooLong(self.asm.len()));
        }
        match &expr.node {
            Node::Term(term) => Ok(self.term(*term, to, facts)),
            Node::Not(inner) => {
                let swapped = Exits { holds: to.else_, else_: to.holds };
                let (holds, else_) = self.expr(inner, swapped, facts)?;
                Ok((else_, holds))
            }
            Node::And(parts) => {
                let (mut here, mut out) = (facts, None);
                for (at, part) in parts.iter().enumerate() {
                    let last = at + 1 == parts.len();
                    let next = if last { to.holds } else { self.asm.label() };
                    let (holds, else_) = self.expr(part, Exits { holds: next, ..to }, here)?;
                    here = holds;
                    out = Some(out.map_or(else_, |out: Facts| out.meet(else_)));
                    if !last {
                        self.asm.place(next);
                    }
                }
                Ok((here, out.unwrap_or_default()))
            }
            Node::Or(parts) => {
                let (mut here, mut out) = (facts, None);
                for (at, part) in parts.iter().enumerate() {
                    let last = at + 1 == parts.len();
                    let next = if last { to.else_ } else { self.asm.label() };
                    let (holds, else_) = self.expr(part, Exits { else_: next, ..to }, here)?;
                    here = else_;
                    out = Some(out.map_or(holds, |out: Facts| out.meet(holds)));
                    if !last {
                        self.asm.place(next);
                    }
                }
                Ok((out.unwrap_or_default(), here))
            }
            Node::TooDeep => Err(CompileError::TooDeep),
        }
    }

    /// Brings a slot into A.
    fn load(&mut self, slot: Slot, facts: &mut Facts) {
        if facts.a != Some(slot) {
            self.asm.emit(op::LD_MEM, slot as u32);
            facts.a = Some(slot);
        }
    }

    /// Brings a slot into X.
    fn load_x(&mut self, slot: Slot, facts: &mut Facts) {
        if facts.x != Some(slot) {
            self.asm.emit(op::LDX_MEM, slot as u32);
            facts.x = Some(slot);
        }
    }
}
