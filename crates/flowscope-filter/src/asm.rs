//! Assembler: operations with labels become instructions with jump distances.

use crate::op;
use crate::program::{Instruction, Program, ProgramError};

/// A jump target.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Label(usize);

/// A program under construction. All jumps are forward.
#[derive(Debug, Default)]
pub(crate) struct Assembler {
    ops: Vec<Op>,
    labels: usize,
}

#[derive(Debug)]
enum Op {
    Plain(u16, u32),
    /// Jumps to the first label if the comparison is true, else to the second.
    Branch(u16, u32, Label, Label),
    Goto(Label),
    Place(Label),
}

impl Assembler {
    /// A label that is not placed yet.
    pub(crate) fn label(&mut self) -> Label {
        self.labels += 1;
        Label(self.labels - 1)
    }

    /// Places a label before what is emitted next. Each is placed once, behind the jumps to it.
    pub(crate) fn place(&mut self, label: Label) {
        self.ops.push(Op::Place(label));
    }

    pub(crate) fn emit(&mut self, code: u16, k: u32) {
        self.ops.push(Op::Plain(code, k));
    }

    pub(crate) fn branch(&mut self, code: u16, k: u32, if_true: Label, if_false: Label) {
        self.ops.push(Op::Branch(code, k, if_true, if_false));
    }

    /// Jumps to the label if the comparison is true, else continues.
    pub(crate) fn branch_if(&mut self, code: u16, k: u32, if_true: Label) {
        let on = self.label();
        self.branch(code, k, if_true, on);
        self.place(on);
    }

    /// Continues if the comparison is true, else jumps to the label.
    pub(crate) fn branch_unless(&mut self, code: u16, k: u32, if_false: Label) {
        let on = self.label();
        self.branch(code, k, on, if_false);
        self.place(on);
    }

    pub(crate) fn goto(&mut self, label: Label) {
        self.ops.push(Op::Goto(label));
    }

    /// Lower bound on the number of instructions.
    pub(crate) fn len(&self) -> usize {
        self.ops.iter().filter(|op| matches!(op, Op::Plain(..) | Op::Branch(..))).count()
    }

    /// Emits the program from the last instruction to the first, so that the distance of each forward jump is
    /// known.
    pub(crate) fn finish(self) -> Result<Program, ProgramError> {
        let places = vec![0; self.labels];
        let mut emitter = ReverseEmitter { code: Vec::new(), places, pending_jump: None };
        for op in self.ops.into_iter().rev() {
            match op {
                Op::Plain(code, k) => {
                    emitter.flush_pending_jump();
                    emitter.push(code, 0, 0, k);
                }
                Op::Place(label) => {
                    let here = emitter.pending_jump.unwrap_or(emitter.code.len());
                    if let Some(place) = emitter.places.get_mut(label.0) {
                        *place = here;
                    }
                }
                Op::Goto(label) => emitter.pending_jump = Some(emitter.place(label)),
                Op::Branch(code, k, if_true, if_false) => {
                    emitter.branch(code, k, if_true, if_false);
                }
            }
        }
        emitter.flush_pending_jump();
        emitter.code.reverse();
        Program::new(emitter.code)
    }
}

/// Instructions, the last one first. A position is the number of instructions from there to the end.
struct ReverseEmitter {
    code: Vec<Instruction>,
    places: Vec<usize>,
    /// Target at which the next emitted instruction has to continue, if not at the one emitted last. Jumps to
    /// this position go there too.
    pending_jump: Option<usize>,
}

impl ReverseEmitter {
    fn push(&mut self, code: u16, jt: u8, jf: u8, k: u32) {
        self.code.push(Instruction::new(code, jt, jf, k));
    }

    fn flush_pending_jump(&mut self) {
        if let Some(place) = self.pending_jump.take()
            && self.distance(place) > 0
        {
            self.goto(place);
        }
    }

    fn place(&self, label: Label) -> usize {
        self.places.get(label.0).copied().unwrap_or(0)
    }

    fn distance(&self, place: usize) -> usize {
        self.code.len().saturating_sub(place)
    }

    fn goto(&mut self, place: usize) {
        let distance = u32::try_from(self.distance(place)).unwrap_or(u32::MAX);
        self.push(op::JA, 0, 0, distance);
    }

    /// A comparison can jump over at most 255 instructions. A longer jump goes through an unconditional jump
    /// placed directly behind it.
    fn branch(&mut self, code: u16, k: u32, if_true: Label, if_false: Label) {
        let (mut if_true, mut if_false) = (self.place(if_true), self.place(if_false));
        if if_true == if_false {
            self.pending_jump = Some(if_true);
            return;
        }
        self.pending_jump = None;
        loop {
            let distances = (self.distance(if_true), self.distance(if_false));
            match (u8::try_from(distances.0), u8::try_from(distances.1)) {
                (Ok(jt), Ok(jf)) => return self.push(code, jt, jf, k),
                (Err(_), _) => if_true = self.long_jump(if_true),
                (_, Err(_)) => if_false = self.long_jump(if_false),
            }
        }
    }

    fn long_jump(&mut self, place: usize) -> usize {
        self.goto(place);
        self.code.len()
    }
}
