//! Packets from the bytes of one side: a fixed header with the length of the rest (MQTT 5.0 §2.1).

use flowscope_core::ParseError;

use crate::wire::{Variable, variable};

/// Bytes of a packet behind its fixed header that are kept; more are payload in most cases.
const MAX_KEPT: usize = 8192;

/// The packet of one side that is being received.
#[derive(Clone, Debug, Default)]
pub(crate) struct Framing {
    /// The fixed header so far.
    header: [u8; 5],
    header_len: usize,
    body: Option<Body>,
    /// What is kept of the rest.
    kept: Vec<u8>,
}

#[derive(Clone, Copy, Debug)]
struct Body {
    len: u32,
    left: u32,
    /// Bytes of it were not captured: what follows them is not kept.
    is_cut: bool,
}

/// A packet.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Packet<'a> {
    /// Its type, and four flags.
    pub(crate) first: u8,
    /// Length of what follows the fixed header.
    pub(crate) len: u32,
    /// The first bytes of that.
    pub(crate) kept: &'a [u8],
}

impl Packet<'_> {
    pub(crate) const fn kind(&self) -> u8 {
        self.first >> 4
    }

    pub(crate) const fn is_whole(&self) -> bool {
        self.kept.len() == self.len as usize
    }
}

impl Framing {
    /// Reads on until a packet is complete, and shows it to `each`; `None` when the bytes are used up.
    ///
    /// # Errors
    ///
    /// A length of more than four bytes.
    pub(crate) fn next<T>(
        &mut self,
        bytes: &mut &[u8],
        each: impl FnOnce(Packet<'_>) -> T,
    ) -> Result<Option<T>, ParseError> {
        if self.body.is_none() && !self.head(bytes)? {
            return Ok(None);
        }
        let Some(body) = &mut self.body else { return Ok(None) };
        let len = bytes.len().min(body.left as usize);
        let (taken, rest) = bytes.split_at(len);
        *bytes = rest;
        let is_in_one_piece = body.left == body.len && len == body.len as usize;
        body.left -= len as u32;
        if !body.is_cut && !is_in_one_piece {
            let room = MAX_KEPT - self.kept.len();
            self.kept.extend_from_slice(&taken[..len.min(room)]);
        }
        if body.left > 0 {
            return Ok(None);
        }
        // A packet that lies in one piece is not copied.
        let kept = if is_in_one_piece { &taken[..len.min(MAX_KEPT)] } else { &self.kept[..] };
        let packet = Packet { first: self.header[0], len: body.len, kept };
        let shown = each(packet);
        self.reset();
        Ok(Some(shown))
    }

    /// Passes over `len` bytes that were not captured: whether they lie within a packet.
    pub(crate) fn skip(&mut self, len: u64) -> bool {
        match &mut self.body {
            Some(body) if len > 0 && u64::from(body.left) > len => {
                body.left -= len as u32;
                body.is_cut = true;
                true
            }
            _ => false,
        }
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        self.kept.capacity()
    }

    /// Reads the fixed header; whether it is complete.
    fn head(&mut self, bytes: &mut &[u8]) -> Result<bool, ParseError> {
        while let Some((&first, rest)) = bytes.split_first() {
            *bytes = rest;
            self.header[self.header_len] = first;
            self.header_len += 1;
            match variable(&self.header[1..self.header_len]) {
                Variable::Whole { value, .. } => {
                    self.body = Some(Body { len: value, left: value, is_cut: false });
                    return Ok(true);
                }
                Variable::Short => {}
                Variable::TooLong => return Err(ParseError::InvalidField("Remaining Length")),
            }
        }
        Ok(false)
    }

    fn reset(&mut self) {
        self.header_len = 0;
        self.body = None;
        self.kept.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(framing: &mut Framing, mut bytes: &[u8]) -> Vec<(u8, u32, Vec<u8>)> {
        let mut packets = Vec::new();
        while let Some(packet) = framing
            .next(&mut bytes, |packet| (packet.first, packet.len, packet.kept.to_vec()))
            .unwrap()
        {
            packets.push(packet);
        }
        packets
    }

    #[test]
    fn packets_do_not_depend_on_how_they_are_cut() {
        let long = [&[0x30, 0x80, 0x80, 1][..], &[7; 16384]].concat();
        let bytes = [&[0xc0, 0][..], &[0x20, 2, 0, 5], &long, &[0xe0, 1, 4]].concat();
        let whole = read(&mut Framing::default(), &bytes);
        let lens: Vec<_> = whole.iter().map(|(_, len, kept)| (*len, kept.len())).collect();
        assert_eq!(lens, [(0, 0), (2, 2), (16384, MAX_KEPT), (1, 1)]);
        for size in [1, 2, 3, 7, 5000] {
            let mut framing = Framing::default();
            let packets: Vec<_> =
                bytes.chunks(size).flat_map(|piece| read(&mut framing, piece)).collect();
            assert_eq!(packets, whole, "{size}");
            assert!(framing.heap_bytes() <= 2 * MAX_KEPT);
        }
    }

    #[test]
    fn missing_bytes_within_a_packet_are_passed_over() {
        let mut framing = Framing::default();
        assert!(!framing.skip(1));
        assert_eq!(read(&mut framing, &[0x30, 10, 1, 2]), []);
        assert!(!framing.clone().skip(8));
        assert!(framing.skip(7));
        assert_eq!(read(&mut framing, &[9]), [(0x30, 10, vec![1, 2])]);
    }
}
