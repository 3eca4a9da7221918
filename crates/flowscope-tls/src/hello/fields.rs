//! Parts of a hello on the wire: where they stand, and lists of them.

/// A part of a message.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Span {
    at: u32,
    len: u32,
}

impl Span {
    pub(super) fn new(at: usize, len: usize) -> Self {
        Span { at: at as u32, len: len as u32 }
    }

    pub(super) fn end(self) -> usize {
        self.at as usize + self.len as usize
    }

    pub(super) fn of(self, body: &[u8]) -> &[u8] {
        body.get(self.at as usize..self.end()).unwrap_or_default()
    }
}

/// Where the extensions of a hello are, their length being at `at`, and whether all is as it should.
pub(super) fn extension_block(body: &[u8], at: usize) -> (Span, bool) {
    let rest = body.get(at..).unwrap_or_default();
    if rest.is_empty() {
        return (Span::default(), true);
    }
    let block = vector16(rest);
    let declared = usize::from(u16_at(rest, 0));
    let mut extensions = Extensions(block);
    let read: usize = extensions.by_ref().map(|(_, content)| 4 + content.len()).sum();
    (Span::new(at + 2, block.len()), declared + 2 == rest.len() && read == declared)
}

/// Extensions, up to the first that is cut.
#[derive(Clone)]
pub(super) struct Extensions<'a>(pub(super) &'a [u8]);

impl<'a> Iterator for Extensions<'a> {
    type Item = (u16, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (kind, rest) = self.0.split_first_chunk()?;
        let (len, rest) = rest.split_first_chunk()?;
        let (content, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*len)))?;
        self.0 = rest;
        Some((u16::from_be_bytes(*kind), content))
    }
}

/// Names of one byte of length each, up to the first that is cut.
#[derive(Clone)]
pub(super) struct Names<'a>(pub(super) &'a [u8]);

impl<'a> Iterator for Names<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let (len, rest) = self.0.split_first()?;
        let (name, rest) = rest.split_at_checked(usize::from(*len))?;
        self.0 = rest;
        Some(name)
    }
}

/// Groups of key shares; the shares themselves are passed over.
#[derive(Clone)]
pub(super) struct KeyShares<'a>(pub(super) &'a [u8]);

impl Iterator for KeyShares<'_> {
    type Item = u16;

    fn next(&mut self) -> Option<u16> {
        let (group, rest) = self.0.split_first_chunk()?;
        let (len, rest) = rest.split_first_chunk()?;
        (_, self.0) = rest.split_at_checked(usize::from(u16::from_be_bytes(*len)))?;
        Some(u16::from_be_bytes(*group))
    }
}

/// What follows a length of two bytes, or as much of it as there is.
pub(super) fn vector16(bytes: &[u8]) -> &[u8] {
    let Some((len, rest)) = bytes.split_first_chunk() else { return &[] };
    rest.get(..usize::from(u16::from_be_bytes(*len))).unwrap_or(rest)
}

/// What follows a length of one byte, or as much of it as there is.
pub(super) fn vector8(bytes: &[u8]) -> &[u8] {
    let Some((len, rest)) = bytes.split_first() else { return &[] };
    rest.get(..usize::from(*len)).unwrap_or(rest)
}

pub(super) fn u16s(bytes: &[u8]) -> impl Iterator<Item = u16> + Clone + '_ {
    bytes.as_chunks().0.iter().map(|value| u16::from_be_bytes(*value))
}

/// 0 if it is not there.
pub(super) fn u16_at(bytes: &[u8], at: usize) -> u16 {
    bytes.get(at..).and_then(<[u8]>::first_chunk).map_or(0, |value| u16::from_be_bytes(*value))
}

/// Length of a random, in bytes.
pub(super) const RANDOM: usize = 32;
