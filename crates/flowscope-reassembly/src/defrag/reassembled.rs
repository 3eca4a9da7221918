use flowscope_core::{Cursor, LinkType, PacketView, Path, Timestamp};

/// A reassembled IP datagram, which owns its bytes.
///
/// [`Defragmenter::recycle`](crate::Defragmenter::recycle) takes the buffer back for reuse.
#[derive(Clone, Debug)]
pub struct ReassembledDatagram {
    pub(super) bytes: Vec<u8>,
    pub(super) path: Path,
    pub(super) link: LinkType,
    pub(super) interface: Option<u32>,
    pub(super) ts: Timestamp,
    pub(super) first_ts: Timestamp,
    pub(super) wire_len: u32,
    pub(super) frames: u32,
}

impl ReassembledDatagram {
    /// The datagram as a packet.
    ///
    /// Its frame begins with the IP header of the first fragment, options and IPv6 extension headers
    /// included, as the sender would have written it without fragmentation. The payload follows, up to the
    /// first byte that a snap length cut off; the header's length is that of all of it.
    ///
    /// The cursor stands at that header. Its path has the layers removed from the fragments, none stepped
    /// over. Time, link type and interface are those of the last fragment received;
    /// [`frames`](PacketView::frames), [`wire_len`](PacketView::wire_len) and
    /// [`first_ts`](PacketView::first_ts) speak of all frames that it came in.
    #[must_use]
    pub fn view(&self) -> PacketView<'_> {
        let view = PacketView::new(&self.bytes, self.link, self.ts)
            .with_joined(self.frames, self.wire_len, self.first_ts)
            .at(Cursor::around(0, self.path));
        match self.interface {
            Some(interface) => view.with_interface(interface),
            None => view,
        }
    }
}
