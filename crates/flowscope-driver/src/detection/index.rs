//! Which protocols come into question for a flow, without asking each of them.

use crate::detection::ProbeInput;

/// The protocols of one transport, by port and by first byte.
///
/// A look-up costs the same for one protocol and for sixty: a bit and a table entry per side. Ports whose bit is set
/// are looked up in a sorted list; most of them are in it.
pub(crate) struct CandidateIndex<T> {
    entries: Vec<T>,
    /// Sorted by port; a bit per entry.
    ports: Vec<(u16, u64)>,
    /// A bit for the lowest bits of each of these ports.
    port_bits: [u64; PORT_WORDS],
    /// A bit per entry, for each first byte.
    first_bytes: Box<[u64; 256]>,
    /// Those that are in `first_bytes` at all.
    by_bytes: u64,
}

/// As many protocols of one transport at most.
pub(crate) const MAX_PROTOCOLS: usize = 64;

/// A protocol that comes into question.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Candidate<T> {
    pub(crate) entry: T,
    /// Whether a port of the flow is one of the protocol's.
    pub(crate) by_port: bool,
}

impl<T: Copy> CandidateIndex<T> {
    pub(crate) fn new() -> Self {
        CandidateIndex {
            entries: Vec::new(),
            ports: Vec::new(),
            port_bits: [0; PORT_WORDS],
            first_bytes: Box::new([0; 256]),
            by_bytes: 0,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Adds a protocol behind all others.
    ///
    /// # Panics
    ///
    /// If there are 64 already.
    pub(crate) fn add(&mut self, entry: T, ports: &[u16], first_byte: impl Fn(u8) -> bool) {
        assert!(self.entries.len() < MAX_PROTOCOLS, "at most 64 protocols of one transport");
        let bit = 1 << self.entries.len();
        self.entries.push(entry);
        for &port in ports {
            let (word, port_bit) = port_bit(port);
            self.port_bits[word] |= port_bit;
            match self.ports.binary_search_by_key(&port, |&(port, _)| port) {
                Ok(at) => self.ports[at].1 |= bit,
                Err(at) => self.ports.insert(at, (port, bit)),
            }
        }
        for (byte, entries) in (0..=u8::MAX).zip(self.first_bytes.iter_mut()) {
            if first_byte(byte) {
                *entries |= bit;
                self.by_bytes |= bit;
            }
        }
    }

    /// The ports of all protocols, sorted.
    pub(crate) fn ports(&self) -> impl Iterator<Item = u16> + '_ {
        self.ports.iter().map(|&(port, _)| port)
    }

    /// All protocols, to be replaced. Ports and first bytes stay those of their places.
    pub(crate) fn entries_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.entries.iter_mut()
    }

    /// All protocols, in the order in which they were added.
    pub(crate) fn entries(&self) -> impl Iterator<Item = &T> {
        self.entries.iter()
    }

    /// The protocols that have a port of the flow, or the first byte of either side, in the order in which they
    /// were added.
    pub(crate) fn candidates<K>(
        &self,
        start: &ProbeInput<'_, K>,
    ) -> impl Iterator<Item = Candidate<T>> + '_ {
        let by_port = start.ports.map_or(0, |(a, b)| self.of_port(a) | self.of_port(b));
        let of_bytes =
            |bytes: &[u8]| bytes.first().map_or(0, |first| self.first_bytes[usize::from(*first)]);
        // As long as there are no bytes, they speak against none.
        let by_bytes = match start.bytes {
            [[], []] => self.by_bytes,
            [initiator, responder] => of_bytes(initiator) | of_bytes(responder),
        };
        let mut left = by_port | by_bytes;
        std::iter::from_fn(move || {
            let at = left.trailing_zeros();
            let entry = *self.entries.get(at as usize)?;
            left &= left - 1;
            Some(Candidate { entry, by_port: by_port & (1 << at) != 0 })
        })
    }

    #[inline]
    fn of_port(&self, port: u16) -> u64 {
        let (word, port_bit) = port_bit(port);
        if self.port_bits[word] & port_bit == 0 {
            return 0;
        }
        let found = self.ports.binary_search_by_key(&port, |&(port, _)| port);
        found.map_or(0, |at| self.ports[at].1)
    }
}

const PORT_WORDS: usize = 32;

/// Where the bit of a port is.
fn port_bit(port: u16) -> (usize, u64) {
    (usize::from(port) / 64 % PORT_WORDS, 1 << (port % 64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Transport;

    fn check(ports: (u16, u16), bytes: [&[u8]; 2], expected: &[(char, bool)]) {
        let mut index = CandidateIndex::new();
        index.add('a', &[80, 8080], |byte| byte.is_ascii_uppercase());
        index.add('b', &[443, 80], |byte| byte == 0x16);
        index.add('c', &[], |_| true);
        index.add('d', &[53], |_| false);
        assert_eq!(index.ports().collect::<Vec<_>>(), [53, 80, 443, 8080]);
        let start = ProbeInput {
            key: &(),
            transport: Transport::Stream,
            ports: Some(ports),
            bytes,
            wire_len: 0,
            agreed: None,
            whole: true,
            last: false,
        };
        let found: Vec<_> =
            index.candidates(&start).map(|found| (found.entry, found.by_port)).collect();
        assert_eq!(found, expected, "{ports:?} {bytes:?}");
    }

    #[test]
    fn candidates_are_those_of_ports_and_first_bytes_together() {
        check((1, 2), [b"G", b""], &[('a', false), ('c', false)]);
        check((1, 2), [b"", b"\x16"], &[('b', false), ('c', false)]);
        check((80, 2), [b"\x16", b""], &[('a', true), ('b', true), ('c', false)]);
        check((2, 53), [b"x", b""], &[('c', false), ('d', true)]);
        check((1, 53), [b"", b""], &[('a', false), ('b', false), ('c', false), ('d', true)]);
    }

    #[test]
    fn sixty_four_protocols_have_room() {
        let mut index = CandidateIndex::new();
        for at in 0..MAX_PROTOCOLS {
            index.add(at, &[7], |_| false);
        }
        let start = ProbeInput {
            key: &(),
            transport: Transport::Stream,
            ports: Some((7, 1)),
            bytes: [b"", b""],
            wire_len: 0,
            agreed: None,
            whole: true,
            last: false,
        };
        let found: Vec<_> = index.candidates(&start).map(|found| found.entry).collect();
        assert_eq!(found, (0..MAX_PROTOCOLS).collect::<Vec<_>>());
    }
}
