//! The interpreter, on programs that nobody would write.

use flowscope_core::{LinkType, PacketView, Timestamp};
use flowscope_filter::{Instruction, Program};
use flowscope_testkit::Rng;
use proptest::prelude::*;

const CODES: [u16; 43] = [
    0x20, 0x28, 0x30, 0x40, 0x48, 0x50, 0x00, 0x60, 0x80, 0x01, 0x61, 0x81, 0xb1, 0x02, 0x03, 0x04,
    0x0c, 0x14, 0x1c, 0x24, 0x2c, 0x34, 0x3c, 0x44, 0x4c, 0x54, 0x5c, 0x64, 0x6c, 0x74, 0x7c, 0x84,
    0x94, 0x9c, 0xa4, 0xac, 0x05, 0x15, 0x25, 0x35, 0x45, 0x07, 0x87,
];

/// Some code that is likely to be taken, with constants that are likely to matter.
fn random_program(rng: &mut Rng) -> Option<Program> {
    let length = 1 + rng.below(60);
    // Written before it is read.
    let mut program: Vec<Instruction> =
        (0..16).map(|word| Instruction::new(0x02, 0, 0, word)).collect();
    for left in (1..=length).rev() {
        let code = *rng.pick(&CODES);
        let k = match code {
            0x02 | 0x03 | 0x60 | 0x61 => rng.below(16) as u32,
            0x64 | 0x74 => rng.below(32) as u32,
            0x05 => rng.below(left) as u32,
            _ => match rng.below(4) {
                0 => rng.below(64) as u32,
                1 => 0xffff_f000 + rng.below(70) as u32,
                2 => 0xffe0_0000 + rng.below(64) as u32,
                _ => rng.next_u64() as u32,
            },
        };
        program.push(Instruction::new(code, rng.below(left) as u8, rng.below(left) as u8, k));
    }
    program.push(Instruction::new(if rng.one_in(2) { 0x06 } else { 0x16 }, 0, 0, 1));
    Program::new(program).ok()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(500) })]

    #[test]
    fn no_program_panics_on_any_frame(seed: u64) {
        let rng = &mut Rng::new(seed);
        let Some(program) = random_program(rng) else { return Ok(()) };
        for _ in 0..8 {
            let len = rng.below(80);
            let frame = rng.bytes(len);
            let link = *rng.pick(&[LinkType::ETHERNET, LinkType::LINUX_SLL, LinkType::RAW, LinkType(999)]);
            let view = PacketView::new(&frame, link, Timestamp::ZERO);
            let kept = program.run(view);
            prop_assert_eq!(program.matches(view), kept != 0);
            // What a program may return by a constant is 1; by its accumulator, anything. To cut
            // that to 0 leaves the constants out.
            let cut = program.clone().cut_to(0).run(view);
            prop_assert!(cut == kept || (cut == 0 && kept == 1));
        }
    }

    /// Whatever is taken for a program runs; whatever is none is refused without a panic.
    #[test]
    fn no_instructions_panic(seed: u64) {
        let rng = &mut Rng::new(seed);
        let length = rng.below(8);
        let mut instructions: Vec<Instruction> = (0..length)
            .map(|_| {
                let code = if rng.one_in(2) { *rng.pick(&CODES) } else { rng.next_u64() as u16 & 0x1ff };
                Instruction::new(code, rng.below(4) as u8, rng.below(4) as u8, rng.below(40) as u32)
            })
            .collect();
        instructions.push(Instruction::new(0x06, 0, 0, 1));
        if let Ok(program) = Program::new(instructions) {
            prop_assert!(program.run(PacketView::new(&[7; 32], LinkType::ETHERNET, Timestamp::ZERO)) <= 1);
        }
    }
}

#[test]
fn most_random_programs_are_programs() {
    let rng = &mut Rng::new(7);
    let taken = (0..500).filter_map(|_| random_program(rng)).count();
    assert!(taken > 400, "{taken}");
}

#[test]
fn an_index_and_an_offset_are_added_as_32_bit_numbers() {
    // The sum of 0xffff_ffff and 2 is 1, as in the kernel.
    let load_x = Instruction::new(0x01, 0, 0, u32::MAX);
    for (code, frame) in
        [(0x40, &[9, 0, 0, 0, 5]), (0x48, &[9, 0, 5, 9, 9]), (0x50, &[9, 5, 9, 9, 9])]
    {
        let load = Instruction::new(code, 0, 0, 2);
        let program = Program::new(vec![load_x, load, Instruction::new(0x16, 0, 0, 0)]);
        let view = PacketView::new(frame, LinkType::ETHERNET, Timestamp::ZERO);
        assert_eq!(program.expect("it is valid").run(view), 5, "{code:#x}");
    }
}

/// As in the kernel, which clears both before it runs a program.
#[test]
fn registers_are_zero_at_first() {
    let view = PacketView::new(&[9; 40], LinkType::ETHERNET, Timestamp::ZERO);
    let ret_a = Instruction::new(0x16, 0, 0, 0);
    let run = |program: Vec<Instruction>| Program::new(program).expect("it is valid").run(view);
    assert_eq!(run(vec![ret_a]), 0);
    assert_eq!(run(vec![Instruction::new(0x87, 0, 0, 0), ret_a]), 0);
}

/// Negative offsets count from the link header up to where those from the network header begin.
#[test]
fn offsets_from_the_link_header_have_an_end() {
    let frame: Vec<u8> = (0..100).collect();
    let view = PacketView::new(&frame, LinkType::ETHERNET, Timestamp::ZERO);
    let load = |at: u32| {
        let program = vec![Instruction::new(0x30, 0, 0, at), Instruction::new(0x16, 0, 0, 0)];
        Program::new(program).expect("it is valid").run(view)
    };
    assert_eq!((load(0xffe0_0001), load(0xffe0_0063)), (1, 99));
    assert_eq!((load(0xffe0_0064), load(0xffdf_ffff), load(0xfff0_0001)), (0, 0, 0));
}
