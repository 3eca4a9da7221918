//! Bytes as a source of choices, and inputs made from seeds.

use flowscope_testkit::Rng;

use crate::Target;

/// Reads choices off the front of bytes; zeros when they are used up.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    /// From these bytes.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Input(bytes)
    }

    /// Whether all is read.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The next byte.
    pub fn byte(&mut self) -> u8 {
        self.take(1).first().copied().unwrap_or(0)
    }

    /// The next two bytes, big endian.
    pub fn half(&mut self) -> u16 {
        u16::from_be_bytes([self.byte(), self.byte()])
    }

    /// The next four bytes, big endian.
    pub fn word(&mut self) -> u32 {
        u32::from(self.half()) << 16 | u32::from(self.half())
    }

    /// The next `len` bytes, or as many as there are.
    pub fn take(&mut self, len: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(len.min(self.0.len()));
        self.0 = rest;
        taken
    }

    /// All that is left.
    pub fn rest(&mut self) -> &'a [u8] {
        self.take(usize::MAX)
    }
}

/// As many inputs for a target, the same on every run: its seeds, changed and joined, and noise.
pub fn inputs(target: &Target, count: usize, seed: u64) -> impl Iterator<Item = Vec<u8>> {
    let seeds = (target.seeds)();
    let mut rng = Rng::new(seed);
    (0..count).map(move |_| {
        if seeds.is_empty() || rng.one_in(10) {
            let len = rng.below(400);
            return rng.bytes(len);
        }
        let mut bytes = rng.pick(&seeds).clone();
        for _ in 0..rng.below(6) {
            change(&mut bytes, &seeds, &mut rng);
        }
        bytes
    })
}

/// Numbers at which lengths and counters go wrong.
const EDGES: [u8; 8] = [0, 1, 0x7f, 0x80, 0xff, 0xfe, 0x40, 0xc0];

fn change(bytes: &mut Vec<u8>, seeds: &[Vec<u8>], rng: &mut Rng) {
    let place = rng.below(bytes.len() + 1);
    match rng.below(8) {
        0 => {
            if let Some(byte) = bytes.get_mut(place) {
                *byte ^= 1 << rng.below(8);
            }
        }
        1 => {
            if let Some(byte) = bytes.get_mut(place) {
                *byte = *rng.pick(&EDGES);
            }
        }
        2 => bytes.insert(place, rng.next_u64() as u8),
        3 => bytes.truncate(place),
        4 => {
            let end = (place + 1 + rng.below(16)).min(bytes.len());
            drop(bytes.drain(place.min(end)..end));
        }
        5 => {
            let end = (place + 1 + rng.below(64)).min(bytes.len());
            let copied = bytes[place.min(end)..end].to_vec();
            let to = rng.below(bytes.len() + 1);
            bytes.splice(to..to, copied);
        }
        6 => {
            let other = rng.pick(seeds);
            let from = rng.below(other.len() + 1);
            bytes.truncate(place);
            bytes.extend_from_slice(&other[from..]);
            bytes.truncate(1 << 16);
        }
        _ => {
            for byte in bytes.iter_mut().skip(place).take(4) {
                *byte = *rng.pick(&EDGES);
            }
        }
    }
}
