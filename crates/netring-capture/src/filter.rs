use crate::sys;

/// A program that the kernel runs on every frame, before it takes room in the ring.
///
/// Classic BPF, as `SO_ATTACH_FILTER` takes it and `tcpdump -ddd` prints it: a program returns how
/// many bytes of the frame to keep, 0 for none. It sees the frame without the VLAN tag that the
/// kernel took out: a term about VLANs has to use the ancillary loads for it, which a compiler
/// emits for a live interface only.
///
/// What was checked: 1 to 4096 instructions; jumps that lead forward, to an instruction; an end that
/// returns; scratch memory within its 16 words; no division by a constant zero. The kernel checks
/// the rest when it is attached.
///
/// ```
/// use netring_capture::{Filter, Instruction};
///
/// let arp = Filter::new([
///     Instruction::new(0x28, 0, 0, 12),        // load the Ethertype
///     Instruction::new(0x15, 0, 1, 0x0806),    // ARP: go on, else skip one
///     Instruction::new(0x06, 0, 0, 0x4_0000),  // keep it
///     Instruction::new(0x06, 0, 0, 0),         // drop it
/// ]);
/// assert_eq!(arp.map(|filter| filter.instructions().len()), Ok(4));
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Filter {
    program: Vec<Instruction>,
}

impl Filter {
    /// Checks a program.
    ///
    /// # Errors
    ///
    /// [`FilterError`], which names the first instruction that is wrong.
    pub fn new(program: impl Into<Vec<Instruction>>) -> Result<Self, FilterError> {
        let program = program.into();
        if program.is_empty() || program.len() > MOST_INSTRUCTIONS {
            return Err(FilterError::Length(program.len()));
        }
        for (at, &instruction) in program.iter().enumerate() {
            check(instruction, program.len() - at - 1)
                .map_err(|what| FilterError::Instruction { at, what })?;
        }
        match program.last() {
            Some(last) if last.class() == RETURN => Ok(Filter { program }),
            _ => Err(FilterError::Instruction { at: program.len() - 1, what: "does not return" }),
        }
    }

    /// The program.
    #[must_use]
    pub fn instructions(&self) -> &[Instruction] {
        &self.program
    }

    /// Keeps no frame.
    pub(crate) fn nothing() -> Self {
        Filter { program: vec![Instruction::new(RETURN_CONSTANT, 0, 0, 0)] }
    }

    /// Keeps the first `snap_len` bytes of every frame.
    pub(crate) fn everything(snap_len: u32) -> Self {
        Filter { program: vec![Instruction::new(RETURN_CONSTANT, 0, 0, snap_len)] }
    }

    /// The same choice of frames, none of them kept beyond `snap_len` bytes. What a program returns
    /// out of its accumulator stays as it is: the reader cuts those.
    pub(crate) fn cut_to(mut self, snap_len: u32) -> Self {
        for instruction in &mut self.program {
            if instruction.code == RETURN_CONSTANT {
                instruction.k = instruction.k.min(snap_len);
            }
        }
        self
    }

    /// As the kernel takes it.
    pub(crate) fn raw(&self) -> Vec<sys::RawInstruction> {
        let raw =
            |i: &Instruction| sys::RawInstruction { code: i.code, jt: i.jt, jf: i.jf, k: i.k };
        self.program.iter().map(raw).collect()
    }
}

/// One instruction of a [`Filter`]: `sock_filter` of `linux/filter.h`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Instruction {
    code: u16,
    jt: u8,
    jf: u8,
    k: u32,
}

impl Instruction {
    /// From the four numbers of a line of `tcpdump -ddd`: the operation, how many instructions a
    /// comparison skips when it holds and when it does not, and the constant.
    #[must_use]
    pub const fn new(code: u16, jt: u8, jf: u8, k: u32) -> Self {
        Instruction { code, jt, jf, k }
    }

    const fn class(self) -> u16 {
        self.code & 0x07
    }
}

/// Why a program is no [`Filter`].
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum FilterError {
    /// It has this many instructions.
    #[error("a filter has 1 to 4096 instructions, this one {0}")]
    Length(usize),
    /// An instruction cannot be run.
    #[error("instruction {at} of the filter {what}")]
    Instruction {
        /// Which one, the first being 0.
        at: usize,
        /// What is wrong with it.
        what: &'static str,
    },
}

/// What is wrong with an instruction that `behind` others follow.
fn check(instruction: Instruction, behind: usize) -> Result<(), &'static str> {
    let Instruction { code, jt, jf, k } = instruction;
    let farthest = match (code, instruction.class()) {
        (JUMP_ALWAYS, _) => k as usize,
        (_, JUMP) => usize::from(jt.max(jf)),
        (DIVIDE | MODULO, _) if k == 0 => return Err("divides by zero"),
        (LOAD_SCRATCH | LOAD_SCRATCH_X | STORE | STORE_X, _) if k >= SCRATCH_WORDS => {
            return Err("uses scratch memory that is not there");
        }
        _ => return Ok(()),
    };
    if farthest < behind { Ok(()) } else { Err("jumps beyond the end") }
}

/// `BPF_MAXINSNS`.
const MOST_INSTRUCTIONS: usize = 4096;
/// `BPF_MEMWORDS`.
const SCRATCH_WORDS: u32 = 16;
const JUMP: u16 = 0x05;
const JUMP_ALWAYS: u16 = 0x05;
const RETURN: u16 = 0x06;
const RETURN_CONSTANT: u16 = 0x06;
const DIVIDE: u16 = 0x34;
const MODULO: u16 = 0x94;
const LOAD_SCRATCH: u16 = 0x60;
const LOAD_SCRATCH_X: u16 = 0x61;
const STORE: u16 = 0x02;
const STORE_X: u16 = 0x03;

#[cfg(test)]
mod tests {
    use super::*;

    fn program(lines: &[(u16, u8, u8, u32)]) -> Vec<Instruction> {
        lines.iter().map(|&(code, jt, jf, k)| Instruction::new(code, jt, jf, k)).collect()
    }

    fn check(lines: &[(u16, u8, u8, u32)], expected: Result<(), FilterError>) {
        assert_eq!(Filter::new(program(lines)).map(|_| ()), expected, "{lines:x?}");
    }

    fn wrong(at: usize, what: &'static str) -> Result<(), FilterError> {
        Err(FilterError::Instruction { at, what })
    }

    const KEEP: (u16, u8, u8, u32) = (6, 0, 0, 0x4_0000);

    #[test]
    fn programs_that_cannot_run_are_refused() {
        check(&[], Err(FilterError::Length(0)));
        check(&[KEEP], Ok(()));
        check(&[KEEP; 4096], Ok(()));
        check(&[KEEP; 4097], Err(FilterError::Length(4097)));
        check(&[KEEP, (0x28, 0, 0, 12)], wrong(1, "does not return"));
        check(&[(0x15, 0, 1, 0x800), KEEP, KEEP], Ok(()));
        check(&[(0x15, 0, 2, 0x800), KEEP, KEEP], wrong(0, "jumps beyond the end"));
        check(&[(0x15, 255, 0, 0x800), KEEP, KEEP], wrong(0, "jumps beyond the end"));
        check(&[(5, 0, 0, 0), KEEP], Ok(()));
        check(&[(5, 0, 0, 1), KEEP], wrong(0, "jumps beyond the end"));
        check(&[(5, 0, 0, u32::MAX), KEEP], wrong(0, "jumps beyond the end"));
        check(&[(0x34, 0, 0, 0), KEEP], wrong(0, "divides by zero"));
        check(&[KEEP, (0x94, 0, 0, 0), KEEP], wrong(1, "divides by zero"));
        check(&[(0x02, 0, 0, 15), KEEP], Ok(()));
        check(&[(0x61, 0, 0, 16), KEEP], wrong(0, "uses scratch memory that is not there"));
    }

    #[test]
    fn the_snap_length_bounds_what_is_kept_and_keeps_what_is_dropped() {
        let lines = [(0x15, 0, 1, 0x800), KEEP, (6, 0, 0, 64), (6, 0, 0, 0), (0x16, 0, 0, 0)];
        let cut = Filter::new(program(&lines)).unwrap().cut_to(96);
        let kept: Vec<u32> = cut.instructions()[1..].iter().map(|i| i.k).collect();
        assert_eq!(kept, [96, 64, 0, 0]);
    }
}
