use std::collections::BTreeSet;

use crate::Rng;

/// Ways to cut `len` bytes into pieces, each a list of ascending cut points strictly inside.
///
/// The first is no cut at all. Then: every byte alone, two halves, one cut at every place (all of
/// them up to 64 bytes, a spread beyond), chunks of a few fixed sizes, and random cuts by `seed`.
#[must_use]
pub fn splits(len: usize, seed: u64) -> Vec<Vec<usize>> {
    let mut all = vec![Vec::new()];
    if len < 2 {
        return all;
    }
    all.push((1..len).collect());
    all.extend((1..len).step_by(len.div_ceil(64)).map(|cut| vec![cut]));
    all.push(vec![len / 2]);
    all.push(vec![len - 1]);
    for size in [2, 3, 7, 64, 536, 1460] {
        if size < len {
            all.push((size..len).step_by(size).collect());
        }
    }
    let mut rng = Rng::new(seed);
    for most in [2, 3, 5, 8, 13, 21] {
        let cuts: BTreeSet<usize> = (0..most).map(|_| 1 + rng.below(len - 1)).collect();
        all.push(cuts.into_iter().collect());
    }
    all
}

/// `bytes` cut at `cuts`, in order. Cuts outside of it, and those that do not ascend, are left out.
pub fn pieces<'a>(bytes: &'a [u8], cuts: &[usize]) -> impl Iterator<Item = &'a [u8]> {
    let mut from = 0;
    let mut ends: Vec<usize> = Vec::with_capacity(cuts.len() + 1);
    for &cut in cuts {
        if cut > ends.last().copied().unwrap_or(0) && cut < bytes.len() {
            ends.push(cut);
        }
    }
    ends.push(bytes.len());
    ends.into_iter().map(move |to| {
        let piece = &bytes[from..to];
        from = to;
        piece
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_put_together_are_the_whole() {
        let bytes: Vec<u8> = (0..200).collect();
        for cuts in splits(bytes.len(), 7) {
            let parts: Vec<&[u8]> = pieces(&bytes, &cuts).collect();
            assert_eq!(parts.len(), cuts.len() + 1);
            assert!(parts.iter().all(|part| !part.is_empty()));
            assert_eq!(parts.concat(), bytes);
        }
    }

    #[test]
    fn one_byte_cannot_be_cut() {
        assert_eq!(splits(1, 0), [Vec::<usize>::new()]);
        assert_eq!(splits(0, 0), [Vec::<usize>::new()]);
    }
}
