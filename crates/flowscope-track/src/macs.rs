use flowscope_core::{FlowSide, LinkType, PacketView};

/// The Ethernet addresses between which a flow was captured; see [`TrackerConfig::macs`](crate::TrackerConfig::macs).
///
/// Each frame adds the address of its source to the side that sent it, and that of its destination to the other.
/// Of a side the first [`MOST`](Self::MOST) different ones are kept.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Macs {
    sides: [MacSet; 2],
}

/// Destination and source of a frame, as they stand in it (IEEE 802.3 §3.1).
pub(crate) type MacPair = [u8; 12];

#[derive(Clone, Debug, Default, Eq, PartialEq)]
struct MacSet {
    addrs: [[u8; 6]; Macs::MOST],
    len: usize,
}

impl MacSet {
    /// Adds six bytes.
    fn insert(&mut self, addr: &[u8]) {
        let known = self.addrs[..self.len].iter().any(|known| known == addr);
        if !known && let Some(free) = self.addrs.get_mut(self.len) {
            free.copy_from_slice(addr);
            self.len += 1;
        }
    }
}

impl Macs {
    /// As many addresses are kept of each side; as in Suricata.
    pub const MOST: usize = 10;

    /// The addresses of one side, in the order in which they were seen first.
    #[must_use]
    pub fn side(&self, side: FlowSide) -> &[[u8; 6]] {
        let set = &self.sides[side.index()];
        &set.addrs[..set.len]
    }

    /// Adds those of a frame that `sender` sent.
    pub(crate) fn add(&mut self, sender: FlowSide, frame: &MacPair) {
        let (destination, source) = frame.split_at(6);
        for (side, addr) in [(sender, source), (!sender, destination)] {
            self.sides[side.index()].insert(addr);
        }
    }

    /// Adds an address of a side, if it is not there yet and there is room for it.
    pub fn insert(&mut self, side: FlowSide, addr: [u8; 6]) {
        self.sides[side.index()].insert(&addr);
    }
}

/// Where the addresses of a packet are.
#[derive(Clone, Copy)]
pub(crate) enum MacSource<'a> {
    /// In its frame, if that is of Ethernet.
    Frame,
    /// Here, if it had any: the frame is not at hand.
    Routed(Option<&'a MacPair>),
}

impl MacSource<'_> {
    pub(crate) fn of(self, view: &PacketView<'_>) -> Option<MacPair> {
        match self {
            MacSource::Frame => of_frame(view),
            MacSource::Routed(macs) => macs.copied(),
        }
    }
}

/// Those of a frame; `None` if it is not Ethernet, or a datagram joined from several.
pub(crate) fn of_frame(view: &PacketView<'_>) -> Option<MacPair> {
    let ethernet = view.link() == LinkType::ETHERNET && view.frames() == 1;
    view.frame().first_chunk().filter(|_| ethernet).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_side_has_its_first_addresses_once() {
        let mut macs = Macs::default();
        let frame = |to: u8, from: u8| {
            let mut frame = [to; 12];
            frame[6..].fill(from);
            frame
        };
        macs.add(FlowSide::Initiator, &frame(2, 1));
        macs.add(FlowSide::Responder, &frame(1, 3));
        macs.add(FlowSide::Responder, &frame(1, 2));
        assert_eq!(macs.side(FlowSide::Initiator), [[1; 6]]);
        assert_eq!(macs.side(FlowSide::Responder), [[2; 6], [3; 6]]);
        (4..100).for_each(|n| macs.add(FlowSide::Responder, &frame(1, n)));
        assert_eq!(macs.side(FlowSide::Responder).len(), Macs::MOST);
        assert_eq!(macs.side(FlowSide::Responder)[9], [11; 6]);
    }
}
