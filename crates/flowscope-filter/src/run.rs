use flowscope_core::{LinkType, PacketView};

use crate::op;
use crate::program::{Instruction, Program};

/// In user space, with the outcome that the kernel would have.
impl Program {
    /// How many bytes of the frame to keep, 0 for none; more than the frame has means all of it.
    ///
    /// The program sees the frame from its link header on, wherever the view's cursor is, and the
    /// tag that the capture took out through the ancillary loads. A load from beyond the captured
    /// bytes ends the program with 0, and so does a division by zero, as in the kernel. The length
    /// that a program asks for is the wire length.
    ///
    /// Of the ancillary loads those are here whose values a view has: the tag (id, presence, TPID),
    /// the protocol (on Ethernet and Linux cooked captures), the kind of packet (on cooked
    /// captures), the receive hash (0 where there is none), and the exclusive or of A and X. Any
    /// other, and any offset from the network header, refuses the packet.
    ///
    /// Takes time in proportion to the program's length at most; allocates nothing.
    #[must_use]
    pub fn run(&self, view: PacketView<'_>) -> u32 {
        run(self.instructions(), &view).unwrap_or(0)
    }

    /// Whether to keep any of the frame.
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
                a = word(frame, k).or_else(|| beside(view, 4, k, a, x))?;
                continue;
            }
            op::LD_H_ABS => {
                a = half(frame, k).or_else(|| beside(view, 2, k, a, x))?;
                continue;
            }
            op::LD_B_ABS => {
                a = byte(frame, k).or_else(|| beside(view, 1, k, a, x))?;
                continue;
            }
            op::LD_W_IND => {
                let at = x.wrapping_add(k);
                a = word(frame, at).or_else(|| from_link(frame, 4, at))?;
                continue;
            }
            op::LD_H_IND => {
                let at = x.wrapping_add(k);
                a = half(frame, at).or_else(|| from_link(frame, 2, at))?;
                continue;
            }
            op::LD_B_IND => {
                let at = x.wrapping_add(k);
                a = byte(frame, at).or_else(|| from_link(frame, 1, at))?;
                continue;
            }
            op::LDX_MSH => {
                x = (byte(frame, k).or_else(|| from_link(frame, 1, k))? & 0xf) * 4;
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

/// A load by a fixed offset that is none within the frame. The size of an ancillary load says
/// nothing.
#[cold]
fn beside(view: &PacketView<'_>, size: u8, at: u32, a: u32, x: u32) -> Option<u32> {
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
        _ => from_link(view.frame(), size, at),
    }
}

/// The Ethertype that the link header names; what stands below 1536 is a length (IEEE 802.3), which
/// Linux calls protocol 4 (`ETH_P_802_2`).
fn protocol(view: &PacketView<'_>) -> Option<u32> {
    match view.link() {
        LinkType::ETHERNET => half(view.frame(), 12).map(|kind| if kind < 1536 { 4 } else { kind }),
        LinkType::LINUX_SLL => half(view.frame(), 14),
        LinkType::LINUX_SLL2 => half(view.frame(), 0),
        _ => None,
    }
}

#[cold]
fn from_link(frame: &[u8], size: u8, at: u32) -> Option<u32> {
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
