use std::fmt;

use flowscope_core::LinkType;

use crate::asm::{Assembler, Label};
use crate::expr::{Expr, Node, Term};
use crate::op;
use crate::program::{Program, ProgramError};

mod headers;
mod terms;

impl Expr {
    /// Compiles the expression to a program for frames of link type `link`. The program accepts matching
    /// packets whole. It works on an AF_PACKET socket, where the kernel strips a VLAN tag from the frame, and
    /// in [`Program::run`].
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
        let regs = compiler.headers(link)?;
        let (if_true, if_false) = (compiler.asm.label(), compiler.asm.label());
        compiler.expr(self, Targets { if_true, if_false }, regs)?;
        compiler.asm.place(if_true);
        compiler.asm.emit(op::RET_K, u32::MAX);
        compiler.asm.place(if_false);
        compiler.asm.emit(op::RET_K, 0);
        compiler.asm.finish().map_err(|error| match error {
            ProgramError::Length(length) => CompileError::TooLong(length),
            // Nothing else is emitted; a program that could not run must not be attached.
            ProgramError::Instruction { .. } => CompileError::TooLong(usize::MAX),
        })
    }
}

/// Error compiling an expression.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum CompileError {
    /// The link type is not supported.
    Link(LinkType),
    /// A term matches Ethernet addresses, which frames of this link type do not have.
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

/// The header fields that the expression needs.
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

/// Scratch memory words with header fields, filled once for all terms.
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

/// Jump targets of a term: if it is true, and if it is false.
#[derive(Clone, Copy)]
struct Targets {
    if_true: Label,
    if_false: Label,
}

/// Known contents of the registers, to avoid repeated loads.
#[derive(Clone, Copy, Debug, Default)]
struct Registers {
    a: Option<Slot>,
    x: Option<Slot>,
}

impl Registers {
    /// The contents common to two paths.
    fn common(self, other: Registers) -> Registers {
        Registers {
            a: self.a.filter(|_| self.a == other.a),
            x: self.x.filter(|_| self.x == other.x),
        }
    }
}

impl Compiler {
    /// Emits code that ends at one of the targets, and returns the register contents at each.
    fn expr(
        &mut self,
        expr: &Expr,
        to: Targets,
        regs: Registers,
    ) -> Result<(Registers, Registers), CompileError> {
        if self.asm.len() > op::MOST_INSTRUCTIONS {
            return Err(CompileError::TooLong(self.asm.len()));
        }
        match &expr.node {
            Node::Term(term) => Ok(self.term(*term, to, regs)),
            Node::Not(inner) => {
                let swapped = Targets { if_true: to.if_false, if_false: to.if_true };
                let (if_true, if_false) = self.expr(inner, swapped, regs)?;
                Ok((if_false, if_true))
            }
            Node::And(parts) => {
                let (mut here, mut out) = (regs, None);
                for (at, part) in parts.iter().enumerate() {
                    let last = at + 1 == parts.len();
                    let next = if last { to.if_true } else { self.asm.label() };
                    let (if_true, if_false) =
                        self.expr(part, Targets { if_true: next, ..to }, here)?;
                    here = if_true;
                    out = Some(out.map_or(if_false, |out: Registers| out.common(if_false)));
                    if !last {
                        self.asm.place(next);
                    }
                }
                Ok((here, out.unwrap_or_default()))
            }
            Node::Or(parts) => {
                let (mut here, mut out) = (regs, None);
                for (at, part) in parts.iter().enumerate() {
                    let last = at + 1 == parts.len();
                    let next = if last { to.if_false } else { self.asm.label() };
                    let (if_true, if_false) =
                        self.expr(part, Targets { if_false: next, ..to }, here)?;
                    here = if_false;
                    out = Some(out.map_or(if_true, |out: Registers| out.common(if_true)));
                    if !last {
                        self.asm.place(next);
                    }
                }
                Ok((out.unwrap_or_default(), here))
            }
            Node::TooDeep => Err(CompileError::TooDeep),
        }
    }

    /// Loads a slot into A.
    fn load(&mut self, slot: Slot, regs: &mut Registers) {
        if regs.a != Some(slot) {
            self.asm.emit(op::LD_MEM, slot as u32);
            regs.a = Some(slot);
        }
    }

    /// Loads a slot into X.
    fn load_x(&mut self, slot: Slot, regs: &mut Registers) {
        if regs.x != Some(slot) {
            self.asm.emit(op::LDX_MEM, slot as u32);
            regs.x = Some(slot);
        }
    }
}
