use std::ops::Not;

/// Who sent a packet, seen from the flow: the side that began it, or the other.
///
/// Fixed when the flow is first reported; never changed afterwards.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum FlowSide {
    /// The side that began the flow, as far as the evidence shows.
    Initiator,
    /// The side that was addressed.
    Responder,
}

impl FlowSide {
    /// 0 for the initiator, 1 for the responder: the place of this side in a pair.
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }
}

impl Not for FlowSide {
    type Output = FlowSide;

    /// The other side.
    fn not(self) -> FlowSide {
        match self {
            FlowSide::Initiator => FlowSide::Responder,
            FlowSide::Responder => FlowSide::Initiator,
        }
    }
}

/// Which way a packet went, seen from its key.
///
/// A bidirectional key is the same for both directions; the orientation tells them apart. It is a
/// property of the key's canonical order, not of who spoke first: that is [`FlowSide`].
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Orientation {
    /// From the key's first endpoint to its second.
    Forward,
    /// From the key's second endpoint to its first.
    Reverse,
}

impl Not for Orientation {
    type Output = Orientation;

    /// The opposite direction.
    fn not(self) -> Orientation {
        match self {
            Orientation::Forward => Orientation::Reverse,
            Orientation::Reverse => Orientation::Forward,
        }
    }
}
