use flowscope_core::{LinkType, PacketView};

use crate::op;
use crate::program::{Instruction, Program};

/// Execution in user space, with the same results as in the kernel.
impl Program {
    /// Runs the program on a frame and returns how many bytes to keep: 0 for none; more than the frame has
    /// means all.
    ///
    /// The program sees the frame from its link header on, wherever the view's cursor is, and the
    /// tag that the capture took out through the ancillary loads. A load from beyond the captured
    /// bytes ends the program with 0, and so does a division by zero, as in the kernel. The length
    /// that a program asks for is the wire length.
    ///
    /// Of the ancillary loads those are here whose values a view has: the tag (id, presence,
    /// TPID), the protocol (on Ethernet and Linux cooked captures), the kind of packet (on cooked
    /// captures), the receive hash (0 where there is none), and the exclusive or of A and X. Any
    /// other, and any offset from the network header, refuses the packet.
    ///
    /// Takes time in proportion to the program's length at most; allocates nothing.
    #[must_use]
    pub fn run(&self, view: PacketView<'_>) -> u32 {
        run(self.instructions(), &view).unwrap_or(0)
    }

    /// Whether the program keeps any byte of the frame.
    #[must_use]
    pub fn matches(&self, view: PacketView<'_>) -> bool {
        self.run(view) != 0
    }
}

fn run(program: &[Instruction], view: &PacketView<'_>) -> Option<u32> {
    let frame = view.frame();
    let (mut a, mut x) = (0_u32, 0_u32);
    let mut scratch = [0_u32; op::SCRATCH_WORDS as usize];
    let mut rest = program.iter();
    loop {
        let &Instruction { code, jt, jf, k } = rest.next()?;
        let jump = |holds: bool| usize::from(if holds { jt } else { jf });
        let skip = match code {
            op::LD_W_ABS => {
                a = word(frame, k).or_else(|| load_ancillary(view, 4, k, a, x))?;
                continue;
            }
            op::LD_H_ABS => {
                a = half(frame, k).or_else(|| load_ancillary(view, 2, k, a, x))?;
                continue;
            }
            op::LD_B_ABS => {
                a = byte(frame, k).or_else(|| load_ancillary(view, 1, k, a, x))?;
                continue;
            }
            op::LD_W_IND => {
                let place = x.wrapping_add(k);
                a = word(frame, place).or_else(|| load_from_link(frame, 4, place))?;
                continue;
            }
            op::LD_H_IND => {
                let place = x.wrapping_add(k);
                a = half(frame, place).or_else(|| load_from_link(frame, 2, place))?;
                continue;
            }
            op::LD_B_IND => {
                let place = x.wrapping_add(k);
                a = byte(frame, place).or_else(|| load_from_link(frame, 1, place))?;
                continue;
            }
            op::LDX_MSH => {
                x = (byte(frame, k).or_else(|| load_from_link(frame, 1, k))? & 0xf) * 4;
                continue;
            }
            op::LD_MEM => {
                a = *scratch.get(k as usize)?;
                continue;
            }
            op::LDX_MEM => {
                x = *scratch.get(k as usize)?;
                continue;
            }
            op::ST => {
                *scratch.get_mut(k as usize)? = a;
                continue;
            }
            op::STX => {
                *scratch.get_mut(k as usize)? = x;
                continue;
            }
            op::LD_IMM => {
                a = k;
                continue;
            }
            op::LDX_IMM => {
                x = k;
                continue;
            }
            op::LD_LEN => {
                a = view.wire_len();
                continue;
            }
            op::LDX_LEN => {
                x = view.wire_len();
                continue;
            }
            op::TAX => {
                x = a;
                continue;
            }
            op::TXA => {
                a = x;
                continue;
            }
            op::JEQ_K => jump(a == k),
            op::JEQ_X => jump(a == x),
            op::JGT_K => jump(a > k),
            op::JGT_X => jump(a > x),
            op::JGE_K => jump(a >= k),
            op::JGE_X => jump(a >= x),
            op::JSET_K => jump(a & k != 0),
            op::JSET_X => jump(a & x != 0),
            op::JA => k as usize,
            op::RET_K => return Some(k),
            op::RET_A => return Some(a),
            _ => {
                a = calculate(code, a, if code & 0x08 == 0 { k } else { x })?;
                continue;
            }
        };
        // `nth` of 0 would take the instruction that comes next.
        rest = rest.as_slice().get(skip..)?.iter();
    }
}

/// 32-bit arithmetic that wraps around; shifts look at five bits.
fn calculate(code: u16, a: u32, by: u32) -> Option<u32> {
    Some(match code {
        op::ADD_K | op::ADD_X => a.wrapping_add(by),
        op::SUB_K | op::SUB_X => a.wrapping_sub(by),
        op::MUL_K | op::MUL_X => a.wrapping_mul(by),
        op::DIV_K | op::DIV_X => a.checked_div(by)?,
        op::MOD_K | op::MOD_X => a.checked_rem(by)?,
        op::AND_K | op::AND_X => a & by,
        op::OR_K | op::OR_X => a | by,
        op::XOR_K | op::XOR_X => a ^ by,
        op::LSH_K | op::LSH_X => a.wrapping_shl(by),
        op::RSH_K | op::RSH_X => a.wrapping_shr(by),
        op::NEG => a.wrapping_neg(),
        _ => return None,
    })
}

#[inline]
fn word(frame: &[u8], at: u32) -> Option<u32> {
    let bytes = frame.get(at as usize..)?.first_chunk()?;
    Some(u32::from_be_bytes(*bytes))
}

#[inline]
fn half(frame: &[u8], at: u32) -> Option<u32> {
    let bytes = frame.get(at as usize..)?.first_chunk()?;
    Some(u16::from_be_bytes(*bytes).into())
}

#[inline]
fn byte(frame: &[u8], at: u32) -> Option<u32> {
    frame.get(at as usize).copied().map(u32::from)
}

/// A load from a fixed offset outside the frame. Ancillary loads ignore the size.
#[cold]
fn load_ancillary(view: &PacketView<'_>, size: u8, at: u32, a: u32, x: u32) -> Option<u32> {
    let tag = view.vlan();
    match at {
        op::AD_VLAN_TAG_PRESENT => Some(tag.is_some().into()),
        op::AD_VLAN_TAG => Some(tag.map_or(0, |tag| tag.tci).into()),
        op::AD_VLAN_TPID => Some(tag.map_or(0, |tag| tag.tpid).into()),
        op::AD_PROTOCOL => protocol(view),
        op::AD_PKTTYPE => match view.link() {
            LinkType::LINUX_SLL => half(view.frame(), 0),
            LinkType::LINUX_SLL2 => byte(view.frame(), 10),
            _ => None,
        },
        op::AD_RXHASH => Some(view.rx_hash().unwrap_or(0)),
        op::AD_ALU_XOR_X => Some(a ^ x),
        _ => load_from_link(view.frame(), size, at),
    }
}

/// The Ethertype that the link header names; what stands below 1536 is a length (IEEE 802.3),
/// which Linux calls protocol 4 (`ETH_P_802_2`).
fn protocol(view: &PacketView<'_>) -> Option<u32> {
    match view.link() {
        LinkType::ETHERNET => half(view.frame(), 12).map(|kind| if kind < 1536 { 4 } else { kind }),
        LinkType::LINUX_SLL => half(view.frame(), 14),
        LinkType::LINUX_SLL2 => half(view.frame(), 0),
        _ => None,
    }
}

#[cold]
fn load_from_link(frame: &[u8], size: u8, at: u32) -> Option<u32> {
    if !(op::LINK..op::LINK_END).contains(&at) {
        return None;
    }
    let at = at - op::LINK;
    match size {
        4 => word(frame, at),
        2 => half(frame, at),
        _ => byte(frame, at),
    }
}

#[cfg(test)]
mod tests {
    use flowscope_core::{Timestamp, VlanTag};

    use super::*;

    type Line = (u16, u8, u8, u32);

    const FRAME: [u8; 16] = [0, 1, 2, 3, 4, 0x45, 6, 7, 0xff, 0xfe, 0, 0, 0x08, 0x06, 14, 15];

    fn view() -> PacketView<'static> {
        PacketView::new(&FRAME, LinkType::ETHERNET, Timestamp::ZERO).with_wire_len(1000)
    }

    /// What is in A after these; `None` if the packet was refused on the way.
    fn check_on(view: PacketView<'_>, lines: &[Line], expected: Option<u32>) {
        let mut lines: Vec<Instruction> =
            lines.iter().map(|&(code, jt, jf, k)| Instruction::new(code, jt, jf, k)).collect();
        lines.push(Instruction::new(op::RET_A, 0, 0, 0));
        let program = Program::new(lines).unwrap();
        // To differ from an A of 0.
        let refused = run(program.instructions(), &view).is_none();
        assert_eq!((!refused).then_some(program.run(view)), expected, "{program:x?}");
    }

    fn check(lines: &[Line], expected: impl Into<Option<u32>>) {
        check_on(view(), lines, expected.into());
    }

    #[test]
    fn loads() {
        check(&[(op::LD_W_ABS, 0, 0, 1)], 0x0102_0304);
        check(&[(op::LD_W_ABS, 0, 0, 12)], 0x0806_0e0f);
        check(&[(op::LD_H_ABS, 0, 0, 14)], 0x0e0f);
        check(&[(op::LD_B_ABS, 0, 0, 15)], 15);
        check(&[(op::LDX_IMM, 0, 0, 5), (op::LD_W_IND, 0, 0, 3)], 0xfffe_0000);
        check(&[(op::LDX_IMM, 0, 0, 5), (op::LD_H_IND, 0, 0, 3)], 0xfffe);
        check(&[(op::LDX_IMM, 0, 0, 5), (op::LD_B_IND, 0, 0, 3)], 0xff);
        // X may point back.
        check(&[(op::LDX_IMM, 0, 0, 5), (op::LD_B_IND, 0, 0, u32::MAX)], 4);
        check(&[(op::LDX_MSH, 0, 0, 5), (op::TXA, 0, 0, 0)], 20);
        check(&[(op::LD_LEN, 0, 0, 0)], 1000);
        check(&[(op::LDX_LEN, 0, 0, 0), (op::TXA, 0, 0, 0)], 1000);
        check(
            &[
                (op::LD_IMM, 0, 0, 7),
                (op::ST, 0, 0, 15),
                (op::LDX_MEM, 0, 0, 15),
                (op::TXA, 0, 0, 0),
            ],
            7,
        );
        check(&[(op::LDX_IMM, 0, 0, 7), (op::STX, 0, 0, 0), (op::LD_MEM, 0, 0, 0)], 7);
        check(
            &[(op::LD_IMM, 0, 0, 7), (op::TAX, 0, 0, 0), (op::LD_IMM, 0, 0, 1), (op::TXA, 0, 0, 0)],
            7,
        );
    }

    #[test]
    fn loads_beyond_the_capture_refuse() {
        for (code, first) in
            [(op::LD_W_ABS, 13), (op::LD_H_ABS, 15), (op::LD_B_ABS, 16), (op::LDX_MSH, 16)]
        {
            for at in [first, 999, 0x7fff_ffff, 0x8000_0000, 0xffdf_ffff, 0xffff_efff] {
                check(&[(code, 0, 0, at)], None);
            }
        }
        for (code, first) in [(op::LD_W_IND, 13), (op::LD_H_IND, 15), (op::LD_B_IND, 16)] {
            check(&[(op::LDX_IMM, 0, 0, first), (code, 0, 0, 0)], None);
            check(&[(op::LDX_IMM, 0, 0, 2), (code, 0, 0, u32::MAX - 2)], None);
        }
    }

    #[test]
    fn arithmetic() {
        let by_k = |code: u16, a: u32, k: u32, expected: Option<u32>| {
            check(&[(op::LD_IMM, 0, 0, a), (code, 0, 0, k)], expected);
        };
        let both = |code: u16, a: u32, by: u32, expected: Option<u32>| {
            check(&[(op::LD_IMM, 0, 0, a), (op::LDX_IMM, 0, 0, by), (code | 8, 0, 0, 0)], expected);
            if expected.is_some() && !(matches!(code, op::LSH_K | op::RSH_K) && by > 31) {
                by_k(code, a, by, expected);
            }
        };
        both(op::ADD_K, u32::MAX, 2, Some(1));
        both(op::SUB_K, 1, 2, Some(u32::MAX));
        both(op::MUL_K, 0x8000_0001, 2, Some(2));
        both(op::DIV_K, 7, 2, Some(3));
        both(op::MOD_K, 7, 4, Some(3));
        both(op::AND_K, 0b1100, 0b1010, Some(0b1000));
        both(op::OR_K, 0b1100, 0b1010, Some(0b1110));
        both(op::XOR_K, 0b1100, 0b1010, Some(0b0110));
        both(op::LSH_K, 3, 31, Some(0x8000_0000));
        both(op::RSH_K, 0x8000_0000, 31, Some(1));
        both(op::LSH_K, 3, 33, Some(6));
        both(op::DIV_K, 7, 0, None);
        both(op::MOD_K, 7, 0, None);
        check(&[(op::LD_IMM, 0, 0, 1), (op::NEG, 0, 0, 0)], u32::MAX);
        check(&[(op::NEG, 0, 0, 0)], 0);
    }

    #[test]
    fn jumps() {
        // 1 if it holds, 2 if not.
        let comparison = |code: u16, a: u32, by: u32, expected: bool| {
            let behind = [(op::LD_IMM, 0, 0, 1), (op::RET_A, 0, 0, 0), (op::LD_IMM, 0, 0, 2)];
            let expected = if expected { 1 } else { 2 };
            check(&[&[(op::LD_IMM, 0, 0, a), (code, 0, 2, by)][..], &behind].concat(), expected);
            let with_x = [(op::LD_IMM, 0, 0, a), (op::LDX_IMM, 0, 0, by), (code | 8, 0, 2, 0)];
            check(&[&with_x[..], &behind].concat(), expected);
        };
        for (a, by) in [(1, 1), (1, 2), (2, 1), (0, 0), (u32::MAX, 1), (6, 3)] {
            comparison(op::JEQ_K, a, by, a == by);
            comparison(op::JGT_K, a, by, a > by);
            comparison(op::JGE_K, a, by, a >= by);
            comparison(op::JSET_K, a, by, a & by != 0);
        }
        check(&[(op::JA, 0, 0, 1), (op::LD_IMM, 0, 0, 1)], 0);
        check(&[(op::JA, 0, 0, 0), (op::LD_IMM, 0, 0, 1)], 1);
    }

    #[test]
    fn what_stands_beside_the_frame() {
        let tagged = view().with_vlan(VlanTag { tpid: 0x88a8, tci: 0xe064 }).with_rx_hash(9);
        let load_ancillary = |at: u32, without: u32, with: u32| {
            for code in [op::LD_W_ABS, op::LD_H_ABS, op::LD_B_ABS] {
                check_on(view(), &[(code, 0, 0, at)], Some(without));
                check_on(tagged, &[(code, 0, 0, at)], Some(with));
            }
        };
        load_ancillary(op::AD_VLAN_TAG_PRESENT, 0, 1);
        load_ancillary(op::AD_VLAN_TAG, 0, 0xe064);
        load_ancillary(op::AD_VLAN_TPID, 0, 0x88a8);
        load_ancillary(op::AD_PROTOCOL, 0x0806, 0x0806);
        load_ancillary(op::AD_RXHASH, 0, 9);
        let xor =
            [(op::LD_IMM, 0, 0, 6), (op::LDX_IMM, 0, 0, 3), (op::LD_B_ABS, 0, 0, op::AD_ALU_XOR_X)];
        check(&xor, 5);
        // Interface, mark, queue, hardware type, processor, payload offset, a random number.
        for other in [8, 12, 20, 24, 28, 36, 52, 56, 64, 0xffc] {
            check(&[(op::LD_W_ABS, 0, 0, op::ANCILLARY + other)], None);
        }
        check(&[(op::LD_B_ABS, 0, 0, op::AD_PKTTYPE)], None);
        let short = PacketView::new(&[0; 14], LinkType::ETHERNET, Timestamp::ZERO);
        check_on(short, &[(op::LD_B_ABS, 0, 0, op::AD_PROTOCOL)], Some(4));
        let cooked = PacketView::new(&FRAME, LinkType::LINUX_SLL, Timestamp::ZERO);
        check_on(cooked, &[(op::LD_B_ABS, 0, 0, op::AD_PKTTYPE)], Some(1));
        check_on(cooked, &[(op::LD_B_ABS, 0, 0, op::AD_PROTOCOL)], Some(0x0e0f));
        // Version 2 begins with the protocol, and has the kind of packet in its eleventh byte.
        let bytes: Vec<u8> = (7..27).collect();
        let cooked = PacketView::new(&bytes, LinkType::LINUX_SLL2, Timestamp::ZERO);
        check_on(cooked, &[(op::LD_B_ABS, 0, 0, op::AD_PKTTYPE)], Some(17));
        check_on(cooked, &[(op::LD_B_ABS, 0, 0, op::AD_PROTOCOL)], Some(0x0708));
    }

    /// IEEE 802.3: a value from 1536 on is an Ethertype.
    #[test]
    fn the_protocol_is_that_of_the_kernel() {
        for (stands, expected) in [(0, 4), (1535, 4), (1536, 1536), (0xffff, 0xffff)] {
            let mut frame = [0; 14];
            frame[12..].copy_from_slice(&u16::to_be_bytes(stands));
            let view = PacketView::new(&frame, LinkType::ETHERNET, Timestamp::ZERO);
            check_on(view, &[(op::LD_W_ABS, 0, 0, op::AD_PROTOCOL)], Some(expected));
        }
        let view = PacketView::new(&FRAME, LinkType::RAW, Timestamp::ZERO);
        check_on(view, &[(op::LD_W_ABS, 0, 0, op::AD_PROTOCOL)], None);
    }

    #[test]
    fn offsets_from_the_headers() {
        check(&[(op::LD_H_ABS, 0, 0, op::LINK + 12)], 0x0806);
        check(&[(op::LDX_IMM, 0, 0, 2), (op::LD_H_IND, 0, 0, op::LINK + 10)], 0x0806);
        check(&[(op::LD_H_ABS, 0, 0, op::LINK + 15)], None);
        check(&[(op::LD_H_ABS, 0, 0, op::LINK_END)], None);
    }
}
