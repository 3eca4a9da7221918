use crate::{LinkType, Path, Timestamp};

/// One captured frame, borrowed, with all that the capture knew about it.
///
/// Small and `Copy`: sources lend slices of views, extractors pass them by value. A view also
/// carries a [`Cursor`], which combinators move past the layers they peel so that no header is
/// read twice.
#[derive(Clone, Copy, Debug)]
pub struct PacketView<'a> {
    frame: &'a [u8],
    ts: Timestamp,
    first_ts: Timestamp,
    wire_len: u32,
    frames: u32,
    /// 0 unless `marks` has [`INTERFACE`](Marks::INTERFACE), and so on: a view is made per packet, and
    /// constants without gaps between them take few stores.
    interface: u32,
    rx_hash: u32,
    vlan: VlanTag,
    link: LinkType,
    marks: Marks,
    at: Cursor,
}

/// What the capture knew about a frame.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Marks(u16);

impl Marks {
    const NONE: Marks = Marks(0);
    const INTERFACE: Marks = Marks(1);
    const RX_HASH: Marks = Marks(2);
    const VLAN: Marks = Marks(4);
    /// The timestamp is that of another packet.
    const SHARED_TIME: Marks = Marks(8);

    #[inline]
    fn set(&mut self, mark: Marks) {
        self.0 |= mark.0;
    }

    #[inline]
    const fn has(self, mark: Marks) -> bool {
        self.0 & mark.0 != 0
    }
}

impl<'a> PacketView<'a> {
    /// A frame captured whole: its wire length is the length of `frame`.
    #[must_use]
    pub fn new(frame: &'a [u8], link: LinkType, ts: Timestamp) -> Self {
        PacketView {
            frame,
            ts,
            first_ts: ts,
            wire_len: u32::try_from(frame.len()).unwrap_or(u32::MAX),
            frames: 1,
            interface: 0,
            rx_hash: 0,
            vlan: VlanTag { tpid: 0, tci: 0 },
            link,
            marks: Marks::NONE,
            at: Cursor { next: NextHeader::Link(link), offset: 0, stepped: 0, path: Path::EMPTY },
        }
    }

    /// Sets the length that the frame had on the wire, in bytes. A value below the captured length
    /// is raised to it: what was captured was there.
    #[must_use]
    pub fn with_wire_len(mut self, wire_len: u32) -> Self {
        self.wire_len = wire_len.max(u32::try_from(self.frame.len()).unwrap_or(u32::MAX));
        self
    }

    /// Sets the tag that the capture took out of the frame.
    #[must_use]
    pub fn with_vlan(mut self, vlan: VlanTag) -> Self {
        self.vlan = vlan;
        self.marks.set(Marks::VLAN);
        self
    }

    /// Marks the timestamp as that of another packet: the capture stored none for this one.
    #[must_use]
    pub fn without_own_time(mut self) -> Self {
        self.marks.set(Marks::SHARED_TIME);
        self
    }

    /// Sets the index of the interface that the frame was captured on, as the source counts them.
    #[must_use]
    pub fn with_interface(mut self, interface: u32) -> Self {
        self.interface = interface;
        self.marks.set(Marks::INTERFACE);
        self
    }

    /// Sets the receive hash that the network card or the kernel calculated.
    #[must_use]
    pub fn with_rx_hash(mut self, hash: u32) -> Self {
        self.rx_hash = hash;
        self.marks.set(Marks::RX_HASH);
        self
    }

    /// The same packet with its bytes elsewhere, for copies: all but [`frame`](Self::frame) stays, also the cursor.
    /// A wire length below that of `frame` is raised to it.
    #[must_use]
    #[inline]
    pub fn with_frame<'b>(self, frame: &'b [u8]) -> PacketView<'b> {
        PacketView {
            frame,
            ts: self.ts,
            first_ts: self.first_ts,
            wire_len: self.wire_len,
            frames: self.frames,
            interface: self.interface,
            rx_hash: self.rx_hash,
            vlan: self.vlan,
            link: self.link,
            marks: self.marks,
            at: self.at,
        }
        .with_wire_len(self.wire_len)
    }

    /// Makes this the view of a datagram joined from `frames` frames of `wire_len` bytes together,
    /// the earliest of them captured at `first_ts`.
    #[must_use]
    pub fn with_joined(mut self, frames: u32, wire_len: u32, first_ts: Timestamp) -> Self {
        self.frames = frames;
        self.wire_len = wire_len;
        self.first_ts = first_ts;
        self
    }

    /// The same packet with the cursor elsewhere. A datagram joined from fragments has its IP header
    /// at the start of `frame`: its cursor is [`Cursor::around`] 0.
    #[must_use]
    #[inline]
    pub fn at(mut self, cursor: Cursor) -> Self {
        self.at = cursor;
        self
    }

    /// The captured bytes, from the link header on.
    #[must_use]
    #[inline]
    pub fn frame(&self) -> &'a [u8] {
        self.frame
    }

    /// The captured bytes from the cursor on; empty if the capture ends before it.
    #[must_use]
    #[inline]
    pub fn rest(&self) -> &'a [u8] {
        self.frame.get(self.at.offset as usize..).unwrap_or_default()
    }

    /// When it was captured; for a joined datagram, when its last missing fragment was.
    #[must_use]
    #[inline]
    pub fn ts(&self) -> Timestamp {
        self.ts
    }

    /// Whether the capture stored a timestamp for this packet. If not, [`ts`](Self::ts) is that of the
    /// packet before it.
    #[must_use]
    #[inline]
    pub fn has_own_time(&self) -> bool {
        !self.marks.has(Marks::SHARED_TIME)
    }

    /// When the earliest of its frames was captured; [`ts`](Self::ts) unless it is a joined datagram.
    #[must_use]
    #[inline]
    pub fn first_ts(&self) -> Timestamp {
        self.first_ts
    }

    /// Bytes on the wire, all headers counted; for a joined datagram, of all its frames together.
    #[must_use]
    #[inline]
    pub fn wire_len(&self) -> u32 {
        self.wire_len
    }

    /// How many frames this packet came in: 1, or the number of fragments joined.
    #[must_use]
    #[inline]
    pub fn frames(&self) -> u32 {
        self.frames
    }

    /// Whether the capture holds fewer bytes than there were on the wire.
    #[must_use]
    #[inline]
    pub fn is_cut(&self) -> bool {
        (self.frame.len() as u64) < u64::from(self.wire_len) && self.frames == 1
    }

    /// What the frame begins with.
    #[must_use]
    #[inline]
    pub fn link(&self) -> LinkType {
        self.link
    }

    /// The VLAN tag that the capture took out of the frame, if any. It stands outside of all tags
    /// that are still in the frame.
    #[must_use]
    #[inline]
    pub fn vlan(&self) -> Option<VlanTag> {
        self.marks.has(Marks::VLAN).then_some(self.vlan)
    }

    /// The interface it was captured on, as the source counts them.
    #[must_use]
    #[inline]
    pub fn interface(&self) -> Option<u32> {
        self.marks.has(Marks::INTERFACE).then_some(self.interface)
    }

    /// The receive hash of card or kernel. A hint: different for the two directions of a flow
    /// unless the card is configured otherwise.
    #[must_use]
    #[inline]
    pub fn rx_hash(&self) -> Option<u32> {
        self.marks.has(Marks::RX_HASH).then_some(self.rx_hash)
    }

    /// The same, to be moved on.
    #[inline]
    pub fn cursor_mut(&mut self) -> &mut Cursor {
        &mut self.at
    }

    /// Where decoding goes on.
    #[must_use]
    #[inline]
    pub fn cursor(&self) -> &Cursor {
        &self.at
    }
}

/// A VLAN tag that was taken out of a frame (`tp_vlan_tci`, `tp_vlan_tpid` of AF_PACKET).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct VlanTag {
    /// Tag protocol identifier: 0x8100 for a customer tag, 0x88a8 for a service tag.
    pub tpid: u16,
    /// Tag control information: priority, drop eligibility, and the 12-bit id.
    pub tci: u16,
}

impl VlanTag {
    /// The VLAN id.
    #[must_use]
    #[inline]
    pub const fn id(self) -> u16 {
        self.tci & 0x0fff
    }
}

/// Where in a frame decoding goes on, and what was peeled on the way there.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Cursor {
    /// What stands at `offset`.
    pub next: NextHeader,
    /// Bytes from the start of the frame.
    pub offset: u32,
    /// How many layers of `path` the extractor has stepped over. As long as it trails `path.len()`,
    /// a combinator steps over its layer in the path instead of reading it from the frame.
    pub stepped: u8,
    /// The layers around what stands at `offset`, outermost first.
    pub path: Path,
}

impl Cursor {
    /// At an IP header that was not reached by peeling: that of a joined datagram, whose layers were
    /// peeled from its fragments, or of a packet that an ICMP message quotes, which has the layers
    /// of that message.
    ///
    /// One rule for both: `path` is what [`Extracted::path`](crate::Extracted::path) said of the
    /// fragment or of the message, and none of it was stepped over yet. So the extractor that was
    /// asked about the fragment or the message can be asked again, whatever it is made of: its
    /// combinators find their layers in the path, and read only those that follow.
    #[must_use]
    pub const fn around(offset: u32, path: Path) -> Self {
        Cursor { next: NextHeader::Ip, offset, stepped: 0, path }
    }
}

/// What kind of header comes next.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum NextHeader {
    /// A link-layer header.
    Link(LinkType),
    /// The payload of this Ethertype.
    EtherType(u16),
    /// An IP header, whose first four bits are its version.
    Ip,
    /// The IP header of a fragment: what it carries cannot be peeled before it is joined, so
    /// combinators hand such a view on as it is, and extractors say that it is a
    /// [`Fragment`](crate::Fragment).
    IpFragment,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wire_length_never_falls_below_the_capture() {
        let view = PacketView::new(&[0; 60], LinkType::ETHERNET, Timestamp::ZERO).with_wire_len(20);
        assert_eq!(view.wire_len(), 60);
        assert!(!view.is_cut());
        assert!(view.with_wire_len(61).is_cut());
    }

    #[test]
    fn a_copy_has_all_but_the_bytes() {
        let view = PacketView::new(&[1; 60], LinkType::RAW, Timestamp::from_secs(3))
            .with_vlan(VlanTag { tpid: 0x8100, tci: 7 })
            .with_interface(2)
            .with_rx_hash(9)
            .without_own_time()
            .with_joined(2, 90, Timestamp::from_secs(1))
            .at(Cursor::around(4, Path::EMPTY));
        let bare = view.with_frame(&[]);
        assert_eq!((bare.frame().len(), bare.wire_len()), (0, 90));
        // All fields, the bytes among them.
        assert_eq!(format!("{:?}", bare.with_frame(view.frame())), format!("{view:?}"));
        assert_eq!(bare.with_frame(&[1; 91]).wire_len(), 91);
    }

    #[test]
    fn a_cursor_beyond_the_capture_reads_nothing() {
        let view = PacketView::new(&[0; 4], LinkType::RAW, Timestamp::ZERO);
        let beyond = Cursor { offset: 5, ..*view.cursor() };
        assert!(view.at(beyond).rest().is_empty());
    }
}
