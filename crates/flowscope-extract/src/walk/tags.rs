use flowscope_core::{Cursor, Layer, NextHeader, PacketView, VlanTag};

/// The tag that the capture stripped from the frame, while the cursor stands before the link header of the
/// frame.
#[inline]
pub(super) fn pending_tag(view: &PacketView<'_>) -> Option<VlanTag> {
    match view.cursor() {
        Cursor { next: NextHeader::Link(_), offset: 0, .. } => view.vlan(),
        _ => None,
    }
}

/// Not inlined: most frames have no stripped tag.
#[cold]
pub(super) fn has_pending_tag(view: &PacketView<'_>) -> bool {
    pending_tag(view).is_some()
}

#[inline]
pub(super) fn is_kind(wanted: Layer, found: Layer) -> bool {
    found == wanted || (wanted == Layer::Gre && matches!(found, Layer::Nvgre | Layer::Erspan))
}

/// Ethertypes of VLAN tags: customer tag, service tag, and the numbers that vendors used for the latter.
#[inline]
pub(super) const fn is_tag(ethertype: u16) -> bool {
    matches!(ethertype, 0x8100 | 0x88a8 | 0x9100 | 0x9200 | 0x9300)
}
