use flowscope_core::{PacketView, Payload, Refusal};

/// The captured bytes of a frame and its length on the wire. All offsets count from the start of the frame.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bytes<'a> {
    pub(super) captured: &'a [u8],
    pub(super) wire: usize,
}

impl<'a> Bytes<'a> {
    #[inline]
    pub(super) fn of(view: &PacketView<'a>) -> Self {
        let captured = view.frame();
        let wire = match view.frames() {
            1 => view.wire_len() as usize,
            _ => joined_len(captured),
        };
        Bytes { captured, wire: wire.max(captured.len()) }
    }

    /// The same bytes without those from `end` on, which are padding.
    pub(super) fn until(self, end: usize) -> Self {
        let captured = self.captured.get(..end).unwrap_or(self.captured);
        Bytes { captured, wire: self.wire.min(end) }
    }

    /// All captured bytes from `at` on.
    pub(super) fn from(self, at: usize) -> &'a [u8] {
        self.captured.get(at..).unwrap_or_default()
    }

    /// The `N` bytes at `at`.
    pub(super) fn array<const N: usize>(self, at: usize) -> Result<&'a [u8; N], Refusal> {
        self.from(at).first_chunk().ok_or_else(|| self.missing(at + N))
    }

    /// Why the bytes before `end` cannot be read: the capture was cut, or the packet is shorter.
    pub(super) fn missing(self, end: usize) -> Refusal {
        if end <= self.wire { Refusal::SnaplenCut } else { Refusal::HeaderMalformed }
    }

    /// The payload from `at` to the end.
    pub(super) fn payload(self, at: usize) -> Payload {
        let captured = self.captured.len().saturating_sub(at) as u32;
        Payload::new(at as u32, captured, self.wire.saturating_sub(at) as u32)
    }
}

/// Length of a reassembled datagram by its IP header. A snap length may have cut its fragments, and the wire
/// length of the view is that of the frames that carried them.
#[cold]
fn joined_len(datagram: &[u8]) -> usize {
    match *datagram {
        [0x40..=0x4f, _, hi, lo, ..] => usize::from(u16::from_be_bytes([hi, lo])),
        [0x60..=0x6f, _, _, _, hi, lo, ..] => 40 + usize::from(u16::from_be_bytes([hi, lo])),
        _ => datagram.len(),
    }
}
