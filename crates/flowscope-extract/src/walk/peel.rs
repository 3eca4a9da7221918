use flowscope_core::{Cursor, Layer, NextHeader, PacketView, PathLayer, Refusal, VlanTag};

use super::{Bytes, link};

/// Moves the view's cursor past a layer and notes the layer in its path; `None` if the layer is
/// not what comes next. Of a kind that stacks, such as tags, all that stand one behind the other
/// are peeled at once.
///
/// In the view of a joined datagram, layers that were peeled from its fragments are stepped over,
/// in the order of the path.
///
/// # Errors
///
/// When the packet cannot be read that far, or has more layers than
/// [`MAX_DEPTH`](flowscope_core::MAX_DEPTH).
pub fn peel(view: PacketView<'_>, layer: Layer) -> Result<Option<PacketView<'_>>, Refusal> {
    let mut peeler = Peeler::new(&view);
    let found = match layer {
        Layer::Vlan => peeler.tags()?,
        _ => false,
    };
    Ok(found.then(|| view.at(peeler.cursor)))
}

/// The cursor behind all that can be peeled; where it was if that is nothing.
pub(crate) fn innermost(view: &PacketView<'_>) -> Result<Cursor, Refusal> {
    let mut peeler = Peeler::new(view);
    let mut found = peeler.step_over_all();
    while peeler.tags()? {
        found = true;
    }
    Ok(if found { peeler.cursor } else { *view.cursor() })
}

/// Whether there are layers that stand before the cursor, so to speak: of a joined datagram, or the
/// tag that the capture took out.
#[inline]
pub(super) fn has_unpeeled(view: &PacketView<'_>) -> bool {
    let cursor = view.cursor();
    usize::from(cursor.stepped) != cursor.path.len() || pending_tag(view).is_some()
}

/// Whether nothing but VLAN tags was peeled so far.
pub(super) fn only_tags(view: &PacketView<'_>) -> bool {
    view.cursor().path.iter().all(|layer| layer.layer == Layer::Vlan)
}

/// The tag beside the frame, as long as the cursor is before the frame's own link header.
#[inline]
fn pending_tag(view: &PacketView<'_>) -> Option<VlanTag> {
    match view.cursor() {
        Cursor { next: NextHeader::Link(_), offset: 0, .. } => view.vlan(),
        _ => None,
    }
}

struct Peeler<'a> {
    bytes: Bytes<'a>,
    cursor: Cursor,
    tag: Option<VlanTag>,
}

impl<'a> Peeler<'a> {
    fn new(view: &PacketView<'a>) -> Self {
        Peeler { bytes: Bytes::of(view), cursor: *view.cursor(), tag: pending_tag(view) }
    }

    fn tags(&mut self) -> Result<bool, Refusal> {
        if self.is_joined() {
            return Ok(self.step_over(Layer::Vlan));
        }
        let before = self.cursor.stepped;
        if let Some(tag) = self.tag {
            self.push(Layer::Vlan, tag.id())?;
        }
        self.enter()?;
        self.tag = None;
        while let NextHeader::EtherType(TPID_CUSTOMER | TPID_SERVICE | TPID_OLD) = self.cursor.next
        {
            let [a, b, c, d] = *self.bytes.array(self.cursor.offset as usize)?;
            self.push(Layer::Vlan, u16::from_be_bytes([a, b]) & 0x0fff)?;
            self.cursor.next = NextHeader::EtherType(u16::from_be_bytes([c, d]));
            self.cursor.offset += 4;
        }
        Ok(self.cursor.stepped != before)
    }

    /// Steps over the link header, if that is where the cursor is.
    fn enter(&mut self) -> Result<(), Refusal> {
        let (next, at) =
            link::header_only(self.bytes, self.cursor.next, self.cursor.offset as usize)?;
        self.cursor.next = next;
        self.cursor.offset = at as u32;
        Ok(())
    }

    fn push(&mut self, layer: Layer, id: impl Into<u32>) -> Result<(), Refusal> {
        let layer = PathLayer { layer, id: id.into() };
        self.cursor.path.push(layer).map_err(|_| Refusal::DepthExceeded)?;
        self.cursor.stepped += 1;
        Ok(())
    }

    fn is_joined(&self) -> bool {
        usize::from(self.cursor.stepped) < self.cursor.path.len()
    }

    /// Steps over layers of this kind that were peeled from the fragments of a joined datagram.
    fn step_over(&mut self, layer: Layer) -> bool {
        let before = self.cursor.stepped;
        let at = |index: u8| self.cursor.path.get(index.into()).map(|found| found.layer);
        let mut stepped = before;
        while at(stepped) == Some(layer) {
            stepped += 1;
        }
        self.cursor.stepped = stepped;
        stepped != before
    }

    fn step_over_all(&mut self) -> bool {
        let joined = self.is_joined();
        self.cursor.stepped = self.cursor.path.len() as u8;
        joined
    }
}

const TPID_CUSTOMER: u16 = 0x8100;
const TPID_SERVICE: u16 = 0x88a8;
const TPID_OLD: u16 = 0x9100;
