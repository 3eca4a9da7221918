//! What goes wrong between the wire and the file.

use crate::{Packet, Rng};

/// Flips each bit with a chance of one in `n`, as a bad line or disk does.
pub fn bit_errors(
    packets: impl Iterator<Item = Packet>,
    n: usize,
    seed: u64,
) -> impl Iterator<Item = Packet> {
    let mut rng = Rng::new(seed);
    packets.map(move |mut packet| {
        // One draw says how far it is to the next error, up to twice the mean.
        let mut bit = rng.below(2 * n);
        while let Some(byte) = packet.bytes.get_mut(bit / 8) {
            *byte ^= 1 << (bit % 8);
            bit += 1 + rng.below(2 * n);
        }
        packet
    })
}

/// Cuts each packet as a snap length of `len` bytes does.
pub fn snapped(packets: impl Iterator<Item = Packet>, len: usize) -> impl Iterator<Item = Packet> {
    packets.map(move |packet| packet.cut(len))
}

/// Each packet `n` times, as a mirror port of several others shows it.
pub fn repeated(packets: impl Iterator<Item = Packet>, n: usize) -> impl Iterator<Item = Packet> {
    packets.flat_map(move |packet| std::iter::repeat_n(packet, n))
}

/// See [`Packet::damaged`].
pub fn damaged(packets: impl Iterator<Item = Packet>, seed: u64) -> impl Iterator<Item = Packet> {
    let mut rng = Rng::new(seed);
    packets.map(move |packet| packet.damaged(&mut rng))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attacks::tcp;

    #[test]
    fn about_as_many_bits_as_asked_for() {
        let (mut bits, mut flipped) = (0, 0);
        for (sent, got) in tcp::syn_flood(2000, 1).zip(bit_errors(tcp::syn_flood(2000, 1), 100, 2))
        {
            bits += sent.bytes.len() * 8;
            let differ = sent.bytes.iter().zip(&got.bytes).map(|(a, b)| (a ^ b).count_ones());
            flipped += differ.sum::<u32>() as usize;
        }
        assert!((bits / 150..bits / 70).contains(&flipped), "{flipped} of {bits}");
    }
}
