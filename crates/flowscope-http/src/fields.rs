use std::fmt;

/// The header section of a message, or its trailer section: bytes as they were sent, and where in
/// them the fields stand.
///
/// Two allocations, whatever the number of fields; none if there is nothing.
#[derive(Clone, Default, Eq, PartialEq)]
pub struct Fields {
    raw: Box<[u8]>,
    spans: Box<[Span]>,
}

/// Where a field stands in its section, in bytes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Span {
    pub(crate) name: Part,
    pub(crate) value: Part,
}

/// A piece of a head. Heads are bounded to 16 MiB, so that 32 bits do.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Part {
    pub(crate) at: u32,
    pub(crate) len: u32,
}

impl Fields {
    pub(crate) fn new(raw: Box<[u8]>, spans: Box<[Span]>) -> Self {
        Fields { raw, spans }
    }

    /// Value of the first field called `name`, in any case, without the whitespace around it.
    ///
    /// A value that was folded over several lines (RFC 9112 §5.2) is given as it was sent, line ends
    /// included.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        let is = |span: &&Span| self.part(span.name).eq_ignore_ascii_case(name.as_bytes());
        self.spans.iter().find(is).map(|span| self.part(span.value))
    }

    /// Name and value of each field, in the order they were sent. Lines that are no field are left
    /// out (an [anomaly](crate::HttpAnomalyKind::InvalidHeader) reports them).
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.iter_raw().map(|(name, value)| (std::str::from_utf8(name).unwrap_or_default(), value))
    }

    /// As [`iter`](Self::iter), names as bytes.
    pub(crate) fn iter_raw(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.spans.iter().map(|span| (self.part(span.name), self.part(span.value)))
    }

    /// How many fields there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    /// Whether there is no field.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// The section as it was sent, up to and including the empty line; in a head the start line is
    /// part of it.
    #[must_use]
    pub fn raw(&self) -> &[u8] {
        &self.raw
    }

    pub(crate) fn part(&self, part: Part) -> &[u8] {
        part.of(&self.raw)
    }

    /// Bytes of memory beside the value itself.
    pub(crate) fn heap_bytes(&self) -> usize {
        self.raw.len() + std::mem::size_of_val(&*self.spans)
    }
}

impl Part {
    pub(crate) fn new(at: usize, len: usize) -> Self {
        let narrow = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Part { at: narrow(at), len: narrow(len) }
    }

    /// Where `part` stands in `whole`, which it is a part of.
    pub(crate) fn within(whole: &[u8], part: &[u8]) -> Self {
        Part::new(part.as_ptr().addr().wrapping_sub(whole.as_ptr().addr()), part.len())
    }

    pub(crate) fn of(self, whole: &[u8]) -> &[u8] {
        let (at, len) = (self.at as usize, self.len as usize);
        whole.get(at..at.saturating_add(len)).unwrap_or_default()
    }

    pub(crate) fn end(self) -> usize {
        (self.at as usize).saturating_add(self.len as usize)
    }

    /// Moved towards the end by `add`, then towards the start by `sub`.
    pub(crate) fn moved(self, add: usize, sub: usize) -> Self {
        Part::new((self.at as usize + add).saturating_sub(sub), self.len as usize)
    }
}

impl fmt::Debug for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |value| String::from_utf8_lossy(value).into_owned();
        f.debug_map().entries(self.iter().map(|(name, value)| (name, text(value)))).finish()
    }
}
