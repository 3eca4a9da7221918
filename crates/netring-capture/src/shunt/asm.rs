//! Assembler for programs of the kernel (RFC 9669), with labels for jumps.

use crate::sys::bpf::{Instruction, instruction};

/// A register: 0 to 9, and 10 for the frame pointer.
pub(super) type Reg = u8;

/// Width of a load or store.
#[derive(Clone, Copy)]
pub(super) enum Width {
    Byte = 0x10,
    Half = 0x08,
    Word = 0x00,
    Double = 0x18,
}

/// Condition of a jump.
#[derive(Clone, Copy)]
pub(super) enum Cond {
    Eq = 0x10,
    Gt = 0x20,
    Ge = 0x30,
    Ne = 0x50,
    SignedGt = 0x60,
    Lt = 0xa0,
    Le = 0xb0,
    SignedLt = 0xc0,
}

/// Operation on registers.
#[derive(Clone, Copy)]
pub(super) enum Op {
    Add = 0x00,
    Sub = 0x10,
    Or = 0x40,
    And = 0x50,
    Shl = 0x60,
    Shr = 0x70,
    Mov = 0xb0,
}

/// Right operand of an operation or jump.
#[derive(Clone, Copy)]
pub(super) enum Src {
    Reg(Reg),
    Imm(i32),
}

/// A place that jumps go to.
#[derive(Clone, Copy)]
pub(super) struct Label(usize);

#[derive(Default)]
pub(super) struct Asm {
    code: Vec<Instruction>,
    /// Where each label is.
    places: Vec<Option<usize>>,
    /// Jumps and their labels.
    jumps: Vec<(usize, Label)>,
}

impl Asm {
    pub(super) fn label(&mut self) -> Label {
        self.places.push(None);
        Label(self.places.len() - 1)
    }

    /// The label is here.
    pub(super) fn place(&mut self, label: Label) {
        self.places[label.0] = Some(self.code.len());
    }

    pub(super) fn load(&mut self, width: Width, to: Reg, from: Reg, offset: i16) {
        self.push(0x61 | width as u8, to, from, offset, 0);
    }

    pub(super) fn store(&mut self, width: Width, to: Reg, offset: i16, from: Reg) {
        self.push(0x63 | width as u8, to, from, offset, 0);
    }

    pub(super) fn store_constant(&mut self, width: Width, to: Reg, offset: i16, constant: i32) {
        self.push(0x62 | width as u8, to, 0, offset, constant);
    }

    /// Adds a register to a number of eight bytes in memory, atomically.
    pub(super) fn add_to(&mut self, to: Reg, offset: i16, from: Reg) {
        self.push(0xdb, to, from, offset, 0);
    }

    /// On 64 bits.
    pub(super) fn op(&mut self, op: Op, to: Reg, src: Src) {
        self.operate(0x07 | op as u8, to, src);
    }

    /// On 32 bits; the upper half of the result is 0.
    pub(super) fn op32(&mut self, op: Op, to: Reg, src: Src) {
        self.operate(0x04 | op as u8, to, src);
    }

    fn operate(&mut self, code: u8, to: Reg, src: Src) {
        match src {
            Src::Reg(from) => self.push(code | 0x08, to, from, 0, 0),
            Src::Imm(constant) => self.push(code, to, 0, 0, constant),
        }
    }

    /// Makes a number in network byte order one of this machine; clears what is above `bits`.
    pub(super) fn network_order(&mut self, register: Reg, bits: i32) {
        self.push(0xdc, register, 0, 0, bits);
    }

    /// Compares 64 bits.
    pub(super) fn jump(&mut self, cond: Cond, left: Reg, right: Src, to: Label) {
        self.branch(0x05 | cond as u8, left, right, to);
    }

    /// Compares 32 bits.
    pub(super) fn jump32(&mut self, cond: Cond, left: Reg, right: Src, to: Label) {
        self.branch(0x06 | cond as u8, left, right, to);
    }

    fn branch(&mut self, code: u8, left: Reg, right: Src, to: Label) {
        self.jumps.push((self.code.len(), to));
        self.operate(code, left, right);
    }

    pub(super) fn go(&mut self, to: Label) {
        self.jumps.push((self.code.len(), to));
        self.push(0x05, 0, 0, 0, 0);
    }

    pub(super) fn call(&mut self, helper: i32) {
        self.push(0x85, 0, 0, 0, helper);
    }

    /// Loads the address of a map.
    pub(super) fn map(&mut self, to: Reg, map: i32) {
        self.push(0x18, to, PSEUDO_MAP_FD, 0, map);
        self.push(0, 0, 0, 0, 0);
    }

    /// Loads the address of the first value of an array.
    pub(super) fn map_value(&mut self, to: Reg, map: i32) {
        self.push(0x18, to, PSEUDO_MAP_VALUE, 0, map);
        self.push(0, 0, 0, 0, 0);
    }

    pub(super) fn exit(&mut self) {
        self.push(0x95, 0, 0, 0, 0);
    }

    fn push(&mut self, code: u8, to: Reg, from: Reg, offset: i16, constant: i32) {
        self.code.push(instruction(code, to, from, offset, constant));
    }

    /// The program, with the distances of all jumps.
    pub(super) fn finish(mut self) -> Vec<Instruction> {
        for (at, label) in self.jumps {
            let place = self.places[label.0].expect("every label is placed");
            let distance = place as i64 - at as i64 - 1;
            let distance = i16::try_from(distance).expect("programs are short").to_ne_bytes();
            self.code[at][2..4].copy_from_slice(&distance);
        }
        self.code
    }
}

const PSEUDO_MAP_FD: u8 = 1;
const PSEUDO_MAP_VALUE: u8 = 2;
