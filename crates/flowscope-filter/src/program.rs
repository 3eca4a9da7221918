use std::fmt;

use crate::op;

/// A classic BPF program that returns for each frame how many bytes to keep.
///
/// The format is that of `SO_ATTACH_FILTER` and of `tcpdump -ddd`. The result 0 drops the frame. The kernel
/// runs it when it is attached to a socket; [`run`](Program::run) runs it here, on the frames of files and of
/// AF_XDP, with the same outcome.
///
/// On a socket it sees the frame without the VLAN tag that the kernel took out: a term about VLANs
/// has to use the ancillary loads for it, as [`Expr::compile`](crate::Expr::compile) does.
///
/// Checked properties: 1 to 4096 instructions, each of them one that Linux takes; jumps that lead forward, to
/// an instruction; an end that returns; scratch memory within its 16 words, and read only where it was
/// written; no division by a constant zero and no shift by 32 or more. So a program ends, and the kernel
/// attaches it.
///
/// ```
/// use flowscope_filter::{Instruction, Program};
///
/// let arp = Program::new([
///     Instruction::new(0x28, 0, 0, 12),        // load the Ethertype
///     Instruction::new(0x15, 0, 1, 0x0806),    // ARP: go on, else skip one
///     Instruction::new(0x06, 0, 0, 0x4_0000),  // keep it
///     Instruction::new(0x06, 0, 0, 0),         // drop it
/// ]);
/// assert_eq!(arp.map(|program| program.instructions().len()), Ok(4));
/// ```
#[derive(Clone, Eq, Hash, PartialEq)]
pub struct Program {
    instructions: Vec<Instruction>,
}

impl Program {
    /// Checks instructions and makes a program of them.
    ///
    /// # Errors
    ///
    /// [`ProgramError`], which names the first instruction that is wrong.
    pub fn new(program: impl Into<Vec<Instruction>>) -> Result<Self, ProgramError> {
        let instructions = program.into();
        if instructions.is_empty() || instructions.len() > op::MOST_INSTRUCTIONS {
            return Err(ProgramError::Length(instructions.len()));
        }
        for (at, &instruction) in instructions.iter().enumerate() {
            check(instruction, instructions.len() - at - 1)
                .map_err(|what| ProgramError::Instruction { at, what })?;
        }
        if !matches!(instructions.last(), Some(Instruction { code: op::RET_K | op::RET_A, .. })) {
            let at = instructions.len() - 1;
            return Err(ProgramError::Instruction { at, what: "does not return" });
        }
        check_scratch(&instructions)?;
        Ok(Program { instructions })
    }

    /// A program that drops every frame.
    #[must_use]
    pub fn nothing() -> Self {
        Self::everything(0)
    }

    /// A program that keeps the first `snap_len` bytes of every frame; with 0 it drops every frame.
    #[must_use]
    pub fn everything(snap_len: u32) -> Self {
        Program { instructions: vec![Instruction::new(op::RET_K, 0, 0, snap_len)] }
    }

    /// The same program, keeping at most `snap_len` bytes of each frame. Results returned from the
    /// accumulator are unchanged; the reader has to cut those.
    #[must_use]
    pub fn cut_to(mut self, snap_len: u32) -> Self {
        for instruction in &mut self.instructions {
            if instruction.code == op::RET_K {
                instruction.k = instruction.k.min(snap_len);
            }
        }
        self
    }

    /// The instructions of the program.
    #[must_use]
    pub fn instructions(&self) -> &[Instruction] {
        &self.instructions
    }
}

/// One instruction a line, as `tcpdump -ddd` prints them, but without the line that counts them.
impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Instruction { code, jt, jf, k } in &self.instructions {
            writeln!(f, "{code} {jt} {jf} {k}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.instructions).finish()
    }
}

/// One instruction of a [`Program`]: `sock_filter` of `linux/filter.h`.
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
pub struct Instruction {
    /// Operation code.
    pub code: u16,
    /// Number of instructions to skip if a comparison is true.
    pub jt: u8,
    /// Number of instructions to skip if a comparison is false.
    pub jf: u8,
    /// Constant operand.
    pub k: u32,
}

impl Instruction {
    /// Creates an instruction from the four numbers of a line of `tcpdump -ddd`.
    #[must_use]
    pub const fn new(code: u16, jt: u8, jf: u8, k: u32) -> Self {
        Instruction { code, jt, jf, k }
    }
}

impl fmt::Debug for Instruction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Instruction { code, jt, jf, k } = self;
        write!(f, "({code:#04x}, {jt}, {jf}, {k:#x})")
    }
}

/// Why instructions are not a valid [`Program`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum ProgramError {
    /// Invalid number of instructions.
    Length(usize),
    /// An invalid instruction.
    Instruction {
        /// Its index, from 0.
        at: usize,
        /// What is wrong with it.
        what: &'static str,
    },
}

impl fmt::Display for ProgramError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length(length) => {
                write!(f, "a filter has 1 to 4096 instructions, this one {length}")
            }
            Self::Instruction { at, what } => write!(f, "instruction {at} of the filter {what}"),
        }
    }
}

impl std::error::Error for ProgramError {}

/// What is wrong with an instruction that `behind` others follow.
fn check(instruction: Instruction, behind: usize) -> Result<(), &'static str> {
    let Instruction { code, jt, jf, k } = instruction;
    let farthest = match code {
        op::JA => k as usize,
        _ if is_comparison(code) => usize::from(jt.max(jf)),
        op::DIV_K | op::MOD_K if k == 0 => return Err("divides by zero"),
        op::LSH_K | op::RSH_K if k >= 32 => return Err("shifts by more than there are bits"),
        op::LD_MEM | op::LDX_MEM | op::ST | op::STX if k >= op::SCRATCH_WORDS => {
            return Err("uses scratch memory that is not there");
        }
        _ if is_plain(code) => return Ok(()),
        _ => return Err("is none that there is"),
    };
    if farthest < behind { Ok(()) } else { Err("jumps beyond the end") }
}

fn is_comparison(code: u16) -> bool {
    matches!(
        code,
        op::JEQ_K
            | op::JEQ_X
            | op::JGT_K
            | op::JGT_X
            | op::JGE_K
            | op::JGE_X
            | op::JSET_K
            | op::JSET_X
    )
}

/// Whether Linux knows an instruction that does not jump (`chk_code_allowed` of its `filter.c`).
fn is_plain(code: u16) -> bool {
    #[rustfmt::skip]
    let known = matches!(
        code,
        op::LD_W_ABS | op::LD_H_ABS | op::LD_B_ABS | op::LD_W_IND | op::LD_H_IND | op::LD_B_IND
            | op::LD_IMM | op::LD_MEM | op::LD_LEN | op::LDX_IMM | op::LDX_MEM | op::LDX_LEN
            | op::LDX_MSH | op::ST | op::STX | op::ADD_K | op::ADD_X | op::SUB_K | op::SUB_X
            | op::MUL_K | op::MUL_X | op::DIV_K | op::DIV_X | op::OR_K | op::OR_X | op::AND_K
            | op::AND_X | op::LSH_K | op::LSH_X | op::RSH_K | op::RSH_X | op::NEG | op::MOD_K
            | op::MOD_X | op::XOR_K | op::XOR_X | op::RET_K | op::RET_A | op::TAX | op::TXA
    );
    known
}

/// Scratch memory may be read where every way to the instruction has written it, which is what the
/// kernel asks for. The jumps were checked before.
fn check_scratch(program: &[Instruction]) -> Result<(), ProgramError> {
    // For each instruction, the words that are written on all jumps to it.
    let mut by_jump = vec![u16::MAX; program.len()];
    let mut written = 0_u16;
    for (at, &Instruction { code, jt, jf, k }) in program.iter().enumerate() {
        written &= by_jump.get(at).copied().unwrap_or_default();
        let mut jump = |skip: usize| {
            if let Some(there) = by_jump.get_mut(at + 1 + skip) {
                *there &= written;
            }
        };
        match code {
            op::ST | op::STX => written |= 1 << k,
            op::LD_MEM | op::LDX_MEM if written & (1 << k) == 0 => {
                let what = "reads scratch memory that nothing was written to";
                return Err(ProgramError::Instruction { at, what });
            }
            op::JA => {
                jump(k as usize);
                written = u16::MAX;
            }
            op::RET_K | op::RET_A => written = u16::MAX,
            _ if is_comparison(code) => {
                jump(jt.into());
                jump(jf.into());
                written = u16::MAX;
            }
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program(lines: &[(u16, u8, u8, u32)]) -> Vec<Instruction> {
        lines.iter().map(|&(code, jt, jf, k)| Instruction::new(code, jt, jf, k)).collect()
    }

    fn check(lines: &[(u16, u8, u8, u32)], expected: Result<(), ProgramError>) {
        assert_eq!(Program::new(program(lines)).map(|_| ()), expected, "{lines:x?}");
    }

    fn wrong(at: usize, what: &'static str) -> Result<(), ProgramError> {
        Err(ProgramError::Instruction { at, what })
    }

    const KEEP: (u16, u8, u8, u32) = (6, 0, 0, 0x4_0000);

    #[test]
    fn programs_that_cannot_run_are_refused() {
        check(&[], Err(ProgramError::Length(0)));
        check(&[KEEP], Ok(()));
        check(&[KEEP; 4096], Ok(()));
        check(&[KEEP; 4097], Err(ProgramError::Length(4097)));
        check(&[KEEP, (0x28, 0, 0, 12)], wrong(1, "does not return"));
        check(&[(0x15, 0, 1, 0x800), KEEP, KEEP], Ok(()));
        check(&[(0x15, 0, 2, 0x800), KEEP, KEEP], wrong(0, "jumps beyond the end"));
        check(&[(0x15, 255, 0, 0x800), KEEP, KEEP], wrong(0, "jumps beyond the end"));
        check(&[(5, 0, 0, 0), KEEP], Ok(()));
        check(&[(5, 0, 0, 1), KEEP], wrong(0, "jumps beyond the end"));
        check(&[(5, 0, 0, u32::MAX), KEEP], wrong(0, "jumps beyond the end"));
        check(&[(0x34, 0, 0, 0), KEEP], wrong(0, "divides by zero"));
        check(&[KEEP, (0x94, 0, 0, 0), KEEP], wrong(1, "divides by zero"));
        check(&[(0x64, 0, 0, 31), KEEP], Ok(()));
        check(&[(0x74, 0, 0, 32), KEEP], wrong(0, "shifts by more than there are bits"));
        check(&[(0x02, 0, 0, 15), KEEP], Ok(()));
        check(&[(0x61, 0, 0, 16), KEEP], wrong(0, "uses scratch memory that is not there"));
        // Of a RET there are two kinds, and loads of a half word into X are none.
        for code in [0x0e, 0x69, 0xffff, 0x0100] {
            check(&[(code, 0, 0, 0), KEEP], wrong(0, "is none that there is"));
        }
    }

    #[test]
    fn scratch_memory_is_read_where_every_way_has_written_it() {
        let unwritten = "reads scratch memory that nothing was written to";
        check(&[(0x60, 0, 0, 3), KEEP], wrong(0, unwritten));
        check(&[(0x02, 0, 0, 3), (0x60, 0, 0, 3), KEEP], Ok(()));
        // Written on one of two ways.
        check(&[(0x15, 1, 0, 7), (0x02, 0, 0, 3), (0x61, 0, 0, 3), KEEP], wrong(2, unwritten));
        let both = [(0x15, 2, 0, 7), (0x02, 0, 0, 3), (5, 0, 0, 1), (0x03, 0, 0, 3)];
        check(&[&both[..], &[(0x61, 0, 0, 3), KEEP]].concat(), Ok(()));
    }

    #[test]
    fn the_snap_length_bounds_what_is_kept_and_keeps_what_is_dropped() {
        let lines = [(0x15, 0, 1, 0x800), KEEP, (6, 0, 0, 64), (6, 0, 0, 0), (0x16, 0, 0, 0)];
        let cut = Program::new(program(&lines)).unwrap().cut_to(96);
        let kept: Vec<u32> = cut.instructions()[1..].iter().map(|i| i.k).collect();
        assert_eq!(kept, [96, 64, 0, 0]);
    }

    #[test]
    fn a_program_prints_as_tcpdump_does() {
        let cut = Program::everything(96);
        assert_eq!(cut.to_string(), "6 0 0 96\n");
        assert_eq!(format!("{cut:?}"), "[(0x06, 0, 0, 0x60)]");
    }
}
