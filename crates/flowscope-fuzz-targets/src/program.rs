//! Instructions of classic BPF: what is taken for a program ends, on any frame, and never panics.

use flowscope::core::{LinkType, PacketView, Timestamp};
use flowscope_filter::{Expr, Instruction, Program};

use crate::Input;

/// A number of instructions, those, and a frame.
pub(crate) fn run(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let count = usize::from(input.byte());
    let mut instructions = Vec::new();
    for _ in 0..count {
        let (code, jt, jf, k) = (input.half(), input.byte(), input.byte(), input.word());
        instructions.push(Instruction::new(code, jt, jf, k));
    }
    let Ok(program) = Program::new(instructions) else { return };
    let frame = input.rest();
    for link in [LinkType::ETHERNET, LinkType::LINUX_SLL, LinkType(999)] {
        let view = PacketView::new(frame, link, Timestamp::ZERO);
        let kept = program.run(view);
        assert_eq!(program.matches(view), kept != 0);
        assert_eq!(program.run(view), kept, "the same again");
    }
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let frame = flowscope_testkit::frame().ethernet().ipv4("10.0.0.1", "10.0.0.2").tcp(40_000, 80);
    let texts = ["tcp port 80", "host 10.0.0.1 or vlan 7", "ip6 net fe80::/10 and not udp", "arp"];
    let seed = |text: &&str| {
        let program = text.parse::<Expr>().ok()?.compile(LinkType::ETHERNET).ok()?;
        let list = program.instructions();
        let mut seed = vec![u8::try_from(list.len()).ok()?];
        for Instruction { code, jt, jf, k } in list {
            seed.extend(code.to_be_bytes());
            seed.extend([*jt, *jf]);
            seed.extend(k.to_be_bytes());
        }
        seed.extend(frame.build());
        Some(seed)
    };
    texts.iter().filter_map(seed).collect()
}
