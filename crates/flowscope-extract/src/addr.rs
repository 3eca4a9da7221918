//! IP addresses as numbers.

/// Source and destination address of an IP packet, as integers that compare like the addresses.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum AddrPair {
    V4 { src: u32, dst: u32 },
    V6 { src: [u64; 2], dst: [u64; 2] },
}

/// Two words that compare like the 16 octets in network byte order.
#[inline(always)]
pub(crate) const fn words(octets: [u8; 16]) -> [u64; 2] {
    let all = u128::from_be_bytes(octets);
    [(all >> 64) as u64, all as u64]
}

pub(crate) const fn octets([hi, lo]: [u64; 2]) -> [u8; 16] {
    ((hi as u128) << 64 | lo as u128).to_be_bytes()
}
