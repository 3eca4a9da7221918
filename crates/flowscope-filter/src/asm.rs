//! From operations with labels to instructions with distances.

use crate::op;
use crate::program::{Instruction, Program, ProgramError};

/// A place in a program.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Label(usize);

/// A program in the making. All jumps lead forward.
#[derive(Debug, Default)]
pub(crate) struct Assembler {
    ops: Vec<Op>,
    labels: usize,
}

#[derive(Debug)]
enum Op {
    Plain(u16, u32),
    /// To one label if the comparison holds, to the other if not.
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

    pub(crate) fn branch(&mut self, code: u16, k: u32, holds: Label, else_: Label) {
        self.ops.push(Op::Branch(code, k, holds, else_));
    }

    /// Goes to the label if the comparison holds, else on.
    pub(crate) fn branch_if(&mut self, code: u16, k: u32, holds: Label) {
        let on = self.label();
        self.branch(code, k, holds, on);
        self.place(on);
    }

    /// Goes on if the comparison holds, else to the label.
    pub(crate) fn branch_unless(&mut self, code: u16, k: u32, else_: Label) {
        let on = self.label();
        self.branch(code, k, on, else_);
        self.place(on);
    }

    pub(crate) fn goto(&mut self, label: Label) {
        self.ops.push(Op::Goto(label));
    }

    /// How many instructions there will be, or fewer.
    pub(crate) fn len(&self) -> usize {
        self.ops.iter().filter(|op| matches!(op, Op::Plain(..) | Op::Branch(..))).count()
    }

    /// The program, written from its end on: whoever jumps knows how far, since it jumps forward.
    pub(crate) fn finish(self) -> Result<Program, ProgramError> {
        let places = vec![0; self.labels];
        let mut backward = Backward { code: Vec::new(), places, onward: None };
        for op in self.ops.into_iter().rev() {
            match op {
                Op::Plain(code, k) => {
                    backward.jump_onward();
                    backward.push(code, 0, 0, k);
                }
                Op::Place(label) => {
                    let here = backward.onward.unwrap_or(backward.code.len());
                    if let Some(place) = backward.places.get_mut(label.0) {
                        *place = here;
                    }
                }
                Op::Goto(label) => backward.onward = Some(backward.place(label)),
                Op::Branch(code, k, holds, else_) => backward.branch(code, k, holds, else_),
            }
        }
        backward.jump_onward();
        backward.code.reverse();
        Program::new(backward.code)
    }
}

/// Instructions, the last one first. A place is how many there are from there on.
struct Backward {
    code: Vec<Instruction>,
    places: Vec<usize>,
    /// Where an instruction that would be written now has to go on: not at the one written last.
    /// Whoever jumps here jumps there.
    onward: Option<usize>,
}

impl Backward {
    fn push(&mut self, code: u16, jt: u8, jf: u8, k: u32) {
        self.code.push(Instruction::new(code, jt, jf, k));
    }

    fn jump_onward(&mut self) {
        if let Some(place) = self.onward.take()
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

    /// A comparison reaches 255 instructions far; farther, it takes a jump right behind it. What
    /// follows is reached by neither way unless it says so.
    fn branch(&mut self, code: u16, k: u32, holds: Label, else_: Label) {
        let (mut holds, mut else_) = (self.place(holds), self.place(else_));
        if holds == else_ {
            self.onward = Some(holds);
            return;
        }
        self.onward = None;
        loop {
            let distances = (self.distance(holds), self.distance(else_));
            match (u8::try_from(distances.0), u8::try_from(distances.1)) {
                (Ok(jt), Ok(jf)) => return self.push(code, jt, jf, k),
                (Err(_), _) => holds = self.stepping_stone(holds),
                (_, Err(_)) => else_ = self.stepping_stone(else_),
            }
        }
    }

    fn stepping_stone(&mut self, place: usize) -> usize {
        self.goto(place);
        self.code.len()
    }
}
