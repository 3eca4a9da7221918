//! Arithmetic of sequence numbers (RFC 9293 §3.4): modulo 2^32, signed.

/// `a - b` for sequence numbers: negative if `a` is before `b`.
#[inline]
pub(crate) const fn serial(a: u32, b: u32) -> i32 {
    a.wrapping_sub(b).cast_signed()
}

pub(crate) fn later(a: u32, b: u32) -> u32 {
    if serial(a, b) > 0 { a } else { b }
}

pub(crate) fn earlier(a: u32, b: u32) -> u32 {
    if serial(a, b) < 0 { a } else { b }
}
