//! Operation codes of classic BPF, as `linux/bpf_common.h` and `linux/filter.h` put them together.

pub(crate) const LD_W_ABS: u16 = 0x20;
pub(crate) const LD_H_ABS: u16 = 0x28;
pub(crate) const LD_B_ABS: u16 = 0x30;
pub(crate) const LD_W_IND: u16 = 0x40;
pub(crate) const LD_H_IND: u16 = 0x48;
pub(crate) const LD_B_IND: u16 = 0x50;
pub(crate) const LD_IMM: u16 = 0x00;
pub(crate) const LD_MEM: u16 = 0x60;
pub(crate) const LD_LEN: u16 = 0x80;
pub(crate) const LDX_IMM: u16 = 0x01;
pub(crate) const LDX_MEM: u16 = 0x61;
pub(crate) const LDX_LEN: u16 = 0x81;
pub(crate) const LDX_MSH: u16 = 0xb1;
pub(crate) const ST: u16 = 0x02;
pub(crate) const STX: u16 = 0x03;

pub(crate) const ADD_K: u16 = 0x04;
pub(crate) const ADD_X: u16 = 0x0c;
pub(crate) const SUB_K: u16 = 0x14;
pub(crate) const SUB_X: u16 = 0x1c;
pub(crate) const MUL_K: u16 = 0x24;
pub(crate) const MUL_X: u16 = 0x2c;
pub(crate) const DIV_K: u16 = 0x34;
pub(crate) const DIV_X: u16 = 0x3c;
pub(crate) const OR_K: u16 = 0x44;
pub(crate) const OR_X: u16 = 0x4c;
pub(crate) const AND_K: u16 = 0x54;
pub(crate) const AND_X: u16 = 0x5c;
pub(crate) const LSH_K: u16 = 0x64;
pub(crate) const LSH_X: u16 = 0x6c;
pub(crate) const RSH_K: u16 = 0x74;
pub(crate) const RSH_X: u16 = 0x7c;
pub(crate) const NEG: u16 = 0x84;
pub(crate) const MOD_K: u16 = 0x94;
pub(crate) const MOD_X: u16 = 0x9c;
pub(crate) const XOR_K: u16 = 0xa4;
pub(crate) const XOR_X: u16 = 0xac;

pub(crate) const JA: u16 = 0x05;
pub(crate) const JEQ_K: u16 = 0x15;
pub(crate) const JEQ_X: u16 = 0x1d;
pub(crate) const JGT_K: u16 = 0x25;
pub(crate) const JGT_X: u16 = 0x2d;
pub(crate) const JGE_K: u16 = 0x35;
pub(crate) const JGE_X: u16 = 0x3d;
pub(crate) const JSET_K: u16 = 0x45;
pub(crate) const JSET_X: u16 = 0x4d;

pub(crate) const RET_K: u16 = 0x06;
pub(crate) const RET_A: u16 = 0x16;
pub(crate) const TAX: u16 = 0x07;
pub(crate) const TXA: u16 = 0x87;

/// Offsets from here on are no bytes of the frame but facts about it (`SKF_AD_OFF`, -0x1000).
pub(crate) const ANCILLARY: u32 = 0xffff_f000;
/// The Ethertype of what the frame carries, as the kernel stores it beside the frame.
pub(crate) const AD_PROTOCOL: u32 = ANCILLARY;
/// For whom the frame was.
pub(crate) const AD_PKTTYPE: u32 = ANCILLARY + 4;
/// The receive hash.
pub(crate) const AD_RXHASH: u32 = ANCILLARY + 32;
/// A ^= X.
pub(crate) const AD_ALU_XOR_X: u32 = ANCILLARY + 40;
/// Control field of the tag that was taken out.
pub(crate) const AD_VLAN_TAG: u32 = ANCILLARY + 44;
/// Whether one was.
pub(crate) const AD_VLAN_TAG_PRESENT: u32 = ANCILLARY + 48;
/// Its tag protocol identifier.
pub(crate) const AD_VLAN_TPID: u32 = ANCILLARY + 60;
/// Offsets between here and `LINK_END` count from the link header (`SKF_LL_OFF`, -0x200000).
pub(crate) const LINK: u32 = 0xffe0_0000;
/// `SKF_NET_OFF`, -0x100000: from here on they would count from the network header.
pub(crate) const LINK_END: u32 = 0xfff0_0000;

/// `BPF_MEMWORDS`.
pub(crate) const SCRATCH_WORDS: u32 = 16;
/// `BPF_MAXINSNS`.
pub(crate) const MOST_INSTRUCTIONS: usize = 4096;
